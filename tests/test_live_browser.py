"""What the live page shows, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.test_browser import DESKTOP, LIVE, PATIENCE, PHONE, address, browser, says, settled, visit  # noqa: F401


def scrubber(page: Page):
    return page.get_by_role("slider", name="Back through the trace")


def readings(page: Page) -> list[str]:
    return page.locator("section .reads").all_text_contents()


def test_scrubbing_moves_image_words_and_readings_of_every_network(visit):  # noqa: F811
    page = settled(visit(f"{LIVE}&attack=PGD&gradient=softened&target=7"))
    expect(scrubber(page)).to_be_disabled()  # there is nothing to go back through
    page.get_by_role("button", name="Play").click()
    expect(scrubber(page)).to_be_enabled(timeout=PATIENCE)
    settled(page)
    end, image = readings(page), page.locator("canvas.now").last.evaluate("(canvas) => canvas.toDataURL()")
    assert len(end) == 20
    scrubber(page).press("Home")
    expect(page.locator("section .says").last).to_have_text(re.compile("^Step 0: moved 0 in L2"))
    start = readings(page)
    assert [start[i] for i in (2, 3)] == ["L2: 0", "L∞: 0"] and start != end
    assert page.locator("canvas.now").last.evaluate("(canvas) => canvas.toDataURL()") != image
    expect(page.locator(".cursor").first).to_have_attribute("visibility", "visible")
    scrubber(page).press("End")
    assert readings(page) == end


def test_a_gradient_of_zero_is_read_and_marked_as_such(visit):  # noqa: F811
    page = settled(visit(f"{LIVE}&attack=PGD"))
    saturated = page.locator("section[data-network$='/saturated']")
    assert saturated.locator(".reads").last.text_content() == "exactly zero"
    expect(saturated.get_by_text("float32: zero")).to_be_visible()


def test_a_digit_keeps_its_value_from_image_to_drawing(visit):  # noqa: F811
    page = settled(visit("/live_attack?digit=5"))
    page.get_by_role("radio", name="draw one").click()
    expect(page.get_by_text("You draw a")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("digit=5"))


@pytest.mark.parametrize("viewport, scheme", [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_a_finished_run_fits_the_screen(visit, viewport, scheme):  # noqa: F811
    page = settled(visit(f"{LIVE}&attack=L-BFGS&gradient=softened&target=8", viewport=viewport, scheme=scheme))
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="CSV")).to_be_hidden(timeout=PATIENCE)
    for label in ("CSV", "NPZ"):
        expect(page.get_by_role("button", name=label)).to_be_enabled(timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    rights = page.locator("section, section svg, canvas, .scrub *, .note").evaluate_all(
        "(all) => all.map((element) => element.getBoundingClientRect().right)"
    )
    assert max(rights) <= viewport["width"]
    assert page.asked_elsewhere == []
