"""The reality check page in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from satcore.dashboard.reality_check import truths
from satcore.evaluation import certificates, reality
from tests.browser import PATIENCE, PHONE, show_on

pytestmark = pytest.mark.browser
SCREEN = {"width": 1280, "height": 720}
COMPUTED = "relu-mlp/saturated, noise, ε = 0.25: "


def settled(page: Page) -> Page:
    expect(page.get_by_role("rowheader", name="saturated").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def whole(page: Page, viewport: dict, family: str) -> None:
    """Nothing is missing, sticks out to the right, or was asked of another host."""
    expect(page.get_by_role("rowheader", name="saturated")).to_have_count(3)
    pair = truths.pair([f"{family}/saturated"])
    charts = 9 + bool(pair and certificates.load(pair[1]))
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(charts, timeout=PATIENCE)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    worst = page.locator("td.worst button").last.bounding_box()
    assert worst["x"] + worst["width"] <= viewport["width"]  # in sight on a phone, too
    assert page.asked_elsewhere == []


def test_the_page_is_whole_on_any_screen_and_a_cell_shows_its_interval_and_is_computed_anew(visit):
    page = settled(visit("/reality_check", viewport=PHONE, scheme="dark"))
    whole(page, PHONE, "sigmoid-mlp")
    expect(page.get_by_text("Swipe the table sideways")).to_be_visible()
    show_on(page, SCREEN)
    whole(page, SCREEN, "sigmoid-mlp")
    expect(page.get_by_text("Swipe the table sideways")).to_be_hidden()
    left = reality.load("relu-mlp/saturated").left("noise")
    cell = page.get_by_role("button", name="relu-mlp/saturated, after noise")
    cell.hover()
    reads = page.locator(".reads")
    expect(reads).to_contain_text(f"{left.count} of {left.total} random test images right")
    expect(reads).to_be_in_viewport()
    cell.click()
    page.get_by_role("button", name="Compute it anew").click()
    result = page.get_by_text(COMPUTED)
    expect(result).to_contain_text("of 500 images right", timeout=PATIENCE)
    expect(result).to_contain_text("in all", timeout=PATIENCE)
    expect(result).to_be_in_viewport()
    expect(page.get_by_role("combobox", name="Network").first).to_have_value("relu-mlp/saturated")


def test_one_digit_shows_the_same_symptom_and_the_opposite_truth_until_every_pixel_is_free(visit):
    networks = "networks=relu-mlp%2Fsaturated&networks=relu-mlp%2Fdendritic"
    page = settled(visit(f"/reality_check?{networks}&of=1&ball=0.1", viewport=PHONE, scheme="dark"))
    saturated, dendritic = (page.locator("section", has=page.locator("figure")).nth(k) for k in (0, 1))
    expect(saturated.locator("p")).to_contain_text("broken")
    expect(dendritic.locator("p")).to_contain_text("proven")
    expect(dendritic.locator("figcaption").nth(1)).to_have_text("gradient exactly zero")
    coloured = "(canvas) => canvas.getContext('2d').getImageData(0, 0, 224, 224).data"
    coloured += ".some((c, i, all) => i % 4 === 0 && c !== all[i + 2])"
    for viewport, scheme in ((PHONE, "dark"), (SCREEN, "light")):
        show_on(page, viewport, scheme)
        assert dendritic.locator("canvas").first.evaluate(coloured)
        assert not saturated.locator("canvas").first.evaluate(coloured)
        assert not dendritic.locator("canvas").nth(1).evaluate(coloured)  # black
    page.locator(".st-key-ball").get_by_role("slider").press("End")
    expect(dendritic.locator("p")).to_contain_text("broken", timeout=PATIENCE)
    expect(page.get_by_text("past ε = ½ every pixel is free")).to_be_visible()
