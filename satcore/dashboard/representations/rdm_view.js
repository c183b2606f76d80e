// Dissimilarity matrices of some networks, layer by layer, on one colour scale. Pointing at a pair of images, or
// walking there with the arrow keys, shows it in every matrix.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const { blocks, layers, networks } = data
  const images = bytes(data.images)
  const matrices = networks.flatMap((network) => network.layers.filter((layer) => layer !== null).map(numbers))
  root.classList.toggle("beside", networks.length > 2)
  root.innerHTML = `
    <div class="scroll"><div class="grid">
      <span class="corner"></span>${layers.map((layer) => `<h4>${layer}</h4>`).join("")}
      ${networks.map((network) => row(network, layers, blocks)).join("")}
    </div></div>
    <div class="foot">
      <div class="scale"><span>${data.scale === "log" ? "≤" : ""}${short(data.low)}</span>
        <canvas class="bar" width="256" height="1"></canvas>
        <span>${short(data.high)} mean squared difference${data.scale === "log" ? " (log)" : ""}</span></div>
      <div class="pair hint"><canvas width="28" height="28"></canvas><canvas width="28" height="28"></canvas>
        <span class="says" aria-live="polite">Point at a pair of images.</span></div>
    </div>`
  const grid = root.querySelector(".grid")
  grid.style.setProperty("--layers", layers.length)
  grid.style.setProperty("--side", { 1: "300px", 2: "300px", 3: "220px", 4: "170px" }[networks.length])
  grid.style.setProperty("--names", networks.some((network) => network.label.length > 14) ? "3.4rem" : "2rem")
  const panels = [...root.querySelectorAll(".panel canvas")], values = [...root.querySelectorAll(".value")]
  const pair = [...root.querySelectorAll(".pair canvas")], says = root.querySelector(".says")

  const colourOf = (d) => {
    const { low, high } = data
    const share = data.scale === "log" ? Math.log(Math.max(d, low) / low) / Math.log(high / low) : d / high
    return data.colours[Math.max(0, Math.min(255, Math.round(255 * share))) || 0]
  }
  const painted = matrices.map((matrix) => picture(blocks, blocks, (i) => colourOf(matrix[i])))
  const means = matrices.map((matrix) => withinAndBetween(matrix, blocks))
  panels.forEach((canvas, k) => {
    canvas.getContext("2d").putImageData(painted[k], 0, 0)
    const [within, between] = means[k].map(short)
    const about = `about ${within} within a digit, ${between} between digits`
    canvas.setAttribute("aria-label", `${canvas.dataset.what}: ${about}`)
  })
  root.querySelector(".bar").getContext("2d").putImageData(picture(256, 1, (i) => data.colours[i]), 0, 0)

  let at = [0, 0]
  const point = (place) => {
    at = place.map((block) => Math.max(0, Math.min(blocks - 1, block)))
    const [down, across] = at
    panels.forEach((canvas, k) => {
      const context = canvas.getContext("2d")
      context.putImageData(painted[k], 0, 0)
      context.fillStyle = "rgba(255, 255, 255, 0.45)"
      context.fillRect(0, down, blocks, 1)
      context.fillRect(across, 0, 1, blocks)
      values[k].textContent = short(matrices[k][down * blocks + across])
    })
    const [one, other] = at.map((block) => withArticle(Math.floor(block * 10 / blocks)))
    says.textContent = `${one} and ${other}, ${data.perBlock} images each`
    root.querySelector(".pair").classList.remove("hint")
    at.forEach((block, k) => {
      const grey = images.subarray(784 * block, 784 * block + 784)
      pair[k].getContext("2d").putImageData(picture(28, 28, (i) => [grey[i], grey[i], grey[i]]), 0, 0)
    })
  }
  for (const canvas of panels) {
    canvas.onpointermove = canvas.onpointerdown = (event) => {
      const box = canvas.getBoundingClientRect()
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height
      point([Math.floor(y * blocks), Math.floor(x * blocks)])
    }
    canvas.onkeydown = (event) => {
      const step = STEPS[event.key]
      if (!step) return
      event.preventDefault()
      point([at[0] + step[0], at[1] + step[1]])
    }
  }
}

function row(network, layers, blocks) {
  const panels = layers.map((layer, k) => network.layers[k] === null ? "<span></span>" : `
    <div class="panel"><canvas width="${blocks}" height="${blocks}" role="img" tabindex="0"
      data-what="Dissimilarities in ${layer} of ${network.label}"></canvas><div class="value"></div></div>`)
  return `<div class="name" style="--colour: ${network.colour}; border-right-style: ${network.border}"
    >${network.label}</div>${panels.join("")}`
}

function picture(width, height, colourOf) {
  const pixels = new ImageData(width, height)
  for (let i = 0; i < width * height; i++) pixels.data.set([...colourOf(i), 255], 4 * i)
  return pixels
}

function withinAndBetween(matrix, blocks) {
  const sums = [0, 0], counts = [0, 0], digit = (block) => Math.floor(block * 10 / blocks)
  for (let i = 0; i < blocks; i++) for (let j = 0; j < blocks; j++) {
    const kind = digit(i) === digit(j) ? 0 : 1
    sums[kind] += matrix[i * blocks + j]
    counts[kind] += 1
  }
  return sums.map((sum, kind) => sum / counts[kind])
}
