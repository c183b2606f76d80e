"""What every attack leaves of every network: a table whose cells can be chosen."""

import streamlit as st
from satcore.dashboard.encoded import component
from satcore.dashboard.figures import COLOURS, FAMILY_TITLES
from satcore.reality import Reality

COLUMNS = {
    "clean": ("", "no attack"),
    "paper": ("", "the paper's FGSM"),
    "noise": ("", "noise"),
    **{f"{attack}, {way}": (attack, way) for attack in ("FGSM", "PGD") for way in ("autograd", "exact", "softened")},
    "transfer": ("", "transfer"),
    "Square": ("", "Square"),
    "worst case": ("", "worst case"),
}
ATTACKS = list(COLUMNS)[2:]
_component = component("ladder_view")


def ladder_view(
    found: dict[str, Reality], published: dict[str, tuple[float, float]], epsilon: float, *, key: str
) -> None:
    """Draw what each rung leaves at `epsilon`, a row a network. A cell that is pressed becomes `cell_network` and `cell_rung`
    in the session's state, and `cell pressed` true.
    """

    def choose() -> None:
        if chosen := st.session_state[key].chosen:
            st.session_state.update(cell_network=chosen["network"], cell_rung=chosen["rung"])
            st.session_state["cell pressed"] = True

    rows = [
        {
            "name": name,
            "family": FAMILY_TITLES[name.partition("/")[0]],
            "training": name.partition("/")[2],
            "colour": COLOURS[name.partition("/")[2]],
            "cells": [_cell(there, name, rung, published, epsilon) for rung in COLUMNS],
        }
        for name, there in found.items()
    ]
    _component(
        key=key,
        data={"columns": [list(heading) for heading in COLUMNS.values()], "rungs": list(COLUMNS), "rows": rows},
        on_chosen_change=choose,
    )


def _cell(
    found: Reality, name: str, rung: str, published: dict[str, tuple[float, float]], epsilon: float
) -> dict | None:
    """The share left, in percent, and what is said of it; None where there is nothing to say."""
    if rung == "paper":
        if name not in published or epsilon != 0.25:
            return None
        return {
            "percent": published[name][1],
            "says": f"{name}: {published[name][1]:.2f} % after FGSM, as the paper reports it.",
        }
    left = found.left(rung, epsilon)
    if left is None:
        return None
    low, high = (f"{100 * bound:.1f}" for bound in left.interval)
    softness = (
        f" at T = {found.temperatures[rung][found.epsilons.index(epsilon)]:g}" if rung in found.temperatures else ""
    )
    attack = "without attack" if rung == "clean" else f"after {rung}{softness}"
    return {
        "percent": 100 * left.share,
        "says": f"{name}, {attack}: {left.count:,} of {left.total:,} images right, "
        f"{100 * left.share:.1f} % (95 % interval {low} to {high} %).",
    }
