"""Networks brought along and taken away again, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import PATIENCE
from tests.dashboard.test_networks import onnx_file

pytestmark = pytest.mark.browser


def upload(page: Page, name: str, content: bytes) -> None:
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").set_input_files(file, timeout=PATIENCE)


def card(page: Page, name: str):
    heading = page.get_by_role("heading", name=name)
    return page.get_by_test_id("stVerticalBlock").filter(has=heading).filter(has_text="SHA-256").last


def test_a_network_is_brought_along_opened_and_taken_away_again_and_what_is_none_is_refused(visit):
    page = visit("/networks?shelf=your+own")
    upload(page, "bad.onnx", b"hello")
    refused = page.get_by_test_id("stAlert").filter(has_text="expected an ONNX file")
    expect(refused).to_have_count(1, timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    upload(page, "From elsewhere.onnx", onnx_file())
    expect(page.get_by_text("Kept as mine/from-elsewhere.")).to_be_visible(timeout=PATIENCE)
    expect(card(page, "mine/from-elsewhere")).to_contain_text("10,000 test images", timeout=PATIENCE)
    upload(page, "From elsewhere.onnx", onnx_file())
    expect(page.get_by_text("This very network is there already")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("heading", name="mine/from-elsewhere")).to_have_count(1)

    card(page, "mine/from-elsewhere").get_by_role("link", name="Interpolation").click()
    expect(page.locator("section[data-network='mine/from-elsewhere']")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"/interpolation\?networks=mine%2Ffrom-elsewhere$"))
    page.reload()
    expect(page.locator("section[data-network='mine/from-elsewhere']")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("link", name="Networks").click()
    card(page, "mine/from-elsewhere").get_by_role("button", name="Remove").click(timeout=PATIENCE)
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="mine/from-elsewhere")).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.asked_elsewhere == []


def test_who_begins_an_examination_sees_how_far_it_gets(visit):
    page = visit("/networks?shelf=your+own")
    upload(page, "Examined.onnx", onnx_file())
    mine = card(page, "mine/examined")
    expect(mine).to_contain_text("10,000 test images", timeout=PATIENCE)  # measured: nothing else runs the page again
    mine.get_by_role("button", name="Examine it").click(timeout=PATIENCE)
    expect(mine).to_contain_text(re.compile(r"Examined by attacks and proofs: \d+ %"), timeout=PATIENCE)
    mine.get_by_role("button", name="Stop").click()
    expect(mine.get_by_role("button", name=re.compile("xamin"))).to_be_visible(timeout=PATIENCE)
    mine.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="mine/examined")).to_have_count(0, timeout=PATIENCE)
