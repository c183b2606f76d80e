"""The objection: the same attack by another gradient or another loss, on whatever robustness figure is shown."""

import itertools

import streamlit as st

from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES

ORDER = tuple(itertools.product(LOSSES, WAYS))  # autograd, exact, softened by one loss, then by the other


def possible(page: str) -> bool:
    """Whether the `page` shows an attack whose gradient and loss can be changed."""
    return page == "live_attack"


def next_way() -> None:
    """Take the next way, and after the last one the next loss."""
    state = st.session_state
    now = state.get("objective", LOSSES[0]), state.get("gradient", WAYS[0])
    loss, way = ORDER[(ORDER.index(now) + 1) % len(ORDER)] if now in ORDER else ORDER[0]
    state.update(objective=loss, gradient=way)
