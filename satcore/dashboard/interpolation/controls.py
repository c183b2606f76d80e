"""Between which images one walks, and how finely; each bound to the address bar."""

import streamlit as st

from satcore.dashboard.shared.controls import WAYS, judge
from satcore.dashboard.shared.line_up import in_the_eyes_of
from satcore.dashboard.shared.style import Style

CORNERS = ("lower left", "lower right", "top")
PAIRS = ((1, 7), (3, 7), (6, 9), (0, 6))  # those of the paper's Fig. 4


def papers_pairs() -> None:
    """The pairs of the paper's Fig. 4, each chosen with one press: they set the corners "source" and "target"."""
    st.caption("The paper's pairs")
    with st.container(horizontal=True, gap="xsmall"):
        for source, target in PAIRS:
            st.button(f"{source}→{target}", on_click=_choose, args=(source, target), key=f"pair {source} {target}")


def _choose(source: int, target: int) -> None:
    st.session_state.update(source=source, target=target, which="most confident")


def which_of_each(chosen: dict[str, Style]) -> tuple[str, dict]:
    """How the image of each digit is to be chosen, one of the `WAYS`, and what `digits.index_of` needs for all alike.

    `chosen` are the networks whose confidence can be asked for.
    """
    how = st.pills(
        "Which image of each",
        WAYS,
        default="most confident",
        required=True,
        wrap=True,
        key="which",
        bind="query-params",
    )
    if how == "by index":
        return how, {}
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="draw", bind="query-params")
        return how, {"seed": seed, "judge": in_the_eyes_of(chosen)}
    return how, {"seed": 0, "judge": judge(chosen)}


def corner(label: str, key: str, digit: int, how: str, common: dict) -> dict:
    """One of the images that a line or a triangle runs between, as `digits.index_of` takes it: a digit, at first
    `digit`, or, by index, a number.
    """
    if how == "by index":
        return {
            "index": st.number_input(
                f"{label}: index in the test set", 0, 9_999, digit, key=f"{key}_index", bind="query-params"
            )
        }
    chosen = st.pills(f"{label} a", range(10), default=digit, required=True, wrap=True, key=key, bind="query-params")
    return {"digit": chosen, **common}


def scale() -> str:
    """That of length elements and singular values: "log" or "linear"."""
    return st.pills(
        "Length element, singular values",
        ("log", "linear"),
        default="log",
        required=True,
        key="scale",
        bind="query-params",
    )


def points(convolves: bool) -> int:
    """How many points of a line the Jacobian is computed at; fewer for convolutions, which take many times as long."""
    key, default = ("cnn_points", 51) if convolves else ("points", 101)
    return st.pills(
        "Points", (51, 101, 201, 501), default=default, required=True, wrap=True, key=key, bind="query-params"
    )


def side(convolves: bool) -> int:
    """Points a side of a plane's map; coarser for convolutions, which take many times as long."""
    key, default = ("cnn_grid", 50) if convolves else ("grid", 200)
    return st.pills("Grid", (50, 100, 200), default=default, required=True, key=key, bind="query-params")
