"""The attack grid page in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import PATIENCE, PHONE

pytestmark = pytest.mark.browser


def test_a_cell_of_the_grid_opens_its_attack(visit):
    page = visit("/attack_grid?networks=relu-mlp/vanilla&networks=relu-mlp/saturated&grid_gradient=exact")
    section = page.locator("section[data-network='relu-mlp/saturated']")
    canvas, reads = section.locator("canvas"), section.locator(".reads")
    expect(canvas).to_be_visible(timeout=PATIENCE)
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 0.75, "y": box["height"] * 0.35})
    expect(reads).to_have_text(re.compile("^3→7: "))
    canvas.focus()
    canvas.press("ArrowUp")
    canvas.press("ArrowRight")
    expect(reads).to_have_text(re.compile("^2→8: "))
    canvas.press("Enter")
    expect(page).to_have_url(re.compile(r"live_attack\?.*networks=relu-mlp.*into=8"), timeout=PATIENCE)
    expect(page.locator("section[data-network]")).to_have_count(2, timeout=PATIENCE)
    expect(page.get_by_role("radio", name="L-BFGS")).to_be_checked()
    expect(page.get_by_text(re.compile("Test image [0-9,]+: a 2"))).to_be_visible()


def test_a_cell_says_what_is_proven_of_the_iterations_that_were_not_run(visit):
    page = visit("/attack_grid?networks=relu-mlp/saturated&grid_attack=Adam&grid_steps=100,000")
    section = page.locator("section[data-network='relu-mlp/saturated']")
    canvas = section.locator("canvas")
    expect(canvas).to_be_visible(timeout=PATIENCE)
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 0.75, "y": box["height"] * 0.35})
    expect(section.locator(".reads")).to_have_text(
        re.compile(
            r"^3→7: not fooled after \d+ iterations; .* at rest from there on, proven: none of 30,000,000 .*bit\.$"
        )
    )


def test_a_grid_is_computed_while_one_looks_and_stops_when_told_on_a_phone(visit):
    networks = "networks=sigmoid-mlp/saturated&networks=relu-mlp/vanilla"
    page = visit(
        f"/attack_grid?grid_attack=Adam&grid_steps=10,000&grid_gradient=exact&{networks}", viewport=PHONE, scheme="dark"
    )
    page.get_by_role("button", name="Compute").click(timeout=PATIENCE)
    count = page.locator("section[data-network='sigmoid-mlp/saturated'] .count")
    expect(page.get_by_text("pairs still under attack")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("progressbar")).to_be_visible()
    stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop")
    stop.click()
    expect(stop).to_be_disabled(timeout=PATIENCE)
    expect(page.get_by_text("pairs still under attack")).to_have_count(0, timeout=PATIENCE)
    expect(count).to_have_count(1, timeout=PATIENCE)  # while the page is drawn anew its last state may still be there
    expect(count).to_contain_text("of 90 pairs fooled")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.asked_elsewhere == []
