"""Which family is looked at, and in which way; each bound to the address bar."""

from collections.abc import Sequence

import streamlit as st

from satcore.dashboard.over_seeds.words import ALONE, VIEWS
from satcore.recipes import TRAININGS


def family(there: Sequence[str]) -> str:
    """One of the families of which networks are on record."""
    return st.pills(
        "Family",
        there,
        default=there[0],
        required=True,
        wrap=True,
        label_visibility="collapsed",
        key="family",
        bind="query-params",
    )


def view() -> str:
    """How networks are told apart: by their seeds, or by λ."""
    return st.segmented_control(
        "Told apart by",
        VIEWS,
        default=VIEWS[0],
        required=True,
        label_visibility="collapsed",
        key="view",
        bind="query-params",
    )


def trainings() -> tuple[str, ...]:
    """Which trainings are shown: all, or only the saturated one and its control, which then fill the axes."""
    return ALONE if st.toggle(f"Only {' and '.join(ALONE)}", key="alone", bind="query-params") else TRAININGS
