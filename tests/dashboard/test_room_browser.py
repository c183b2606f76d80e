"""The room takes part: a phone and the stage, each in a browser of its own, and the servers of both."""

import re
import socket
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from satcore import room
from satcore.dashboard.live_attack import words
from satcore.dashboard.story.scenes import SATURATED, VANILLA, story
from tests.browser import LAPTOP, PATIENCE, PHONE, served
from tests.dashboard.test_everyone_browser import violations

pytestmark = pytest.mark.browser
THREE = ((0.3, 0.22), (0.5, 0.15), (0.68, 0.25), (0.62, 0.42), (0.45, 0.48), (0.65, 0.55), (0.7, 0.72), (0.3, 0.78))

FITS = """() => {
  const main = document.querySelector("[data-testid=stMain]")
  return main.scrollHeight === main.clientHeight && main.scrollWidth === main.clientWidth
}"""


@pytest.fixture(scope="module")
def stage_and_room() -> Iterator[tuple[str, str]]:
    """The addresses of a dashboard and of the room that is open beside it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(room.ASKED, f"127.0.0.1:{port}")
        with served() as address:
            yield address, f"http://127.0.0.1:{port}"


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[str, dict], Page]]:
    """Opens an address in a browser context of its own, as a phone or a stage would."""
    contexts = []

    def open_page(address: str, viewport: dict) -> Page:
        contexts.append(browser.new_context(viewport=viewport))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def draw(phone: Page) -> None:
    """A 3."""
    box = phone.get_by_role("img", name="Draw a digit here").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    phone.mouse.move(*points[0])
    phone.mouse.down()
    for point in points[1:]:
        phone.mouse.move(*point, steps=4)
    phone.mouse.up()


def test_a_phone_draws_and_votes_and_the_stage_shows_it_attacks_it_and_clears_it(stage_and_room, opened):
    address, way = stage_and_room
    number = len(story())
    stage = opened(f"{address}/{story()[-1].address(number)}", LAPTOP)
    expect(stage.get_by_text(words.invitation(3))).to_be_visible(timeout=PATIENCE)
    expect(stage.get_by_text(way.removeprefix("http://"), exact=True)).to_be_visible()
    expect(stage.get_by_text(words.sent(0, 0, 0))).to_be_visible()

    phone = opened(way, PHONE)
    said = phone.get_by_role("status")
    expect(phone.get_by_role("heading", name="Draw a 3")).to_be_visible(timeout=PATIENCE)
    expect(phone.get_by_role("button", name="Send")).to_be_disabled()
    draw(phone)
    phone.get_by_role("button", name="Send").click()
    expect(said).to_have_text("Sent. Watch the stage.", timeout=PATIENCE)
    vote = phone.get_by_role("button", name=SATURATED)
    vote.click()
    expect(vote).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)

    expect(stage.get_by_text(words.sent(1, 1, 1))).to_be_visible(timeout=PATIENCE)  # nothing was pressed
    votes = stage.locator("dl")
    expect(votes).to_have_text(re.compile(rf"{VANILLA}\s*0\s*{SATURATED}\s*1"))
    stage.get_by_role("button", name="Drawing 1").click()
    for network in (VANILLA, SATURATED):
        says = stage.locator(f"section[data-network='{network}'] .says")
        expect(says).to_have_text(re.compile("^Fooled after"), timeout=PATIENCE)  # which begins by itself
    expect(stage.get_by_role("button", name="Drawing 1")).to_have_attribute("aria-pressed", "true")
    expect(said).to_have_text("Yours is on stage!", timeout=PATIENCE)
    stage.wait_for_function(FITS, timeout=PATIENCE)
    assert violations(stage) == {}

    stage.get_by_role("button", name="Show the code large").click()
    expect(stage.get_by_text(words.invitation(3))).to_be_visible(timeout=PATIENCE)
    stage.get_by_role("button", name="Drawing 1").click()
    expect(says).to_be_visible(timeout=PATIENCE)
    stage.get_by_role("button", name="Clear").click()
    expect(says).to_have_count(0, timeout=PATIENCE)  # what is on stage, too
    expect(stage.get_by_text(words.invitation(3))).to_be_visible(timeout=PATIENCE)
    expect(stage.get_by_text(words.sent(0, 0, 0))).to_be_visible(timeout=PATIENCE)
    expect(vote).to_have_attribute("aria-pressed", "false", timeout=PATIENCE)
    expect(stage.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_phones_page_is_for_every_phone(stage_and_room, opened, scheme):
    phone = opened(stage_and_room[1], PHONE)
    phone.emulate_media(color_scheme=scheme)
    draw(phone)
    expect(phone.get_by_role("button", name="Send")).to_be_enabled()
    assert violations(phone) == {}
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    heights = phone.get_by_role("button").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
    assert min(heights) >= 48
    phone.get_by_role("button", name="Start over").click()
    expect(phone.get_by_role("button", name="Send")).to_be_disabled()


def test_a_phone_too_many_is_told_so_as_long_as_it_is(stage_and_room, opened):
    phone = opened(stage_and_room[1], PHONE)
    told = {"digit": 8, "networks": [], "vote": "", "on_stage": False, "full": True}
    phone.route("**/now", lambda route: route.fulfill(json=told))
    expect(phone.get_by_role("status")).to_have_text(re.compile("^The room is full: "), timeout=PATIENCE)
    expect(phone.get_by_role("heading", name="Draw an 8")).to_be_visible()
    told["full"] = False
    expect(phone.get_by_role("status")).to_be_empty(timeout=PATIENCE)


def test_that_a_drawing_is_on_stage_is_said_once_and_not_in_the_place_of_what_comes_after(stage_and_room, opened):
    phone = opened(stage_and_room[1], PHONE)
    told = {
        "digit": 8,
        "networks": [{"name": VANILLA, "colour": "#3B8BD4"}],
        "vote": "",
        "on_stage": True,
        "full": False,
    }
    phone.route("**/now", lambda route: route.fulfill(json=told))

    def voted(route: Route) -> None:
        told["vote"] = VANILLA
        route.fulfill(status=204)

    phone.route("**/vote", voted)
    expect(phone.get_by_role("status")).to_have_text("Yours is on stage!", timeout=PATIENCE)
    phone.get_by_role("button", name=VANILLA).click()
    expect(phone.get_by_role("button", name=VANILLA)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    assert phone.get_by_role("status").text_content() == f"You say: {VANILLA}."


def test_a_phone_that_comes_back_is_the_same_one_and_a_stage_that_has_gone_is_missed(stage_and_room, opened):
    phone = opened(stage_and_room[1], PHONE)
    name = phone.evaluate("localStorage.satcoreRoom")
    phone.reload()
    assert phone.evaluate("localStorage.satcoreRoom") == name and re.fullmatch("[0-9a-f]{32}", name)
    phone.route("**/drawing", lambda route: route.abort())
    draw(phone)
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("status")).to_have_text("The stage doesn't answer: try once more.", timeout=PATIENCE)
