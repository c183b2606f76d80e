// What the browser does of "Take it away": the figure's picture, and the address of this very screen.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".view")
  root.innerHTML = `<button type="button" data-do="svg">SVG</button><button type="button" data-do="png">PNG</button>
    <button type="button" data-do="link">Copy the link</button><button type="button" data-do="code">QR code</button>
    <p role="status"></p><dialog aria-label="QR code of this very screen"><img alt="QR code" src="${data.code}">
    <p>${escaped(data.address)}</p><form method="dialog"><button>Close</button></form></dialog>`
  const said = root.querySelector("p"), picture = () => withFont(pictureOf(document.querySelector(data.picture)))
  const does = {
    svg: async () => saved(new Blob([await picture()], { type: "image/svg+xml" }), `${data.file}.svg`),
    png: async () => saved(await pngOf(await picture()), `${data.file}.png`),
    link: async () => {
      said.textContent = location.href  // to copy by hand where the browser doesn't let a page do it
      await navigator.clipboard?.writeText(location.href)
      said.textContent = `Copied: ${location.href}`
    },
    code: () => { window.satcoreAsks = true; setTriggerValue("address", location.href) },
  }
  root.querySelectorAll("[data-do]").forEach((button) => { button.onclick = does[button.dataset.do] })
  if (data.code && window.satcoreAsks) root.querySelector("dialog").showModal()
  if (data.code) window.satcoreAsks = false  // once: a menu that is opened again is told the same again
}

function saved(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
