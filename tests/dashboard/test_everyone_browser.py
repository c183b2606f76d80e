"""Every page for everyone: axe-core, keyboard, phone, in either theme."""

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.browser import DESKTOP, LAPTOP, PATIENCE, PHONE

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PAGES = {  # what is there when the page is
    "": ".js-plotly-plot",
    "interpolation?points=51": "section[data-network]",
    "representations": "section canvas, canvas",
    "weights": ".js-plotly-plot",
    "live_attack?pick=by+index": "section[data-network]",
    "attack_grid": "section canvas",
    "reality_check": "td button",
    "claims": "article",
    "over_seeds": "figure svg circle",
    "train": ".js-plotly-plot",
    "networks": "[data-testid=stVerticalBlock]",
    "?scene=1": ".js-plotly-plot",
}
VIEWS = {  # what else there is to see on some of them
    "interpolation?view=Plane&grid=50": ".js-plotly-plot",
    "representations?view=One+layer+in+full": ".js-plotly-plot",
    "representations?view=Two+dimensions": "section canvas, canvas",
    "weights?view=Weights": ".js-plotly-plot",
    "weights?view=Pre-activations": ".js-plotly-plot",
    "weights?view=A+linear+mechanism": ".js-plotly-plot",
}
LEGIBLE = 14  # pixels of a laptop's screen, from the back of a room
SMALLER = """least => {
  const found = {}
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot)
      const drawn = root instanceof ShadowRoot || element.closest(".js-plotly-plot")
      const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) =>
        node.textContent.trim()).join("")
      if (!drawn || !words || !element.checkVisibility({ visibilityProperty: true })) continue
      const to = element.ownerSVGElement && element.getScreenCTM()
      const size = parseFloat(getComputedStyle(element).fontSize) * (to ? Math.hypot(to.a, to.b) : 1)
      if (size < least - 0.01) found[words] = size
    }
  }
  look(document)
  return found
}"""
CUT = """[...document.querySelectorAll('[data-testid=stMultiSelectTagsContainer]')]
  .filter(names => names.scrollWidth > names.clientWidth).map(names => names.innerText)"""
FOCUSED = """() => {
  let element = document.activeElement
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
  if (!element || element === document.body) return null
  element.dataset.reached = true
  let around = element, shown = element.matches("input:is([type=text], [type=number])")  // by the cursor in it
  for (let up = 0; around && up < 4; up++) {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(around)
    shown ||= (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none"
    around = around.parentElement ?? around.getRootNode().host
  }
  return { words: (element.ariaLabel || element.innerText || element.tagName).slice(0, 40), shown }
}"""
MISSED = """() => {
  const found = []
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot)
      const for_keys = element.matches("a[href], button, input, select, textarea, summary") && element.tabIndex >= 0
      const one_of_many = element.type === "radio" || element.role === "radio"  // which the arrows lead to
      const there = !element.disabled && element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
      if (for_keys && there && !one_of_many && !element.dataset.reached) found.push(element.outerHTML.slice(0, 200))
    }
  }
  look(document)
  return found
}"""
MAIN = {  # the first figure of pages whose controls are many
    "interpolation?points=51": "section[data-network] svg",
    "live_attack": "section[data-network] .images",
    "attack_grid": "section .frame",
}


def whole(page: Page, selector: str) -> None:
    expect(page.locator(selector).first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENCE)


def violations(page: Page, *rules: str) -> dict[str, list[str]]:
    """What axe finds serious or critical, by rule: which elements; by all rules unless some are named."""
    page.evaluate("axe => window.axe ?? eval(axe)", AXE)
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run(options)", options)["violations"]
    return {
        rule["id"]: [f"{node['target'][-1]}: {node['html'][:150]}" for node in rule["nodes"]]
        for rule in found
        if rule["impact"] in ("serious", "critical")
    }


def smaller(page: Page) -> dict[str, float]:
    """What is written in figures and in views of our own too small for the back of a room, and how small."""
    return page.evaluate(SMALLER, LEGIBLE)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious_on_a_page_that_fits_a_phone(visit, path):
    page = visit(f"/{path}", viewport=LAPTOP)
    whole(page, PAGES[path])
    assert violations(page) == smaller(page) == {}
    assert page.evaluate(CUT) == []
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", "rgb(23, 22, 20)")
    assert violations(page, "color-contrast") == {}  # nothing else has changed
    page.set_viewport_size(PHONE)
    page.wait_for_timeout(300)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("path", ["weights", "live_attack?pick=by+index", "?scene=1"])
def test_the_tab_key_reaches_everything_and_one_sees_where_it_is(visit, path):
    page = visit(f"/{path}", viewport=LAPTOP)
    whole(page, PAGES[path])
    reached = []
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:  # the way has ended
            break
        reached.append(focused)
    assert [there["words"] for there in reached if not there["shown"]] == []
    assert len(reached) > 15 and page.evaluate(MISSED) == []


@pytest.mark.parametrize("path", VIEWS)
def test_nothing_in_a_figure_is_written_too_small(visit, path):
    page = visit(f"/{path}", viewport=LAPTOP)
    whole(page, VIEWS[path])
    assert smaller(page) == {}


def test_what_is_wrong_would_be_found(visit):
    page = visit("/claims", viewport=LAPTOP)
    whole(page, PAGES["claims"])
    page.locator("article h3").first.evaluate(
        "(h3) => { h3.style.color = '#aaaaaa'; h3.style.fontSize = '13px'; h3.innerHTML += '<button></button>' }"
    )
    assert {"button-name", "color-contrast"} <= violations(page).keys()
    assert list(smaller(page).values()) == [13]


@pytest.mark.parametrize(("path", "selector"), MAIN.items())
def test_what_one_sets_and_what_one_sees_are_on_one_screen(visit, path, selector):
    page = visit(f"/{path}", viewport=LAPTOP)
    whole(page, selector)
    for screen in (LAPTOP, DESKTOP, {"width": 1920, "height": 1080}):
        page.set_viewport_size(screen)
        page.wait_for_timeout(300)
        expect(page.locator(selector).first).to_be_in_viewport(ratio=0.99)
