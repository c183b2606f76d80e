// 10×10 grids of attacked digits: source by row, target by column, a red X where the target was not reached.

const CELL = 30  // 28 pixels and a gap
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
const DIGITS = [...Array(10).keys()]

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = `<div class="columns">${data.networks.map(network).join("")}</div>`
  const grids = data.networks.flatMap(({ grids }) => grids)
  root.querySelectorAll("section").forEach((section, k) => listen(section, grids[k]))
}

function network({ name, colour, grids }) {
  const drawn = grids.map((grid) => section(grid, name, colour)).join("")
  return grids.length > 1 ? `<div class="columns beside">${drawn}</div>` : drawn
}

function section(grid, name, colour) {
  const across = DIGITS.map((digit) => `<span class="across" style="grid-column: ${digit + 2}">${digit}</span>`)
  const what = `Attacked digits of ${name}, ${grid.origin}: ${grid.fooled} of 90 pairs fooled. Arrow keys go from cell
    to cell, Enter opens the attack.`
  return `<section style="--regime: ${colour}" data-network="${name}" data-origin="${grid.origin}">
    <h3>${name} <small>${grid.origin}</small></h3>
    <div class="count"><b>${grid.fooled}</b> of 90 pairs fooled${grid.says ? ` · ${grid.says}` : ""}</div>
    <div class="frame"><span class="corner">from ↓ to →</span>${across.join("")}
      <div class="down">${DIGITS.map((digit) => `<span>${digit}</span>`).join("")}</div>
      <div class="cells">
        <canvas width="${10 * CELL}" height="${10 * CELL}" role="img" tabindex="0" aria-label="${what}"></canvas>
        <svg viewBox="0 0 100 100" aria-hidden="true">${crosses(grid)}<rect class="here" width="10" height="10"
          visibility="hidden"/></svg></div>
    </div>
    <div class="reads" aria-live="polite">Point at a cell; press it to watch its attack.</div>
  </section>`
}

// A cell is chosen by pointing at it or with the arrow keys, and opened by a press or with Enter.
function listen(section, grid) {
  const canvas = section.querySelector("canvas"), reads = section.querySelector(".reads")
  const here = section.querySelector(".here")
  let cell = [0, 0]
  const show = (chosen) => {
    cell = chosen
    reads.textContent = said(grid, ...cell)
    here.setAttribute("x", 10 * cell[1])
    here.setAttribute("y", 10 * cell[0])
    here.setAttribute("visibility", "visible")
  }
  const open = ([source, target]) => {
    if (source !== target) location.assign(`${grid.links[source]}&into=${target}`)
  }
  paint(canvas, grid)
  canvas.onpointermove = (event) => show(cellAt(canvas, event))
  canvas.onclick = (event) => open(cellAt(canvas, event))
  canvas.onkeydown = (event) => {
    if (event.key === "Enter") open(cell)
    if (!STEPS[event.key]) return
    event.preventDefault()  // the page isn't to scroll
    show(cell.map((at, k) => Math.max(0, Math.min(9, at + STEPS[event.key][k]))))
  }
}

function paint(canvas, grid) {
  const images = bytes(grid.images), context = canvas.getContext("2d")
  for (let cell = 0; cell < 100; cell++) {
    const pixels = new ImageData(28, 28)
    for (let i = 0; i < 784; i++) {
      const grey = images[784 * cell + i]
      pixels.data.set([grey, grey, grey, 255], 4 * i)
    }
    context.putImageData(pixels, (cell % 10) * CELL + 1, Math.floor(cell / 10) * CELL + 1)
  }
}

function crosses(grid) {
  const kind = grid.whole ? "cross" : "cross so-far"
  let out = ""
  for (const row of DIGITS) for (const column of DIGITS) {
    const x = 10 * column, y = 10 * row
    const cross = `<path d="M${x + 1} ${y + 1}l8 8M${x + 9} ${y + 1}l-8 8" class="${kind}"/>`
    if (row === column) out += `<rect x="${x + 0.3}" y="${y + 0.3}" width="9.4" height="9.4" class="source"/>`
    else if (!grid.found[row][column]) out += cross
  }
  return out
}

function cellAt(canvas, event) {
  const box = canvas.getBoundingClientRect(), at = (share) => Math.max(0, Math.min(9, Math.floor(10 * share)))
  return [at((event.clientY - box.top) / box.height), at((event.clientX - box.left) / box.width)]
}

function said(grid, source, target) {
  if (source === target) return `The ${source} that the attacks start from.`
  const steps = grid.iterations[source][target]
  const after = `${steps.toLocaleString("en")} iteration${steps === 1 ? "" : "s"}`
  if (grid.found[source][target]) return `${source}→${target}: fooled after ${after}.`
  const zero = grid.zero[source][target] ? "; it met a gradient that was exactly zero" : ""
  const rest = grid.rest[source][target]
  return `${source}→${target}: not fooled after ${after}${zero}${rest && `; ${rest}`}.`
}
