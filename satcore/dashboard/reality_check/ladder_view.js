// A row a network, a column an attack: how much is left, as a number and as a column of the network's colour.

const INVITES = matchMedia("(hover: none)").matches ? "Press a figure for its interval; then it can be computed anew."
  : "Point at a figure for its interval; press it, and it can be computed anew."

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = `
    <p class="hint">Swipe the table sideways: the attacks stand between the names and the worst case.</p>
    <div class="scroll"><table><thead>${head(data)}</thead><tbody>${body(data)}</tbody></table></div>
    <div class="reads"><span aria-live="polite">${INVITES}</span>
      <button type="button" class="anew" hidden>Compute it anew</button></div>`
  const scroll = root.querySelector(".scroll")
  const says = root.querySelector(".reads span"), anew = root.querySelector(".anew")
  let chosen = null
  const show = (cell) => {
    says.textContent = cell ? figure(data, cell).says : INVITES
    anew.hidden = !cell || cell !== chosen || data.rungs[cell.dataset.column] === "paper"
  }
  root.querySelectorAll("td button").forEach((cell) => {
    cell.onpointerenter = cell.onfocus = () => show(cell)
    cell.onpointerleave = () => show(chosen)
    cell.onclick = () => {
      chosen?.classList.remove("chosen")
      chosen = cell
      cell.classList.add("chosen")
      show(cell)
    }
  })
  anew.onclick = () => {
    const { row, column } = chosen.dataset
    setTriggerValue("chosen", { network: data.rows[row].name, rung: data.rungs[column] })
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches
    const below = document.querySelector(".st-key-anew")  // where the page computes it
    below?.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" })
  }
  return onResize(root, () => root.classList.toggle("overflows", scroll.scrollWidth > scroll.clientWidth))
}

function figure(data, cell) { return data.rows[cell.dataset.row].cells[cell.dataset.column] }

function kind(rung) { return { "worst case": "worst", paper: "paper" }[rung] ?? "" }

function back(steps) { return steps ? "aside" : "" }

// Three rows: attacks, and beneath those that take a gradient, of which loss, and in which way.
function head({ columns, rungs, aside }) {
  const down_to = (k, level) => columns[k]?.slice(0, level + 1).join()
  const alike = (k, other, level) => down_to(k, level) === down_to(other, level)
  const rows = [0, 1, 2].map((level) => columns.map((headings, k) => {
    if (!(level in headings)) return ""
    if (headings.length === 1) return `<th rowspan="3" class="${kind(rungs[k])}">${headings[0]}</th>`
    if (alike(k, k - 1, level)) return ""
    const span = columns.filter((_, other) => alike(k, other, level)).length
    return `<th colspan="${span}" class="${level < 2 ? "group" : back(aside[k])}">${headings[level]}</th>`
  }).join(""))
  return `<tr><td rowspan="3" class="name">right, in %</td>${rows[0]}</tr><tr>${rows[1]}</tr><tr>${rows[2]}</tr>`
}

function body({ columns, rungs, rows, aside }) {
  return rows.map((row, k) => {
    const cells = row.cells.map((cell, c) =>
      `<td class="${kind(rungs[c])} ${back(aside[c])}">${cell ? button(cell, k, c) : ""}</td>`)
    const heading = k && rows[k - 1].group === row.group ? "" : `<tr class="family">
      <th class="name" colspan="3">${row.heading}</th><td colspan="${columns.length - 2}"></td></tr>`
    return `${heading}<tr style="--regime: ${row.colour}"><th scope="row" class="name"><span
      title="${row.name}">${row.label}</span></th>${cells.join("")}
      </tr>`
  }).join("")
}

function button(cell, row, column) {
  const shown = cell.percent >= 99.95 ? "100" : cell.percent.toFixed(1)
  return `<button type="button" data-row="${row}" data-column="${column}" aria-label="${cell.says}"
    style="--share: ${cell.percent}%"><i aria-hidden="true"></i><span>${shown}</span></button>`
}
