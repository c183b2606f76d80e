// Table 1, a bar a network: how much is right after FGSM, hatched where only because the gradient was exactly zero. In
// pixels of a laptop's screen: on stage they grow with what is written.

const LEFT = 108, RIGHT = 22, TITLE = 32, FOOT = 56  // around the bars, in pixels
const MOST = 100, TICKS = [0, 20, 40, 60, 80, 100]  // percent
const THICK = 0.82, TALL = 1.25  // of a row: its bar, and the mark of what is right without attack
const LONG = 50, INSIDE = 44, WIDE = 44  // from what percent on its value stands on a bar, where, and in what width
const GREY = "#888888"

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = `<div class="legend">${legend(data)}</div>
    <div class="drawn"><svg role="img" aria-label="${safe(data.alt)}"></svg><div class="reads" hidden></div></div>`
  return onResize(root, () => draw(root.querySelector(".drawn"), data))
}

function legend({ families }) {
  const hatched = families.some(({ rows }) => rows.some(({ unmoved }) => unmoved))
  const key = (drawn, says) => `<span><svg viewBox="-11 -11 22 22" aria-hidden="true">${drawn}</svg> ${says}</span>`
  const square = (fill) => `<rect x="-9" y="-9" width="18" height="18" fill="${fill}"/>`
  return [
    key(square(GREY), "right after FGSM"),
    hatched ? key(`<defs>${hatching("key", GREY)}</defs>${square("url(#key)")}`,
      "… because its gradient is exactly zero") : "",
    key(`<path d="M0 -11V11" class="clean"/>`, "right without attack"),
    key(circle(0, 0), "the paper's, without attack"),
    key(diamond(0, 0), "the paper's, after FGSM"),
  ].join("")
}

function hatching(id, colour) {
  return `<pattern id="${id}" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect width="3.6" height="9" fill="${colour}"/></pattern>`
}

function circle(x, y) { return `<circle class="paper" cx="${x}" cy="${y}" r="5.5"/>` }

function diamond(x, y) { return `<path class="paper" d="M${x - 8} ${y}l8 -8l8 8l-8 8z"/>` }

function draw(drawn, { families, axis }) {
  const svg = drawn.querySelector("svg"), reads = drawn.querySelector(".reads"), grown = grownBy()
  const width = drawn.clientWidth / grown, height = drawn.clientHeight / grown
  const rows = families.flatMap((family) => family.rows), base = height - FOOT
  const each = (base - TITLE * families.length) / rows.length
  const across = (percent) => LEFT + (width - LEFT - RIGHT) * percent / MOST
  const parts = TICKS.map((tick) => `<line class="grid" x1="${across(tick)}" x2="${across(tick)}" y1="${TITLE - 4}"
    y2="${base}"/>${text(across(tick), base + 22, tick, 'text-anchor="middle"')}`)
  const colours = [...new Set(rows.map(({ colour }) => colour))]
  parts.push(`<defs>${colours.map((colour, k) => hatching(`hatched-${k}`, colour)).join("")}</defs>`)
  const marks = [], middles = []
  let y = 0
  for (const family of families) {
    parts.push(text(across(MOST / 2), y + TITLE - 9, family.title, 'text-anchor="middle" class="title"'))
    y += TITLE
    for (const row of family.rows) {
      middles.push(y + each / 2)
      parts.push(bar(row, y, each, across, `url(#hatched-${colours.indexOf(row.colour)})`))
      marks.push(marked(row, y + each / 2, each, across))
      y += each
    }
  }
  parts.push(...marks, text(across(MOST / 2), height - 6, axis, 'text-anchor="middle"'))
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
  svg.innerHTML = parts.join("")
  reads.hidden = true
  drawn.onpointermove = drawn.onpointerdown = (event) => {
    const at = (event.clientY - drawn.getBoundingClientRect().top) / grown
    const k = middles.findIndex((middle) => Math.abs(at - middle) <= each / 2)
    reads.hidden = k < 0
    if (reads.hidden) return
    reads.textContent = rows[k].says
    reads.style.top = `${grown * (middles[k] - each / 2)}px`
  }
  drawn.onpointerleave = () => { reads.hidden = true }
}

function bar({ training, colour, right, unmoved }, top, each, across, hatched) {
  const thick = THICK * each, from = top + (each - thick) / 2, level = top + each / 2 + 6
  const piece = (low, high, fill) => high > low ? `<rect x="${across(low)}" y="${from}" height="${thick}"
    width="${across(high) - across(low)}" fill="${fill}"/>` : ""
  // On a long bar well inside, where it hides neither the part that is not hatched nor the paper's marks.
  const value = right > LONG ? `<rect class="under" x="${across(INSIDE) - WIDE / 2}" y="${from}" width="${WIDE}"
    height="${thick}"/>${text(across(INSIDE), level, right.toFixed(1), 'text-anchor="middle" class="on"')}`
    : text(across(right) + 16, level, right.toFixed(1), 'class="value"')
  const name = text(LEFT - 15, level, training, 'text-anchor="end"')
  return name + piece(0, right - unmoved, colour) + piece(right - unmoved, right, hatched) + value
}

function marked({ clean, paper }, y, each, across) {
  const half = TALL * each / 2
  const ours = `<path class="clean" d="M${across(clean)} ${y - half}v${2 * half}"/>`
  return paper ? ours + circle(across(paper[0]), y) + diamond(across(paper[1]), y) : ours
}
