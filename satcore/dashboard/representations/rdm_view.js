// Dissimilarity matrices of two networks, layer by layer, on one colour scale; pointing at a pair of images shows it everywhere.

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const blocks = data.blocks, colours = data.colours
  const flat = data.networks.flatMap((network) => network.layers.filter((layer) => layer !== null).map(numbers))
  const images = Uint8Array.from(atob(data.images), (c) => c.charCodeAt(0))
  root.innerHTML = `
    <div class="scroll"><div class="grid" style="grid-template-columns: 2rem repeat(${data.layers.length}, minmax(130px, 1fr))">
      <span></span>${data.layers.map((layer) => `<h4>${layer}</h4>`).join("")}
      ${data.networks.map((network) => `<div class="name" style="--regime: ${network.colour}">${network.name}</div>
        ${data.layers.map((layer, k) => network.layers[k] === null ? "<span></span>" : `<div class="panel"><canvas width="${blocks}" height="${blocks}" role="img"
          aria-label="Dissimilarities in ${layer} of ${network.name}"></canvas><div class="value"></div></div>`).join("")}`).join("")}
    </div></div>
    <div class="foot"><div class="scale"><span>${short(data.low)}</span><canvas class="bar" width="256" height="1"></canvas>
      <span>${short(data.high)} mean squared difference</span></div>
      <div class="pair"><canvas width="28" height="28"></canvas><canvas width="28" height="28"></canvas><span class="says">Point at a pair of images.</span></div></div>`
  const panels = [...root.querySelectorAll(".panel canvas")], values = [...root.querySelectorAll(".value")]
  const pair = [...root.querySelectorAll(".pair canvas")], says = root.querySelector(".says")
  const level = (d) => {
    const share = data.scale === "log" ? Math.log(Math.max(d, data.low) / data.low) / Math.log(data.high / data.low) : d / data.high
    return Math.max(0, Math.min(255, Math.round(255 * share)))
  }
  const paint = (canvas, count, height, colourOf) => {
    const pixels = new ImageData(count, height)
    for (let i = 0; i < count * height; i++) pixels.data.set([...colourOf(i), 255], 4 * i)
    canvas.getContext("2d").putImageData(pixels, 0, 0)
  }
  const repaint = (row, column) => panels.forEach((canvas, k) => {
    paint(canvas, blocks, blocks, (i) => colours[level(flat[k][i])])
    if (row === undefined) return
    const context = canvas.getContext("2d")
    context.fillStyle = "rgba(255, 255, 255, 0.45)"
    context.fillRect(0, row, blocks, 1)
    context.fillRect(column, 0, 1, blocks)
  })
  paint(root.querySelector(".bar"), 256, 1, (i) => colours[i])
  const point = (row, column) => {
    repaint(row, column)
    values.forEach((value, k) => { value.textContent = short(flat[k][row * blocks + column]) })
    const place = (block) => Math.floor(block * 10 / blocks)
    says.textContent = `a ${place(row)} and a ${place(column)}, ${data.perBlock} images each`
    ;[row, column].forEach((block, k) => paint(pair[k], 28, 28, (i) => { const grey = images[784 * block + i]; return [grey, grey, grey] }))
  }
  panels.forEach((canvas) => {
    canvas.onpointermove = canvas.onpointerdown = (event) => {
      const box = canvas.getBoundingClientRect(), at = (share) => Math.max(0, Math.min(blocks - 1, Math.floor(share * blocks)))
      point(at((event.clientY - box.top) / box.height), at((event.clientX - box.left) / box.width))
    }
  })
  repaint()
}

function numbers(base64) { return new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer) }

function short(x) {
  if (x === 0) return "0"
  return x >= 0.01 && x < 1e4 ? String(Number(x.toPrecision(3))) : x.toExponential(1)
}
