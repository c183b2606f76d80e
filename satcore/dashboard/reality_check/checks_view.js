// Each check with what it means, and beside it each network's verdict.

export default function ({ data, parentElement }) {
  parentElement.querySelector(".view").innerHTML = data.checks.map(({ name, meaning, verdicts }) => `
    <section><div class="what"><h3>${name}</h3><p>${meaning}</p></div>
      <ul style="--networks: ${verdicts.length}">${verdicts.map(shown).join("")}</ul></section>`).join("")
}

function shown(verdict) {
  if (!verdict) return `<li aria-hidden="true"></li>`
  const { label, colour, passed, figures } = verdict
  return `<li style="--regime: ${colour}" class="${passed ? "passed" : "failed"}">
    <b><span aria-hidden="true">${passed ? "✓" : "✗"}</span> ${label}</b>
    <span class="hidden">${passed ? "passed" : "failed"}: </span><small>${figures}</small></li>`
}
