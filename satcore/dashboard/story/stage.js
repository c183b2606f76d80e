// The story's view: the scene's title and sentences above a page, a bar below, and the keys of presenters and clickers.
// A scene is an address; going to one is what Back and Forward do: Streamlit reads all settings from the address.

const stage = (window.satcoreStage ??= { channel: new BroadcastChannel("satcore story"), hidden: null })
const LETTERS = "satcore: letters are keys"  // in the browser's storage: "no" where they aren't
const ACTIONS = {
  PageDown: next, ArrowRight: next, " ": next, PageUp: previous, ArrowLeft: previous, Home: () => go(1),
  End: () => go(stage.data.scenes.length), ".": blank, "?": help,
}
const BY_LETTER = {
  f: fullScreen, s: speaker, b: blank, o: overview, x: object, l: live, p: wholePage, k: fold,
}
const MOVED = "input, select, [role=slider], [role=radio], [role=tab]"  // controls that arrows move
const PRESSED = "a, button, input, select, summary, [role]"  // and those that Space presses
const ANYWHERE = new Set(["?", "k"])  // keys that act outside of the story, too
const HELP = [
  ["→ Space PageDown", "next scene"], ["← PageUp", "back"], ["Home, End", "first, last"], ["F", "full screen"],
  ["S", "speaker's window: notes, what comes next, the time"], ["B or .", "blank; any key brings it back"],
  ["O", "overview of the scenes"], ["X", "the objection: the attack's gradient and loss, one after another"],
  ["L", "the scene's figure computed anew, here and now"],
  ["P", "the scene's whole page with its controls, and back"], ["K", "fold a page's controls, and unfold"],
  ["?", "this help"],
]

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".view")
  Object.assign(stage, { data, root, setTriggerValue })
  if (!stage.listening) {  // once, however often the view is drawn: no key is lost between two pages
    document.addEventListener("keydown", (event) => stage.pressed(event), true)
    window.addEventListener("popstate", ({ isTrusted }) => {
      if (isTrusted) stage.wanted = 0  // Back or Forward
      stage.marked()
    })
    stage.channel.onmessage = ({ data: said }) => stage.heard(said)
    onePressOneStepBack()
    stage.listening = true
  }
  Object.assign(stage, { pressed, marked, heard })
  const search = new URLSearchParams(location.search)
  stage.hidden ??= search.get("hide")?.split(",") ?? []
  stage.embedded ??= search.get("embed") === "true"
  draw()
}

// ---- where one is

// What the address asks for; or the scene that one is on the way to: until it is there, what Streamlit still has to say
// of the ones before it overwrites the address.
function asked() {
  const search = new URLSearchParams(location.search), number = stage.wanted || Number(search.get("scene"))
  return { number: stage.data.scenes[number - 1] ? number : 0, full: !stage.wanted && search.has("full") }
}

function go(number) {
  const scene = stage.data.scenes[number - 1]
  if (!scene) return
  stage.wanted = number
  visit(stage.data.base + scene.address)
  insist()
}

// Streamlit can lose the way to another page: where a timer of the page that is left asks for that page just then, and
// neither has been begun with, the later request takes the earlier one's place. So what hasn't come while nothing is
// computed is asked for again.
function insist() {
  clearTimeout(stage.insisting)
  stage.insisting = setTimeout(() => {
    if (!stage.wanted) return
    const app = document.querySelector("[data-testid=stApp]")
    if (app.dataset.testScriptState === "notRunning") {
      history.replaceState(history.state, "", stage.data.base + stage.data.scenes[stage.wanted - 1].address)
      follow()
    }
    insist()
  }, 1000)
}

function arrived() {
  if (!stage.wanted || stage.data.number !== stage.wanted) return
  const { number, scenes, base } = stage.data
  if (Number(new URLSearchParams(location.search).get("scene")) !== number) {
    history.replaceState(history.state, "", base + scenes[number - 1].address)
  }
  stage.wanted = 0
}

function visit(address) {
  stage.pushes = true
  history.pushState({}, "", address)
  follow()
}

// Have Streamlit read the address.
function follow() { window.dispatchEvent(new PopStateEvent("popstate", { state: {} })) }

function next() { go(Math.min(asked().number + 1, stage.data.scenes.length)) }

function previous() { go(Math.max(asked().number - 1, 1)) }

// Of all addresses that follow on one press, as Streamlit leaves a page without its settings, comes to another one and
// is given the settings of that, the last one alone is a step back.
function onePressOneStepBack() {
  const push = history.pushState.bind(history)
  for (const press of ["pointerdown", "keydown"]) window.addEventListener(press, () => { stage.pushes = true }, true)
  history.pushState = (...entry) => {
    if (stage.pushes) push(...entry); else history.replaceState(...entry)
    stage.pushes = false
  }
}

// ---- what is shown

// What the style sheet of all pages goes by.
function marked() {
  const { number, full } = asked(), html = document.documentElement
  html.toggleAttribute("data-scene", number > 0 && !full)
  html.setAttribute("data-hidden", stage.hidden.join(" "))
}

function draw() {
  arrived()
  marked()
  const { scenes, number, full, objects, badge, complaint } = stage.data, scene = scenes[number - 1]
  const button = (name, label, key, more = "") =>
    `<button type="button" data-do="${name}" title="${label}" ${more}>${label}<kbd>${key}</kbd></button>`
  const dot = ({ title }, k) => `<button type="button" class="dot" data-go="${k + 1}" title="${k + 1}: ${safe(title)}"
    aria-label="${k + 1}: ${safe(title)}" ${k + 1 === number ? 'aria-current="step"' : ""}></button>`
  stage.root.innerHTML = scene ? `
    ${full ? "" : heading(scene, badge)}
    <nav class="bar" aria-label="Story">
      <button type="button" class="step" data-do="previous" aria-label="Back"
        ${number > 1 ? "" : "disabled"}>‹</button>
      <div class="dots">${scenes.map(dot).join("")}</div>
      <button type="button" class="step" data-do="next" aria-label="Next"
        ${number < scenes.length ? "" : "disabled"}>›</button>
      <span>${number} / ${scenes.length}</span><span class="space"></span>
      ${objects ? button("object", "Objection", "X", full ? 'class="roomy"' : "") : ""}
      ${button("wholePage", full ? "Back to the scene" : "Whole page", "P")}
      ${button("overview", "Overview", "O", 'class="roomy"')}
      <span class="wide">${button("speaker", "Speaker", "S")} ${button("fullScreen", "Full screen", "F")}</span>
      ${button("help", "Help", "?", 'class="roomy"')}
      ${button("leave", "Leave", "")}
    </nav>` : `
    <p class="folded" hidden><button type="button" data-do="fold">Unfold<kbd>K</kbd></button><span></span></p>
    <nav class="corner" aria-label="Stage" ${stage.embedded || stage.hidden.includes("navigation") ? "hidden" : ""}>
      <button type="button" data-do="fold" aria-expanded="true" title="Fold controls">
        Fold<span class="wide"> controls</span><kbd>K</kbd></button>
      <button type="button" data-go="1" title="${safe(complaint) || "The story, scene by scene"}"
        ${scenes.length ? "" : "disabled"}>▶ Story</button></nav>`
  for (const pressed of stage.root.querySelectorAll("[data-do], [data-go]")) {
    pressed.onclick = () => ("go" in pressed.dataset ? go(Number(pressed.dataset.go)) : DOES[pressed.dataset.do]())
  }
  foldShown()
  if (scene) stage.channel.postMessage(forSpeaker())
}

function heading({ title, says, look }, badge) {
  const figure = badge && `<button type="button" class="badge" data-do="live" title="Compute it anew"
    ><span>${safe(badge)}</span><kbd>L</kbd></button>`
  return `<header><h1>${safe(title)}</h1>${figure}</header><p>${safe(says)}</p>
    <p class="look"><b>Look at</b> ${safe(look)}</p>`
}

const DOES = { next, previous, overview, speaker, fullScreen, help, wholePage, object, live, fold, leave }

function wholePage() {
  const address = new URL(location.href)
  if (asked().full) address.searchParams.delete("full"); else address.searchParams.set("full", "1")
  visit(address.pathname + address.search)
}

function leave() {
  const address = new URL(location.href)
  for (const key of ["scene", "full", "objection"]) address.searchParams.delete(key)
  visit(address.pathname + address.search)
}

function object() { if (stage.data.objects) stage.setTriggerValue("objection", true) }

function live() {
  const badge = stage.root.querySelector(".badge span")
  if (!badge) return
  badge.textContent = "live: computing …"
  stage.setTriggerValue("live", true)
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen(); else document.documentElement.requestFullscreen()
}

// ---- controls, folded to one line

function fold() {
  const folded = stage.hidden.includes("controls")
  stage.hidden = stage.hidden.filter((part) => part !== "controls").concat(folded ? [] : ["controls"])
  marked()
  foldShown()
}

function foldShown() {
  const line = stage.root.querySelector(".folded")
  if (!line) return
  const folded = stage.hidden.includes("controls"), controls = document.querySelectorAll("[class*=st-key-controls-of-]")
  line.hidden = !folded || !controls.length
  line.querySelector("span").textContent = [...controls].map(chosenIn).join(" · ")
  stage.root.querySelector(".corner [data-do=fold]").setAttribute("aria-expanded", !folded)
}

// What the controls stand at, in a line.
function chosenIn(controls) {
  const all = [...controls.querySelectorAll("[data-tag], [aria-checked=true], input:checked, input[type=number]")]
  return all.map((one) => one.value && one.type === "number" ? one.value : one.textContent || "").filter(Boolean)
    .join(" · ")
}

// ---- dialogs

function dialog(content, name) {
  const open = stage.root.querySelector("dialog")
  open?.remove()
  if (open?.dataset.name === name) return null
  const made = Object.assign(document.createElement("dialog"), { innerHTML: content })
  made.dataset.name = name
  made.onclose = () => made.remove()
  made.onclick = ({ target }) => { if (target === made || target.matches(".close")) made.remove() }
  stage.root.append(made)
  made.showModal()
  return made
}

function help() {
  const rows = HELP.map(([keys, does]) => `<dt>${keys}</dt><dd>${does}</dd>`).join("")
  const made = dialog(`<button type="button" class="close">Close</button><h2>Keys of the story</h2><dl>${rows}</dl>
    <label><input type="checkbox" ${lettersAct() ? "checked" : ""}> Letters are keys</label>`, "help")
  const box = made?.querySelector("input")
  if (box) box.onchange = () => localStorage.setItem(LETTERS, box.checked ? "yes" : "no")
}

function overview() {
  const { number } = asked()
  const made = dialog(`<button type="button" class="close">Close</button><h2>The story</h2><ol class="scenes">
    ${stage.data.scenes.map(({ title, says }, k) => `<li><button type="button" data-go="${k + 1}"
      ${k + 1 === number ? "aria-current='step'" : ""}><b>${k + 1}. ${safe(title)}</b
      ><small>${safe(says)}</small></button></li>`).join("")}</ol>`, "overview")
  made?.querySelectorAll("[data-go]").forEach((scene) => {
    scene.onclick = () => { made.remove(); go(Number(scene.dataset.go)) }
  })
  made?.querySelector("[aria-current]")?.focus()
}

function blank() {
  const made = dialog("", "blank")
  made?.classList.add("blank")
  if (made) made.onclick = () => made.remove()
}

// ---- keys

function lettersAct() { return localStorage.getItem(LETTERS) !== "no" }

function writes(element) {
  return element.isContentEditable || element.tagName === "TEXTAREA" || (element.tagName === "INPUT" &&
    !["range", "checkbox", "radio", "button", "color", "file"].includes(element.type))
}

// Whether a key is for the control that has the focus: on a whole page controls are used.
function operates(element, key) {
  const operated = { " ": PRESSED, ArrowLeft: MOVED, ArrowRight: MOVED, Home: MOVED, End: MOVED }[key]
  return Boolean(operated) && element instanceof Element && element.matches(operated)
}

function pressed(event) {
  const [target] = event.composedPath(), key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  document.documentElement.toggleAttribute("data-tabbed", event.key === "Tab")
  if (event.ctrlKey || event.altKey || event.metaKey || (target instanceof Element && writes(target))) return
  if (asked().full && !event.composedPath().includes(stage.root) && operates(target, key)) return
  if (act(key)) {
    event.preventDefault()
    event.stopImmediatePropagation()
  }
}

// Whether the key is one of the stage's, which has then acted.
function act(key) {
  const open = stage.root.querySelector("dialog")
  if (open?.dataset.name === "blank" && !["Shift", "Control", "Alt", "Meta"].includes(key)) {
    open.remove()
    return true
  }
  if (!asked().number && !ANYWHERE.has(key)) return false
  const does = ACTIONS[key] ?? (lettersAct() ? BY_LETTER[key] : undefined)
  if (!does || (open && !["?", "o"].includes(key))) return false
  does()
  return true
}

// ---- the speaker's window

function forSpeaker() {
  const { scenes, number } = stage.data
  return { scene: scenes[number - 1], next: scenes[number]?.title ?? "the end", number, count: scenes.length }
}

function heard(said) {
  if (said === "speaker is here") stage.channel.postMessage(forSpeaker())
  if (typeof said?.key === "string") act(said.key)
}

function speaker() {
  const beside = window.open("", "satcore speaker", "popup,width=900,height=700")
  if (!beside) return
  if (beside.document.getElementById("clock")) {  // it is there already, and what it runs can't be begun twice
    beside.focus()
    return stage.channel.postMessage(forSpeaker())
  }
  beside.document.open()
  beside.document.write(SPEAKER)
  beside.document.close()
}

const SPEAKER = `<!doctype html><html lang="en"><title>satcore: speaker</title><style>
  :root { color-scheme: light dark; } body { font: 1.5rem/1.45 sans-serif; margin: 1.5rem 2rem; }
  header { display: flex; gap: 2rem; font-size: 1.2rem; } h1 { font-size: 1.7rem; margin: .6rem 0; }
  #clock { margin-left: auto; font-variant-numeric: tabular-nums; } #next { font-size: 1.2rem; opacity: .8; }
  button { font: inherit; font-size: 2rem; padding: .6rem 2.5rem; margin-right: 1rem; } i { opacity: .85; }
  </style><header><span id="number"></span><span id="clock"></span></header><h1 id="title"></h1>
  <p><i id="says"></i></p><p id="notes"></p><p id="next"></p>
  <button id="back" aria-label="Back">‹</button><button id="on" aria-label="Next">›</button>
  <script>
    const channel = new BroadcastChannel("satcore story"), began = Date.now(), two = (n) => String(n).padStart(2, "0")
    const put = (id, text) => { document.getElementById(id).textContent = text }
    channel.onmessage = ({ data }) => {
      if (!data.scene) return
      put("number", data.number + " / " + data.count)
      for (const part of ["title", "says", "notes"]) put(part, data.scene[part])
      put("next", "Next: " + data.next)
    }
    const tell = (key) => channel.postMessage({ key })
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return
      event.preventDefault()
      tell(event.key.length === 1 ? event.key.toLowerCase() : event.key)
    })
    document.getElementById("back").onclick = () => tell("PageUp")
    document.getElementById("on").onclick = () => tell("PageDown")
    setInterval(() => {
      const now = new Date(), passed = Math.floor((now - began) / 1000)
      put("clock", two(now.getHours()) + ":" + two(now.getMinutes()) + ", " + Math.floor(passed / 60) + ":" +
        two(passed % 60) + " into the talk")
    }, 500)
    channel.postMessage("speaker is here")
  </scr` + `ipt></html>`
