"""What phones may send to a room, and what the stage makes of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from satcore.room import MOST, Room
from satcore.room.state import NoPlaceLeft

COLOURS = {"relu-mlp/vanilla": "#112233", "mine/other": "#445566"}
VANILLA, OTHER = COLOURS


def phone(number: int) -> str:
    return f"{number:032x}"


def drawing(grey: int) -> bytes:
    return bytes([grey]) + bytes(783)


@pytest.fixture
def room() -> Room:
    room = Room("http://192.0.2.1:8600")
    room.ask(3, COLOURS)
    return room


def test_of_a_phone_the_last_drawing_and_the_last_vote_count(room):
    for grey in range(1, 200):
        room.draw(phone(0), drawing(grey))
        room.vote(phone(0), VANILLA)
    room.vote(phone(0), OTHER)
    room.vote(phone(1), OTHER)
    seen = room.seen()
    assert seen.phones == 2 and seen.votes == {VANILLA: 0, OTHER: 2}
    assert [one.pixels for one in seen.drawings] == [drawing(199)]


def test_the_newest_drawing_comes_first(room):
    for k in (0, 1, 2, 0):
        room.draw(phone(k), drawing(k + 1))
    assert [one.pixels[0] for one in room.seen().drawings] == [1, 3, 2]


@pytest.mark.parametrize("pixels", [b"", bytes([9]) * 783, bytes([9]) * 785, bytes(784)])
def test_another_length_and_an_empty_field_are_refused(room, pixels):
    with pytest.raises(ValueError, match=r"^expected a drawing"):
        room.draw(phone(0), pixels)
    assert room.seen().phones == 0


@pytest.mark.parametrize("name", ["", "x" * 32, phone(0)[1:], phone(0) + "\n", "<b>" + phone(0)])
def test_a_phone_that_is_called_otherwise_is_refused(room, name):
    for send in (lambda: room.draw(name, drawing(1)), lambda: room.vote(name, VANILLA)):
        with pytest.raises(ValueError, match=r"^expected a phone's name"):
            send()
    assert room.seen().phones == 0


@pytest.mark.parametrize("network", ["", "relu-mlp/saturated", VANILLA + " ", "<b>"])
def test_a_vote_for_what_is_not_on_vote_is_refused(room, network):
    with pytest.raises(ValueError, match=r"^expected one of the 2 networks on vote, got another one$"):
        room.vote(phone(0), network)
    assert room.seen().phones == 0


def test_votes_for_what_is_no_longer_on_vote_are_gone(room):
    room.vote(phone(0), VANILLA)
    room.vote(phone(1), OTHER)
    room.ask(3, {OTHER: "#000000", "mine/third": "#ffffff"})
    assert room.seen().votes == {OTHER: 1, "mine/third": 0}
    assert room.told(phone(0))["vote"] == "" and room.told(phone(1))["vote"] == OTHER


def test_there_is_no_place_for_one_phone_more_until_the_room_is_cleared(room):
    for k in range(MOST):
        room.draw(phone(k), drawing(1))
    one_more = phone(MOST)
    for send in (lambda: room.draw(one_more, drawing(1)), lambda: room.vote(one_more, VANILLA)):
        with pytest.raises(NoPlaceLeft, match=f"^expected at most {MOST} phones, got one more"):
            send()
    room.vote(phone(0), VANILLA)
    assert room.told(one_more)["full"] and not room.told(phone(0))["full"]
    assert len(room.seen().drawings) == room.seen().phones == MOST
    room.clear()
    room.draw(one_more, drawing(1))
    assert room.seen().phones == 1


def test_what_is_on_stage_stays_there_although_its_phone_draws_on_and_is_told_so(room):
    room.draw(phone(0), drawing(1))
    room.draw(phone(1), drawing(2))
    room.choose(1)
    assert room.told(phone(0))["on_stage"] and not room.told(phone(1))["on_stage"]
    room.draw(phone(0), drawing(3))
    chosen = room.seen().chosen
    assert chosen is not None and chosen.pixels == drawing(1) and not room.told(phone(0))["on_stage"]
    room.choose(2)
    on_stage = room.seen().chosen
    room.choose(1)  # which isn't there any more, but was when it was pressed
    assert room.seen().chosen == on_stage is not None
    room.choose(0)
    assert room.seen().chosen is None


def test_cleared_is_what_was_sent_and_what_is_on_stage_and_not_what_is_asked(room):
    room.draw(phone(0), drawing(1))
    room.vote(phone(0), VANILLA)
    room.choose(1)
    room.clear()
    seen, told = room.seen(), room.told(phone(0))
    assert (seen.phones, seen.drawings, seen.chosen, sum(seen.votes.values())) == (0, (), None, 0)
    assert told["digit"] == 3 and [there["name"] for there in told["networks"]] == list(COLOURS)
    assert told["vote"] == "" and not told["on_stage"]
    room.draw(phone(0), drawing(2))
    room.choose(1)  # a number is never given twice
    assert room.seen().chosen is None


def test_phones_that_come_all_at_once_are_counted_rightly(room):
    def send(k: int) -> bool:
        try:
            for _ in range(5):
                room.draw(phone(k), drawing(1 + k % 255))
                room.vote(phone(k), OTHER)
                room.seen()
        except NoPlaceLeft:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(send, range(MOST + 100)))
    seen = room.seen()
    assert sum(taken) == seen.phones == len(seen.drawings) == seen.votes[OTHER] == MOST
    numbers = [one.number for one in seen.drawings]
    assert len(set(numbers)) == MOST and max(numbers) == 5 * MOST
