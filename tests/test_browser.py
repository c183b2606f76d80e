"""The dashboard in a real browser, on a real server."""

import re
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from satcore import checkpoints, data
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
        page.asked_elsewhere = []

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
