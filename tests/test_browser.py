"""The dashboard in a real browser, on a real server."""

import csv
import re
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from satcore.dashboard.path_view import FIGURES

from satcore import checkpoints, data
from satcore.recipes import TRAININGS
from tests.browser import chromium, served

PATIENCE = 90_000  # milliseconds: the first visit imports torch
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address():
    with served() as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """Opens a path in a fresh browser context that reaches nothing but the dashboard."""
    contexts = []

    def open_page(path: str = "/", viewport: dict = DESKTOP, scheme: str = "light") -> Page:
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.asked_elsewhere, page.sent = [], []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: page.sent.append(frame)))

        def only_here(route):
            if urlparse(route.request.url).netloc == urlparse(address).netloc:
                return route.continue_()
            page.asked_elsewhere.append(route.request.url)
            return route.abort()

        page.route(re.compile("^(http|ws)s?://"), only_here)
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def cards(page: Page):
    return page.get_by_test_id("stImage").locator("img[alt^='After FGSM']")


def test_a_cold_deep_link_reproduces_the_screen(browser):
    with served() as fresh:  # a server that has never run app.py
        page = browser.new_page()
        page.goto(f"{fresh}/?pick=by+index&index=17")
        expect(page.get_by_text(f"Test image 17: a {data.load('test').labels[17]}")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_home_page_is_whole(visit, viewport, scheme):
    page = visit(viewport=viewport, scheme=scheme)
    expect(page.get_by_role("heading", name="Saturated networks, seen through")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=PATIENCE)
    expect(cards(page)).to_have_count(len(checkpoints.names()), timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    # Nothing sticks out to the right, and nothing is asked of any other host.
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.asked_elsewhere == []


def test_attacking_another_digit_changes_cards_and_address(visit):
    page = visit()
    expect(cards(page)).to_have_count(len(checkpoints.names()), timeout=PATIENCE)
    page.get_by_role("radio", name="7", exact=True).click()
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a 7"))).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("digit=7"), timeout=PATIENCE)


def test_without_epsilon_no_network_is_fooled(visit):
    page = visit("/?epsilon=0.0&pick=by+index&index=0")
    expect(cards(page)).to_have_count(len(checkpoints.names()), timeout=PATIENCE)
    expect(page.get_by_text("Fooled:")).to_have_count(0)
    slider = page.get_by_role("slider")
    slider.press("End")
    expect(page.get_by_text("Fooled:").first).to_be_visible(timeout=PATIENCE)


PATHS = "/interpolation?family=relu-mlp&points=51"


def whole(page: Page) -> Page:
    """The interpolation page, once all is drawn and the server has nothing more to say."""
    expect(page.locator("section[data-network]")).to_have_count(len(TRAININGS), timeout=PATIENCE)
    expect(page.get_by_role("button", name="CSV")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    return page


def t_shown(page: Page) -> float:
    return float(page.locator("output").inner_text().removeprefix("t = "))


def t_in_address(page: Page) -> float:
    return float(parse_qs(urlparse(page.evaluate("location.href")).query)["t"][0])


def readouts(page: Page) -> list[str]:
    return page.locator("section .answer, section .reads").all_text_contents()


def cursors(page: Page) -> list[float]:
    return [float(line.get_attribute("x1")) for line in page.locator("section .cursor").all()]


def next_frame(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def saved(page: Page, button: str):
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return download.value


def test_a_cold_deep_link_reproduces_the_path(browser):
    with served() as fresh:  # a server that has never run app.py
        page = browser.new_page()
        page.goto(f"{fresh}{PATHS}&source=3&target=7&t=0.46")
        expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
        whole(page)
        assert t_shown(page) == 0.46
        expect(page.get_by_label("Images along the way from the 3 to the 7")).to_be_visible()
        expect(page.get_by_text("Page not found")).to_have_count(0)
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_interpolation_page_is_whole(visit, viewport, scheme):
    page = whole(visit(PATHS, viewport=viewport, scheme=scheme))
    for training in TRAININGS:
        section = page.locator(f"section[data-network='relu-mlp/{training}']")
        expect(section.get_by_role("img")).to_have_count(4)
        expect(section.locator(".label")).to_have_text(list(FIGURES))
        expect(section.locator(".answer")).to_contain_text("It sees a 1")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    flatness = section.locator(".figure").filter(has_text="flatness")
    expect(flatness.get_by_role("tooltip")).to_be_hidden()
    flatness.focus()
    expect(flatness.get_by_role("tooltip")).to_be_visible()
    expect(flatness.get_by_role("tooltip")).to_have_text(FIGURES["flatness"])
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    rights = page.locator("section, section svg, .head *, .save *, [role=tooltip]").evaluate_all(
        "(all) => all.map((element) => element.getBoundingClientRect().right)"
    )
    assert max(rights) <= viewport["width"]
    assert page.asked_elsewhere == []


def test_playing_asks_nothing_of_the_server(visit):
    page = whole(visit(PATHS))
    sent = len(page.sent)
    assert sent > 0  # a frame that is sent would be seen
    page.get_by_role("button", name="Play").click()
    expect(page.locator("output")).not_to_have_text("t = 0.000")
    page.get_by_role("button", name="Pause").click()
    stopped = t_shown(page)
    assert 0 < stopped < 1
    next_frame(page)
    assert t_shown(page) == stopped
    assert len(set(cursors(page))) == 1 and len(cursors(page)) == 16
    assert len(page.sent) == sent
    assert t_in_address(page) == pytest.approx(stopped, abs=0.001)


def test_playing_goes_on_while_something_else_changes(visit):
    page = whole(visit(PATHS + "&t=0.6"))
    page.get_by_role("button", name="Play").click()
    page.get_by_role("radio", name="linear").click()
    expect(page).to_have_url(re.compile("scale=linear"), timeout=PATIENCE)
    expect(page.locator("output")).to_have_text("t = 1.000", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_one_cursor_moves_through_all_panels(visit):
    page = whole(visit(PATHS))
    before = readouts(page)
    panel = page.locator("section svg").nth(6)
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2)
    left, right, width = 58, 10, 340  # of a panel, as path_view.js draws it
    reached = (0.6 * width - left) / (width - left - right)
    assert t_shown(page) == pytest.approx(reached, abs=0.005)
    page.mouse.up()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert t_shown(page) == pytest.approx(reached, abs=0.005)  # it was let go
    assert len(set(cursors(page))) == 1 and len(cursors(page)) == 16
    dragged = readouts(page)
    assert len(dragged) == 20 and all(a != b for a, b in zip(before, dragged, strict=True))

    page.get_by_role("slider", name="t, share of the way").fill("0.9")
    assert t_shown(page) == 0.9
    assert len(set(cursors(page))) == 1 and cursors(page)[0] == pytest.approx(left + 0.9 * (width - left - right))
    assert readouts(page) != dragged
    strip = page.locator(".strip").bounding_box()
    page.mouse.click(strip["x"] + 0.25 * strip["width"], strip["y"] + strip["height"] / 2)
    assert t_shown(page) == pytest.approx(0.25, abs=0.005)


def test_t_stays_in_the_address_when_something_else_changes(visit):
    page = whole(visit(PATHS))
    page.get_by_role("slider", name="t, share of the way").fill("0.25")
    assert t_in_address(page) == 0.25
    page.get_by_role("radio", name="linear").click()
    expect(page).to_have_url(re.compile("scale=linear"), timeout=PATIENCE)
    whole(page)
    assert t_shown(page) == t_in_address(page) == 0.25
    page.reload()
    assert t_shown(whole(page)) == 0.25


def test_a_garbled_t_on_a_path_that_goes_nowhere_is_drawn_all_the_same(visit):
    page = whole(visit(PATHS + "&source=7&target=7&t=noon"))
    assert t_shown(page) == 0
    for section in page.locator("section").all():
        assert not re.search("NaN|Infinity|undefined", section.inner_html())


def test_a_pair_of_the_papers_takes_one_press_of_a_button(visit):
    page = whole(visit(PATHS))
    page.get_by_role("button", name="6→9").click()
    expect(page.get_by_label("Images along the way from the 6 to the 9")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"[?&]source=6"), timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"[?&]target=9"), timeout=PATIENCE)
    expect(page.locator("section .answer").first).to_contain_text("It sees a 6")


def test_a_network_leads_to_its_transition(visit):
    page = whole(visit(PATHS))
    saturated = page.locator("section[data-network='relu-mlp/saturated']")
    button = saturated.get_by_role("button", name="Go to its transition")
    t = float(button.inner_text().rpartition("= ")[2])
    button.click()
    assert t_shown(page) == t
    assert t_in_address(page) == pytest.approx(t, abs=0.001)


def test_figures_and_numbers_can_be_saved(visit, tmp_path):
    page = whole(visit(PATHS + "&t=0.5"))
    svg, png, npz, table = (saved(page, button) for button in ("SVG", "PNG", "NPZ", "CSV"))
    names = [download.suggested_filename for download in (svg, png, npz, table)]
    assert all(re.fullmatch(r"relu-mlp-\d+-\d+\.(svg|png|npz|csv)", name) for name in names)
    drawing = ElementTree.parse(svg.path()).getroot()
    assert drawing.tag.endswith("svg")
    said = " ".join(drawing.itertext())
    assert "From a 1 to a 7, t = 0.500" in said
    assert all(f"relu-mlp/{training}" in said for training in TRAININGS)
    assert png.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n") and png.path().stat().st_size > 50_000
    with np.load(npz.path(), allow_pickle=False) as arrays:
        assert {name.rpartition("/")[0] for name in arrays.files} == {f"relu-mlp/{training}" for training in TRAININGS}
    with table.path().open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * 51


def test_the_plane_is_one_press_away(visit):
    page = whole(visit(PATHS + "&grid=50"))
    page.get_by_role("tab", name="Plane").click()
    expect(page.locator(".js-plotly-plot")).to_have_count(len(TRAININGS), timeout=PATIENCE)
    expect(page).to_have_url(re.compile("view=Plane"))
    expect(page.get_by_text("top: a 8")).to_be_visible()
    assert saved(page, "NPZ").suggested_filename.startswith("relu-mlp-plane-")


def test_one_gets_from_page_to_page_and_back(visit):
    page = visit()
    expect(cards(page)).to_have_count(len(checkpoints.names()), timeout=PATIENCE)
    page.get_by_role("link", name="Interpolation").click()
    expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
    whole(page)
    expect(page).to_have_url(re.compile("/interpolation$"))
    page.get_by_role("link", name="Table 1").click()
    expect(cards(page)).to_have_count(len(checkpoints.names()), timeout=PATIENCE)
    expect(page.locator("section[data-network]")).to_have_count(0)
    page.go_back()
    whole(page)


RELU_PAIR = "left=relu-mlp%2Fvanilla&right=relu-mlp%2Fsaturated"


def drawn(page: Page, charts: int) -> Page:
    """A page of figures, once they are all there and the server has nothing more to say."""
    expect(page.locator(".js-plotly-plot")).to_have_count(charts, timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("path", "heading", "charts"),
    [
        ("/representations?", "What a layer tells apart", 6),
        ("/representations?view=One+layer+in+full&", "What a layer tells apart", 2),
        ("/weights?", "Inside the weights", 3),
        ("/weights?view=A+linear+mechanism&", "Inside the weights", 3),
    ],
)
def test_the_pages_inside_a_network_are_whole(visit, path, heading, charts, viewport, scheme):
    page = drawn(visit(path + RELU_PAIR, viewport=viewport, scheme=scheme), charts)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    assert page.asked_elsewhere == []


def test_pointing_at_a_pair_of_images_shows_it_in_every_matrix(visit):
    page = drawn(visit("/representations?" + RELU_PAIR), 6)
    values = page.locator(".panel .value")
    expect(values).to_have_count(8)
    panel = page.locator(".panel canvas").nth(6)
    box = panel.bounding_box()
    sent = len(page.sent)
    panel.hover(position={"x": 0.35 * box["width"], "y": 0.75 * box["height"]})
    expect(page.locator(".says")).to_have_text("a 7 and a 3, 10 images each")
    assert all(float(value) > 0 for value in values.all_text_contents())
    assert len(page.sent) == sent  # the browser alone did it


def test_pointing_at_a_dot_shows_the_image(visit):
    page = visit("/representations?view=Two+dimensions&" + RELU_PAIR)
    expect(page.locator(".panel canvas")).to_have_count(8, timeout=PATIENCE)
    page.locator(".panel canvas").nth(2).hover()
    expect(page.locator(".says")).to_have_text(re.compile("^a [0-9]$|under attack"))
