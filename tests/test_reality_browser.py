"""The reality check page in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from satcore import reality
from tests.test_browser import DESKTOP, PATIENCE, PHONE, address, browser, visit  # noqa: F401

COMPUTED = "relu-mlp/saturated, noise, ε = 0.25: "


def settled(page: Page) -> Page:
    expect(page.get_by_role("button", name="CSV", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


@pytest.mark.parametrize("viewport, scheme", [(DESKTOP, "dark"), (PHONE, "light")], ids=["desktop", "phone"])
def test_the_page_is_whole(visit, viewport, scheme):  # noqa: F811
    page = settled(visit("/reality_check?family=relu-mlp", viewport=viewport, scheme=scheme))
    expect(page.get_by_role("rowheader", name="saturated")).to_have_count(3)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(5)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    worst = page.locator("td.worst button").last.bounding_box()
    assert worst["x"] + worst["width"] <= viewport["width"]  # in sight on a phone, too
    assert page.asked_elsewhere == []


def test_a_cell_shows_its_interval_and_is_computed_anew_when_pressed(visit):  # noqa: F811
    page = settled(visit("/reality_check?images=50"))
    left = reality.shipped()["relu-mlp/saturated"].left("noise")
    cell = page.get_by_role("button", name="relu-mlp/saturated, after noise")
    cell.hover()
    expect(page.locator(".reads")).to_contain_text(f"{left.count} of {left.total} images right")
    cell.click()
    expect(page.get_by_role("combobox", name="Network")).to_have_value("relu-mlp/saturated")
    page.get_by_role("button", name="Compute", exact=True).click()
    expect(page.get_by_text(COMPUTED)).to_contain_text("of 50 images right", timeout=PATIENCE)
    expect(page.get_by_text(COMPUTED)).to_contain_text("in all", timeout=PATIENCE)
