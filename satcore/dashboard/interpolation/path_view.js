// The straight path between two images, as several networks see it side by side: one cursor t moves through all panels.
// All that it shows was computed in Python; here it is drawn, and the cursor snaps to the nearest point computed.

const WIDTH = 300, LEFT = 58, RIGHT = 10, TOP = 34, BOTTOM = 24, LAST_BOTTOM = 48
const FLOOR = 1e-4  // what is smaller is drawn here on a log axis
const LINE = 14  // at least so far apart are numbers at an axis
const PLAY_SECONDS = 10
const STILLS = 20  // shown one after the other where motion is to be reduced
const SUBSCRIPTS = "₁₂"

let tall = 174  // a panel; less where each network is a row, and on a low screen

const cursors = new WeakMap()  // what outlives a redraw: t, and the animation

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const cursor = cursors.get(root) ?? { t: tOfAddress(), frame: 0 }
  const networks = data.networks.map(decoded)
  tall = few(data) ? 138 : innerHeight < 800 ? 112 : 174
  data = { ...data, sourcePixels: bytes(data.sourcePixels), targetPixels: bytes(data.targetPixels) }
  const view = drawn(root, data, networks)
  const show = (t) => { cursor.t = Math.min(1, Math.max(0, t)); moved(root, view, data, networks, cursor.t) }
  const settle = () => { tIntoAddress(cursor.t) }
  const stop = () => {
    cancelAnimationFrame(cursor.frame)
    cursor.frame = 0
    view.play.textContent = "▶ Play"
    settle()
  }
  const start = () => {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches
    let before = performance.now(), t = cursor.t >= 1 ? 0 : cursor.t
    view.play.textContent = "❚❚ Pause"
    const tick = (now) => {
      t += (now - before) / 1000 / PLAY_SECONDS
      before = now
      show(still ? Math.ceil(STILLS * t) / STILLS : t)
      if (cursor.t >= 1) stop(); else cursor.frame = requestAnimationFrame(tick)
    }
    cursor.frame = requestAnimationFrame(tick)
  }
  const begins = data.plays && !matchMedia("(prefers-reduced-motion: reduce)").matches
  const playing = cursor.frame !== 0 || (begins && !cursors.has(root) && cursor.t === 0)
  cancelAnimationFrame(cursor.frame)
  cursors.set(root, cursor)

  view.play.onclick = () => (cursor.frame ? stop() : start())
  view.slider.oninput = () => { if (cursor.frame) stop(); show(Number(view.slider.value)) }
  view.slider.onchange = settle
  for (const [area, left, width] of view.areas) {
    const follow = (event) => {
      if (cursor.frame) stop()
      const box = area.getBoundingClientRect()
      show(((event.clientX - box.left) / box.width - left) / width)
    }
    area.onpointerdown = (event) => { area.setPointerCapture(event.pointerId); follow(event) }
    area.onpointermove = (event) => { if (event.buttons) follow(event) }
    area.onpointerup = settle
  }
  root.querySelectorAll("[data-t]").forEach((button) => {
    button.onclick = () => { stop(); show(Number(button.dataset.t)); settle() }
  })
  show(cursor.t)
  if (playing) start()
  return () => cancelAnimationFrame(cursor.frame)
}

function few({ networks, waiting }) { return networks.length + waiting.length < 3 }

// ---- numbers

function decoded(network) {
  return { ...network, nodes: numbers(network.nodes), element: numbers(network.element), soFar: numbers(network.soFar),
    probabilities: numbers(network.probabilities), t: numbers(network.t), spectra: numbers(network.spectra) }
}

function nearest(sorted, t) {
  let low = 0, high = sorted.length - 1
  while (high - low > 1) { const middle = (low + high) >> 1; if (sorted[middle] <= t) low = middle; else high = middle }
  return t - sorted[low] <= sorted[high] - t ? low : high
}

function column(table, k) { return Float32Array.from({ length: table.length / 10 }, (_, i) => table[10 * i + k]) }

function tOfAddress() {
  const t = Number(new URLSearchParams(location.search).get("t"))
  return t >= 0 && t <= 1 ? t : 0
}

function tIntoAddress(t) {
  const address = new URL(location.href)
  if (t > 0) address.searchParams.set("t", Number(t.toFixed(9))); else address.searchParams.delete("t")
  history.replaceState(history.state, "", address)
}

// ---- panels

function panelsOf(data, networks) {
  const largest = (values) =>
    networks.reduce((top, network) => values(network).reduce((a, b) => Math.max(a, b), top), 0)
  const element = axis(largest((n) => n.element), data.scale), soFar = axis(largest((n) => n.soFar), "linear")
  const sigma = axis(largest((n) => n.spectra), data.scale)
  return [
    { title: "Length element", unit: "per unit of t", axis: element,
      curves: (n) => [{ x: n.nodes, y: n.element, width: 2, fill: true }],
      reads: (n, i) => short(n.element[i]) },
    { title: "Length so far", unit: "Fisher–Rao", axis: soFar,
      curves: (n) => [{ x: n.nodes, y: n.soFar, width: 3 }],
      reads: (n, i) => `${part(n.soFar[i], n.soFar.at(-1))} of ${n.converged ? "" : "≈ "}${short(n.soFar.at(-1))}` },
    { title: "Probabilities", unit: "softmax", axis: axis(1, "linear"), band: true,
      curves: (n) => [...Array(10).keys()].sort((a, b) => rank(a, data) - rank(b, data)).map((k) => ({
        x: n.nodes, y: column(n.probabilities, k), width: rank(k, data) ? 3 : 1.2, grey: rank(k, data) === 0,
        dash: k === data.target ? "7 5" : "" })),
      reads: (n, i) => likely(n, i).slice(0, 2).map(([k, p]) => `${k}: ${percent(p)}`).join("  ") },
    { title: "Singular values", unit: "of J", axis: sigma,
      curves: (n) => [...Array(10).keys()].reverse().map((k) => ({
        x: n.t, y: column(n.spectra, k), width: k ? 1.5 : 3, opacity: 1 - 0.075 * k })),
      reads: (n, _, j) => [0, 1].map((k) => `σ${SUBSCRIPTS[k]} ${short(n.spectra[10 * j + k])}`).join("  ") },
  ]
}

function part(length, whole) { return 0 < length && length < whole / 1000 ? "≈ 0" : short(length) }

function rank(k, data) { return k === data.source ? 2 : k === data.target ? 1 : 0 }

function likely(network, i) {
  return [...network.probabilities.subarray(10 * i, 10 * i + 10).entries()].sort((a, b) => b[1] - a[1])
}

function axis(largest, scale) {
  if (scale === "log") {
    const low = Math.log10(FLOOR), high = Math.max(low + 1, Math.ceil(Math.log10(largest || 1)))
    const every = Math.ceil((high - low) / 4), ticks = []
    for (let k = low; k <= high; k += every) ticks.push([(k - low) / (high - low), `10${superscript(k)}`])
    ticks[0][1] = `≤${ticks[0][1]}`
    return { ticks, of: (y) => (Math.log10(Math.max(y, FLOOR)) - low) / (high - low) }
  }
  const top = largest || 1, power = 10 ** Math.floor(Math.log10(top / 3))
  const step = [1, 2, 2.5, 5, 10].map((s) => s * power).find((s) => top / s <= 4.01)
  const ticks = []
  for (let y = 0; y <= top * 1.0001; y += step) ticks.push([y / top, short(Number(y.toPrecision(6)))])
  return { ticks, of: (y) => y / top }
}

function place(t) { return LEFT + t * (WIDTH - LEFT - RIGHT) }

function panel(spec, network, data, last) {
  const bottom = last ? LAST_BOTTOM : BOTTOM, height = tall + bottom - BOTTOM
  const top = TOP + (spec.band ? 20 : 0), level = (share) => height - bottom - share * (height - bottom - top)
  const text = (x, y, content, more = "") =>
    `<text x="${x}" y="${y}" fill="currentColor" font-size="16.5" ${more}>${content}</text>`
  let out = text(2, 17, `<tspan font-weight="700">${spec.title}</tspan> <tspan opacity="0.75">${spec.unit}</tspan>`)
  out += text(WIDTH - RIGHT, 17, "", 'text-anchor="end" class="reads"')
  const apart = level(spec.axis.ticks[0][0]) - level(spec.axis.ticks[1][0]), every = Math.ceil(LINE / apart)
  for (const [share, label] of spec.axis.ticks.filter((_, k) => k % every === 0)) {
    out += `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${level(share)}" y2="${level(share)}" stroke="currentColor"
      stroke-opacity="0.18"/>`
    out += text(LEFT - 6, level(share) + 5, label, 'text-anchor="end"')
  }
  for (const t of [0, 0.5, 1]) {
    const anchor = t === 0 ? "start" : t === 1 ? "end" : "middle"
    out += `<line x1="${place(t)}" x2="${place(t)}" y1="${height - bottom}" y2="${height - bottom + 4}"
      stroke="currentColor" stroke-opacity="0.6"/>`
    out += text(place(t), height - bottom + 19, t, `text-anchor="${anchor}"`)
  }
  if (last) out += text(place(0.5), height - 7, "t, share of the way", 'text-anchor="middle"')
  if (spec.band) out += band(network)
  for (const curve of spec.curves(network)) {
    const d = drawnLine(curve.x.length, (i) => place(curve.x[i]), (i) => level(spec.axis.of(curve.y[i])))
    if (curve.fill) out += `<path d="${d}L${place(1)} ${level(0)}L${place(0)} ${level(0)}Z" fill="${network.colour}"
      fill-opacity="0.25"/>`
    out += `<path d="${d}" fill="none" stroke="${curve.grey ? "#888888" : network.colour}" stroke-width="${curve.width}"
      stroke-dasharray="${curve.dash ?? ""}" stroke-opacity="${curve.opacity ?? 1}" stroke-linejoin="round"/>`
  }
  out += `<line class="cursor" y1="${TOP - 6}" y2="${height - bottom}" stroke="currentColor" stroke-width="1.8"/>`
  return { markup: out, height }
}

// Which class is predicted along the way, as numerals above the probabilities.
function band(network) {
  let out = "", start = 0
  const best = network.nodes.length ? [...network.nodes.keys()].map((i) => likely(network, i)[0][0]) : []
  for (let i = 1; i <= best.length; i++) {
    if (i < best.length && best[i] === best[start]) continue
    const from = place(network.nodes[start]), to = place(network.nodes[Math.min(i, best.length - 1)])
    out += `<rect x="${from}" y="${TOP - 4}" width="${Math.max(0, to - from)}" height="19"
      fill="${network.colour}" fill-opacity="0.22"
      stroke="currentColor" stroke-opacity="0.5" stroke-width="0.6"/>`
    if (to - from > 11) out += `<text x="${(from + to) / 2}" y="${TOP + 11}" text-anchor="middle" font-size="16"
      font-weight="700" fill="currentColor">${best[start]}</text>`
    start = i
  }
  return out
}

// ---- drawing and moving

function drawn(root, data, networks) {
  const panels = panelsOf(data, networks)
  root.innerHTML = `
    <div class="head">
      <canvas class="now" width="28" height="28" role="img" aria-label="The image at t"></canvas>
      <canvas class="strip" role="img"
        aria-label="Images along the way from the ${data.source} to the ${data.target}"></canvas>
      <div class="bar"><button class="play" type="button">▶ Play</button>
        <input type="range" min="0" max="1" step="0.001" aria-label="t, share of the way"><output></output></div>
    </div>
    <div class="columns ${few(data) ? "few" : ""}">${networks.map((n) => `
      <section style="--regime: ${n.colour}" data-network="${n.name}">
        <h3>${n.name}</h3>
        <div class="answer"></div>
        <div class="figures">${n.figures.map(([label, value, help]) => `
          <div class="figure" tabindex="0"><div class="value">${value}</div><div class="label">${label}</div>
            <div class="help" role="tooltip">${help}</div></div>`).join("")}
        </div>
        ${panels.map((spec, k) => { const { markup, height } = panel(spec, n, data, k === panels.length - 1)
          return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${markup}</svg>` }).join("")}
        <button type="button" data-t="${n.transition}">Go to its transition, t = ${n.transition.toFixed(3)}</button>
      </section>`).join("")}${data.waiting.map((name) => `
      <section style="--regime: #888888"><h3>${name}</h3><div class="answer">computing …</div></section>`).join("")}
    </div>`
  const strip = root.querySelector(".strip"), find = (selector) => root.querySelector(selector)
  drawStrip(strip, data)
  const inner = (WIDTH - LEFT - RIGHT) / WIDTH
  return { panels, strip, now: find(".now"), play: find(".play"), slider: find("input"), output: find("output"),
    sections: [...root.querySelectorAll("section[data-network]")],
    areas: [[strip, 0, 1], ...[...root.querySelectorAll("svg")].map((svg) => [svg, LEFT / WIDTH, inner])] }
}

function imageAt(data, t) {
  const pixels = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) {
    const grey = Math.round((1 - t) * data.sourcePixels[i] + t * data.targetPixels[i])
    pixels.data.set([grey, grey, grey, 255], 4 * i)
  }
  return pixels
}

function drawStrip(canvas, data) {
  const count = 17
  canvas.width = 28 * count
  canvas.height = 28
  const context = canvas.getContext("2d")
  for (let k = 0; k < count; k++) context.putImageData(imageAt(data, (k + 0.5) / count), 28 * k, 0)
  canvas.still = context.getImageData(0, 0, canvas.width, 28)
}

function moved(root, view, data, networks, t) {
  view.slider.value = t
  view.output.textContent = `t = ${t.toFixed(3)}`
  view.now.getContext("2d").putImageData(imageAt(data, t), 0, 0)
  const context = view.strip.getContext("2d")
  context.putImageData(view.strip.still, 0, 0)
  context.fillStyle = "#ff4b4b"
  context.fillRect(t * (view.strip.width - 1), 0, 1, 28)
  networks.forEach((network, k) => {
    const i = nearest(network.nodes, t), j = nearest(network.t, t), [[best, p]] = likely(network, i)
    const section = view.sections[k]
    section.querySelector(".answer").innerHTML = `It sees a <b>${best}</b>, ${percent(p)}`
    section.querySelectorAll("svg").forEach((svg, row) => {
      const panel = view.panels[row], reads = panel.reads(network, i, j)
      svg.querySelector(".reads").textContent = reads
      const where = `along the path, at t = ${t.toFixed(3)}`
      svg.setAttribute("aria-label", `${panel.title} of ${network.name} ${where}: ${reads}`)
      const line = svg.querySelector(".cursor")
      line.setAttribute("x1", place(t))
      line.setAttribute("x2", place(t))
    })
  })
}
