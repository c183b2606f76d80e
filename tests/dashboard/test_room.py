"""The room on the live attack page, run without a browser."""

from collections.abc import Iterator

import pytest
import torch
from streamlit.testing.v1 import AppTest

from satcore import data, room
from satcore.dashboard.live_attack import drawn, words
from satcore.dashboard.live_attack.draw_pad import digit_of
from satcore.dashboard.live_attack.room_view import BESIDE, NEWEST
from satcore.room import Room
from tests.dashboard import pages

VANILLA, SATURATED = "sigmoid-mlp/vanilla", "sigmoid-mlp/saturated"
ASKED = {"pick": "draw one", "digit": "8", "networks": [VANILLA, SATURATED]}
PIXELS = bytes((255 * data.example("test", 61).images.flatten()).byte().tolist())  # an 8


@pytest.fixture
def there() -> Iterator[Room]:
    with room.opened("127.0.0.1", 0) as there:
        yield there


def opened(**parameters) -> AppTest:
    page = pages.opened("live_attack", first=True, **(ASKED | parameters))
    assert not page.exception and not page.error
    return page


def who(page: AppTest) -> list:
    return [pills for pills in page.get("button_group") if pills.key == drawn.WHO]


def test_where_no_room_is_open_the_page_is_as_it_was():
    page = opened()
    assert not who(page) and page.info[0].value == words.DRAW


def test_where_a_room_is_open_one_can_still_draw_here(there):
    page = opened(who=drawn.HERE)
    assert who(page)[0].value == drawn.HERE and page.info[0].value == words.DRAW
    assert there.told("")["digit"] is None


def test_the_room_is_invited_and_asked_for_the_digit_and_the_networks_of_the_page(there):
    page = opened()
    assert not page.info and pages.told(page, "asks") == words.invitation(8)
    assert "http://" + pages.told(page, "address") == there.address
    told = there.told("")
    assert told["digit"] == 8 and [network["name"] for network in told["networks"]] == ASKED["networks"]
    assert [network["colour"] for network in told["networks"]] == ["#3B8BD4", "#C8589B"]


def test_what_the_room_sends_is_shown_and_what_is_chosen_is_attacked_as_if_it_were_drawn_here(there):
    page = opened()
    for k in range(NEWEST + 3):
        there.draw(f"{k:032x}", PIXELS)
        there.vote(f"{k:032x}", SATURATED)
    page = page.run()
    assert pages.told(page, "says") == words.sent(27, 27, 27)
    assert [one["number"] for one in pages.told(page, "drawings")] == list(range(27, 3, -1))
    assert "run" not in page.session_state
    there.choose(20)
    page = page.run()
    run, digit = page.session_state["run"], digit_of(PIXELS)
    assert (
        digit is not None and torch.equal(run.image, digit) and (run.settings.source, run.settings.index) == (8, None)
    )
    views = {name: pages.told(page, name) for name in ("chosen", "drawings")}
    assert views["chosen"] == 20 and len(views["drawings"]) == BESIDE
    there.clear()
    page = page.run()
    assert pages.told(page, "asks") and not pages.told(page, "drawings") and not page.exception


def test_a_room_that_has_closed_leaves_the_page_whole():
    with room.opened("127.0.0.1", 0):
        page = opened()
    page = page.run()
    assert not page.exception and not page.error and page.info[0].value == words.DRAW


def test_nothing_that_phones_send_reaches_the_page_but_pixels_and_counts(there):
    page = opened()
    there.draw("f" * 32, PIXELS)
    there.vote("f" * 32, VANILLA)
    page = page.run()
    view = next(view.proto.json for view in page.get("bidi_component") if '"drawings"' in view.proto.json)
    assert "f" * 32 not in view and set(pages.told(page, "drawings")[0]) == {"number", "pixels"}
