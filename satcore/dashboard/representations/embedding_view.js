// Two dimensions of every layer, a point an image, coloured by digit; pointing at one, or walking through them with the
// arrow keys, shows it in every layer. A line: the way of an image under attack.

const SIZE = 300, EDGE = 14

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const { labels, layers, networks, epsilons } = data
  const images = bytes(data.images), attacked = bytes(data.attacked)
  root.classList.toggle("beside", networks.length > 2)
  root.innerHTML = `
    <div class="scroll"><div class="grid">
      <span class="corner"></span>${layers.map((layer) => `<h4>${layer}</h4>`).join("")}
      ${networks.map((network) => row(network, layers, data.method)).join("")}
    </div></div>
    <div class="foot"><canvas class="hint" width="28" height="28" role="img" aria-label="The image pointed at"></canvas>
      <span class="says hint" aria-live="polite">Point at an image.</span>
      ${data.colours.map((colour, digit) => `<span class="key"><i style="background: ${colour}"></i>${digit}</span>`)
        .join("")}</div>`
  const grid = root.querySelector(".grid")
  grid.style.setProperty("--layers", layers.length)
  grid.style.setProperty("--side", { 1: "320px", 2: "300px", 3: "240px", 4: "200px" }[networks.length])
  grid.style.setProperty("--names", networks.some((network) => network.label.length > 14) ? "3.4rem" : "2rem")
  const preview = root.querySelector(".foot canvas"), says = root.querySelector(".says")
  const ink = getComputedStyle(root).color

  const panels = networks.flatMap((network, owner) =>
    network.layers.filter((layer) => layer !== null).map((layer) => ({ owner, cloud: placed(numbers(layer)) })))
  root.querySelectorAll(".panel canvas").forEach((canvas, k) => {
    const panel = panels[k]
    panel.canvas = canvas
    panel.drawn = drawn(panel.cloud, labels, data.colours, ink)
    canvas.onpointermove = canvas.onpointerdown = (event) => {
      const box = canvas.getBoundingClientRect()
      const x = (event.clientX - box.left) / box.width * SIZE, y = (event.clientY - box.top) / box.height * SIZE
      point(nearest(panel.cloud, x, y), panel.owner)
    }
    canvas.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key]
      if (!step) return
      event.preventDefault()
      point(Math.max(0, Math.min(panel.cloud.length / 2 - 1, chosen + step)), panel.owner)
    }
  })

  let chosen = -1
  const draw = () => panels.forEach(({ canvas, cloud, drawn }) => {
    const context = canvas.getContext("2d")
    context.clearRect(0, 0, canvas.width, canvas.height)
    context.drawImage(drawn, 0, 0)
    if (chosen < 0) return
    context.setTransform(2, 0, 0, 2, 0, 0)
    context.strokeStyle = ink
    context.lineWidth = 2.5
    context.beginPath()
    context.arc(cloud[2 * chosen], cloud[2 * chosen + 1], 7, 0, 7)
    context.stroke()
    context.setTransform(1, 0, 0, 1, 0, 0)
  })
  const point = (i, owner) => {
    chosen = i
    draw()
    const step = i - labels.length, place = 784 * (owner * epsilons.length + step)
    for (const shown of [preview, says]) shown.classList.remove("hint")
    show(preview, step < 0 ? images.subarray(784 * i, 784 * i + 784) : attacked.subarray(place, place + 784))
    says.textContent = step < 0 ? withArticle(labels[i])
      : `the image under attack, as ${networks[owner].label} has it at ε = ${epsilons[step].toFixed(3)}`
  }
  draw()
}

function row(network, layers, method) {
  const panels = layers.map((layer, k) => network.layers[k] === null ? "<span></span>" : `
    <div class="panel"><canvas width="${2 * SIZE}" height="${2 * SIZE}" role="img" tabindex="0"
      aria-label="${method} of ${layer} of ${network.label}: a dot an image, a line the way of the one under attack.
      Arrow keys go from image to image."></canvas></div>`)
  return `<div class="name" style="--colour: ${network.colour}; border-right-style: ${network.border}"
    >${network.label}</div>${panels.join("")}`
}

// The cloud's own square: both axes to one scale.
function placed(points) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]); right = Math.max(right, points[i])
    low = Math.min(low, points[i + 1]); high = Math.max(high, points[i + 1])
  }
  const scale = (SIZE - 2 * EDGE) / (Math.max(right - left, high - low) || 1)
  const middle = [(left + right) / 2, (low + high) / 2]
  return points.map((value, i) => SIZE / 2 + (i % 2 ? -1 : 1) * scale * (value - middle[i % 2]))
}

// All dots and the way under attack, drawn once.
function drawn(cloud, labels, colours, ink) {
  const canvas = document.createElement("canvas")
  canvas.width = canvas.height = 2 * SIZE
  const context = canvas.getContext("2d")
  context.setTransform(2, 0, 0, 2, 0, 0)
  context.globalAlpha = 0.75
  for (let i = 0; i < labels.length; i++) dot(context, cloud, i, 2.2, colours[labels[i]])
  context.globalAlpha = 1
  way(context, cloud, labels.length, ink)
  return canvas
}

function dot(context, cloud, i, radius, colour) {
  context.fillStyle = colour
  context.beginPath()
  context.arc(cloud[2 * i], cloud[2 * i + 1], radius, 0, 7)
  context.fill()
}

function way(context, cloud, first, ink) {
  context.strokeStyle = ink
  context.lineWidth = 3
  context.beginPath()
  for (let i = first; i < cloud.length / 2; i++) context.lineTo(cloud[2 * i], cloud[2 * i + 1])
  context.stroke()
  dot(context, cloud, first, 5, ink)
  const last = cloud.length / 2 - 1
  context.font = "700 18px sans-serif"
  context.fillStyle = ink
  context.textAlign = "center"
  context.fillText("✕", cloud[2 * last], cloud[2 * last + 1] + 6)
}

function nearest(cloud, x, y) {
  let best = 0, least = Infinity
  for (let i = 0; i < cloud.length / 2; i++) {
    const distance = (cloud[2 * i] - x) ** 2 + (cloud[2 * i + 1] - y) ** 2
    if (distance < least) { least = distance; best = i }
  }
  return best
}

function show(canvas, grey) {
  const pixels = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) pixels.data.set([grey[i], grey[i], grey[i], 255], 4 * i)
  canvas.getContext("2d").putImageData(pixels, 0, 0)
}
