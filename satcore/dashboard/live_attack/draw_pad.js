// The field on the page, as `pad.js` of the room draws on it; what is on it is handed over when the pointer is lifted.

const pads = new WeakMap()  // what is drawn outlives a redraw

export default function ({ parentElement, setStateValue }) {
  const root = parentElement.querySelector(".view")
  if (pads.has(root)) return
  const pixels = new Float32Array(784)
  pads.set(root, pixels)
  root.innerHTML = `<canvas width="28" height="28" role="img" aria-label="Draw a digit here"></canvas>
    <button type="button">Clear</button>`
  const handOver = () => setStateValue("pixels", btoa(String.fromCharCode(...bytesOf(pixels))))
  const show = drawOn(root.querySelector("canvas"), pixels, handOver)
  root.querySelector("button").onclick = () => { pixels.fill(0); show(); handOver() }
}
