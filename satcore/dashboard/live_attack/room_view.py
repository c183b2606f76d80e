"""What the phones of a room send, as it comes, and how they get there."""

import base64

import segno
import streamlit as st

from satcore.dashboard.live_attack import words
from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.style import Style
from satcore.room import Room

NEWEST, BESIDE = 24, 12  # drawings to choose from, and beside an attack

_component = component(__file__)


def invitation(room: Room, digit: int, *, key: str) -> None:
    """Draw how to get to the `room`, and that a `digit` is to be drawn there, for all who sit in it."""
    _component(key=key, data={**_way(room), "asks": words.invitation(digit)})


def room_view(room: Room, styles: dict[str, Style], *, key: str) -> None:
    """Draw what was sent: the newest drawings, to put one on stage, and the votes, each network in its style.

    What is pressed is done at once: a drawing put on stage or taken off it, or all of it cleared.
    """
    seen = room.seen()
    _component(
        key=key,
        data={
            **_way(room),
            "says": words.sent(seen.phones, len(seen.drawings), sum(seen.votes.values())),
            "chosen": seen.chosen.number if seen.chosen else 0,
            "drawings": [
                {"number": drawing.number, "pixels": base64.b64encode(drawing.pixels).decode("ascii")}
                for drawing in seen.drawings[: BESIDE if seen.chosen else NEWEST]
            ],
            "networks": [
                {"name": name, "colour": styles[name].colour, "votes": votes}
                for name, votes in seen.votes.items()
                if name in styles
            ],
        },
        on_chosen_change=lambda: room.choose(int(st.session_state[key].chosen)),
        on_cleared_change=room.clear,
    )


def _way(room: Room) -> dict[str, str]:
    """As it is scanned, and as it is typed."""
    return {
        "code": segno.make_qr(room.address).svg_data_uri(light="white"),
        "address": room.address.removeprefix("http://"),
    }
