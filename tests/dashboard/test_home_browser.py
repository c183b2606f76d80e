"""The home page, and what is about all pages, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from satcore import data
from tests.browser import PATIENCE
from tests.dashboard.pages import MLPS

pytestmark = pytest.mark.browser


def cards(page: Page):
    return page.get_by_test_id("stImage").locator("img[alt^='After FGSM']")


def chips(page: Page) -> str:
    return page.get_by_test_id("stMultiSelect").inner_text(timeout=PATIENCE)


def still(page: Page) -> Page:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def test_a_deep_link_reproduces_the_screen_and_survives_a_reload(visit):
    page = visit("/?pick=by+index&index=17&networks=cnn/vanilla,nobody,relu-mlp/control")
    for opens in range(2):
        if opens:
            page.reload()
        expect(page.get_by_text(f"Test image 17: a {data.load('test').labels[17]}")).to_be_visible(timeout=PATIENCE)
        expect(cards(page)).to_have_count(2, timeout=PATIENCE)
        still(page)
        assert "cnn/vanilla\nrelu-mlp/control" in chips(page)
        assert page.url.endswith("&networks=cnn%2Fvanilla&networks=relu-mlp%2Fcontrol")


def test_attacking_another_digit_changes_cards_and_address(visit):
    page = visit()
    expect(cards(page)).to_have_count(len(MLPS), timeout=PATIENCE)
    page.get_by_role("radio", name="7", exact=True).click()
    expect(page.get_by_text(re.compile(r"Test image [\d,]+: a 7"))).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("digit=7"), timeout=PATIENCE)


def test_without_epsilon_no_network_is_fooled(visit):
    page = visit("/?epsilon=0.0&pick=by+index&index=0")
    expect(cards(page)).to_have_count(len(MLPS), timeout=PATIENCE)
    expect(page.get_by_text("Fooled:")).to_have_count(0)
    page.get_by_role("slider").press("End")
    expect(page.get_by_text("Fooled:").first).to_be_visible(timeout=PATIENCE)


def test_one_gets_from_page_to_page_with_the_line_up_and_back(visit):
    page = visit("/?pick=by+index&networks=relu-mlp/vanilla")
    expect(cards(page)).to_have_count(1, timeout=PATIENCE)
    still(page)
    page.get_by_role("link", name="Interpolation").click()
    expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("section[data-network]")).to_have_count(1, timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"/interpolation\?networks=relu-mlp%2Fvanilla$"))
    page.get_by_role("link", name="Table 1").click()
    expect(cards(page)).to_have_count(1, timeout=PATIENCE)
    expect(page.locator("section[data-network]")).to_have_count(0)
    still(page)
    page.go_back()
    expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("section[data-network]")).to_have_count(1, timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"/interpolation\?networks=relu-mlp%2Fvanilla$"))
    page.go_back()
    expect(cards(page)).to_have_count(1, timeout=PATIENCE)
    still(page)
