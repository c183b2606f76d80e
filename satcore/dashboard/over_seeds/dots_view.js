// Figures of many networks as dots, in pixels of a laptop's screen: on stage they grow with what is written. A panel
// has one axis for all stages on the way, so that the slider moves the dots alone, and another for the end, where
// values lie close together.

const TOP = 10, LEFT = 46, RIGHT = 6, FOOT = 24, BELOW = 20, BARE = 6  // around a panel's axes, in pixels
const NARROW = 220, LANE = 70  // a panel's least width; how wide a lane is at most
const RADIUS = 5.5, RING = 9.5, REACH = 22  // of a dot, of what points it out, of where a pointer finds it
const PARAMETER = "epoch"

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view"), { panels, stops } = data
  let stage = stageOfAddress(stops)
  root.innerHTML = `${stops.length > 1 ? slider(stops) : ""}<div class="panels">${panels.map((panel) =>
    `<figure><figcaption><b>${safe(panel.title)}</b> <span>(${safe(panel.unit)})</span></figcaption>
      <svg role="img" aria-label="${safe(panel.alt)}"></svg><div class="reads" hidden></div></figure>`).join("")}</div>`
  const figures = [...root.querySelectorAll("figure")], axes = panels.map(axesOf)
  const draw = () => figures.forEach((figure, k) =>
    drawPanel(figure, panels[k], axes[k], data.height, stage))
  const input = root.querySelector("input")
  const show = (at) => {
    stage = at
    input.value = stage
    input.setAttribute("aria-valuetext", stops[stage].label)
    root.querySelector("label").textContent = stops[stage].label
    root.querySelector("output").innerHTML = bold(stops[stage].says)
    draw()
  }
  if (input) {
    input.oninput = () => show(Number(input.value))
    input.onchange = () => stageIntoAddress(stops, stage)  // a redraw finds it there
    show(stage)
  }
  return onResize(root, draw)
}

function bold(text) { return safe(text).replace(/\*\*(.+?)\*\*/g, "<b>$1</b>") }

function slider(stops) {
  return `<div class="stages"><label for="stage"></label>
    <input id="stage" type="range" min="0" max="${stops.length - 1}" step="1"/>
    <output aria-live="polite"></output></div>`
}

function stageOfAddress(stops) {
  const asked = Number(new URLSearchParams(location.search).get(PARAMETER))
  const found = stops.findLastIndex(({ name }) => name && Number(name) <= asked)  // what is on record by then
  return found < 0 ? Math.max(0, stops.length - 1) : found
}

function stageIntoAddress(stops, stage) {
  const address = new URL(location.href)
  if (stage < stops.length - 1) address.searchParams.set(PARAMETER, stops[stage].name)
  else address.searchParams.delete(PARAMETER)
  history.replaceState(history.state, "", address)
}

// ---- axes

function axesOf(panel) { return { way: axisOf(panel, [0, -1]), end: axisOf(panel, [-1]) } }

// Where a value of some stages lies, as a share of the axis from below, and the ticks.
function axisOf({ columns, logarithmic }, stages) {
  const lanes = columns.flatMap(({ lanes }) => lanes)
  const known = lanes.flatMap(({ dots, paper }) => [paper, ...dots.flatMap(({ values }) => values.slice(...stages))])
  const values = known.filter((value) => value !== null && (!logarithmic || value > 0))
  const scaled = logarithmic ? values.map(Math.log10) : values
  if (!scaled.length) return { of: () => 0, ticks: [] }
  let low = Math.min(...scaled), high = Math.max(...scaled)
  const space = 0.08 * (high - low) || 0.05 * Math.abs(high) || 1
  low -= space
  high += space
  const of = (value) => ((logarithmic ? Math.log10(value) : value) - low) / (high - low)
  const ticks = logarithmic ? logarithmicTicks(10 ** low, 10 ** high) : linearTicks(low, high)
  return { of, ticks: ticks.map((value) => [of(value), four(value)]) }
}

// ---- a panel

function drawPanel(figure, panel, { way, end }, tall, stage) {
  const axis = stage < panel.columns[0].lanes[0].middle.length - 1 ? way : end
  const svg = figure.querySelector("svg"), reads = figure.querySelector(".reads")
  const foot = panel.columns.some(({ label }) => label) ? FOOT : BARE, base = TOP + tall
  const grown = grownBy()
  const width = Math.max(NARROW, figure.clientWidth / grown), height = base + foot + (panel.below ? BELOW : 0)
  const each = (width - LEFT - RIGHT) / panel.columns.length
  const level = (value) => TOP + tall * (1 - axis.of(value))
  const targets = [], parts = axis.ticks.map(([share, label]) => {
    const y = TOP + tall * (1 - share)
    const line = `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y}" y2="${y}"/>`
    return line + text(LEFT - 6, y + 5, label, 'text-anchor="end"')
  })
  const middles = []
  panel.columns.forEach(({ label, lanes }, c) => {
    const from = LEFT + c * each, wide = Math.min(LANE, (each - 8) / lanes.length)
    parts.push(text(from + each / 2, base + 18, label, 'text-anchor="middle"'))
    if (c && lanes.length > 1) {
      parts.push(`<line class="between" x1="${from}" x2="${from}" y1="${TOP}" y2="${base}"/>`)
    }
    lanes.forEach((lane, l) => {
      const x = from + each / 2 + (l + 0.5 - lanes.length / 2) * wide
      parts.push(drawnLane(lane, x, wide, level, stage, panel, targets))
      if (lane.middle[stage] !== null) middles.push(`${x} ${level(lane.middle[stage])}`)
    })
  })
  if (panel.joined && middles.length > 1) {
    parts.push(`<path class="join" stroke="${panel.columns.at(-1).lanes[0].colour}" d="M${middles.join("L")}"/>`)
  }
  if (panel.below) parts.push(text(width / 2, height - 4, panel.below, 'text-anchor="middle"'))
  if (!targets.length) {
    parts.push(`<text class="missing" x="${(LEFT + width) / 2}" y="${TOP + tall / 2}">${safe(panel.missing)}</text>`)
  }
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
  svg.setAttribute("height", height * grown)
  svg.innerHTML = parts.join("")
  reads.hidden = true
  svg.onpointermove = svg.onpointerdown = (event) => {
    const box = svg.getBoundingClientRect(), scale = width / box.width
    const away = ({ x, y }) => Math.hypot((event.clientX - box.left) * scale - x, (event.clientY - box.top) * scale - y)
    const nearest = targets.reduce((a, b) => (away(b) < away(a) ? b : a), { x: Infinity, y: Infinity })
    reads.hidden = !(away(nearest) <= REACH)
    if (reads.hidden) return
    reads.textContent = nearest.says
    reads.style.left = `${grown * Math.min(Math.max(nearest.x, 90), width - 90)}px`
    reads.style.top = `${svg.offsetTop + grown * (nearest.y - RING - 4)}px`
  }
  svg.onpointerleave = () => { reads.hidden = true }
}

// Dots above one another, each a little aside of the one before, so that equal ones are told apart.
function drawnLane({ colour, dots, middle, paper }, x, wide, level, stage, panel, targets) {
  let out = ""
  const known = dots.filter(({ values }) => values[stage] !== null)
  known.forEach(({ says, values, ringed }, k) => {
    const aside = (k + 0.5 - known.length / 2) * Math.min(RADIUS, (wide - 2 * RADIUS) / known.length)
    const y = level(values[stage]), at = x + aside
    out += `<circle class="dot" cx="${at}" cy="${y}" r="${RADIUS}" fill="${colour}"/>`
    const around = Math.max(RADIUS + 2, Math.min(RING, wide / 2))
    if (ringed) out += `<circle class="ring" cx="${at}" cy="${y}" r="${around}"/>`
    targets.push({ x: at, y, says: `${says}: ${four(values[stage])}${panel.unit.startsWith("%") ? " %" : ""}` })
  })
  const half = wide / 2 - 2
  if (middle[stage] !== null && !panel.joined) {
    out = `<line class="middle" stroke="${colour}" x1="${x - half}" x2="${x + half}" y1="${level(middle[stage])}"
      y2="${level(middle[stage])}"/>${out}`
  }
  if (paper === null) return out
  targets.push({ x, y: level(paper), says: `the paper: ${four(paper)} %` })
  return `${out}<line class="paper" x1="${x - half}" x2="${x + half}" y1="${level(paper)}" y2="${level(paper)}"
    stroke-dasharray="5 4"/>`
}

// Four digits where `short` gives three: accuracies lie close together.
function four(value) {
  return Math.abs(value) >= 0.01 && Math.abs(value) < 1e4 ? String(Number(value.toPrecision(4))) : short(value)
}
