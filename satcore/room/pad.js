// A field of 28×28 pixels to draw on, with a pointer or a finger.

const BRUSH = 1.5  // pixels around the stroke that become white

// Draws on the `canvas` what is in `pixels`, 784 numbers from 0 to 1, and in both what a pointer draws there; `lifted`
// is called whenever it is lifted. Returns what draws the pixels anew.
function drawOn(canvas, pixels, lifted) {
  const show = () => {
    const image = new ImageData(28, 28)
    for (let i = 0; i < 784; i++) image.data.set([255 * pixels[i], 255 * pixels[i], 255 * pixels[i], 255], 4 * i)
    canvas.getContext("2d").putImageData(image, 0, 0)
  }
  let before = null
  const stroke = (event) => {
    const box = canvas.getBoundingClientRect()
    const now = [28 * (event.clientX - box.left) / box.width, 28 * (event.clientY - box.top) / box.height]
    const from = before ?? now, moved = [now[0] - from[0], now[1] - from[1]]
    const count = 1 + Math.ceil(4 * Math.hypot(...moved))
    for (let k = 1; k <= count; k++) dot(pixels, from[0] + moved[0] * k / count, from[1] + moved[1] * k / count)
    before = now
    show()
  }
  canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); before = null; stroke(event) }
  canvas.onpointermove = (event) => { if (event.buttons) stroke(event) }
  canvas.onpointerup = canvas.onpointercancel = () => { before = null; lifted() }
  show()
  return show
}

function dot(pixels, x, y) {
  for (let row = Math.max(0, Math.floor(y - 3)); row < Math.min(28, y + 3); row++) {
    for (let column = Math.max(0, Math.floor(x - 3)); column < Math.min(28, x + 3); column++) {
      const ink = Math.min(1, Math.max(0, BRUSH + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y)))
      pixels[28 * row + column] = Math.max(pixels[28 * row + column], ink)
    }
  }
}

function bytesOf(pixels) { return Uint8Array.from(pixels, (p) => Math.round(255 * p)) }
