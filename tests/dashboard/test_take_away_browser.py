"""The menu by which figures are taken away, in a real browser."""

from xml.etree import ElementTree

import pytest
import segno
from playwright.sync_api import expect

from tests.browser import LAPTOP, PATIENCE, saved

pytestmark = pytest.mark.browser


def test_a_scene_hands_out_its_picture_and_a_link_to_this_very_screen(visit):
    page = visit("/reality_check?scene=8&within=0.1", viewport=LAPTOP, scheme="dark")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("td button").first).to_be_visible(timeout=PATIENCE)
    shown = page.locator("td button").all_inner_texts
    page.get_by_role("button", name="Take it away").click(timeout=PATIENCE)
    drawing = ElementTree.parse(saved(page, "SVG").path()).getroot()
    said = [text for text in drawing.itertext() if text.strip()]
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
