"""What the live page shows, in a real browser."""

import contextlib
import re

import pytest
from playwright.sync_api import Page, expect

from satcore.dashboard.live_attack import words
from tests.browser import LAPTOP, PATIENCE, PHONE
from tests.dashboard.pages import FAMILY

pytestmark = pytest.mark.browser
LIVE = "/live_attack?pick=by+index&index=30"  # a 3


def says(page: Page, training: str):
    return page.locator(f"section[data-network$='/{training}'] .says")


def settled(page: Page, networks: int = len(FAMILY)) -> Page:
    """The page, once it has a column for each network and the server has nothing more to say."""
    expect(page.locator("section[data-network]")).to_have_count(networks, timeout=PATIENCE)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)
    return page


def scrubber(page: Page):
    return page.get_by_role("slider", name="Back through the trace")


def readings(page: Page) -> list[str]:
    return page.locator("section .reads").all_text_contents()


def paused(page: Page) -> None:
    """Press Pause; once more where the machine is so busy that a press is lost between two runs of the page's part."""
    play = page.get_by_role("button", name="Play")
    for _ in range(3):
        page.get_by_role("button", name="Pause").click()
        with contextlib.suppress(AssertionError):
            expect(play).to_be_visible(timeout=PATIENCE / 4)
            return
    expect(play).to_be_visible()


def test_an_attack_is_played_paused_and_scrubbed_in_the_browser_alone(visit):
    page = settled(visit(f"{LIVE}&attack=Adam&into=7&steps=10000", viewport=LAPTOP))
    expect(scrubber(page)).to_be_disabled()  # there is nothing to go back through
    expect(says(page, "saturated")).to_have_text("It sees a 3.")
    expect(says(page, "saturated")).to_be_in_viewport()
    page.get_by_role("button", name="Play").click()
    expect(says(page, "saturated")).to_have_text(re.compile(r"^[\d,]+ steps: moved"), timeout=PATIENCE)
    tops = page.locator(".st-key-starts-and-stops button").evaluate_all(
        "(all) => all.map((button) => button.getBoundingClientRect().top)"
    )
    assert len(tops) == 3 and max(tops) - min(tops) < 10  # one row, with the longer word, too
    paused(page)
    expect(scrubber(page)).to_be_enabled(timeout=PATIENCE)
    settled(page)
    before, end, sent = says(page, "saturated").inner_text(), readings(page), len(page.sent)
    image = page.locator("canvas.now").first.evaluate("(canvas) => canvas.toDataURL()")
    assert len(end) == 20
    scrubber(page).press("Home")
    expect(says(page, "saturated")).to_have_text("Step 0: moved 0 in L2, and it sees a 3.")
    start = readings(page)
    assert [start[i] for i in (3, 4)] == ["L2: 0", "L∞: 0"] and start != end
    assert page.locator("canvas.now").first.evaluate("(canvas) => canvas.toDataURL()") != image
    expect(page.locator(".cursor").first).to_have_attribute("visibility", "visible")
    scrubber(page).press("End")
    page.wait_for_timeout(1500)
    assert says(page, "saturated").inner_text() == before and readings(page) == end
    assert len(page.sent) == sent  # what is paused asks the server for nothing


def test_all_charts_of_a_row_have_one_axis_of_steps(visit):
    page = settled(visit(f"{LIVE}&attack=PGD&gradient=exact", viewport=LAPTOP))
    page.get_by_role("button", name="Play").click()
    for training in FAMILY:
        expect(says(page, training)).to_have_text(re.compile("^Fooled after|^Moved"), timeout=PATIENCE)
    ends = page.locator("section svg").evaluate_all(
        """(charts) => charts.map((svg) => [...svg.querySelectorAll("text")].findLast(
             (text) => text.getAttribute("text-anchor") === "end" && /^[0-9,]+$/.test(text.textContent)).textContent)"""
    )
    took = [int(re.findall(r"([\d,]+) step", says(page, training).inner_text())[0]) for training in FAMILY]
    assert len(ends) == 3 * len(FAMILY) and set(ends) == {str(max(took))} and min(took) < max(took)
    reach = page.locator("section svg").evaluate_all(
        """(charts) => charts.map((svg) => { const curve = [...svg.querySelectorAll("path")].at(-1).getBBox()
             return curve.x + curve.width })"""
    )
    right = [58 + steps / max(took) * 230 for steps in took]  # where each network's curves end
    assert reach[2::3] == pytest.approx(right, abs=1)


def test_interpolations_target_does_not_come_along(visit):
    page = visit("/interpolation?networks=sigmoid-mlp/saturated&source=3&target=7&points=51")
    expect(page.locator("section[data-network]")).to_have_count(1, timeout=PATIENCE)
    page.get_by_role("link", name="Live attack").click()
    expect(says(page, "saturated")).to_have_text(words.STUCK, timeout=PATIENCE)
    settled(page, networks=1)
    expect(page.get_by_role("radio", name="any other")).to_be_checked()
    expect(page).not_to_have_url(re.compile("target|into"))
    assert page.locator("section .reads").first.text_content() == "exactly zero"
    expect(page.get_by_text("float32: zero")).to_be_visible()


def test_an_old_link_is_followed_and_the_goal_leaves_the_address_when_the_image_is_one_itself(visit):
    page = settled(visit("/live_attack?family=relu-mlp&digit=4&target=7"))
    expect(page).to_have_url(re.compile("into=7"), timeout=PATIENCE)
    expect(page.locator("section[data-network='relu-mlp/control']")).to_be_visible()
    assert "target" not in page.url and "family" not in page.url
    for _ in range(5):  # a press can be lost to a run of a fragment
        page.get_by_role("radio", name="7", exact=True).last.click()
        with contextlib.suppress(AssertionError):
            expect(page).to_have_url(re.compile("digit=7"), timeout=PATIENCE / 5)
            break
    expect(page.get_by_role("radio", name="any other")).to_be_checked(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("digit=7"), timeout=PATIENCE)
    expect(page).not_to_have_url(re.compile("into"), timeout=PATIENCE)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_a_drawn_digit_is_attacked_and_keeps_its_value(visit):
    two = "&".join(f"networks=sigmoid-mlp/{training}" for training in ("vanilla", "saturated"))
    page = settled(visit(f"/live_attack?digit=1&{two}", viewport=LAPTOP), networks=2)
    page.get_by_role("radio", name="draw one").click()
    field = page.get_by_role("img", name="Draw a digit here")
    expect(field).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile("digit=1"))
    box = field.bounding_box()
    x, top, height = box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"], 0.5 * box["height"]
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, top + height, steps=12)
    page.mouse.up()
    settled(page, networks=2)
    expect(says(page, "vanilla")).to_have_text("It sees a 1.", timeout=PATIENCE)
    for there in (field, *page.locator("section .images").all()):
        expect(there).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Play").click()
    expect(says(page, "vanilla")).to_have_text(re.compile("^Fooled after"), timeout=PATIENCE)


def test_a_finished_run_fits_a_phone(visit):
    page = settled(visit(f"{LIVE}&attack=PGD&gradient=softened&into=8", viewport=PHONE, scheme="dark"))
    page.get_by_role("button", name="Play").press("Enter")
    expect(says(page, "vanilla")).to_have_text(re.compile("^Fooled after"), timeout=PATIENCE)
    expect(page.get_by_role("button", name="Play")).to_be_focused(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Step")).to_be_disabled()
    page.get_by_role("button", name="Take it away").click(timeout=PATIENCE)
    for ending in (".csv", ".npz"):
        expect(page.get_by_role("button", name=ending)).to_be_enabled(timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
    rights = page.locator("section, section svg, canvas, .scrub *, .note").evaluate_all(
        "(all) => all.map((element) => element.getBoundingClientRect().right)"
    )
    assert max(rights) <= PHONE["width"]
    says(page, "saturated").scroll_into_view_if_needed()
    expect(page.get_by_role("button", name="Play")).to_be_in_viewport(ratio=1)  # beside what it does
    assert page.asked_elsewhere == [] and page.refused == []
