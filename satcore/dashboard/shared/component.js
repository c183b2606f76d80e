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
