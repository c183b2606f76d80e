"""The page on representations in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import DESKTOP, PATIENCE, PHONE, show_on

pytestmark = pytest.mark.browser
PAIR = "networks=relu-mlp/vanilla&networks=relu-mlp/saturated"


def still(page: Page, panels: int) -> Page:
    expect(page.locator(".panel canvas")).to_have_count(panels, timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def turn_to(page: Page, view: str) -> None:
    page.get_by_role("tab", name=view).click()
    expect(page.get_by_role("tab", name=view)).to_have_attribute("aria-selected", "true")
    if view != "Matrices":
        expect(page).to_have_url(re.compile("view=Two"), timeout=PATIENCE)


def test_four_networks_stand_one_above_the_other(visit):
    page = still(visit("/representations", viewport=PHONE, scheme="dark"), 16)
    for view, viewport, scheme in (
        ("Matrices", PHONE, "dark"),
        ("Matrices", DESKTOP, "light"),
        ("Two dimensions", DESKTOP, "light"),
        ("Two dimensions", PHONE, "dark"),
    ):
        turn_to(page, view)
        show_on(page, viewport, scheme)
        still(page, 16)
        expect(page.locator(".name")).to_have_text(["vanilla", "adversarial", "saturated", "control"])
        sides = page.locator(".panel canvas").evaluate_all("(all) => all.map((it) => it.getBoundingClientRect().width)")
        assert min(sides) >= (60 if viewport == PHONE else 160) and max(sides) - min(sides) < 1
    assert page.asked_elsewhere == []


def test_pointing_at_a_pair_of_images_shows_it_in_every_matrix_and_at_a_dot_the_image(visit):
    page = still(visit("/representations?" + PAIR), 8)
    expect(page.locator(".js-plotly-plot")).to_have_count(6, timeout=PATIENCE)
    panel, values = page.locator(".panel canvas").nth(6), page.locator(".panel .value")
    assert re.fullmatch(
        r"Dissimilarities in layer 2 of saturated: about [\d.]+ within a digit, [\d.]+ between digits",
        panel.get_attribute("aria-label") or "",
    )
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    assert box
    sent = len(page.sent)
    panel.hover(position={"x": 0.35 * box["width"], "y": 0.75 * box["height"]})
    expect(page.locator(".says")).to_have_text("a 7 and a 3, 10 images each")
    assert all(float(value) > 0 for value in values.all_text_contents())
    before = values.all_text_contents()
    panel.focus()
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".says")).to_have_text("an 8 and a 3, 10 images each")
    assert values.all_text_contents() != before
    assert len(page.sent) == sent  # the browser alone did it

    turn_to(page, "Two dimensions")
    still(page, 8)
    panel = page.locator(".panel canvas").nth(2)
    panel.hover()
    expect(page.locator(".says")).to_have_text(re.compile("^an? [0-9]$|under attack"))
    panel.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".says")).to_have_text(re.compile("^an? [0-9]$|under attack"))
