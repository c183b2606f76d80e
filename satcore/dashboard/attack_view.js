// An attack on several networks side by side: the image now, what was changed, and the curves; one scrubber goes through all traces.

const WIDTH = 340, HEIGHT = 190, LEFT = 58, RIGHT = 12, TOP = 30, BOTTOM = 46
const scrubbed = new WeakMap()  // where the scrubber is, as a share of the trace: it outlives a redraw

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const networks = data.networks.map(decoded)
  root.innerHTML = `
    <div class="columns">${networks.map((n) => `
      <section style="--regime: ${n.colour}" data-network="${n.name}">
        <h3>${n.name}</h3><div class="says" role="status">${n.refused || n.says}</div>
        ${n.refused ? "" : `<div class="images"><figure><canvas class="now" width="28" height="28" role="img" aria-label="The image now"></canvas><figcaption>now</figcaption></figure>
          <figure><canvas class="change" width="28" height="28" role="img" aria-label="The perturbation, magnified"></canvas><figcaption class="magnified"></figcaption></figure></div>
        ${charts(n, data).map((svg) => svg).join("")}`}
      </section>`).join("")}</div>
    <label class="scrub" ${data.playing || networks.every((n) => n.frames.length < 2) ? "hidden" : ""}>Back through the trace
      <input type="range" min="0" max="1" step="0.001" value="1"><output></output></label>`
  const slider = root.querySelector("input"), output = root.querySelector("output")
  const sections = [...root.querySelectorAll("section")]
  const show = (share) => {
    slider.value = share
    const words = []
    networks.forEach((n, k) => { if (!n.refused && n.frames.length) words.push(frameShown(sections[k], n, Math.round(share * (n.frames.length - 1)), share < 1)) })
    output.textContent = words.length ? words[0] : ""
  }
  slider.oninput = () => { scrubbed.set(root, Number(slider.value)); show(Number(slider.value)) }
  if (data.playing) scrubbed.delete(root)
  show(scrubbed.get(root) ?? 1)
}

function frameShown(section, n, k, marked) {
  const { image, change } = n.frames[k], row = n.frameRows[k], largest = n.largest[k]
  paint(section.querySelector(".now"), (i) => [image[i], image[i], image[i], 255])
  paint(section.querySelector(".change"), (i) => {
    const moved = change[i] / 127.5 - 1
    return [...(moved > 0 ? [230, 120, 0] : [40, 110, 220]), largest ? Math.round(255 * Math.abs(moved)) : 0]
  })
  section.querySelector(".magnified").textContent = largest ? `change × ${short(1 / largest)}` : "no change"
  section.querySelectorAll("svg").forEach((svg) => {
    const line = svg.querySelector(".cursor"), last = n.iteration.at(-1) || 1
    line.setAttribute("visibility", marked ? "visible" : "hidden")
    line.setAttribute("x1", place(n.iteration[row] / last))
    line.setAttribute("x2", place(n.iteration[row] / last))
  })
  const said = section.querySelector(".says")
  said.textContent = marked ? `Step ${n.iteration[row]}: moved ${short(n.l2[row])} in L2, and it sees a ${n.seen[row]}.` : n.says
  return `step ${n.iteration[row].toLocaleString("en")}`
}

function paint(canvas, colourOf) {
  const pixels = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) pixels.data.set(colourOf(i), 4 * i)
  canvas.getContext("2d").putImageData(pixels, 0, 0)
}

function bytes(base64) { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) }

function decoded(n) {
  const columns = Object.fromEntries(Object.entries(n.columns).map(([name, base64]) => [name, new Float32Array(bytes(base64).buffer)]))
  const images = bytes(n.frames), changes = bytes(n.changes)
  const frames = n.frameRows.map((_, k) => ({ image: images.subarray(784 * k, 784 * k + 784), change: changes.subarray(784 * k, 784 * k + 784) }))
  return { ...n, ...columns, frames }
}

function short(x) {
  if (x === 0) return "0"
  return Math.abs(x) >= 0.01 && Math.abs(x) < 1e4 ? String(Number(x.toPrecision(2))) : x.toExponential(0)
}

function place(share) { return LEFT + share * (WIDTH - LEFT - RIGHT) }

function level(share) { return HEIGHT - BOTTOM - Math.min(1, Math.max(0, share)) * (HEIGHT - BOTTOM - TOP) }

function charts(n, data) {
  const to = data.target === null ? "any other" : data.target
  const farthest = n.l2.reduce((a, b) => Math.max(a, b), 1), floor = data.floors.denormal
  const values = [...n.log10_gradient].filter((g) => Number.isFinite(g) && g > -1e8)
  const low = Math.min(floor - 5, ...values) - 5, high = Math.max(2, ...values)
  const none = [...n.log10_gradient].every((g) => Number.isNaN(g))
  return [
    chart(n, `Probability of <tspan font-weight="700">${data.source}</tspan> ── and <tspan font-weight="700">${to}</tspan> ╌╌`, [[0, "0"], [0.5, "0.5"], [1, "1"]],
      [{ y: n.source, of: (p) => p, width: 3 }, { y: n.target, of: (p) => p, width: 3, dash: "7 5" }]),
    chart(n, "Moved: L2 ── and L∞ ╌╌", [[0, "0"], [0.5, short(farthest / 2)], [1, short(farthest)]],
      [{ y: n.l2, of: (d) => d / farthest, width: 3 }, { y: n.linf, of: (d) => d / farthest, width: 3, dash: "7 5" }]),
    none ? chart(n, "Gradient: this attack takes none", [], []) : gradientChart(n, data.floors, low, high),
  ]
}

function gradientChart(n, floors, low, high) {
  const of = (g) => (g - low) / (high - low), every = Math.max(20, Math.ceil((high - low) / 4 / 20) * 20), ticks = []
  for (let k = Math.floor(high / every) * every; k >= low; k -= every) ticks.push([of(k), `10${superscript(k)}`])
  let more = ""
  for (const [name, dash] of [["normal", "2 4"], ["denormal", ""]]) {
    more += `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${level(of(floors[name]))}" y2="${level(of(floors[name]))}" stroke="#E03131" stroke-width="2" stroke-dasharray="${dash}"/>`
  }
  more += `<text x="${WIDTH - RIGHT}" y="${level(of(floors.normal)) - 6}" text-anchor="end" font-size="14" fill="#E03131">float32 ends here</text>`
  const last = n.iteration.at(-1) || 1
  let zeros = 0
  for (let i = 0; i < n.log10_gradient.length; i++) {
    if (n.log10_gradient[i] > -1e8 || Number.isNaN(n.log10_gradient[i])) continue
    zeros++
    const x = place(n.iteration[i] / last), y = level(0)
    more += `<path d="M${x - 5} ${y - 5}l10 10m0 -10l-10 10" stroke="#E03131" stroke-width="3"/>`
  }
  if (zeros) more += `<text x="${LEFT + 14}" y="${level(0) - 8}" font-size="15" font-weight="700" fill="#E03131">× exactly zero</text>`
  return chart(n, "Size of the gradient", ticks, [{ y: n.log10_gradient, of, width: 3, dots: true }], more)
}

function superscript(n) {
  const signs = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" }
  return [...String(n)].map((c) => signs[c]).join("")
}

function chart(n, title, ticks, curves, more = "") {
  const last = n.iteration.at(-1) || 1
  const text = (x, y, content, rest = "") => `<text x="${x}" y="${y}" fill="currentColor" font-size="16" ${rest}>${content}</text>`
  let out = text(2, 17, title)
  for (const [share, label] of ticks) {
    out += `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${level(share)}" y2="${level(share)}" stroke="currentColor" stroke-opacity="0.18"/>`
    out += text(LEFT - 6, level(share) + 5, label, 'text-anchor="end"')
  }
  out += text(LEFT, HEIGHT - 27, "0") + text(WIDTH - RIGHT, HEIGHT - 27, last.toLocaleString("en"), 'text-anchor="end"')
  out += text(place(0.5), HEIGHT - 8, "iterations", 'text-anchor="middle"')
  for (const curve of curves) {
    let d = "", dots = ""
    for (let i = 0; i < curve.y.length; i++) {
      const y = curve.y[i]
      if (!Number.isFinite(y) || y < -1e8) continue
      const x = place(n.iteration[i] / last).toFixed(1), at = level(curve.of(y)).toFixed(1)
      d += `${d ? "L" : "M"}${x} ${at}`
      if (curve.dots && curve.y.length < 12) dots += `<circle cx="${x}" cy="${at}" r="4.5" fill="${n.colour}"/>`
    }
    out += `<path d="${d}" fill="none" stroke="${n.colour}" stroke-width="${curve.width}" stroke-dasharray="${curve.dash ?? ""}" stroke-linejoin="round"/>${dots}`
  }
  out += `<line class="cursor" visibility="hidden" y1="${TOP - 6}" y2="${HEIGHT - BOTTOM}" stroke="currentColor" stroke-width="1.8"/>`
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title.replace(/<[^>]*>/g, "")} of ${n.name}">${out}${more}</svg>`
}
