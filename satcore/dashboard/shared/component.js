// What every component's script can call: it stands in front of each of them.

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" }

function bytes(base64) { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) }

function numbers(base64) { return new Float32Array(bytes(base64).buffer) }

// Text as it is put into HTML.
function safe(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c])
}

function superscript(n) { return [...String(n)].map((c) => SUPERSCRIPTS[c]).join("") }

function percent(share) { return `${(100 * share).toFixed(1)} %` }

// Three digits of a number, with a power of ten where it is small or large.
function short(x) {
  if (x === 0) return "0"
  if (Math.abs(x) >= 0.01 && Math.abs(x) < 1e4) return String(Number(x.toPrecision(3)))
  const [mantissa, exponent] = x.toExponential(1).split("e")
  return `${mantissa}·10${superscript(Number(exponent))}`
}

function withArticle(digit) { return digit === 8 ? "an 8" : `a ${digit}` }

const observers = new WeakMap()

// Has `draw` called when the size of `root` changes, and no more what it was drawn by before: a component's script runs
// again whenever it is told something else.
function onResize(root, draw) {
  observers.get(root)?.disconnect()
  observers.set(root, new ResizeObserver(draw))
  observers.get(root).observe(root)
  return () => observers.get(root).disconnect()
}

// ---- figures

const LAPTOP = 17  // what is written on stage, in pixels, where nothing has grown

// How many times as large as on a laptop's screen what is written is, on stage.
function grownBy() { return Math.max(1, parseFloat(getComputedStyle(document.documentElement).fontSize) / LAPTOP) }

function linearTicks(low, high, count = 4) {
  const power = 10 ** Math.floor(Math.log10((high - low) / count))
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => (high - low) / s <= count + 0.5)
  return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, k) =>
    (Math.ceil(low / step) + k) * step)
}

// Powers of ten; where there are few, 2 and 5 times these, too.
function logarithmicTicks(low, high) {
  const powers = Array.from({ length: 41 }, (_, k) => 10 ** (k - 20))
  const decades = powers.filter((value) => value >= low && value <= high)
  return decades.length > 2 ? decades
    : powers.flatMap((value) => [value, 2 * value, 5 * value]).filter((value) => value >= low && value <= high)
}

function text(x, y, content, more = "") { return `<text x="${x}" y="${y}" ${more}>${safe(content)}</text>` }

// Through `count` points; those that fall on the one before, to a quarter of a pixel, are left out: thousands do. So
// are those that are no numbers.
function drawnLine(count, xOf, yOf) {
  let d = "", lastX = -1, lastY = -1
  for (let i = 0; i < count; i++) {
    const x = xOf(i), y = yOf(i)
    const near = i < count - 1 && Math.abs(x - lastX) + Math.abs(y - lastY) < 0.25
    if (!Number.isFinite(x) || !Number.isFinite(y) || near) continue
    d += `${d ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(1)}`
    lastX = x
    lastY = y
  }
  return d
}
