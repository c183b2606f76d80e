"""The interpolation page in a real browser."""

import csv
import re
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from satcore.dashboard.interpolation.words import FIGURES
from satcore.dashboard.shared.style import COLOURS
from satcore.recipes import PAPER_TRAININGS
from tests.browser import DESKTOP, LAPTOP, PATIENCE, PHONE, fits, saved, served, show_on
from tests.dashboard.conftest import visiting

pytestmark = pytest.mark.browser

RELU = [f"relu-mlp/{training}" for training in PAPER_TRAININGS]
SVG = "http://www.w3.org/2000/svg"
PATHS = "/interpolation?points=51&" + "&".join(f"networks={name}" for name in RELU)


def whole(page: Page) -> Page:
    """The interpolation page, once all is drawn and the server has nothing more to say."""
    expect(page.locator("section[data-network]")).to_have_count(len(PAPER_TRAININGS), timeout=PATIENCE)
    expect(page.get_by_role("button", name="Take it away")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    return page


def t_shown(page: Page) -> float:
    return float(page.locator("output").inner_text().removeprefix("t = "))


def t_in_address(page: Page) -> float:
    return float(parse_qs(urlparse(page.evaluate("location.href")).query)["t"][0])


def readouts(page: Page) -> list[str]:
    return page.locator("section .answer, section .reads").all_text_contents()


def stroke_of(curve: ElementTree.Element) -> str:
    found = re.search(r"stroke: (rgb\(.*?\))", curve.get("style", ""))
    return found[1] if found else ""


def cursors(page: Page) -> list[float]:
    return [float(line.get_attribute("x1")) for line in page.locator("section .cursor").all()]


def next_frame(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_cold_deep_link_reproduces_the_path(browser):
    with served() as fresh:  # a server that has never run app.py
        page = browser.new_page()
        page.goto(f"{fresh}/interpolation?family=relu-mlp&points=51&source=3&target=7&t=0.46")
        expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
        whole(page)
        assert t_shown(page) == 0.46
        expect(page.get_by_label("Images along the way from the 3 to the 7")).to_be_visible()
        expect(page.get_by_text("Page not found")).to_have_count(0)
        says = page.locator("section svg").first.get_attribute("aria-label")
        assert re.fullmatch(r"Length element of relu-mlp/vanilla along the path, at t = 0\.460: [\d.]+", says)
        page.close()


@pytest.fixture(scope="class")
def paths(browser, warm, address):
    with visiting(browser, warm, address) as visit:
        yield whole(visit(PATHS + "&grid=50"))


class TestPathsOfOneFamily:
    """On one page, in this order."""

    @pytest.fixture
    def page(self, paths):
        """As it was opened."""
        if "scale=" in paths.url:  # rather than set back, when figures are drawn anew after the page has come to rest
            paths.goto(re.sub(r"scale=\w+&?", "", paths.url))
        whole(paths)
        show_on(paths, DESKTOP, "light")
        paths.emulate_media(reduced_motion="no-preference")
        paths.get_by_role("slider", name="t, share of the way").fill("0")
        return paths

    def test_the_interpolation_page_is_whole(self, page):
        for viewport, scheme in ((DESKTOP, "light"), (LAPTOP, "dark"), (PHONE, "dark")):
            show_on(page, viewport, scheme)
            if viewport != PHONE:
                expect(page.get_by_role("button", name="Play")).to_be_in_viewport(ratio=1)
            for training in PAPER_TRAININGS:
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
            fits(page)  # with the tooltip, too
            tops = page.locator("section[data-network]").evaluate_all("(all) => all.map((one) => one.offsetTop)")
            assert len(set(tops)) == (4 if viewport == PHONE else 1)  # all side by side where there is room
            rights = page.locator("section, section svg, .head *, [role=tooltip]").evaluate_all(
                "(all) => all.map((element) => element.getBoundingClientRect().right)"
            )
            assert max(rights) <= viewport["width"]
            flatness.blur()
            page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 0)")
        assert page.asked_elsewhere == [] and page.refused == []

    def test_playing_asks_nothing_of_the_server(self, page):
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
        page.emulate_media(reduced_motion="reduce")
        page.get_by_role("button", name="Play").click()
        expect(page.locator("output")).not_to_have_text(f"t = {stopped:.3f}")
        still = 20 * t_shown(page)
        assert still == pytest.approx(round(still))  # one after the other, twenty of them

    def test_playing_goes_on_while_something_else_changes(self, page):
        page.get_by_role("slider", name="t, share of the way").fill("0.6")
        page.get_by_role("button", name="Play").click()
        page.get_by_role("radio", name="linear").click()
        expect(page).to_have_url(re.compile("scale=linear"), timeout=PATIENCE)
        expect(page.locator("output")).to_have_text("t = 1.000", timeout=PATIENCE)
        expect(page.get_by_role("button", name="Play")).to_be_visible()

    def test_one_cursor_moves_through_all_panels(self, page):
        before = readouts(page)
        panel = page.locator("section svg").nth(6)
        panel.scroll_into_view_if_needed()
        box = panel.bounding_box()
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2)
        left, right, width = 58, 10, 300  # of a panel, as path_view.js draws it
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

    def test_a_network_leads_to_its_transition(self, page):
        saturated = page.locator("section[data-network='relu-mlp/saturated']")
        button = saturated.get_by_role("button", name="Go to its transition")
        t = float(button.inner_text().rpartition("= ")[2])
        button.click()
        assert t_shown(page) == t
        assert t_in_address(page) == pytest.approx(t, abs=0.001)

    def test_figures_and_numbers_can_be_taken_away(self, page):
        page.get_by_role("slider", name="t, share of the way").fill("0.5")
        page.get_by_role("button", name="Take it away").click()
        svg, png, npz, table = (saved(page, ending) for ending in ("SVG", "PNG", ".npz", ".csv"))
        names = [download.suggested_filename for download in (svg, png, npz, table)]
        assert all(re.fullmatch(r"relu-mlp-\d+-\d+\.(svg|png|npz|csv)", name) for name in names)
        drawing = ElementTree.parse(svg.path()).getroot()
        said = " ".join(drawing.itertext())
        assert "t = 0.500" in said
        assert all(f"relu-mlp/{training}" in said for training in PAPER_TRAININGS)
        curves = drawing.findall(f".//{{{SVG}}}path")
        assert {f"rgb{tuple(bytes.fromhex(COLOURS[training][1:]))}" for training in PAPER_TRAININGS} == {
            stroke for curve in curves if (stroke := stroke_of(curve)) not in ("", "rgb(136, 136, 136)")
        }
        width, height = (int.from_bytes(png.path().read_bytes()[at : at + 4]) for at in (16, 20))
        assert abs(width / height - float(drawing.attrib["width"]) / float(drawing.attrib["height"])) < 0.01
        with np.load(npz.path(), allow_pickle=False) as arrays:
            assert {name.rpartition("/")[0] for name in arrays.files} == set(RELU)
        with table.path().open(encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) == 4 * 51

    def test_t_stays_in_the_address_when_something_else_changes(self, page):
        page.get_by_role("slider", name="t, share of the way").fill("0.25")
        assert t_in_address(page) == 0.25
        page.get_by_role("radio", name="linear").click()
        expect(page).to_have_url(re.compile("scale=linear"), timeout=PATIENCE)
        whole(page)
        assert t_shown(page) == t_in_address(page) == 0.25
        page.reload()
        assert t_shown(whole(page)) == 0.25

    def test_the_plane_is_one_press_away(self, page):
        page.get_by_role("tab", name="Plane").click()
        expect(page.locator(".js-plotly-plot")).to_have_count(len(PAPER_TRAININGS), timeout=PATIENCE)
        expect(page).to_have_url(re.compile("view=Plane"))
        expect(page.get_by_text("top: an 8")).to_be_visible()
        page.get_by_role("button", name="Take it away").click()
        assert saved(page, ".npz").suggested_filename.startswith("relu-mlp-plane-")


def test_a_garbled_t_on_a_path_that_goes_nowhere_is_drawn_all_the_same(visit):
    page = whole(visit(PATHS + "&source=7&target=7&t=noon"))
    assert t_shown(page) == 0
    for section in page.locator("section").all():
        assert not re.search("NaN|Infinity|undefined", section.inner_html())
