"""The objection: the same attack by another gradient or another loss, on whatever robustness figure is shown."""

import itertools

import streamlit as st

from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES
from satcore.dashboard.shared import stage

ORDER = tuple(itertools.product(LOSSES, WAYS))  # autograd, exact, softened by one loss, then by the other


def possible(part: str) -> bool:
    """Whether the `part` of a page shows what is left by an attack whose gradient and loss can be changed."""
    return part in ("attack", "Table 1", "ladder")


def next_way(part: str) -> None:
    """Take the next way, and after the last one the next loss: an attack's own, or those that a figure is shown by."""
    state = st.session_state
    if part == "attack":
        loss, way = _after((state.get("objective", LOSSES[0]), state.get("gradient", WAYS[0])))
        state.update(objective=loss, gradient=way)
    elif (asked := _after(stage.objection() or ORDER[0])) == ORDER[0]:
        del st.query_params[stage.OBJECTION]  # as it was published
    else:
        st.query_params[stage.OBJECTION] = ", ".join(asked)


def _after(now: tuple[str, str]) -> tuple[str, str]:
    return ORDER[(ORDER.index(now) + 1) % len(ORDER)] if now in ORDER else ORDER[0]
