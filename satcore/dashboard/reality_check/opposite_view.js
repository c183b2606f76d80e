// One digit in two networks: what FGSM sees and leaves in each, and what is true; free pixels are framed.

const SIDE = 28, SCALE = 8
const HEADINGS = ["The digit", "FGSM sees", "FGSM leaves", "The worst found"]
const MARKS = { proven: "✓", broken: "✗", open: "?" }

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = data.networks.map((n) => `<section style="--regime: ${n.colour}">
    <h3>${n.label}</h3>
    <div class="pictures">${HEADINGS.map((heading, i) => `<figure><b>${heading}</b>
      <canvas width="${SIDE * SCALE}" height="${SIDE * SCALE}" role="img"
        aria-label="${heading}: ${n.captions[i]}"></canvas>
      <figcaption>${n.captions[i]}</figcaption></figure>`).join("")}</div>
    <p class="${n.verdict}"><b><span aria-hidden="true">${MARKS[n.verdict]}</span> ${n.verdict}</b> ${n.says}</p>
  </section>`).join("")
  const digit = bytes(data.digit), grey = (image) => (i) => [image[i], image[i], image[i]]
  root.querySelectorAll("section").forEach((section, k) => {
    const n = data.networks[k], gradient = numbers(n.gradient)
    const [first, sees, leaves, worst] = section.querySelectorAll("canvas")
    paint(first, grey(digit), n.free, n.colour)
    const signed = (g) => (g > 0 ? [230, 120, 0] : [40, 110, 220]).map((c) => c * Math.sqrt(Math.abs(g)))
    paint(sees, (i) => signed(gradient[i]))
    paint(leaves, grey(bytes(n.left)))
    paint(worst, grey(bytes(n.found)), n.flipped, n.colour)
  })
}

function paint(canvas, colourOf, framed = [], colour = "") {
  const context = canvas.getContext("2d")
  for (let i = 0; i < SIDE * SIDE; i++) {
    context.fillStyle = `rgb(${colourOf(i).join(" ")})`
    context.fillRect(SCALE * (i % SIDE), SCALE * Math.floor(i / SIDE), SCALE, SCALE)
  }
  context.strokeStyle = colour
  context.lineWidth = 2
  for (const i of framed) {
    context.strokeRect(SCALE * (i % SIDE) + 1, SCALE * Math.floor(i / SIDE) + 1, SCALE - 2, SCALE - 2)
  }
}
