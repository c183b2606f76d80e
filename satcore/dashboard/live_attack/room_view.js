// A room: how phones get there, large; or what they have sent, with the way there beside it. Of a drawing there is
// nothing but its pixels.

const drawn = new WeakMap()  // what a view was told last

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".view"), told = JSON.stringify(data)
  if (drawn.get(root) === told) return  // it is told every second
  drawn.set(root, told)
  const focused = root.getRootNode().activeElement?.getAttribute("aria-label")
  root.innerHTML = data.asks ? invitation(data) : sent(data)
  root.querySelectorAll("[data-number]").forEach((button, k) => {
    const number = Number(button.dataset.number)
    paint(button.querySelector("canvas"), bytes(data.drawings[k].pixels))
    button.onclick = () => setTriggerValue("chosen", number === data.chosen ? 0 : number)
    if (button.getAttribute("aria-label") === focused) button.focus()
  })
  root.querySelectorAll(".code").forEach((button) => { button.onclick = () => setTriggerValue("chosen", 0) })
  root.querySelectorAll(".clear").forEach((button) => { button.onclick = () => setTriggerValue("cleared", true) })
}

function invitation({ code, address, asks }) {
  return `<div class="invitation"><img src="${code}" alt="QR code of ${address}">
    <div><p class="asks">${asks}</p><p>Scan this, or open</p><p class="address">${address}</p></div></div>`
}

function sent({ code, address, says, chosen, drawings, networks }) {
  const most = Math.max(1, ...networks.map(({ votes }) => votes))
  const drawing = ({ number }) => `<button type="button" data-number="${number}" aria-pressed="${number === chosen}"
    aria-label="Drawing ${number}"><canvas width="28" height="28"></canvas></button>`
  const network = ({ name, colour, votes }) => `<dt>${name}</dt><dd><span class="bar"
    style="width: ${100 * votes / most}%; background: ${colour}"></span><b>${votes}</b></dd>`
  const way = `<button type="button" class="code" aria-label="Show the code large"><img src="${code}" alt=""></button>
    <p class="address">${address}</p>`
  return `<div class="beside">${chosen ? way : ""}<p class="says">${says}</p>
      <button type="button" class="clear">Clear</button></div>
    <div class="drawings" role="group" aria-label="The newest drawings">${drawings.map(drawing).join("")}</div>
    <p>Which falls first?</p><dl>${networks.map(network).join("")}</dl>`
}

function paint(canvas, pixels) {
  const image = new ImageData(28, 28)
  pixels.forEach((grey, i) => image.data.set([grey, grey, grey, 255], 4 * i))
  canvas.getContext("2d").putImageData(image, 0, 0)
}
