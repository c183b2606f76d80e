// A phone of the room: a digit is drawn and sent, and a network voted for. What was made of it the stage says.

const EVERY = 3_000  // milliseconds between two questions to the stage
const FULL = "The room is full: 200 phones have sent something. Do watch the stage."
const ON_STAGE = "Yours is on stage!"
const me = myName(), pixels = new Float32Array(784)
let voted = "", onStage = false

document.querySelector("main").innerHTML = `
  <h1>Draw a digit</h1>
  <canvas width="28" height="28" role="img" aria-label="Draw a digit here"></canvas>
  <div class="row"><button type="button" id="wipe">Start over</button>
    <button type="button" id="send" class="first" disabled>Send</button></div>
  <p role="status"></p>
  <section hidden><h2>Which network falls first?</h2><div role="group" aria-label="Networks on vote"></div></section>`
const at = (selector) => document.querySelector(selector)
const said = () => at("[role=status]").textContent
const say = (text) => { if (text !== said()) at("[role=status]").textContent = text }  // aloud only where it is new
const drawn = () => { at("#send").disabled = !pixels.some((p) => p > 0) }
const show = drawOn(at("canvas"), pixels, drawn)
at("#wipe").onclick = () => { pixels.fill(0); show(); drawn() }
at("#send").onclick = () => send("/drawing", bytesOf(pixels), "Sent. Watch the stage.")

// Once a browser, for as long as it keeps it.
function myName() {
  const made = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"))
  try { return localStorage.satcoreRoom ??= made.join("") } catch { return made.join("") }
}

async function ask(path, settings = {}) {
  return fetch(path, { ...settings, headers: { Phone: me }, signal: AbortSignal.timeout?.(8_000) })
}

async function send(path, body, then) {
  say("Sending …")
  try {
    const answer = await ask(path, { method: "POST", body })
    say(answer.ok ? then : answer.status === 403 ? FULL : "The stage didn't take it: try once more.")
  } catch {
    say("The stage doesn't answer: try once more.")
  }
  await look()
}

async function look() {
  let told
  try { told = await (await ask("/now")).json() } catch { return }
  at("h1").textContent = told.digit === null ? "Draw a digit" : `Draw ${told.digit === 8 ? "an" : "a"} ${told.digit}`
  at("section").hidden = !told.networks.length
  // What is on stage is said once, when it comes there: it stays for long, and other things are to be said.
  for (const [holds, text, known] of [[told.full, FULL, false], [told.on_stage, ON_STAGE, onStage]]) {
    if (holds && !known) say(text); else if (!holds && said() === text) say("")
  }
  onStage = told.on_stage
  drawVote(told)
}

function drawVote({ networks, vote }) {
  const group = at("[role=group]"), now = JSON.stringify([networks, vote])
  if (now === voted) return
  voted = now
  const focused = document.activeElement?.textContent
  group.replaceChildren(...networks.map(({ name, colour }) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name })
    button.style.setProperty("--colour", colour)
    button.setAttribute("aria-pressed", name === vote)
    button.onclick = () => send("/vote", name, `You say: ${name}.`)
    return button
  }))
  ;[...group.children].find((button) => button.textContent === focused)?.focus()
}

setInterval(() => { if (!document.hidden) look() }, EVERY)
document.onvisibilitychange = () => { if (!document.hidden) look() }
look()
