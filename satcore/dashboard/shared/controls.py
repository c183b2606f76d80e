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
    seed, judge = 0, in_the_eyes_of(chosen)
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="seed", bind="query-params")
    else:
        names = list(chosen)
        judge = st.selectbox("In the eyes of", names, index=names.index(judge), key="judge", bind="query-params")
    return how, {"digit": digit, "seed": seed, "judge": judge}
