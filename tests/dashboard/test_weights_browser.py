"""The page on weights in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PATIENCE

pytestmark = pytest.mark.browser
PAIR = "networks=relu-mlp/vanilla&networks=relu-mlp/saturated"


def drawn(page: Page, charts: int) -> Page:
    """The page, once all figures are there and the server has nothing more to say."""
    expect(page.locator(".js-plotly-plot")).to_have_count(charts, timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def test_from_what_saturation_is_to_the_weights_and_the_address_follows(visit):
    page = drawn(visit("/weights?" + PAIR), 2)
    expect(page.locator(".js-plotly-plot .xtitle").first).to_have_css("fill", "rgb(91, 95, 110)")  # legible.css holds
    page.get_by_role("radio", name="2", exact=True).click()
    expect(page).to_have_url(re.compile("depth=2"), timeout=PATIENCE)
    expect(page.get_by_text(re.compile("of inputs lie in its flat part")).nth(1)).to_be_visible()
    page.get_by_role("tab", name="Weights").click()
    drawn(page, 3)
    expect(page).to_have_url(re.compile("view=Weights"))
    lines = page.get_by_test_id("stHtml").locator("img")
    sizes = lines.evaluate_all("(all) => all.map(({ naturalWidth, src }) => [naturalWidth, src])")
    assert [width for width, _ in sizes] == [84, 84] and sizes[0] != sizes[1]  # which are drawn, and not alike
