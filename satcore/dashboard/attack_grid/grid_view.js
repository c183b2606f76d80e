// Two 10×10 grids of attacked digits: source by row, target by column, a red X where the target was not reached.

const CELL = 30  // 28 pixels and a gap

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = `<div class="columns">${data.grids.map((grid, k) => `
    <section style="--regime: ${grid.colour}" data-network="${grid.name}">
      <h3>${grid.name}</h3>
      <div class="count"><b>${grid.fooled}</b> of 90 pairs fooled${grid.says ? `<span> · ${grid.says}</span>` : ""}</div>
      <div class="frame"><span class="corner">from ↓ to →</span>
        ${[...Array(10).keys()].map((digit) => `<span class="across" style="grid-column: ${digit + 2}">${digit}</span>`).join("")}
        <div class="down">${[...Array(10).keys()].map((digit) => `<span>${digit}</span>`).join("")}</div>
        <div class="cells"><canvas width="${10 * CELL}" height="${10 * CELL}" role="img" tabindex="0"
          aria-label="Attacked digits of ${grid.name}: ${grid.fooled} of 90 pairs fooled"></canvas><svg viewBox="0 0 100 100" aria-hidden="true">${crosses(grid)}</svg></div>
      </div>
      <div class="reads" aria-live="polite">Point at a cell; press it to watch its attack.</div>
    </section>`).join("")}</div>`
  root.querySelectorAll("section").forEach((section, k) => {
    const grid = data.grids[k], canvas = section.querySelector("canvas"), reads = section.querySelector(".reads")
    paint(canvas, grid)
    canvas.onpointermove = (event) => { reads.textContent = said(grid, ...cellAt(canvas, event)) }
    canvas.onclick = (event) => {
      const [source, target] = cellAt(canvas, event)
      if (source !== target) location.assign(`${grid.links[source]}&target=${target}`)
    }
  })
}

function paint(canvas, grid) {
  const bytes = Uint8Array.from(atob(grid.images), (c) => c.charCodeAt(0)), context = canvas.getContext("2d")
  for (let cell = 0; cell < 100; cell++) {
    const pixels = new ImageData(28, 28)
    for (let i = 0; i < 784; i++) { const grey = bytes[784 * cell + i]; pixels.data.set([grey, grey, grey, 255], 4 * i) }
    context.putImageData(pixels, (cell % 10) * CELL + 1, Math.floor(cell / 10) * CELL + 1)
  }
}

function crosses(grid) {
  let out = ""
  for (let row = 0; row < 10; row++) for (let column = 0; column < 10; column++) {
    const x = 10 * column, y = 10 * row
    if (row === column) out += `<rect x="${x + 0.3}" y="${y + 0.3}" width="9.4" height="9.4" class="source"/>`
    else if (!grid.found[row][column]) out += `<path d="M${x + 1} ${y + 1}l8 8M${x + 9} ${y + 1}l-8 8" class="cross${grid.whole ? "" : " so-far"}"/>`
  }
  return out
}

function cellAt(canvas, event) {
  const box = canvas.getBoundingClientRect(), at = (share) => Math.max(0, Math.min(9, Math.floor(10 * share)))
  return [at((event.clientY - box.top) / box.height), at((event.clientX - box.left) / box.width)]
}

function said(grid, source, target) {
  if (source === target) return `The ${source} that the attacks start from.`
  const steps = grid.iterations[source][target], after = `${steps.toLocaleString("en")} iteration${steps === 1 ? "" : "s"}`
  if (grid.found[source][target]) return `${source}→${target}: fooled after ${after}.`
  return `${source}→${target}: not fooled after ${after}${grid.zero[source][target] ? "; it met a gradient that was exactly zero" : ""}.`
}
