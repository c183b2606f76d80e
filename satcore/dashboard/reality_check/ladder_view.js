// A row a network, a column an attack: how much is left, as a number and as a column of the regime's colour.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".view"), groups = []
  for (const [group, label] of data.columns) {
    if (group && groups.length && groups.at(-1).group === group) groups.at(-1).span++
    else groups.push({ group, label, span: 1 })
  }
  const kind = (k) => data.rungs[k] === "worst case" ? "worst" : data.rungs[k] === "paper" ? "paper" : ""
  root.innerHTML = `<div class="scroll"><table>
    <thead><tr><td rowspan="2" class="name">right, in %</td>${groups.map((g) => g.group ? `<th colspan="${g.span}" class="group">${g.group}</th>`
      : `<th rowspan="2" class="${g.label === "worst case" ? "worst" : ""}">${g.label}</th>`).join("")}</tr>
      <tr>${data.columns.filter(([group]) => group).map(([, label]) => `<th>${label}</th>`).join("")}</tr></thead>
    <tbody>${data.rows.map((row, k) => `${k && data.rows[k - 1].family === row.family ? "" : heading(row.family)}
      <tr style="--regime: ${row.colour}"><th scope="row" class="name">${row.training}</th>${row.cells.map((cell, c) =>
        `<td class="${kind(c)}">${cell ? button(cell, data.rungs[c], row, k, c) : ""}</td>`).join("")}</tr>`).join("")}
    </tbody></table></div><div class="reads" aria-live="polite">Point at a figure for its interval; press it to compute it anew, below.</div>`
  const reads = root.querySelector(".reads")
  root.querySelectorAll("button").forEach((cell) => {
    const row = data.rows[cell.dataset.row], { says } = row.cells[cell.dataset.column], rung = data.rungs[cell.dataset.column]
    cell.onpointerenter = cell.onfocus = () => { reads.textContent = says }
    cell.onclick = () => { reads.textContent = says; if (rung !== "paper") setTriggerValue("chosen", { network: row.name, rung }) }
  })

  function heading(family) { return `<tr class="family"><th class="name" colspan="2">${family}</th><td colspan="${data.columns.length - 1}"></td></tr>` }
}

function button(cell, rung, row, k, c) {
  const shown = cell.percent >= 99.95 ? "100" : cell.percent.toFixed(1)
  return `<button type="button" data-row="${k}" data-column="${c}" aria-label="${cell.says}" style="--share: ${cell.percent}%">${shown}</button>`
}
