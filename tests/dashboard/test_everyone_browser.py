"""Every page for everyone: axe-core, keyboard, phone, in either theme."""

import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from satcore import library
from tests.browser import DESKTOP, LAPTOP, PATIENCE, PHONE, show_on
from tests.dashboard.conftest import visiting
from tests.dashboard.pages import own_mlp

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
PAGES = {  # what is there when the page is
    "": ".st-key-table_1 svg text",
    "interpolation?points=51&grid=50": "section[data-network]",
    "representations": "section canvas, canvas",
    "weights": ".js-plotly-plot",
    "live_attack?pick=by+index": "section[data-network]",
    "attack_grid": "section canvas",
    "reality_check": "td button",
    "claims": "article",
    "over_seeds": "figure svg circle",
    "train": "figure svg text",
    "networks": "h5:has-text('cnn/control')",
    "?scene=1": ".st-key-table_1 svg text",
}
VIEWS = {  # what else there is to see on some of them, one after the other
    "interpolation?points=51&grid=50": {"Plane": ".js-plotly-plot"},
    "representations": {"One layer in full": ".js-plotly-plot", "Two dimensions": "section canvas, canvas"},
    "weights": dict.fromkeys(("Weights", "Pre-activations", "A linear mechanism"), ".js-plotly-plot"),
}
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(23, 22, 20)"  # what is behind everything
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
    "interpolation?points=51&grid=50": "section[data-network] svg",
    "live_attack": "section[data-network] .images",
    "interpolation?view=Plane&grid=50": ".js-plotly-plot",
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


@pytest.fixture(scope="module", autouse=True)
def own(servers_shelf):
    """A network of one's own: with its line-up there are as many as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATCORE_SHELF", str(servers_shelf))
        name = own_mlp()
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATCORE_SHELF", str(servers_shelf))
        library.remove(name)


@pytest.fixture(scope="module")
def page(request, browser, warm, address):
    """A page that is loaded once for all tests that look at it: pytest has them page by page, in their order here."""
    with visiting(browser, warm, address) as visit:
        yield visit(f"/{request.param}", viewport=LAPTOP)


@pytest.fixture
def path(request, page):
    """Which page that is, as it was when it was opened."""
    page.set_viewport_size(LAPTOP)
    page.emulate_media(color_scheme="light")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", LIGHT, timeout=PATIENCE)
    return request.node.callspec.params["page"]


def looked_at(paths):
    return pytest.mark.parametrize("page", paths, indirect=True)


@looked_at(["weights", "live_attack?pick=by+index", "?scene=1"])
def test_the_tab_key_reaches_everything_and_one_sees_where_it_is(page, path):
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


@looked_at(MAIN)
def test_what_one_sets_and_what_one_sees_are_on_one_screen(page, path):
    whole(page, MAIN[path])
    for screen in (LAPTOP, DESKTOP, {"width": 1920, "height": 1080}):
        page.set_viewport_size(screen)
        page.wait_for_timeout(300)
        expect(page.locator(MAIN[path]).first).to_be_in_viewport(ratio=0.99)


@looked_at(PAGES)
def test_axe_finds_nothing_serious_on_a_page_that_fits_any_screen(page, path):
    whole(page, PAGES[path])
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert violations(page) == smaller(page) == {}
    assert page.evaluate(CUT) == []
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    assert violations(page, "color-contrast") == {}  # nothing else has changed
    for screen in (LAPTOP, DESKTOP, PHONE):
        show_on(page, screen, "dark")
        assert page.evaluate(CUT) == []


@looked_at(VIEWS)
def test_nothing_in_a_figure_is_written_too_small_and_all_fits_a_phone(page, path):
    for view, selector in VIEWS[path].items():
        page.get_by_role("tab", name=view, exact=True).click()
        expect(page).to_have_url(re.compile(f"view={view.replace(' ', '[+]')}"), timeout=PATIENCE)
        whole(page, f"[role=tabpanel]:visible :is({selector})")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert smaller(page) == {}, view
        show_on(page, PHONE)
        show_on(page, LAPTOP)


@looked_at(PAGES)
def test_a_page_asks_nothing_of_any_other_host(page, path):
    """Whatever the other tests have done with it."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    assert page.sent and page.asked_elsewhere == page.refused == []


def test_what_is_wrong_would_be_found(visit):
    page = visit("/claims", viewport=LAPTOP)
    whole(page, PAGES["claims"])
    page.locator("article h3").first.evaluate(
        "(h3) => { h3.style.color = '#aaaaaa'; h3.style.fontSize = '13px'; h3.innerHTML += '<button></button>' }"
    )
    assert {"button-name", "color-contrast"} <= violations(page).keys()
    assert list(smaller(page).values()) == [13]
