"""A network trained on the page, in a real browser: left, reloaded, paused, resumed, cancelled, and found elsewhere."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from satcore import background, library
from satcore.dashboard.train.training_view import SHARES
from satcore.runs import Run
from tests.browser import LAPTOP, PATIENCE, PHONE, show_on
from tests.dashboard.test_train import SMALL, put_down

pytestmark = pytest.mark.browser

COURSE, LAYER_1 = "[data-key=course] > svg", "[data-key='weights 0'] > svg"
MARKUP = "figures => figures.map(({ outerHTML }) => outerHTML)"
COUNT_OBSERVED = """() => { window.observed = 0; window.ResizeObserver = class extends ResizeObserver {
    observe(element) { window.observed += element.matches(".view"); super.observe(element) } } }"""
TINY = "/train?train_widths=16&train_batch_size=6000"


def press(page: Page, name: str, until: str) -> None:
    """Press a button, and again where a press was lost to a run of a fragment, until another one is there."""
    awaited = page.get_by_role("button", name=until)
    for _ in range(5):
        if page.get_by_role("button", name=name).is_visible():
            page.get_by_role("button", name=name).click()
        try:
            return expect(awaited).to_be_visible(timeout=PATIENCE / 5)
        except AssertionError:
            continue
    expect(awaited).to_be_visible()


def under_way(page: Page) -> None:
    expect(page.get_by_text(re.compile(r"Epoch [\d,]+ of 9,000"))).to_be_visible(timeout=PATIENCE)
    expect(page.locator(COURSE)).to_be_visible(timeout=PATIENCE)


def test_a_training_goes_on_whoever_looks_until_it_is_paused_and_then_cancelled(visit):
    page = visit(f"{TINY}&train_epochs=9000")
    press(page, "▶ Start", until="❚❚ Pause")
    under_way(page)
    expect(page).to_have_url(re.compile(r"run=train-[0-9a-f]{16}-0"))

    page.reload()
    under_way(page)
    page.get_by_role("link", name="Claims").click()
    expect(page.get_by_role("heading", name="claim by claim")).to_be_visible(timeout=PATIENCE)

    elsewhere = visit("/train")  # another session sees it without being told
    under_way(elsewhere)
    press(elsewhere, "❚❚ Pause", until="▶ Resume")
    expect(elsewhere.get_by_text(re.compile(r"Paused after epoch [\d,]+ of 9,000"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_text(re.compile(r"Paused after epoch [\d,]+ of 9,000"))).to_be_visible(timeout=PATIENCE)
    press(page, "▶ Resume", until="❚❚ Pause")
    under_way(page)
    expect(elsewhere.get_by_role("button", name="❚❚ Pause")).to_be_visible(timeout=PATIENCE)  # there, too
    under_way(elsewhere)

    page.get_by_role("button", name="Cancel").click()
    press(page, "Forget it", until="▶ Start")
    expect(page).not_to_have_url(re.compile("run="))
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.asked_elsewhere == elsewhere.asked_elsewhere == []


def test_figures_are_drawn_anew_once_there_is_another_epoch_without_a_gap_and_what_is_being_typed_stays(
    visit, servers_shelf, monkeypatch
):
    monkeypatch.setenv("SATCORE_SHELF", str(servers_shelf))
    run = Run(SMALL, seed=5)
    with background.at_work(put_down(run, 1)):
        page = visit(f"/train?run={run.key}")
        course = page.locator(COURSE)
        expect(course).to_have_attribute("aria-label", re.compile("After epoch 1:"), timeout=PATIENCE)
        expect(page.locator("figure[data-key]")).to_have_count(11)
        assert course.locator("path.mark").count() == len(SHARES)  # of curves that have one point so far
        page.wait_for_timeout(3_000)  # whatever the page has still to do by itself
        came, session = [], page.context.new_cdp_session(page)
        session.on("Network.webSocketFrameReceived", lambda frame: came.append(len(frame["response"]["payloadData"])))
        session.send("Network.enable")
        page.get_by_label("Epochs", exact=True).first.fill("55")
        page.wait_for_timeout(4_000)  # several looks
        looks, an_epoch = sum(came), 4_000  # bytes, at least
        assert 0 < looks < 5 * an_epoch
        there = course.element_handle()
        page.evaluate(COUNT_OBSERVED)
        put_down(run, 2)
        expect(course).to_have_attribute("aria-label", re.compile("After epoch 2:"), timeout=PATIENCE)
        expect(page.get_by_text("Epoch 2 of 3 · ")).to_be_visible()
        assert there.evaluate("figure => figure.isConnected")  # it is the same one
        assert page.evaluate("observed") == 0  # else, once its size changes, it is drawn as often as there were epochs
        assert sum(came) > looks + an_epoch
        expect(page.get_by_label("Epochs", exact=True).first).to_have_value("55")
    expect(page.get_by_role("button", name="▶ Resume")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Cancel").click()
    press(page, "Forget it", until="▶ Start")


def test_one_looks_back_by_the_slider_by_the_course_and_by_playing_and_the_address_keeps_where(
    visit, servers_shelf, monkeypatch
):
    monkeypatch.setenv("SATCORE_SHELF", str(servers_shelf))
    run = Run(SMALL, seed=6)
    put_down(run, 3)
    page = visit(f"/train?run={run.key}&epoch=2")
    course, slider = page.locator(COURSE), page.get_by_label("Look back")
    expect(course).to_have_attribute("aria-label", re.compile("After epoch 2: .*after FGSM 75.0 %"), timeout=PATIENCE)
    slider.press("ArrowLeft")
    expect(course).to_have_attribute("aria-label", re.compile("After epoch 1:"))
    expect(page).to_have_url(re.compile("epoch=1"))
    box = course.bounding_box()
    page.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + 0.3 * box["height"])
    expect(page.get_by_text("After epoch 3 of 3,")).to_be_visible()
    expect(page).not_to_have_url(re.compile("epoch="))  # the latest, whichever that is
    page.get_by_role("button", name="▶ Play").click()
    expect(page.get_by_text("After epoch 1 of 3,")).to_be_visible()
    expect(page.get_by_text("After epoch 3 of 3,")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="▶ Play")).to_be_visible()


def test_a_dead_network_is_drawn_at_a_floor_that_says_so(visit, servers_shelf, monkeypatch):
    monkeypatch.setenv("SATCORE_SHELF", str(servers_shelf))
    run = Run(SMALL, seed=7)
    put_down(run, 1)
    path = run.folder / library.RECORDS
    (line,) = map(json.loads, path.read_text().splitlines())
    line["seen"]["element"] = [0.0] * len(line["seen"]["element"])
    path.write_text(json.dumps(line | {"accuracy": 0.1, "loss": 0.0, "penalty": 0.0}) + "\n")
    page = visit(f"/train?run={run.key}")
    element = page.locator("[data-key=element] > svg")
    expect(element.get_by_text("≤10⁻⁸")).to_be_visible(timeout=PATIENCE)
    assert not re.search("NaN|Infinity", "".join(page.locator("figure[data-key] > svg").evaluate_all(MARKUP)))


def test_what_has_been_trained_is_on_every_page(visit):
    page = visit(f"{TINY}&train_epochs=2&train_seed=1")
    press(page, "▶ Start", until="Cancel")
    expect(page.get_by_text("Trained, and on every page")).to_be_visible(timeout=PATIENCE)
    page.get_by_test_id("stMain").get_by_role("link", name="Interpolation").click()
    expect(page.locator("section[data-network='mine/quick-saturated-seed-1']")).to_be_visible(timeout=PATIENCE)
    assert page.asked_elsewhere == []


def test_nothing_has_to_be_scrolled_sideways_and_what_is_bad_is_refused(visit):
    page = visit("/train?train_epochs=0", LAPTOP)
    expect(page.get_by_test_id("stAlert")).to_contain_text("expected epochs as a whole number", timeout=PATIENCE)
    expect(page.get_by_role("button", name="▶ Start")).to_have_count(0)
    for viewport in (LAPTOP, PHONE):
        show_on(page, viewport)
    for field, value in (("Epochs", "5"), ("Rate", "inf")):
        page.get_by_label(field, exact=True).first.fill(value)
        page.keyboard.press("Tab")
        expect(page).to_have_url(re.compile(value), timeout=PATIENCE)
    expect(page.get_by_test_id("stAlert")).to_contain_text("a learning rate from 0 to 1, got inf", timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
