"""Controls that several pages have, each bound to the address bar, so that a link reproduces the screen."""

import streamlit as st

from satcore.dashboard.shared.line_up import in_the_eyes_of
from satcore.dashboard.shared.style import Style

WAYS = ("most confident", "least confident", "random", "by index")


def choice_of_example(chosen: dict[str, Style], more: tuple[str, ...] = ()) -> tuple[str, dict]:
    """How an example is to be chosen, and what `digits.index_of` needs for it.

    One of the `WAYS`, or one `more` way and the `digit`. `chosen` are the networks whose confidence can be asked for.
    """
    how = st.pills(
        "Which image",
        (*WAYS, *more),
        default="most confident",
        required=True,
        wrap=True,
        key="pick",
        bind="query-params",
    )
    if how == "by index":
        return how, {"index": st.number_input("Index in the test set", 0, 9_999, 0, key="index", bind="query-params")}
    label = "You draw a" if how in more else "Digit"
    digit = st.pills(label, range(10), default=3, required=True, wrap=True, key="digit", bind="query-params")
    if how in more:
        return how, {"digit": digit}
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="seed", bind="query-params")
        return how, {"digit": digit, "seed": seed, "judge": in_the_eyes_of(chosen)}
    return how, {"digit": digit, "seed": 0, "judge": judge(chosen)}


def judge(chosen: dict[str, Style]) -> str:
    """The one of the `chosen` networks whose confidence decides."""
    names, first = list(chosen), in_the_eyes_of(chosen)
    if (before := st.session_state.get("judge", first)) not in names:  # the line-up is another now
        st.session_state["judge"] = first
        st.toast(f"{before} isn't shown now: the image is chosen in the eyes of {first}.")
    return st.selectbox("In the eyes of", names, index=names.index(first), key="judge", bind="query-params")
