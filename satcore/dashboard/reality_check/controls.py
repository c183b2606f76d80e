"""What is shown of reality; each control bound to the address bar."""

import streamlit as st

from satcore.attacks.objective import LOSSES
from satcore.evaluation.reality import EPSILON, Reality
from satcore.evaluation.rungs import ONE_WORD, PUBLISHED, SOFTENINGS

COUNTS = (50, 100, 200, 500, 1_000, 10_000)  # of test images
MOST_OF_A_DIGIT = 50
FIRST = "sigmoid-mlp/saturated"  # the network that the paper is mostly about


def epsilon(epsilons: list[float]) -> float:
    """The ε that the table of attacks is shown at."""
    default = EPSILON if EPSILON in epsilons else epsilons[-1]
    return st.select_slider(
        "ε, the largest change of a pixel (the paper: 0.25)", epsilons, default, key="within", bind="query-params"
    )


def cell(found: dict[str, Reality]) -> tuple[str, str, int]:
    """A network, one of its rungs and a number of images, for a figure that is to be computed anew."""
    first, second, third = st.columns([3, 3, 3], gap="medium")
    names = list(found)
    name = first.selectbox(
        "Network",
        names,
        index=names.index(FIRST) if FIRST in names else 0,
        key="cell_network",
        bind="query-params",
        on_change=lambda: choose_count(found[st.session_state["cell_network"]]),
    )
    rungs = ["clean", *found[name].right]
    rung = second.selectbox("Attack", rungs, index=len(rungs) - 1, key="cell_rung", bind="query-params")
    images = third.select_slider(
        "Random test images",
        sorted({*COUNTS, found[name].images}),
        found[name].images,
        format_func="{:,}".format,
        key="images",
        bind="query-params",
    )
    return name, rung, images


def choose_cell(name: str, rung: str, found: Reality) -> None:
    """Choose a figure of the table, on as many images as it is of."""
    st.session_state.update(cell_network=name, cell_rung=rung)
    choose_count(found)


def choose_count(found: Reality) -> None:
    """Choose as many images as the table's figures are of."""
    st.session_state["images"] = found.images


def rungs(names: list[str]) -> list[str]:
    """Those attacks out of `names` whose curves are shown."""
    return st.pills(
        "Attacks",
        names,
        default=[PUBLISHED, ONE_WORD, "worst case"],
        selection_mode="multi",
        wrap=True,
        key="rungs",
        bind="query-params",
    )


def one_of_a_digit() -> tuple[int, int, float]:
    """A digit, the number of an image among those that show it, from 1, and the ε within which the truth is told."""
    left, middle, right = st.columns([5, 2, 5], gap="medium")
    digit = left.pills("Digit", range(10), default=7, required=True, wrap=True, key="of", bind="query-params")
    number = middle.number_input(
        "Which of these",
        1,
        MOST_OF_A_DIGIT,
        1,
        key="nth",
        bind="query-params",
        help="Of the test images on which the gradient that FGSM sees is exactly zero in both networks.",
    )
    epsilon = right.slider("ε, the largest change of a pixel", 0.0, 0.6, EPSILON, 0.01, key="ball", bind="query-params")
    return digit, number, epsilon


def loss() -> str:
    """The loss whose gradient is taken."""
    return st.pills(
        "Loss: the published attacks follow the cross-entropy",
        LOSSES,
        default=LOSSES[0],
        required=True,
        key="loss",
        bind="query-params",
    )


def temperature() -> float:
    """The temperature at which derivatives are taken."""
    return st.select_slider(
        "Temperature T: every derivative is taken at h/T",
        SOFTENINGS,
        30.0,
        format_func="{:g}".format,
        key="softness",
        bind="query-params",
    )
