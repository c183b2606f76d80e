"""Controls that pages share, each bound to the address bar, so that a link reproduces the screen."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

WAYS = ("most confident", "least confident", "random", "by index")
JUDGE = "sigmoid-mlp/saturated"


def choice_of_example(names: list[str]) -> tuple[str, dict]:
    """How an example is to be chosen: "by index" and its `index`, or another of the `WAYS` and the arguments
    of `live.chosen` that go with it. `names` are the networks whose confidence can be asked for.
    """
    how = st.pills("Which image", WAYS, default="most confident", required=True, wrap=True, key="pick", bind="query-params")
    if how == "by index":
        return how, {"index": st.number_input("Index in the test set", 0, 9_999, 0, key="index", bind="query-params")}
    digit = st.pills("Digit", range(10), default=3, required=True, wrap=True, key="digit", bind="query-params")
    default = JUDGE if JUDGE in names else names[0]
    seed, judge = 0, default
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="seed", bind="query-params")
    else:
        judge = st.selectbox("In the eyes of", names, index=names.index(default), key="judge",
                             bind="query-params")
    return how, {"digit": digit, "seed": seed, "judge": judge}


def epsilon() -> float:
    """The size ε of an L∞ perturbation."""
    return st.slider("ε, the largest change of a pixel (the paper: 0.25)", 0.0, 0.5, 0.25, 0.01, key="epsilon",
                     bind="query-params")


@contextmanager
def one_readable_line() -> Iterator[None]:
    """Where the science refuses its input, say why in one line and end the page there; never a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
