"""The page of seeds in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from satcore.dashboard.over_seeds import compute
from satcore.evaluation import seeds
from tests.browser import LAPTOP, PATIENCE, PHONE

pytestmark = pytest.mark.browser

FAMILY = "relu-mlp"


def of_family() -> dict:
    return compute.by_training(seeds.load()[0], FAMILY, ("saturated", "control"))


def test_every_network_is_a_dot_that_says_whose_it_is(visit):
    page, there = visit(f"/over_seeds?family={FAMILY}&alone=true", viewport=LAPTOP), of_family()
    expect(page.locator("figure")).to_have_count(len(compute.DRAWN), timeout=PATIENCE)
    accuracy = page.locator("figure").first
    expect(accuracy.locator(".dot")).to_have_count(sum(map(len, there.values())))
    expect(accuracy.locator(".ring")).to_have_count(2)
    accuracy.locator(".dot").first.hover(force=True)
    first = there["saturated"][0]
    expect(accuracy.locator(".reads")).to_have_text(re.compile(rf"^saturated, seed {first.seed}, ships: 9\d\.\d+ %$"))
    box = page.locator("figure").last.bounding_box()
    assert box and box["y"] + box["height"] <= LAPTOP["height"]  # nobody has to scroll
    assert page.asked_elsewhere == []


def test_the_stages_of_a_training_are_run_through_in_the_browser_alone(visit):
    page = visit(f"/over_seeds?family={FAMILY}&view=Penalty", viewport=PHONE, scheme="dark")
    slider = page.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", "At the end of the training", timeout=PATIENCE)
    ended = page.locator("output").inner_text()
    sent = len(page.sent)
    slider.focus()
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "After epoch 1")
    expect(page.locator("figure").last).to_contain_text("only measured at the end")
    expect(page).to_have_url(re.compile(r"[?&]epoch=1(&|$)"))
    assert page.locator("output").inner_text() != ended and len(page.sent) == sent
    said = page.locator("output").inner_text()
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    page.reload()
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "After epoch 1", timeout=PATIENCE)
    expect(page.locator("output")).to_have_text(said)
    assert page.asked_elsewhere == []
