"""Controls that pages share, each bound to the address bar, so that a link reproduces the screen."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from satcore.recipes import FAMILIES, TRAININGS

WAYS = ("most confident", "least confident", "random", "by index")
JUDGE = "sigmoid-mlp/saturated"
PAIRS = ((1, 7), (3, 7), (6, 9), (0, 6))  # those of the paper's Fig. 4
POINTS = (51, 101, 201, 501, 1001)


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


def family(names: list[str]) -> tuple[str, list[str]]:
    """The family chosen, and those of the networks `names` that belong to it, in the order of the trainings."""
    chosen = st.pills("Family", FAMILIES, default="sigmoid-mlp", required=True, wrap=True, key="family", bind="query-params")
    there = [f"{chosen}/{training}" for training in TRAININGS if f"{chosen}/{training}" in names]
    if not there:
        raise ValueError(f"expected a trained network of the family {chosen}, got none: "
                         "train them with `python -m satcore train --all`")
    return chosen, there


def pair_of_digits() -> tuple[int, int]:
    """The source's digit and the target's, and the paper's pairs to choose with one press."""
    def choose(source: int, target: int) -> None:
        st.session_state.update(source=source, target=target)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("The paper's pairs:")
        for source, target in PAIRS:
            st.button(f"{source} → {target}", on_click=choose, args=(source, target), key=f"pair {source} {target}")
    source, target = st.columns(2)
    return (source.pills("From a", range(10), default=1, required=True, wrap=True, key="source", bind="query-params"),
            target.pills("to a", range(10), default=7, required=True, wrap=True, key="target", bind="query-params"))


def choice_of_pair(names: list[str]) -> tuple[str, dict, dict]:
    """How the images of both digits are to be chosen: one of the `WAYS`, and for the source and the target what goes
    with it: an `index`, or the further arguments of `live.chosen`. `names` are the networks whose confidence can be asked for.
    """
    how = st.pills("Which image of each", WAYS, default="most confident", required=True, wrap=True, key="which", bind="query-params")
    if how == "by index":
        source, target = st.columns(2)
        return (how, {"index": source.number_input("Index of the source", 0, 9_999, 2, key="from", bind="query-params")},
                {"index": target.number_input("Index of the target", 0, 9_999, 0, key="to", bind="query-params")})
    default = next((name for name in names if name.endswith("/saturated")), names[0])
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="draw", bind="query-params")
        return how, {"seed": seed, "judge": default}, {"seed": seed + 1, "judge": default}
    trainings = [name.partition("/")[2] for name in names]
    eyes = st.pills("In the eyes of", trainings, default=default.partition("/")[2], required=True, wrap=True,
                    key="eyes", bind="query-params")
    judge = {"seed": 0, "judge": names[trainings.index(eyes)]}
    return how, judge, judge


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
