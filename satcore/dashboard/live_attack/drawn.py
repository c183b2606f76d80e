"""A digit that is drawn: in a field on the page or, where a room is open, on a phone of it."""

import streamlit as st
from torch import Tensor

from satcore import room
from satcore.dashboard.live_attack import words
from satcore.dashboard.live_attack.draw_pad import digit_of, draw_pad
from satcore.dashboard.live_attack.room_view import invitation, room_view
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.digits import with_article
from satcore.dashboard.shared.style import Style
from satcore.room import Drawing, Room

HERE, ROOM = "here", "the room"  # which is what it is open for
WHO = "who"  # of the session's state, and in the address


def drawing(digit: int, styles: dict[str, Style]) -> Tensor | None:
    """What is drawn to show the `digit`, (1, 1, 28, 28) float32 in [0, 1]; None as long as nothing is.

    The room is asked which network of the line-up falls first, each in its style.
    """
    there = room.here()
    if there is None or _who() == HERE:
        drawn = draw_pad(key="pad")
        if stage.on_stage():  # there the controls, which say so, are folded away
            st.markdown(words.COUNTS_AS.format(digit=with_article(digit)))
        return drawn
    there.ask(digit, {name: style.colour for name, style in styles.items()})
    chosen = there.seen().chosen
    _as_it_comes(there, styles, chosen)
    return digit_of(chosen.pixels) if chosen else None


def wanted(digit: int) -> None:
    """Ask for a drawing of the `digit`, where there is none: by how phones reach the room, where it is to draw."""
    there = room.here()
    if there is None or st.session_state.get(WHO) != ROOM:
        draw = words.DRAW_ON_STAGE.format(digit=with_article(digit)) if stage.on_stage() else words.DRAW
        st.info(draw, icon=":material/draw:")
    else:
        invitation(there, digit, key="invitation")


def _who() -> str:
    return st.pills("Who draws", (HERE, ROOM), default=ROOM, required=True, key=WHO, bind="query-params")


@st.fragment(run_every=1.0)
def _as_it_comes(there: Room, styles: dict[str, Style], attacked: Drawing | None) -> None:
    """What the room sends, again and again; the page anew where another drawing than the `attacked` one is chosen."""
    room_view(there, styles, key="room")
    if there.seen().chosen != attacked:
        st.rerun()
