"""What every attack leaves of every network: a table whose cells can be chosen."""

from collections.abc import Callable
from html import escape

import streamlit as st

from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.style import FAMILY_TITLES, styles
from satcore.evaluation.reality import EPSILON, Reality
from satcore.evaluation.rungs import AIMED
from satcore.library import Card

COLUMNS = {  # headings, from the top: one, or an attack, its loss, and the way its gradient is taken
    "clean": ["no attack"],
    "paper": ["the paper's FGSM"],
    "noise": ["noise"],
    **{aim: aim.split(", ") for aim in AIMED},
    "transfer": ["transfer"],
    "Square": ["Square"],
    "worst case": ["worst case"],
}
ATTACKS = list(COLUMNS)[2:]
OWN = "Your own"
_component = component(__file__)


def ladder_view(
    found: dict[str, Reality],
    cards: dict[str, Card],
    published: dict[str, tuple[float, float]],
    epsilon: float,
    compute: Callable[[str, str], None],
    objection: tuple[str, str] | None = None,
    *,
    key: str,
) -> None:
    """Draw what each rung leaves at `epsilon`, a row a network, those of one group beneath one another.

    With an `objection`, a loss and a way of taking the gradient, attacks by others step back. Where a figure is to be
    computed anew, `compute` is called with the network's name and the rung, before the page is run again.
    """

    def choose() -> None:
        if chosen := st.session_state[key].chosen:
            compute(chosen["network"], chosen["rung"])

    counts = {
        group: {there.images for name, there in found.items() if _group(cards[name]) == group}
        for group in map(_group, cards.values())
    }
    rows = [
        {
            "name": name,
            "group": _group(cards[name]),
            "heading": _heading(_group(cards[name]), counts[_group(cards[name])]),
            "label": cards[name].training if cards[name].shipped and cards[name].training else name,
            "colour": styles([cards[name]])[name].colour,
            "cells": [_cell(there, name, rung, published, epsilon) for rung in COLUMNS],
        }
        for name, there in found.items()
    ]
    _component(
        key=key,
        data={
            "columns": list(COLUMNS.values()),
            "rungs": list(COLUMNS),
            "rows": rows,
            "aside": [rung in AIMED and not rung.endswith(", ".join(objection or ())) for rung in COLUMNS],
        },
        on_chosen_change=choose,
    )


def _group(card: Card) -> str:
    return FAMILY_TITLES.get(card.group, card.group) if card.shipped else OWN


def _heading(group: str, counts: set[int]) -> str:
    """A group, and of how many images its figures are."""
    return escape(f"{group}, n = {' or '.join(f'{count:,}' for count in sorted(counts))}")


def _cell(
    found: Reality, name: str, rung: str, published: dict[str, tuple[float, float]], epsilon: float
) -> dict | None:
    """The share left, in percent, and what is said of it; None where there is nothing to say."""
    if rung == "paper":
        if name not in published or epsilon != EPSILON:
            return None
        reported = published[name][1]
        return {"percent": reported, "says": f"{name}: {reported:.2f} % after FGSM, as the paper reports it."}
    left = found.left(rung, epsilon) if epsilon in found.epsilons else None
    if left is None:
        return None
    low, high = (f"{100 * bound:.1f}" for bound in left.interval)
    attack = "without attack" if rung == "clean" else f"after {rung}"
    if temperature := found.temperature(rung, epsilon):
        attack += f" at T = {temperature:g}"
    return {
        "percent": 100 * left.share,
        "says": f"{name}, {attack}: {left.count:,} of {left.total:,} random test images right, "
        f"{100 * left.share:.1f} % (95 % interval {low} to {high} %).",
    }
