"""The home page, and what is about all pages, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from satcore import data
from tests.browser import DESKTOP, PATIENCE, PHONE, served
from tests.dashboard.pages import MLPS

pytestmark = pytest.mark.browser
LAPTOP = {"width": 1280, "height": 720}


def cards(page: Page):
    return page.get_by_test_id("stImage").locator("img[alt^='After FGSM']")


def chips(page: Page) -> str:
    return page.get_by_test_id("stMultiSelect").inner_text(timeout=PATIENCE)


def still(page: Page) -> Page:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def test_a_cold_deep_link_reproduces_the_screen(browser):
    with served() as fresh:  # a server that has never run app.py
        page = browser.new_page()
        page.goto(f"{fresh}/?pick=by+index&index=17&networks=cnn/vanilla,relu-mlp/control")
        expect(page.get_by_text(f"Test image 17: a {data.load('test').labels[17]}")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Page not found")).to_have_count(0)
        expect(cards(page)).to_have_count(2, timeout=PATIENCE)
        for _ in range(2):
            assert "networks=cnn%2Fvanilla&networks=relu-mlp%2Fcontrol" in page.url
            assert "cnn/vanilla\nrelu-mlp/control" in chips(page)
            page.reload()
        page.close()


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESKTOP, "light"), (LAPTOP, "dark"), (PHONE, "dark")], ids=["desktop", "laptop", "phone"]
)
@pytest.mark.parametrize("path", ["/?pick=by+index", "/networks"], ids=["home", "networks"])
def test_a_page_is_whole_and_asks_nothing_of_any_other_host(visit, path, viewport, scheme):
    page = visit(path, viewport=viewport, scheme=scheme)
    if path == "/networks":
        expect(page.get_by_role("heading", name="cnn/control")).to_be_visible(timeout=PATIENCE)
    else:
        expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=PATIENCE)
        expect(cards(page)).to_have_count(4, timeout=PATIENCE)
    still(page)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    assert page.asked_elsewhere == []


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


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("family=relu-mlp", [name.replace("sigmoid", "relu") for name in MLPS]),
        ("left=cnn/vanilla&right=cnn/saturated", ["cnn/vanilla", "cnn/saturated"]),
        ("networks=nobody&networks=relu-mlp/vanilla", ["relu-mlp/vanilla"]),
        ("&".join(f"networks={name}" for name in [*MLPS[::-1], "cnn/vanilla"]), MLPS[::-1]),
    ],
)
def test_a_line_up_in_the_address_survives_a_reload(visit, asked, shown):
    page = visit(f"/?pick=by+index&{asked}")
    for _ in range(2):
        expect(cards(page)).to_have_count(len(shown), timeout=PATIENCE)
        still(page)
        assert "\n".join(shown) in chips(page)
        assert page.url.endswith("&".join(f"networks={name.replace('/', '%2F')}" for name in shown))
        page.reload()


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
    while "/interpolation" not in page.url:  # Streamlit keeps an address for each parameter that comes back
        page.go_back()
    expect(page.get_by_role("heading", name="Between two digits")).to_be_visible(timeout=PATIENCE)
    still(page)
