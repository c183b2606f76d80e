"""The page of claims in a real browser."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from satcore.evaluation.claims import FAILED, kept
from tests.browser import PATIENCE, PHONE

pytestmark = pytest.mark.browser


def test_verdicts_are_words_and_a_network_leads_to_its_screen(visit):
    page = visit("/claims?verdict=did+not+hold", viewport=PHONE, scheme="dark")
    failed = [name for name, finding in kept.load().items() if finding.verdict == FAILED]
    expect(page.locator("article")).to_have_count(len(failed), timeout=PATIENCE)
    expect(page.locator(".verdict", has_text=FAILED)).to_have_count(len(failed))
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    between = page.locator("article[data-claim='between-larger']")
    expect(between.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"Sigmoid MLP 1 vanilla 0\.2"))
    between.get_by_role("link", name="ReLU MLP").click()
    expect(page).to_have_url(re.compile(r"/representations\?"), timeout=PATIENCE)
    expect(page.get_by_text("relu-mlp/saturated").first).to_be_visible(timeout=PATIENCE)
    assert page.asked_elsewhere == []


def test_no_label_of_a_figure_runs_into_the_next(visit):
    page = visit("/claims?part=Fig.+4%3A+geometry+between+two+digits")
    labels = page.locator("article[data-claim='length-at-transitions'] svg text")
    expect(labels.filter(has_text="3→7")).to_have_count(3, timeout=PATIENCE)  # one a family
    boxes = [label.bounding_box() for label in labels.filter(has_text="→").all()]
    gaps = [after["x"] - before["x"] - before["width"] for before, after in itertools.pairwise(boxes)]
    assert len(gaps) == 11 and min(gaps) > 2
