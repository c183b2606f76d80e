"""The menu by which figures are taken away, in a real browser."""

import itertools
from xml.etree import ElementTree

import pytest
import segno
from playwright.sync_api import Page, expect

from satcore.dashboard.story import scenes
from tests.browser import LAPTOP, PATIENCE, saved

pytestmark = pytest.mark.browser
LADDER = next(number for number, scene in enumerate(scenes.story(), 1) if scene.part == "ladder")
FAMILY = ["vanilla", "adversarial", "saturated", "control"]


def taken(page: Page, figure: str) -> ElementTree.Element:
    """The picture of the figure with this key, once nothing more is to come."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    menu = page.locator(f".st-key-menu-of-{figure}").get_by_role("button", name="Take it away")
    menu.click(timeout=PATIENCE)
    drawing = ElementTree.parse(saved(page, "SVG").path()).getroot()
    page.keyboard.press("Escape")
    return drawing


def words(drawing: ElementTree.Element) -> list[str]:
    return [text.strip() for text in drawing.itertext() if text.strip()]


def test_a_scene_hands_out_its_picture_and_a_link_to_this_very_screen(visit):
    page = visit(f"/reality_check?scene={LADDER}&within=0.1", viewport=LAPTOP, scheme="dark")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("td button").first).to_be_visible(timeout=PATIENCE)
    shown = page.locator("td button").all_inner_texts
    page.get_by_role("button", name="Take it away").click(timeout=PATIENCE)
    said = words(ElementTree.parse(saved(page, "SVG").path()).getroot())
    assert [text for text in said if text in set(shown())] == shown()  # all figures of the table, in their order

    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_text(f"Copied: {page.url}")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url and "within=0.1" in page.url
    page.get_by_role("button", name="QR code").click()
    code = page.get_by_role("dialog").get_by_role("img", name="QR code")
    expect(code).to_have_attribute("src", segno.make_qr(page.url).svg_data_uri(light="white"), timeout=PATIENCE)
    page.get_by_role("button", name="Close").click()
    expect(code).to_be_hidden()
    assert page.asked_elsewhere == [] and page.refused == []


def test_a_picture_of_matrices_names_its_rows_and_shows_nothing_that_is_there_for_pointing(visit):
    page = visit("/representations", viewport=LAPTOP)
    expect(page.locator(".panel canvas")).to_have_count(16, timeout=PATIENCE)
    drawing = taken(page, "matrices")
    names = {text.text: text for text in drawing.findall(".//{*}text") if text.text in FAMILY}
    assert [*names] == FAMILY and not any("Point at" in text for text in words(drawing))
    assert len(drawing.findall(".//{*}image")) == 16 + 1  # and the scale
    for name in names.values():  # upright, each beside its own row
        assert name.get("transform", "").startswith("rotate(-90 ")
    rows = [float(names[name].get("y", "nan")) for name in FAMILY]
    assert all(100 < below - above < 200 for above, below in itertools.pairwise(rows))
    page.locator(".panel canvas").first.hover(position={"x": 3, "y": 3})
    assert "a 0 and a 0, 10 images each" in words(taken(page, "matrices"))
    assert set(FAMILY) < set(words(taken(page, "separations")))  # which colour is whose


def test_a_picture_over_seeds_says_which_colour_is_which_training(visit):
    page = visit("/over_seeds", viewport=LAPTOP)
    expect(page.locator("figure svg circle").first).to_be_visible(timeout=PATIENCE)
    drawing = taken(page, "seeds")
    assert set(FAMILY) < set(words(drawing)) and len(drawing.findall(".//{*}image")) >= len(FAMILY)


def test_grids_stand_in_one_row_however_long_their_names(visit):
    page = visit("/attack_grid", viewport=LAPTOP)
    expect(page.locator("section canvas")).to_have_count(4, timeout=PATIENCE)
    tops = [float(image.get("y", "nan")) for image in taken(page, "grids").findall(".//{*}image")]
    assert len(tops) == 4 and max(tops) - min(tops) < 1
