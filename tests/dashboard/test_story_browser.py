"""The talk, given in a real browser."""

import re
import time
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from satcore import library
from satcore.dashboard.story.scenes import story
from tests.browser import LAPTOP, PATIENCE, PHONE, show_on
from tests.dashboard.conftest import visiting

pytestmark = pytest.mark.browser
STORY = story()
FIGURES = {  # by part of a page: what is there when a scene of it is
    "Table 1": ".st-key-table_1 svg rect",
    "Saturation": ".js-plotly-plot .barlayer",
    "course": "[data-key=course] > svg path",
    "Line": "section[data-network] svg path",
    "attack": "section[data-network] canvas, canvas[aria-label='Draw a digit here']",
    "ladder": "td button",
    "dots": "figure svg circle",
    "proof": "figure canvas",
}
STEP = next(number for number, scene in enumerate(STORY, 1) if scene.title.startswith("One step fools"))
HIGH = "(text) => text.getBoundingClientRect().height"
FOLLOW = """address => {
    history.pushState({}, "", address)
    window.dispatchEvent(new PopStateEvent("popstate", { state: {} }))
}"""
FRAME = """(main) => document.activeElement === main && main.matches(":focus-visible") &&
    [getComputedStyle(main).outlineStyle, getComputedStyle(main, "::before").boxShadow].join()"""


def shown(page: Page, number: int, title: str = "") -> None:
    """Wait until a scene has its title, or another, and its figure; an attack may still be on its way."""
    scene = STORY[number - 1]
    expect(page.get_by_role("heading", name=title or scene.title, exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(FIGURES[scene.part]).first).to_be_visible(timeout=PATIENCE)


def there(page: Page, number: int, title: str = "") -> None:
    """Wait until a scene is shown and nothing more is to come."""
    shown(page, number, title)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)


def scrolls(page: Page) -> list[int]:
    return page.get_by_test_id("stMain").evaluate(
        "(main) => [main.scrollHeight - main.clientHeight, main.scrollWidth - main.clientWidth]"
    )


def whole(page: Page, number: int, title: str = "") -> None:
    there(page, number, title)
    assert re.search(rf"[?&]scene={number}(&|$)", page.url)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    page.wait_for_timeout(300)  # what is drawn may yet grow
    assert scrolls(page) == [0, 0], f"scene {number}"
    expect(page.locator(FIGURES[STORY[number - 1].part]).first).to_be_in_viewport(ratio=0.5)


def grows(page: Page, number: int, of: str) -> None:
    """What is written in the figures `of` a scene is half as large again on a screen of half as many pixels again."""
    written = page.locator(of).first
    small = written.evaluate(HIGH)
    show_on(page, {"width": 1920, "height": 1080})
    whole(page, number)
    assert written.evaluate(HIGH) == pytest.approx(1.5 * small, rel=0.05)
    show_on(page, LAPTOP)


@pytest.fixture(scope="class")
def first_scene(browser, warm, address):
    with visiting(browser, warm, address) as visit:
        yield visit("/?scene=1", viewport=LAPTOP)


class TestFromTheFirstScene:
    """On one page, in this order, as the last ones leave their marks on it."""

    @pytest.fixture
    def page(self, first_scene):
        first_scene.keyboard.press("Home")
        whole(first_scene, 1)
        return first_scene

    def test_the_whole_talk_is_given_with_one_key(self, page):
        """Nothing is clicked, and no other host is asked. How long each scene took is printed, and not judged."""
        for number in range(2, len(STORY) + 1):
            pressed = time.monotonic()
            page.keyboard.press("PageDown")
            shown(page, number)
            seconds = time.monotonic() - pressed
            there(page, number)
            still = time.monotonic() - pressed
            print(f"scene {number}: shown after {seconds:.2f} s, at rest after {still:.2f} s: {STORY[number - 1].part}")
            whole(page, number)
            if STORY[number - 1].part == "dots":
                grows(page, number, "figure svg text")
            if STORY[number - 1].part == "course":
                grows(page, number, "[data-key='curve 0'] figcaption")
        page.keyboard.press("PageDown")
        page.wait_for_timeout(500)
        whole(page, len(STORY))
        page.keyboard.press("Home")
        whole(page, 1)
        grows(page, 1, ".st-key-table_1 svg .title")
        page.keyboard.press("End")
        whole(page, len(STORY))
        page.keyboard.press("ArrowLeft")
        whole(page, len(STORY) - 1)
        assert page.asked_elsewhere == [] and page.refused == []

    def test_a_hasty_presenter_arrives(self, page):
        for _ in range(len(STORY) - 2):
            page.keyboard.press("PageDown")
        whole(page, len(STORY) - 1)
        page.keyboard.press("PageDown")
        whole(page, len(STORY))
        for _ in range(len(STORY)):
            page.keyboard.press("PageUp")
        whole(page, 1)

    def test_a_scene_whose_request_is_lost_is_asked_for_again(self, page):
        page.evaluate("""() => {
            const { send } = WebSocket.prototype
            WebSocket.prototype.send = function () { WebSocket.prototype.send = send }
        }""")
        page.keyboard.press("PageDown")
        whole(page, 2)

    def test_a_figure_is_computed_anew_on_stage(self, page):
        badge = page.locator(".badge")
        expect(badge).to_contain_text("shipped, ")
        said = badge.inner_text().partition(": ")[2]
        page.keyboard.press("l")
        expect(badge).to_have_text(re.compile(r"^live, \d"), timeout=PATIENCE)
        assert badge.inner_text().partition(": ")[2] == said
        whole(page, 1)

    def test_the_speakers_window_shows_the_notes_and_leads_on(self, page):
        with page.context.expect_page() as opening:
            page.keyboard.press("s")
        beside = opening.value
        expect(beside.get_by_text(STORY[0].notes)).to_be_visible()
        expect(beside.get_by_text(f"Next: {STORY[1].title}")).to_be_visible()
        page.keyboard.press("s")  # once more: the same window, which goes on
        beside.keyboard.press("s")
        expect(beside.get_by_text(STORY[0].notes)).to_be_visible()
        beside.keyboard.press("PageDown")
        whole(page, 2)
        expect(beside.get_by_text(STORY[1].notes)).to_be_visible()
        beside.keyboard.press("PageDown")
        whole(page, 3)
        expect(beside.get_by_text(STORY[2].says)).to_be_visible()  # with an apostrophe
        page.evaluate("satcoreStage.data.scenes[4].title = '<b id=markup>a network</b>'")
        page.keyboard.press("o")
        expect(page.get_by_text("<b id=markup>a network</b>")).to_be_visible()


def test_scenes_are_told_of_a_network_that_is_brought(visit, servers_shelf, tiny, monkeypatch):
    """Those that are of a line-up, one by one by their addresses, with a network that is no one else's in its place."""
    monkeypatch.setenv("SATCORE_SHELF", str(servers_shelf))
    name = library.add(tiny, "brought to the talk")
    try:
        page = visit("/?scene=1", viewport=LAPTOP)
        whole(page, 1)
        for number, scene in enumerate(STORY, 1):
            if "networks" in scene.settings and scene.part != "proof":  # which chooses its pair itself
                of_it = replace(scene, settings=scene.settings | {"networks": name})
                page.evaluate(FOLLOW, f"/{of_it.address(number)}")
                whole(page, number)
                if scene.settings.get("pick") != "draw one":
                    expect(page.get_by_text(name).locator("visible=true").first).to_be_visible(timeout=PATIENCE)
        assert page.asked_elsewhere == []
    finally:
        library.remove(name)


def test_a_scene_keeps_what_was_set_on_its_whole_page_and_back(visit):
    page = visit(f"/{STORY[STEP - 1].address(STEP)}", viewport=LAPTOP)
    whole(page, STEP)
    expect(page.get_by_text("Which image")).to_be_hidden()
    page.mouse.click(700, 640)  # a blank spot
    page.keyboard.press("Shift")
    assert page.get_by_test_id("stMain").evaluate(FRAME) == "none,none"  # the focus is there, and nothing is drawn
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Watch an attack try")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("radio", name="autograd").click()
    page.keyboard.press("ArrowRight")  # which on a whole page is the control's
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(f"gradient=exact.*scene={STEP}"), timeout=PATIENCE)
    page.get_by_role("button", name="Back to the scene").click()
    whole(page, STEP, "The objection: FGSM, cross-entropy, exact")
    expect(page).to_have_url(re.compile("gradient=exact"))
    page.get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_role("heading", name="Watch an attack try")).to_be_visible(timeout=PATIENCE)
    expect(page).not_to_have_url(re.compile("scene="))


def test_the_objection_changes_way_and_loss(visit):
    page = visit(f"/{STORY[STEP].address(STEP + 1)}", viewport=LAPTOP)
    whole(page, STEP + 1)
    for address, aim in (
        ("gradient=exact", "cross-entropy, exact"),
        ("gradient=softened", "cross-entropy, softened"),
        ("objective=margin", "margin, autograd"),
    ):
        page.keyboard.press("x")
        expect(page).to_have_url(re.compile(address), timeout=PATIENCE)
        whole(page, STEP + 1, f"The objection: FGSM, {aim}")
        expect(page.locator(".badge")).to_contain_text(f"FGSM, {aim} leaves")
    expect(page).not_to_have_url(re.compile("gradient"))
    proof, drawn = len(STORY) - 1, len(STORY)
    page.keyboard.press("End")
    whole(page, drawn)
    page.keyboard.press("x")
    whole(page, drawn, "The objection: PGD, margin, autograd")
    for key, number in (("PageUp", proof), ("PageDown", drawn)):  # by a page with a line-up of its own
        page.keyboard.press(key)
        whole(page, number)
    expect(page).to_have_url(re.compile("gradient=softened"))
    expect(page).not_to_have_url(re.compile("objective"))
    page.keyboard.press("Home")
    whole(page, 1)
    page.keyboard.press("x")
    expect(page.get_by_text("Right after FGSM by the cross-entropy, gradient exact")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("objection=cross-entropy"))
    whole(page, 1, "The objection: FGSM, cross-entropy, exact")
    page.keyboard.press("p")
    objected = page.get_by_text("Not as published: by the cross-entropy, its gradient exact.")
    expect(objected).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("p")
    page.keyboard.press("PageDown")
    whole(page, 2)
    expect(page).not_to_have_url(re.compile("objection"))
    page.keyboard.press("PageUp")
    whole(page, 1)
    page.keyboard.press("x")
    whole(page, 1, "The objection: FGSM, cross-entropy, exact")
    page.get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_text("FGSM as published").first).to_be_visible(timeout=PATIENCE)
    expect(page).not_to_have_url(re.compile("objection"))


def test_keys_of_the_stage_work_but_in_text_fields_and_only_in_the_story(visit):
    page = visit("/live_attack?pick=by+index", viewport=LAPTOP)
    expect(page.locator("section[data-network]")).to_have_count(4, timeout=PATIENCE)
    page.keyboard.press("PageDown")
    page.keyboard.press("o")
    page.wait_for_timeout(500)
    expect(page).not_to_have_url(re.compile("scene="))
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("k")
    expect(page.get_by_text("Which image")).to_be_hidden()
    expect(page.get_by_role("button", name="Unfold")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_text("Which image")).to_be_visible()
    page.get_by_role("spinbutton", name="Index in the test set").click()
    page.keyboard.press("k")
    expect(page.get_by_text("Which image")).to_be_visible()
    page.get_by_role("button", name="Story").click()
    whole(page, 1)
    for key, name in (("?", "Keys of the story"), ("o", "The story")):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        page.keyboard.press(key)
        expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.locator("dialog.blank")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator("dialog")).to_have_count(0)
    whole(page, 1)
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Letters are keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("PageDown")
    whole(page, 2)


def test_every_scene_fits_a_phones_width(visit):
    page = visit("/?scene=1", viewport=PHONE, scheme="dark")
    for number in range(1, len(STORY) + 1):
        there(page, number)
        page.wait_for_timeout(300)
        assert scrolls(page)[1] == 0, f"scene {number}"
        buttons = page.get_by_role("navigation", name="Story").get_by_role("button")
        for button in buttons.all():
            expect(button).to_be_in_viewport(ratio=1)
        tops = buttons.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
        assert max(tops) - min(tops) < 10, f"scene {number}"  # one row
        page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, main.scrollHeight)")
        ends = page.locator("[data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock]").last.bounding_box()
        bar = page.locator("nav.bar").bounding_box()
        assert ends and bar and bar["height"] < 60 and ends["y"] + ends["height"] <= bar["y"], f"scene {number}"
        page.keyboard.press("PageDown")


@pytest.mark.parametrize(("hidden", "selector"), [("controls", "[class*=controls-of]"), ("navigation", "header")])
def test_parts_of_a_page_can_be_hidden_by_its_address(visit, hidden, selector):
    page = visit(f"/live_attack?pick=by+index&hide={hidden}")
    expect(page.locator("section[data-network]")).to_have_count(4, timeout=PATIENCE)
    expect(page.locator(selector).first).to_be_hidden()
    expect(page.get_by_role("button", name="Story")).to_have_count(1 if hidden == "controls" else 0)
