// A training, epoch by epoch: its course, and what the network looked like after the epoch at which the cursor stands,
// in pixels of a laptop's screen: figures grow with what is written, and that with the window.

const LEFT = 70, RIGHT = 12, TOP = 8, FOOT = 46  // around a figure's axes, in pixels
const STRIP = 40, ABOVE_STRIP = 14  // of λ's axis, below the course
const TALL = 196, NARROW = 250
const SCENE = 430  // what stands above and below the axes in a scene, in pixels of a laptop's screen
const PLAY_SECONDS = 12
const GREY = "#888888", PARAMETER = "epoch"
const DECADES = 8  // of the length element
const DASHES = ["", "10 6", "2 5", "10 5 2 5"]
const SHARES = [  // of the course; hatched where the gradient is exactly zero, as in Table 1
  { field: "zero_gradient", name: "zero gradient", width: 1.5, dash: "2 4", mark: "cross", hatched: true },
  { field: "accuracy", name: "right", width: 2, dash: "", mark: "circle" },
  { field: "fgsm_accuracy", name: "after FGSM", width: 5, dash: "", mark: "diamond" },
]
const MARKS = ["circle", "square", "diamond", "cross"]

const states = new WeakMap()  // what outlives a redraw: what is drawn, where the cursor stands, and the animation

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const state = states.get(root) ?? { epoch: epochOfAddress(), frame: 0 }
  states.set(root, state)
  state.training = decoded(data)
  const figures = state.training.stops.length ? figuresOf(state.training) : [course(state.training)]
  const shape = figures.map(({ key }) => key).join()
  if (state.shape !== shape) built(root, state, figures)  // else what is being dragged stays
  state.shape = shape
  state.figures = figures
  root.querySelector(".caption").innerHTML = safe(data.caption).replaceAll("φ_c", "φ<sub>c</sub>")
  root.classList.toggle("scene", data.scene)
  drawn(root, state)
  const moves = data.scene && state.training.stops.length > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches
  if (!state.observer && moves && state.epoch === null) play(root, state)
  if (!state.observer) {  // one for all epochs: this runs again with each of them, and what it returns at the end alone
    state.observer = new ResizeObserver(() => drawn(root, state))
    state.observer.observe(root)
  }
  return () => { state.observer.disconnect(); cancelAnimationFrame(state.frame) }
}

// ---- what there is

function decoded(data) {
  const all = (fields) => Object.fromEntries(Object.entries(fields).map(([name, value]) =>
    [name, typeof value === "string" && name !== "called" ? numbers(value) : value]))
  return { ...data, course: all(data.course), beside: data.beside && all(data.beside), losses: all(data.losses),
    saturation: data.saturation.map(numbers), kurtosis: data.kurtosis.map(numbers), weights: data.weights.map(all),
    element: numbers(data.element),
    curves: data.curves.map((curve) => ({ ...all({ values: curve.values, flat: curve.flat }), phi: curve.phi,
      layer: curve.layer, ends: curve.ends, inputs: all(curve.inputs) })) }
}

// The stop at which the cursor stands: the latest one that isn't past its epoch.
function stopOf({ epoch, training }) {
  const { stops, course } = training
  return Math.max(0, epoch === null ? stops.length - 1 : stops.findLastIndex((stop) => course.at[stop] <= epoch))
}

function epochOfAddress() {
  const asked = new URLSearchParams(location.search).get(PARAMETER)
  return asked !== null && Number(asked) >= 1 ? Number(asked) : null  // null: the latest one, whichever that is
}

function epochIntoAddress(epoch) {
  const address = new URL(location.href)
  if (epoch === null) address.searchParams.delete(PARAMETER); else address.searchParams.set(PARAMETER, epoch)
  history.replaceState(history.state, "", address)
}

// ---- figures: what each is called after a stop, what its curves are, and how its axes are filled

function figuresOf(training) {
  const curves = training.curves.map((curve) => nonlinearity(training, curve)), { saturation, kurtosis } = training
  const { loss, penalty } = training.losses
  const curve = (y, k) => ({ name: training.layers[k], y, width: 3, mark: MARKS[k % 4],
    dash: DASHES[(k + Math.floor(k / 4)) % 4] })  // the fifth's is not the first's
  // A step has no weights: what is known of fewer layers is of the last ones.
  const layers = (values) => values.map((y, k) => curve(y, k + training.layers.length - values.length))
  return [course(training), ...curves, element(training),
    single(training, "loss", "Loss", "mean of an epoch", loss, logarithmic(...rangeOf([loss]))),
    single(training, "penalty", "Penalty", "without its λ", penalty, roomy(...rangeOf([penalty]))),
    overEpochs(training, "saturated", "Saturated units in %", "% of units", layers(saturation), shares()),
    overEpochs(training, "kurtosis", "Kurtosis of the weights", "excess", layers(kurtosis),
      roomy(...rangeOf(kurtosis))),
    ...training.weights.map((_, layer) => weightsOf(training, layer))]
}

function shares() { return { of: (y) => y / 101, ticks: [0, 25, 50, 75, 100].map((y) => [y, String(y)]) } }

function rangeOf(curves) {
  const known = curves.flatMap((curve) => [...curve]).filter(Number.isFinite)
  return known.length ? [Math.min(...known), Math.max(...known)] : [0, 1]
}

// Numbers at one axis are written alike.
function linear(low, high) {
  const count = 5, ticks = linearTicks(low, high, count), most = Math.max(...ticks.map(Math.abs))
  const decimals = { maximumFractionDigits: Math.max(0, Math.ceil(-Math.log10((high - low) / count))) }
  const written = (y) => (most >= 0.01 && most < 1e4 ? signed((y || 0).toLocaleString("en", decimals)) : brief(y))
  return { of: (y) => (y - low) / (high - low), ticks: ticks.map((y) => [y, written(y)]) }
}

function signed(written) { return written.replaceAll("-", "−") }

// A number at an axis: what isn't needed there is left out.
function brief(y) { return signed(short(y).replace(".0·", "·").replace(/^(-?)1·/, "$1")) }

function roomy(low, high) {
  const space = 0.08 * (high - low) + 0.02 * Math.abs(high) || 1
  return linear(low - space, high + space)
}

// With numbers between powers of ten where there are few of these.
function logarithmic(low, high) {
  if (!(low > 0)) return roomy(low, high)
  const from = Math.log10(low) - 0.1, to = Math.log10(high) + 0.1
  const found = logarithmicTicks(10 ** from, 10 ** to), every = Math.ceil(found.length / 6)
  const ticks = found.length > 2 ? found.filter((_, k) => k % every === 0) : linearTicks(10 ** from, 10 ** to)
  const written = to - from > 3 ? (y) => `10${superscript(Math.round(Math.log10(y)))}` : brief
  return { of: (y) => (Math.log10(y) - from) / (to - from), ticks: ticks.map((y) => [y, written(y)]) }
}

function course(training) {
  const { course: own, beside, most, colour } = training
  const begun = own.at.length > 0
  const curves = SHARES.map((share) => ({ ...share, unit: " %" })).flatMap((share) => [
    ...(beside ? [{ ...share, x: beside.at, y: beside[share.field], colour: GREY, name: begun ? "" : share.name,
      width: Math.max(1.5, 0.6 * share.width), hatched: false }] : []),
    { ...share, y: own[share.field], name: begun ? share.name : "" }])
  const figure = overEpochs(training, "course", "", "% of images", curves, shares())
  const lambda = [...(beside?.drawsLambda ? [{ x: beside.at, y: beside.lam, colour: GREY }] : []),
    { x: own.at, y: own.lam, colour, filled: true }].filter(({ x }) => x.length)
  return { ...figure, strip: lambda.length > 0 && { curves: lambda, most } }
}

// One curve, whose value stands in the title.
function single(training, key, title, unit, y, axis) {
  const now = (k) => y[training.stops[k]], curve = { y, width: 3, dash: "", mark: "circle" }
  return { ...overEpochs(training, key, title, unit, [curve], axis), alt: () => "",
    title: (k) => (Number.isFinite(now(k)) ? `${title}: ${signed(short(now(k)))}` : title) }
}

function overEpochs({ reach, colour, course }, key, title, unit, curves, axis) {
  const epochs = linear(0, reach)
  epochs.ticks = epochs.ticks.filter(([epoch]) => Number.isInteger(epoch))
  return { key, overEpochs: true, title: () => title, x: epochs, xLabel: "epoch", y: axis, yLabel: unit,
    curves: curves.map((curve) => ({ x: course.at, colour, ...curve })), drawn: () => "" }
}

function element({ element, stops, colour }) {
  const points = element.length / stops.length, at = (k) => element.subarray(k * points, (k + 1) * points)
  const floor = Math.ceil(Math.log10(Math.max(...element) || 1)) - DECADES
  const of = (y) => (Math.log10(Math.max(y, 10 ** floor)) - floor + 0.3) / (DECADES + 0.6)
  const ticks = [0, 2, 4, 6, 8].map((k) => [10 ** (floor + k), `${k ? "" : "≤"}10${superscript(floor + k)}`])
  return { key: "element", title: () => "Length element, from a 3 to an 8", x: linear(0, 1), y: { of, ticks },
    xLabel: "t, from the 3 to the 8", yLabel: "√(vᵀ G v)", curves: [],
    alt: (k) => { const [low, high] = rangeOf([at(k)]); return `from ${short(low)} to ${short(high)}` },
    drawn: (k, { across, up }) => [[0, GREY, 2, "2 5"], [k, colour, 4, ""]].map(([stop, stroke, width, dash]) =>
      path(drawnLine(points, (i) => across(i / (points - 1)), (i) => up(at(stop)[i])), stroke, width, dash)).join("") }
}

// Where a layer's inputs lie on its nonlinearity, in full colour where that is flat; all histograms are of one height.
function nonlinearity({ layers, saturation, stops, colour }, { layer, phi, ends: [low, high], values, flat, inputs }) {
  const [least, most] = rangeOf([values]), last = values.length - 1
  const near = (h) => Math.round((h - low) / (high - low) * last), h = (i) => low + i / last * (high - low)
  const knees = Array.from(flat, (_, i) => i).filter((i) => i && flat[i] !== flat[i - 1]).map((i) => h(i - 0.5))
  const ends = [low, ...knees, high]  // a bin in which φ begins to be flat is drawn in two parts
  const share = (k) => `${saturation[layer][stops[k]].toFixed(0)} % saturated`
  return { key: `curve ${layer}`, title: (k) => `${layers[layer].replace("l", "L")}: ${share(k)}`, x: linear(low, high),
    y: roomy(least, most), xLabel: "input h of a unit", yLabel: "φ(h)", curves: [],
    alt: (k) => `${phi}, ${share(k)}`,
    drawn: (k, { across, up, base, tall }) => {
      const bars = (stop) => binsOf(inputs, stop).flatMap((bin) => ends.slice(1).map((end, i) =>
        ({ ...bin, from: Math.max(ends[i], bin.from), to: Math.min(end, bin.to) })))
        .filter(({ from, to }) => from < to).map(({ from, to, count, most }) => ({ left: across(from),
          right: across(to), top: base - tall * 0.96 * count / most, flat: flat[near((from + to) / 2)] }))
      const filled = bars(k).map(({ left, right, top, flat }) => `<path d="M${left} ${base}V${top}H${right}V${base}Z"
        fill="${colour}" fill-opacity="${flat ? 1 : 0.3}"/>`).join("")
      const curve = drawnLine(last + 1, (i) => across(h(i)), (i) => up(values[i]))
      return filled + path(outline(bars(0), base), GREY, 2, "2 5") + path(curve, GREY, 5, "")
    } }
}

function weightsOf({ weights, kurtosis, stops, colour }, layer) {
  const counted = weights[layer], density = ({ from, to, count, all }) => count / all / (to - from)
  const every = stops.flatMap((_, k) => binsOf(counted, k)), known = every.map(density).filter((y) => y > 0)
  const [low, high] = rangeOf([counted.ends]), y = logarithmic(...rangeOf([known]))
  const excess = (k) => kurtosis[layer][stops[k]]
  return { key: `weights ${layer}`, x: linear(low, high), y, xLabel: "weight", yLabel: "density", curves: [],
    title: (k) => `Weights of layer ${layer + 1}` +
      (Number.isFinite(excess(k)) ? `, excess kurtosis ${signed(excess(k).toFixed(1))}` : ""),
    drawn: (k, { across, up, base }) => [[0, GREY, 2, "2 5"], [k, colour, 3, ""]].map(([stop, stroke, width, dash]) =>
      path(outline(binsOf(counted, stop).map((bin) => ({ left: across(bin.from), right: across(bin.to),
        top: density(bin) > 0 ? up(density(bin)) : base })), base), stroke, width, dash)).join("") }
}

function binsOf({ ends, counts }, stop) {
  const bins = 2 * counts.length / ends.length, low = ends[2 * stop], wide = (ends[2 * stop + 1] - low) / bins
  const there = counts.subarray(stop * bins, (stop + 1) * bins)
  const all = there.reduce((sum, count) => sum + count), most = Math.max(...there)
  return Array.from(there, (count, i) => ({ from: low + i * wide, to: low + (i + 1) * wide, count, all, most }))
}

// ---- on the page

function built(root, state, figures) {
  const { key } = figures[0]
  const place = (figure) => `<figure data-key="${figure.key}"><figcaption></figcaption><div class="legend"></div>
    <svg role="img"></svg></figure>`
  const first = figures.filter((figure, k) => figure.key === key || (k < 3 && figure.key.startsWith("curve")))
  const rest = figures.filter((figure) => !first.includes(figure))
  root.innerHTML = `<div class="first of-${first.length}">${first.map(place).join("")}</div>
    <div class="bar" ${rest.length ? "" : "hidden"}><button type="button">▶ Play</button>
      <input type="range" min="0" step="1" aria-label="Look back: the network after an earlier epoch"/>
      <output></output></div>
    <p class="caption"></p><div class="rest">${rest.map(place).join("")}</div>`
  const input = root.querySelector("input"), button = root.querySelector("button")
  const show = (stop) => {
    const { stops, course } = state.training
    state.epoch = stop >= stops.length - 1 ? null : course.at[stops[Math.max(0, stop)]]
    drawn(root, state)
  }
  state.show = show
  input.oninput = () => { halt(root, state); show(Number(input.value)) }
  input.onchange = () => epochIntoAddress(state.epoch)
  button.onclick = () => (state.frame ? halt(root, state) : play(root, state))
  root.querySelectorAll("figure").forEach((figure) => {
    const svg = figure.querySelector(":scope > svg")
    const follow = (event) => {
      const { figures, training } = state, box = svg.getBoundingClientRect()
      if (!figures.find(({ key }) => key === figure.dataset.key).overEpochs || !training.stops.length) return
      const wide = svg.viewBox.baseVal.width, at = (event.clientX - box.left) / box.width * wide
      const epoch = (at - LEFT) / (wide - LEFT - RIGHT) * training.reach + 0.5
      halt(root, state)
      show(training.stops.findLastIndex((stop) => training.course.at[stop] <= epoch))
    }
    svg.onpointerdown = (event) => { svg.setPointerCapture(event.pointerId); follow(event) }
    svg.onpointermove = (event) => { if (event.buttons) follow(event) }
    svg.onpointerup = () => epochIntoAddress(state.epoch)
  })
}

// From the cursor on, or from the first epoch where it stands at the last.
function play(root, state) {
  const count = () => state.training.stops.length, started = performance.now()
  const from = stopOf(state) < count() - 1 ? stopOf(state) : 0
  root.querySelector(".bar button").textContent = "❚❚ Pause"
  const tick = (now) => {
    const stop = Math.floor(from + (now - started) / 1000 / PLAY_SECONDS * count())
    if (stop !== stopOf(state)) state.show(stop)
    if (stop >= count() - 1) halt(root, state)
    else state.frame = requestAnimationFrame(tick)
  }
  state.frame = requestAnimationFrame(tick)
}

function halt(root, state) {
  if (state.frame) epochIntoAddress(state.epoch)
  cancelAnimationFrame(state.frame)
  state.frame = 0
  root.querySelector(".bar button").textContent = "▶ Play"
}

function drawn(root, state) {
  const { training, figures } = state, stop = stopOf(state), at = training.stops[stop]
  const grown = parseFloat(getComputedStyle(root).fontSize) / LAPTOP
  const high = training.scene ? Math.max(TALL, innerHeight / grown - SCENE) : TALL
  const places = figures.map(({ key }) => root.querySelector(`figure[data-key="${key}"]`))
  const widths = places.map((place) => Math.max(NARROW, place.clientWidth / grown))  // all, before anything is changed
  if (training.stops.length) {
    const input = root.querySelector("input"), epoch = training.course.at[at]
    input.max = training.stops.length - 1
    input.value = stop
    input.setAttribute("aria-valuetext", `epoch ${epoch}`)
    root.querySelector("output").innerHTML =
      `After epoch <b>${epoch.toLocaleString("en")}</b> of ${training.epochs.toLocaleString("en")},
      λ = ${short(training.course.lam[at])}`
  }
  figures.forEach((figure, i) => {
    const there = places[i], wide = widths[i]
    there.querySelector("figcaption").textContent = figure.title(stop)
    there.querySelector(".legend").innerHTML = figure.curves.filter(({ name }) => name)
      .map((curve) => keyOf(curve, at)).join("")
    const svg = there.querySelector(":scope > svg")
    const { markup, tall } = filled(figure, wide, high, stop, at, training)
    svg.setAttribute("viewBox", `0 0 ${wide} ${tall}`)
    svg.setAttribute("height", tall * grown)
    svg.setAttribute("aria-label", altOf(figure, stop, at, training))
    svg.classList.toggle("scrub", Boolean(figure.overEpochs && training.stops.length))
    svg.innerHTML = markup
  })
}

function valueAt({ y, unit = "" }, at) {
  return Number.isFinite(y[at]) ? `${signed(y[at].toFixed(1))}${unit}` : ""
}

function keyOf(curve, at) {
  const mark = `<svg viewBox="0 0 34 14" aria-hidden="true">${path("M1 7H33", curve.colour, curve.width, curve.dash)}
    ${marked(curve, 17, 7)}</svg>`
  return `<span>${mark} ${safe(curve.name)} <b>${valueAt(curve, at)}</b></span>`
}

function altOf({ title, curves, alt, yLabel }, stop, at, { course, beside }) {
  const after = at === undefined ? "Nothing trained yet" : `After epoch ${course.at[at]}`
  const values = alt ? alt(stop) : curves.filter(({ colour }) => colour !== GREY).map((curve) =>
    `${curve.name} ${valueAt(curve, at)}`).join(", ")
  return `${title(stop) || yLabel}. ${after}${values && `: ${values}`}${beside && curves.some(({ hatched }) => hatched)
    ? `. In grey: ${beside.called}` : ""}`
}

// ---- a figure

function filled(figure, wide, high, stop, at, training) {
  const { x, y, curves, strip } = figure, tall = strip ? high - STRIP + 10 : high, base = TOP + tall
  const across = (value) => LEFT + x.of(value) * (wide - LEFT - RIGHT)
  const within = (value) => (x.of(value) <= 1 ? across(value) : NaN)  // what is beside may go on for longer
  const up = (value) => TOP + (1 - y.of(value)) * tall
  const bottom = base + (strip ? ABOVE_STRIP + STRIP : 0)
  let out = y.ticks.map(([value, label]) => `<line class="grid" x1="${LEFT}" x2="${wide - RIGHT}" y1="${up(value)}"
    y2="${up(value)}"/>${text(LEFT - 7, up(value) + 5, label, 'text-anchor="end"')}`).join("")
  out += x.ticks.map(([value, label]) => `<line class="tick" x1="${across(value)}" x2="${across(value)}" y1="${bottom}"
    y2="${bottom + 4}"/>${text(across(value), bottom + 20, label, 'text-anchor="middle"')}`).join("")
  out += text((LEFT + wide - RIGHT) / 2, bottom + 40, figure.xLabel, 'text-anchor="middle"')
  out += `<text class="upright" transform="translate(15 ${TOP + tall / 2}) rotate(-90)" text-anchor="middle"
    >${safe(figure.yLabel)}</text>`
  out += figure.drawn(stop, { across, up, base, tall })
  out += curves.map((curve) => curveOf(curve, within, up, base)).join("")
  if (strip) out += stripOf(strip, within, base + ABOVE_STRIP, wide)
  if (figure.overEpochs && at !== undefined) {
    const here = across(training.course.at[at])
    out += `<line class="cursor" x1="${here}" x2="${here}" y1="${TOP}" y2="${bottom}"/>`
    out += curves.filter((curve) => curve.x === training.course.at && Number.isFinite(curve.y[at])).map((curve) =>
      marked(curve, here, up(curve.y[at]))).join("")
  }
  return { markup: out, tall: bottom + FOOT }
}

function curveOf({ x, y, colour, width, dash, hatched }, across, up, base) {
  const line = drawnLine(x.length, (i) => across(x[i]), (i) => up(y[i]))
  if (!line) return ""
  const area = hatched ? `<pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse"
    patternTransform="rotate(45)"><path d="M0 0V9" stroke="${colour}" stroke-width="4"/></pattern>
    <path d="${line}V${base}H${across(x[0])}Z" fill="url(#hatch)"/>` : ""
  return area + path(line, colour, width, dash)
}

// λ below the course, from 0 to the one number that its axis has.
function stripOf({ curves, most }, across, top, wide) {
  const base = top + STRIP, up = (value) => base - STRIP * value / (1.1 * most || 1)
  const lines = curves.map(({ x, y, colour, filled }) => {
    const line = drawnLine(x.length, (i) => across(x[i]), (i) => up(y[i]))
    const area = `<path d="${line}V${base}H${across(x[0])}Z" fill="${colour}" fill-opacity="0.35"/>`
    return (filled && line ? area : "") + path(line, colour, 2, "")
  })
  return `<line class="tick" x1="${LEFT}" x2="${wide - RIGHT}" y1="${base}" y2="${base}"/>${lines.join("")}
    ${text(LEFT - 7, up(most) + 5, brief(most), 'text-anchor="end"')}
    ${text(15, base - 8, "λ", 'text-anchor="middle"')}`
}

// Each curve has a mark of its own, where the cursor stands.
function marked({ mark, colour }, x, y) {
  const shapes = { circle: "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0", square: "M-5 -5H5V5H-5Z",
    diamond: "M0 -7L7 0L0 7L-7 0Z", cross: "M-5 -5L5 5M-5 5L5 -5" }
  return `<path class="mark" d="${shapes[mark]}" transform="translate(${x} ${y})" stroke="${colour}"/>`
}

function path(d, stroke, width, dash) {
  return `<path d="${d}" fill="none" stroke="${stroke}" stroke-width="${width}" stroke-dasharray="${dash}"
    stroke-linejoin="round"/>`
}

// Around bars that stand side by side.
function outline(bars, base) {
  if (!bars.length) return ""
  return `M${bars[0].left} ${base}${bars.map(({ right, top }) => `V${top}H${right}`).join("")}V${base}`
}
