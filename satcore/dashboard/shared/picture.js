// A part of the page as an SVG: text stays text, curves stay curves; canvases and images are embedded as PNG.

const LEFT_OUT = "nav, button:not(td button), input, select, label.scrub, dialog, .modebar, .hint, .reads, " +
  "[role=tooltip], [class*=st-key-controls], [class*=st-key-take-away], [data-testid=stElementToolbar], " +
  "[data-testid=stDataFrame]"
const FONT = ["font-family", "font-size", "font-weight", "font-style"]
const INHERITED = { fill: "rgb(0, 0, 0)", "fill-opacity": "1", stroke: "none", "stroke-opacity": "1",
  "stroke-width": "1px", "stroke-dasharray": "none", "stroke-linecap": "butt", "stroke-linejoin": "miter",
  "paint-order": "normal",
  "text-anchor": "start", visibility: "visible", color: "", ...Object.fromEntries(FONT.map((name) => [name, ""])) }
const OWN = { opacity: "1", display: "inline", "vector-effect": "none" }  // what isn't handed down, and what it is else

const MARGIN = 16  // pixels around it

function pictureOf(part) {
  const sticky = [...within(part)].filter((element) => getComputedStyle(element).position === "sticky")
  sticky.forEach((element) => { element.style.position = "static" })  // they belong where they were before one scrolled
  const { left, top, width, height } = part.getBoundingClientRect()
  const box = new DOMRect(left - MARGIN, top - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN)
  const size = `width="${box.width}" height="${box.height}"`, ground = `<rect ${size} fill="${groundOf(part)}"/>`
  const drawn = drawnNode(part, box)
  sticky.forEach((element) => { element.style.position = "" })
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${box.width} ${box.height}"
    >${ground}${drawn}</svg>`
}

function* within(element) {
  for (const child of (element.shadowRoot ?? element).children) {
    yield child
    yield* within(child)
  }
}

// With the page's font in it, which others don't have.
async function withFont(svg) {
  const [rule] = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) =>
    rule instanceof CSSFontFaceRule && /Source Sans/.test(rule.style.fontFamily) && rule.style.fontStyle === "normal")
  const file = rule?.style.src.match(/url\("?(.+?)"?\)/)?.[1]
  if (!file) return svg
  const font = await (await fetch(new URL(file, rule.parentStyleSheet.href ?? document.baseURI))).arrayBuffer()
  const base64 = btoa(Array.from(new Uint8Array(font), (byte) => String.fromCharCode(byte)).join(""))
  const style = `<style>@font-face { font-family: ${rule.style.fontFamily}; font-weight: ${rule.style.fontWeight};
    src: url(data:font/woff2;base64,${base64}); }</style>`
  return svg.replace(/<rect/, `${style}<rect`)
}

async function pngOf(svg, scale = 2) {
  const picture = new Image()
  picture.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }))
  await picture.decode()
  const [width, height] = [scale * picture.width, scale * picture.height]
  const canvas = Object.assign(document.createElement("canvas"), { width, height })
  canvas.getContext("2d").drawImage(picture, 0, 0, width, height)
  URL.revokeObjectURL(picture.src)
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"))
}

// What an element stands on: the first colour behind it.
function groundOf(element) {
  for (let behind = element; behind; behind = behind.parentElement) {
    const colour = getComputedStyle(behind).backgroundColor
    if (!/, 0\)$|transparent/.test(colour)) return plain(colour)
  }
  return "#ffffff"
}

function drawnNode(node, from) {
  if (node.nodeType === Node.TEXT_NODE) return drawnText(node, from)
  if (node.nodeType !== Node.ELEMENT_NODE || node.matches(LEFT_OUT)) return ""
  const style = getComputedStyle(node), box = node.getBoundingClientRect()
  if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none") return ""
  if (node instanceof SVGSVGElement) return embedded(node, box, from)
  const inside = [...(node.shadowRoot ?? node).childNodes].map((child) => drawnNode(child, from)).join("")
  const drawn = drawnBox(style, box, from) + (node.matches("canvas, img") ? image(node, style, box, from) : inside)
  return style.opacity === "1" ? drawn : `<g opacity="${style.opacity}">${drawn}</g>`
}

function at({ left, top, width, height }, from) {
  return `x="${left - from.left}" y="${top - from.top}" width="${width}" height="${height}"`
}

function drawnBox(style, box, from) {
  if (!box.width || !box.height) return ""
  const round = `rx="${Math.min(parseFloat(style.borderTopLeftRadius) || 0, box.height / 2)}"`
  const order = isTurned(style) ? ["Bottom", "Left", "Top", "Right"] : ["Top", "Right", "Bottom", "Left"]
  const sides = order.map((side) => ({ wide: parseFloat(style[`border${side}Width`]),
    colour: style[`border${side}Color`], kind: style[`border${side}Style`] }))
  const ground = /, 0\)$/.test(style.backgroundColor) ? ""
    : `<rect ${at(box, from)} ${round} fill="${plain(style.backgroundColor)}"/>`
  const [{ wide, colour }] = sides
  if (wide && sides.every((side) => side.wide === wide && side.colour === colour)) {
    const inner = new DOMRect(box.left + wide / 2, box.top + wide / 2, box.width - wide, box.height - wide)
    return `${ground}<rect ${at(inner, from)} ${round} fill="none" stroke="${plain(colour)}" stroke-width="${wide}"/>`
  }
  const [l, t, r, b] = [box.left - from.left, box.top - from.top, box.right - from.left, box.bottom - from.top]
  const ends = (wide) => [[l, t + wide / 2, r, t + wide / 2], [r - wide / 2, t, r - wide / 2, b],
    [l, b - wide / 2, r, b - wide / 2], [l + wide / 2, t, l + wide / 2, b]]
  return ground + sides.map(({ wide, colour, kind }, k) => {
    if (!wide || kind === "none") return ""
    const [x1, y1, x2, y2] = ends(wide)[k]
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${plain(colour)}" stroke-width="${wide}"
      ${/dotted|dashed/.test(kind) ? `stroke-dasharray="${2 * wide}"` : ""}/>`
  }).join("")
}

function image(node, style, box, from) {
  const canvas = document.createElement("canvas")
  canvas.width = node.naturalWidth ?? node.width
  canvas.height = node.naturalHeight ?? node.height
  if (!canvas.width || !canvas.height) return ""
  canvas.getContext("2d").drawImage(node, 0, 0)
  return `<image ${at(box, from)} preserveAspectRatio="none" style="image-rendering: ${style.imageRendering}"
    href="${canvas.toDataURL()}"/>`
}

// Line by line, as the browser has broken it; as wide as it is here in whatever font it is shown.
function drawnText(node, from) {
  const style = getComputedStyle(node.parentElement), lines = []
  if (!node.data.trim() || /Material/.test(style.fontFamily)) return ""  // an icon is a word in its font
  const range = document.createRange(), side = isUpright(style) ? "left" : "top"
  for (let i = 0; i < node.length; i++) {
    range.setStart(node, i)
    range.setEnd(node, i + 1)
    const [box] = range.getClientRects()
    if (!box?.width || !box.height) continue
    if (lines.at(-1)?.first[side] !== box[side]) lines.push({ first: box, says: "" })
    Object.assign(lines.at(-1), { last: box, says: lines.at(-1).says + node.data[i] })
  }
  const look = FONT.map((name) => `${name}="${style.getPropertyValue(name).replaceAll('"', "'")}"`).join(" ")
  return lines.filter(({ says }) => says.trim()).map(({ first, last, says }) => {
    const { x, y, length, turn } = baseline(style, first, last, from)
    return `<text x="${x}" y="${y}" ${turn ? `transform="rotate(${turn} ${x} ${y})"` : ""} ${look}
      fill="${plain(style.color)}" textLength="${length}" lengthAdjust="spacingAndGlyphs" xml:space="preserve"
      >${escaped(says)}</text>`
  }).join("")
}

// Where a line begins, how long it is and by how many degrees it is turned, of its first and last character's boxes.
function baseline(style, first, last, { left, top }) {
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = measured(style), ascent = up / (up + down)
  if (!isUpright(style)) {
    return { x: first.left - left, y: first.top - top + first.height * ascent, length: last.right - first.left }
  }
  if (isTurned(style)) {
    const x = first.left - left + first.width * ascent
    return { x, y: first.bottom - top, length: first.bottom - last.top, turn: -90 }
  }
  const x = first.right - left - first.width * ascent
  return { x, y: first.top - top, length: last.bottom - first.top, turn: 90 }
}

function isUpright(style) { return style.writingMode.startsWith("vertical") }

// By half a turn, as what is upright is to read from below.
function isTurned(style) { return new DOMMatrix(style.transform).a < 0 }

function measured(style) {
  const context = document.createElement("canvas").getContext("2d")
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`
  return context.measureText("x")
}

function escaped(text) { return text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]) }

// An SVG within the page, with what style sheets say of it written into it.
function embedded(svg, box, from) {
  const copy = svg.cloneNode(true)
  styleWritten(svg, copy, INHERITED)
  const { width, height } = box
  for (const [name, value] of Object.entries({ x: box.left - from.left, y: box.top - from.top, width, height })) {
    copy.setAttribute(name, value)
  }
  const style = getComputedStyle(svg)
  copy.setAttribute("overflow", style.overflow)
  if (!svg.hasAttribute("viewBox")) {  // on stage it may be drawn larger than it is laid out
    copy.setAttribute("viewBox", `0 0 ${parseFloat(style.width) || width} ${parseFloat(style.height) || height}`)
  }
  return new XMLSerializer().serializeToString(copy)
}

function styleWritten(element, copy, above) {
  const computed = getComputedStyle(element)
  const here = Object.fromEntries(Object.keys(INHERITED).map((name) => [name, computed.getPropertyValue(name)]))
  const said = Object.keys(INHERITED).filter((name) => here[name] !== above[name]).map((name) => [name, here[name]])
  const own = Object.keys(OWN).map((name) => [name, computed.getPropertyValue(name)])
    .filter(([name, value]) => value !== OWN[name] && value !== "block")
  for (const name of ["class", "style", "tabindex"]) copy.removeAttribute(name)
  const style = [...said, ...own].map((pair) => pair.join(": ")).join("; ")
  if (style) copy.setAttribute("style", style)
  ;[...element.children].forEach((child, k) => styleWritten(child, copy.children[k], here))
}

// A colour as any program reads it, however the style sheet has mixed it.
const plains = new Map()
function plain(colour) {
  if (!plains.has(colour)) {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d")
    context.fillStyle = colour
    context.fillRect(0, 0, 1, 1)
    const [red, green, blue, opaque] = context.getImageData(0, 0, 1, 1).data
    plains.set(colour, `rgba(${red}, ${green}, ${blue}, ${(opaque / 255).toFixed(3)})`)
  }
  return plains.get(colour)
}
