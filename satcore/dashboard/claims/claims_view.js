// The claims of the paper: a verdict, what was found in each family, and a small figure, a row a claim.

const WIDTH = 340, HEIGHT = 70, TOP = 16, FAMILY_GAP = 14, GROUP_GAP = 7  // of a figure, in pixels
const LETTER = 7.5, WRITTEN = 26  // a label's width, letter by letter; of bars on which their value is written

export default function ({ data, parentElement }) {
  parentElement.querySelector(".view").innerHTML = data.sections.map(({ title, claims }) =>
    `<section><h2>${safe(title)}</h2>${claims.map(row).join("")}</section>`).join("") || "<p>No claim came to that.</p>"
}

function row(claim) {
  return `<article data-claim="${claim.name}">
    <div><b class="verdict ${claim.kind}"><span aria-hidden="true">${claim.icon}</span> ${claim.verdict}</b>
      <span class="where">${safe(claim.where)}</span></div>
    <div><h3>${safe(claim.says)}</h3><ul>${claim.lines.map(line).join("")}</ul>
      <p class="rule">Held if ${safe(claim.rule)}</p></div>
    <figure><figcaption>${safe(claim.of_what)}</figcaption>${drawn(claim)}</figure></article>`
}

function line({ family, kind, icon, verdict, says, seeds, control, link, counts }) {
  const chip = ` <span class="control">the control has it too</span>`
  const too = { true: chip, false: " · not the control" }[control] ?? ""
  return `<li class="${counts ? "" : "beside"}"><i class="${kind}" aria-hidden="true">${icon}</i>
    <span class="hidden">${verdict}: </span><a href="${safe(link)}" target="_self">${safe(family)}</a>
    ${safe(says)}${too}${seeds ? ` <span class="seeds">${safe(seeds)}</span>` : ""}</li>`
}

// Bars, group by group, those of each family in the middle of its share of the width; a line where the paper's lie.
function drawn({ groups, unit, logarithmic, of_what }) {
  const all = groups.flatMap(({ bars }) => bars)
  const scale = scaleOf(all.flatMap(({ value, paper }) => (paper === null ? [value] : [value, paper])), logarithmic)
  const names = [...new Set(groups.map(({ family }) => family))]
  const wide = Math.min(28, (WIDTH - FAMILY_GAP * (names.length - 1) - GROUP_GAP * groups.length) / all.length)
  const bare = ({ bars, label }) => Math.max(wide * bars.length, LETTER * label.length)
  const taken = groups.reduce((sum, group) => sum + bare(group), FAMILY_GAP * (names.length - 1))
  const gap = Math.min(GROUP_GAP, (WIDTH - taken) / groups.length)  // less between labels than between families
  const widthOf = (group) => bare(group) + gap
  const of = (family) => groups.filter((group) => group.family === family)
  const natural = (family) => of(family).reduce((sum, group) => sum + widthOf(group), 0)
  const spare = (WIDTH - names.reduce((sum, family) => sum + natural(family), 0)) / names.length
  const under = TOP + HEIGHT + (groups.some(({ label }) => label) ? 31 : 16), parts = []
  let from = spare / 2
  for (const family of names) {
    parts.push(text(from + natural(family) / 2, under, family, `font-weight="600"`))
    for (const group of of(family)) {
      const middle = from + widthOf(group) / 2, first = middle - wide * group.bars.length / 2
      parts.push(text(middle, TOP + HEIGHT + 15, group.label))
      group.bars.forEach((bar, k) => parts.push(drawnBar(bar, first + k * wide, wide, scale, unit, group)))
      from += widthOf(group)
    }
    from += spare
  }
  return `<svg viewBox="0 0 ${WIDTH} ${under + 4}" role="img" aria-label="${safe(inWords(of_what, groups))}">
    ${text(0, 11, wide < WRITTEN ? scale.says : "", `style="text-anchor: start"`)}
    <line x1="0" x2="${WIDTH}" y1="${scale.base}" y2="${scale.base}" stroke-opacity=".5"/>${parts.join("")}</svg>`
}

function drawnBar({ series, colour, value, paper }, x, wide, { y, base }, unit, { family, label }) {
  const top = Math.min(y(value), base)
  const bar = `<rect x="${x}" y="${top}" width="${wide - 1}" height="${Math.max(1, Math.abs(base - y(value)))}"
    fill="${colour}"><title>${safe(`${family} ${label}, ${series}: ${short(value)} ${unit}`)}</title></rect>`
  const struck = paper !== null && y(paper) < top && y(paper) > top - 18  // by the paper's line, were it there
  const number = wide < WRITTEN ? "" : text(x + wide / 2, (struck ? y(paper) : top) - 4, few(value))
  if (paper === null) return bar + number
  return `${bar}${number}<line x1="${x - 2}" x2="${x + wide + 1}" y1="${y(paper)}" y2="${y(paper)}" stroke-width="3">
    <title>the paper: ${short(paper)} ${safe(unit)}</title></line>`
}

// Where a value lies; from 0, or, of a logarithmic scale, from the power of ten below the least.
function scaleOf(values, logarithmic) {
  const high = Math.max(0, ...values)
  const low = logarithmic ? 10 ** Math.ceil(Math.log10(Math.min(...values)) - 1) : Math.min(0, ...values)
  const share = logarithmic ? (x) => Math.log(x / low) / Math.log(high / low) : (x) => (x - low) / (high - low || 1)
  const y = (x) => TOP + HEIGHT * (1 - share(x))
  const says = `axis from ${short(low)} to ${short(high)}${logarithmic ? ", logarithmic" : ""}`
  return { y, base: y(logarithmic ? low : 0), says }
}

function few(value) { return Math.abs(value) >= 100 ? Math.round(value) : String(Number(value.toPrecision(3))) }

function inWords(of_what, groups) {
  const said = groups.map(({ family, label, bars }) =>
    `${family} ${label} ${bars.map(({ series, value }) => `${series} ${short(value)}`).join(", ")}`)
  return `${of_what}: ${said.join("; ")}`
}
