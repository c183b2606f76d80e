// An attack on several networks side by side: the image now, what was changed, and the curves; one scrubber goes
// through all traces. All that it shows was computed in Python; the scrubber moves in the browser alone.

const WIDTH = 300, LEFT = 58, RIGHT = 12, TOP = 54, BOTTOM = 26
const RED = "#E03131"
let height = 180  // of a chart; higher where one network has the screen for itself
const scrubbed = new WeakMap()  // where the scrubber is, as a share of each trace: it outlives a redraw

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const networks = onOneAxis(data.networks.map(decoded))
  height = networks.length > 1 ? 180 : 300
  const specs = chartsOf(data, networks).slice(0, data.brief ? 0 : 3)
  const last = Math.max(...networks.map((n) => n.frames.length)) - 1
  root.innerHTML = `
    <label class="scrub">Back through the trace
      <input type="range" min="0" max="${Math.max(1, last)}" step="1" ${last < 1 ? "disabled" : ""}></label>
    <div class="columns ${networks.length < 3 && !data.brief ? "few" : ""}">
      ${networks.map((n) => column(n, specs, data.unit)).join("")}</div>
    <div class="note"><b class="raised">Orange</b>: pixels raised, <b class="lowered">blue</b>: lowered, the largest
      change drawn full. <b class="floor">Red</b>: a gradient below the dotted line loses digits in float32; in the band
      float32 has only zero.</div>`
  const slider = root.querySelector("input"), sections = [...root.querySelectorAll("section")]
  const show = (share) => networks.forEach((n, k) => {
    const frame = Math.round(share * (n.frames.length - 1))
    if (n.frames.length) frameShown(sections[k], n, specs, data.unit, frame, share < 1)
  })
  slider.oninput = () => { scrubbed.set(root, slider.value / slider.max); show(slider.value / slider.max) }
  if (last < 1) scrubbed.delete(root)
  slider.value = (scrubbed.get(root) ?? 1) * slider.max
  show(scrubbed.get(root) ?? 1)
}

function column(n, specs, unit) {
  const picture = (kind, alt) =>
    `<canvas class="${kind}" width="28" height="28" role="img" aria-label="${alt}"></canvas>`
  return `<section style="--regime: ${n.colour}" data-network="${n.name}">
    <h3>${n.name}</h3><div class="says" role="status">${n.refused || n.says}</div>
    ${n.refused ? "" : `<div class="images">
      <figure>${picture("now", `The image of ${n.name} now`)}<figcaption>now</figcaption></figure>
      <figure>${picture("change", "What was changed in it, magnified")}<figcaption class="magnified"></figcaption>
      </figure></div>
    <div class="known">${n.note}</div><div class="charts">${specs.map((spec) => chart(n, spec, unit)).join("")}</div>`}
  </section>`
}

// ---- numbers

function decoded(n) {
  const columns = Object.entries(n.columns).map(([name, base64]) => [name, numbers(base64)])
  const images = bytes(n.frames), changes = bytes(n.changes)
  const at = (all, k) => all.subarray(784 * k, 784 * k + 784)
  const frames = n.frameRows.map((_, k) => ({ image: at(images, k), change: at(changes, k) }))
  return { ...n, ...Object.fromEntries(columns), frames }
}

// All as far to the right as the `longest` has come: else one that falls in a step looked as slow as one in eight.
function onOneAxis(networks) {
  const longest = Math.max(...networks.map((n) => n.iteration.at(-1) ?? 0))
  return networks.map((n) => ({ ...n, longest }))
}

function largestOf(networks, name, least) {
  return networks.reduce((top, n) => n[name].reduce((a, b) => Math.max(a, b), top), least)
}

function twoDigits(x) { return x === 0 ? "0" : power(Math.log10(x)) }

// 10 to the power of what may lie far below the smallest number there is.
function power(log10) {
  if (log10 >= -3 && log10 < 4) return String(Number((10 ** log10).toPrecision(2)))
  const exponent = Math.floor(log10 + 0.0021)  // what rounds to 10.0 is 1.0 of the next
  return `${Math.max(1, 10 ** (log10 - exponent)).toFixed(1)}·10${superscript(exponent)}`
}

// ---- charts: each with its axis, the same for all networks, its curves, and how a row of the trace reads

function chartsOf(data, networks) {
  const farthest = largestOf(networks, "l2", 0.5), distance = (d) => d / farthest
  const other = data.target ?? "best other"
  return [
    gradientChart(data.floors, networks),
    { title: "Probability", unit: "softmax", ticks: [[0, "0"], [0.5, "0.5"], [1, "1"]], curves: [
      { name: "source", of: (p) => p, reads: (n, row) => `${data.source}: ${percent(n.source[row])}` },
      { name: "target", of: (p) => p, dash: "7 5", reads: (n, row) => `${other}: ${percent(n.target[row])}` }] },
    { title: "Moved", unit: "from the image",
      ticks: [[0, "0"], [0.5, twoDigits(farthest / 2)], [1, twoDigits(farthest)]], curves: [
      { name: "l2", of: distance, reads: (n, row) => `L2: ${twoDigits(n.l2[row])}` },
      { name: "linf", of: distance, dash: "7 5", reads: (n, row) => `L∞: ${twoDigits(n.linf[row])}` }] },
  ]
}

function gradientChart(floors, networks) {
  const sizes = networks.flatMap((n) => [...n.log10_gradient]).filter(Number.isFinite)
  const low = Math.min(floors.denormal - 16, ...sizes.map((g) => g - 5)), high = Math.max(3, ...sizes)
  const of = (g) => (g - low) / (high - low), every = Math.ceil((high - low) / 80) * 20, ticks = []
  for (let k = 0; k >= low; k -= every) ticks.push([of(k), `10${superscript(k)}`])
  const reads = (n, row) => {  // the last that was taken: there is none where an attack has ended
    const taken = n.log10_gradient.subarray(0, row + 1).findLast((g) => !Number.isNaN(g))
    return taken === undefined ? "none taken" : taken === -Infinity ? "exactly zero" : power(taken)
  }
  const under = (n, x) => {
    const bottom = level(0), normal = level(of(floors.normal)), denormal = level(of(floors.denormal))
    const line = (y, dash) => `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="${RED}"
      stroke-width="2" stroke-dasharray="${dash}"/>`
    let out = `<rect x="${LEFT}" width="${WIDTH - LEFT - RIGHT}" y="${denormal}" height="${bottom - denormal}"
        fill="${RED}" fill-opacity="0.16"/>${line(denormal, "")}${line(normal, "2 4")}`
    let free = LEFT  // from here on there is room for a cross
    n.log10_gradient.forEach((g, i) => {
      if (g !== -Infinity || x(i) < free - 8) return
      const left = Math.max(LEFT + 2, x(i) - 6)
      out += `<path d="M${left} ${bottom - 14}l12 12m0 -12l-12 12" stroke="${RED}" stroke-width="3.5"/>`
      free = left + 24
    })
    return out
  }
  const over = `<text x="${WIDTH - RIGHT - 6}" y="${level(of(floors.denormal)) + 19}" text-anchor="end" font-size="16.5"
    class="floor">float32: zero</text>`
  const curves = [{ name: "log10_gradient", of, reads, dots: true }]
  return { title: "Size of the gradient", unit: "L2 norm, log axis", ticks, curves, under, over }
}

function level(share) { return height - BOTTOM - Math.min(1, Math.max(0, share)) * (height - BOTTOM - TOP) }

function place(n, i) { return LEFT + n.iteration[i] / (n.longest || 1) * (WIDTH - LEFT - RIGHT) }

function chart(n, spec, unit) {
  const text = (x, y, content, more = "") =>
    `<text x="${x}" y="${y}" fill="currentColor" font-size="16.5" ${more}>${content}</text>`
  let out = text(2, 17, `<tspan font-weight="700">${spec.title}</tspan> <tspan opacity="0.75">${spec.unit}</tspan>`)
  for (const [share, label] of spec.ticks) {
    const y = level(share)
    out += `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="currentColor" stroke-opacity="0.18"/>`
    out += text(LEFT - 6, y + 5, label, 'text-anchor="end"')
  }
  out += text(LEFT, height - 7, "0") + text((LEFT + WIDTH - RIGHT) / 2, height - 7, unit, 'text-anchor="middle"')
  out += text(WIDTH - RIGHT, height - 7, n.longest ? n.longest.toLocaleString("en") : "", 'text-anchor="end"')
  out += spec.under ? spec.under(n, (i) => place(n, i)) : ""
  spec.curves.forEach((curve, k) => {
    const drawn = (d) => `d="${d}" fill="none" stroke="${n.colour}" stroke-width="3" stroke-linejoin="round"
      stroke-dasharray="${curve.dash ?? ""}"`
    const from = [2, 126][k]
    out += `<path ${drawn(`M${from} 34h24`)}/>` + text(from + 30, 39, "", 'class="reads"') + curveDrawn(n, curve, drawn)
  })
  out += spec.over ?? ""
  out += `<line class="cursor" visibility="hidden" y1="${TOP - 4}" y2="${height - BOTTOM}" stroke="currentColor"
    stroke-width="1.8"/>`
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${out}</svg>`
}

function curveDrawn(n, curve, drawn) {
  const points = [...n[curve.name].keys()].filter((i) => Number.isFinite(n[curve.name][i]))
    .map((i) => [place(n, i).toFixed(1), level(curve.of(n[curve.name][i])).toFixed(1)])
  const dot = ([x, y]) => `<circle cx="${x}" cy="${y}" r="4.5" fill="${n.colour}"/>`
  const dots = curve.dots && points.length < 12 ? points.map(dot) : []
  return points.length ? `<path ${drawn(`M${points.map((point) => point.join(" ")).join("L")}`)}/>${dots.join("")}` : ""
}

// ---- one moment of a trace

function frameShown(section, n, specs, unit, k, marked) {
  const { image, change } = n.frames[k], row = n.frameRows[k], largest = n.largest[k]
  paint(section.querySelector(".now"), (i) => [image[i], image[i], image[i], 255])
  paint(section.querySelector(".change"), (i) => {
    const moved = change[i] / 127.5 - 1
    return [...(moved > 0 ? [230, 120, 0] : [40, 110, 220]), largest ? Math.round(255 * Math.abs(moved)) : 0]
  })
  section.querySelector(".magnified").textContent = largest ? `change × ${twoDigits(1 / largest)}` : "no change"
  const when = `${unit === "queries" ? "Query" : "Step"} ${n.iteration[row].toLocaleString("en")}`
  const then = `${when}: moved ${twoDigits(n.l2[row])} in L2, and it sees ${withArticle(n.seen[row])}.`
  section.querySelector(".says").textContent = marked ? then : n.says
  section.querySelectorAll("svg").forEach((svg, i) => {
    const readings = specs[i].curves.map((curve) => curve.reads(n, row))
    svg.querySelectorAll(".reads").forEach((reads, j) => { reads.textContent = readings[j] })
    svg.setAttribute("aria-label", `${specs[i].title} of ${n.name}: ${readings.join(", ")}`)
    const line = svg.querySelector(".cursor")
    line.setAttribute("visibility", marked ? "visible" : "hidden")
    line.setAttribute("x1", place(n, row))
    line.setAttribute("x2", place(n, row))
  })
}

function paint(canvas, colourOf) {
  const pixels = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) pixels.data.set(colourOf(i), 4 * i)
  canvas.getContext("2d").putImageData(pixels, 0, 0)
}
