"""What is looked at inside the weights; each bound to the address bar."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Record = TypeVar("Record")
A_ROW = 3  # layers
VIEWS = ("Saturation", "Weights", "Pre-activations", "A linear mechanism")
STANDARDISED = "in standard deviations"


def follow_old_link() -> None:
    """Open the view that came first when links named a network on the left and one on the right."""
    asked = st.query_params
    if "view" not in asked and ("left" in asked or "right" in asked):
        st.session_state["view"] = "Weights"


def layer(layers: Sequence[str]) -> str:
    """One of the `layers`, at first the lowest that sums, "1"."""
    there = list(layers) or ["1"]
    default = "1" if "1" in there else there[0]
    return st.pills("Layer", there, default=default, required=True, wrap=True, key="depth", bind="query-params")


def by_layer(found: Mapping[str, Sequence[Record]]) -> list[tuple[int, DeltaGenerator, dict[str, Record]]]:
    """Every layer that any network has: its number from 1, a column to draw it in, and what was found of it."""
    count = max(map(len, found.values()))
    columns = [column for _ in range(0, count, A_ROW) for column in st.columns(min(count, A_ROW))]
    return [
        (number, column, {name: there[number - 1] for name, there in found.items() if number <= len(there)})
        for number, column in zip(range(1, count + 1), columns, strict=False)
    ]


def standardised() -> bool:
    """Whether weights are shown in standard deviations from their mean."""
    ways = (STANDARDISED, "as they are")
    unit = st.pills("Weights", ways, default=STANDARDISED, required=True, key="unit", bind="query-params")
    return unit == STANDARDISED


def saturation_threshold() -> int:
    """k, where a unit counts as saturated if φ′ < 10^−k there."""
    label = "A unit is saturated where φ′ is below 10 to the power of minus …"
    return st.slider(label, 1, 16, 3, key="threshold", bind="query-params")


def prototypes() -> tuple[float, int]:
    """The excess kurtosis to draw two prototypes with, and the seed."""
    kurtosis, seed = st.columns([3, 1], gap="medium")
    return (
        kurtosis.slider("Excess kurtosis γ₂", 0.0, 20.0, 0.0, 0.5, key="kurtosis", bind="query-params"),
        seed.number_input("Seed", 0, 1_000_000, 0, key="drawn", bind="query-params"),
    )
