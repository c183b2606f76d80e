// Two dimensions of every layer, a point an image, coloured by digit; pointing at one shows it in every layer. A line: the way of
// an image under attack.

const SIZE = 300, EDGE = 14

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  const images = bytes(data.images), labels = data.labels, attacked = bytes(data.attacked)
  const networks = data.networks.map((network) => ({ ...network, layers: network.layers.map((layer) => layer && placed(numbers(layer))) }))
  root.innerHTML = `
    <div class="scroll"><div class="grid" style="grid-template-columns: 2rem repeat(${data.layers.length}, minmax(170px, 1fr))">
      <span></span>${data.layers.map((layer) => `<h4>${layer}</h4>`).join("")}
      ${networks.map((network) => `<div class="name" style="--regime: ${network.colour}">${network.name}</div>
        ${data.layers.map((layer, k) => network.layers[k] === null ? "<span></span>" : `<div class="panel"><canvas width="${2 * SIZE}" height="${2 * SIZE}" role="img"
          aria-label="${data.method} of ${layer} of ${network.name}"></canvas></div>`).join("")}`).join("")}
    </div></div>
    <div class="foot"><canvas width="28" height="28" role="img" aria-label="The image pointed at"></canvas>
      <span class="says">Point at an image.</span>
      ${data.colours.map((colour, digit) => `<span class="key"><i style="background: ${colour}"></i>${digit}</span>`).join("")}</div>`
  const canvases = [...root.querySelectorAll(".panel canvas")], clouds = networks.flatMap((network) => network.layers.filter((layer) => layer !== null))
  const owner = networks.flatMap((network, k) => network.layers.filter((layer) => layer !== null).map(() => k))
  const preview = root.querySelector(".foot canvas"), says = root.querySelector(".says")
  const ink = getComputedStyle(root).color
  const draw = (chosen) => canvases.forEach((canvas, k) => {
    const context = canvas.getContext("2d"), cloud = clouds[k]
    context.setTransform(2, 0, 0, 2, 0, 0)
    context.clearRect(0, 0, SIZE, SIZE)
    context.globalAlpha = 0.75
    for (let i = 0; i < labels.length; i++) dot(context, cloud, i, 2.2, data.colours[labels[i]])
    context.globalAlpha = 1
    way(context, cloud, labels.length, ink)
    if (chosen === undefined) return
    context.strokeStyle = ink
    context.lineWidth = 2.5
    context.beginPath()
    context.arc(cloud[2 * chosen], cloud[2 * chosen + 1], 7, 0, 7)
    context.stroke()
  })
  canvases.forEach((canvas, k) => {
    canvas.onpointermove = canvas.onpointerdown = (event) => {
      const box = canvas.getBoundingClientRect(), cloud = clouds[k]
      const x = (event.clientX - box.left) / box.width * SIZE, y = (event.clientY - box.top) / box.height * SIZE
      let best = 0, least = Infinity
      for (let i = 0; i < cloud.length / 2; i++) {
        const distance = (cloud[2 * i] - x) ** 2 + (cloud[2 * i + 1] - y) ** 2
        if (distance < least) { least = distance; best = i }
      }
      draw(best)
      const step = best - labels.length
      show(preview, step < 0 ? images.subarray(784 * best, 784 * best + 784)
        : attacked.subarray(784 * (owner[k] * data.epsilons.length + step), 784 * (owner[k] * data.epsilons.length + step + 1)))
      says.textContent = step < 0 ? `a ${labels[best]}` : `the image under attack, ε = ${data.epsilons[step].toFixed(2)}`
    }
  })
  draw()
}

function bytes(base64) { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) }

function numbers(base64) { return new Float32Array(bytes(base64).buffer) }

// The cloud's own square: both axes to one scale.
function placed(points) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]); right = Math.max(right, points[i])
    low = Math.min(low, points[i + 1]); high = Math.max(high, points[i + 1])
  }
  const scale = (SIZE - 2 * EDGE) / (Math.max(right - left, high - low) || 1)
  return points.map((value, i) => SIZE / 2 + (i % 2 ? -1 : 1) * scale * (value - (i % 2 ? (low + high) / 2 : (left + right) / 2)))
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

function show(canvas, grey) {
  const pixels = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) pixels.data.set([grey[i], grey[i], grey[i], 255], 4 * i)
  canvas.getContext("2d").putImageData(pixels, 0, 0)
}
