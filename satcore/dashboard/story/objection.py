"""The objection: the same attack by another gradient or another loss, on whatever robustness figure is shown."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES
from satcore.dashboard.shared import stage
from satcore.dashboard.story.quoted import left_of, percent, temperature_of
from satcore.dashboard.story.scenes import Scene

ORDER = tuple(itertools.product(LOSSES, WAYS))  # autograd, exact, softened by one loss, then by the other
ATTACKS = {"Table 1": "FGSM", "ladder": "PGD"}  # by part of a page, where an attack isn't among its settings


def possible(part: str) -> bool:
    """Whether the `part` of a page shows what is left by an attack whose gradient and loss can be changed."""
    return part in ("attack", "Table 1", "ladder")


def next_way(part: str) -> None:
    """Take the next way, and after the last one the next loss: an attack's own, or those that a figure is shown by."""
    state = st.session_state
    if part == "attack":
        loss, way = _after(_aim(state))
        state.update(objective=loss, gradient=way)
    elif (asked := _after(stage.objection() or ORDER[0])) == ORDER[0]:
        del st.query_params[stage.OBJECTION]  # as it was published
    else:
        st.query_params[stage.OBJECTION] = ", ".join(asked)


def raised(scene: Scene, *, arriving: bool) -> tuple[str, str] | None:
    """The loss and the way that the figure is shown by, where these aren't the scene's own.

    Who is `arriving` at the scene has them in the address; later the page's own controls know first.
    """
    if scene.part != "attack":
        return stage.objection()
    there = st.query_params if arriving or "gradient" not in st.session_state else st.session_state
    now = _aim(there)
    return now if now in ORDER and now != _aim(scene.settings) else None


def objected(scene: Scene, objection: tuple[str, str]) -> Scene:
    """The `scene` as it is told of an `objection`, with what is left by that; one without a figure has its title alone.

    Raises ValueError as `satcore.evaluation.reality.load`.
    """
    attack = ATTACKS.get(scene.part) or scene.settings.get("attack", "PGD")  # which is the page's own
    rung, usual = (f"{attack}, {', '.join(way)}" for way in (objection, ORDER[0]))
    title = rung if rung == usual else f"The objection: {rung}"
    if scene.figure is None:
        return replace(scene, title=title)
    name, _ = scene.figure
    left, before = left_of(name, rung), left_of(name, usual)
    if left is None or before is None:
        return scene
    says = f"It leaves {name} {percent(left.share)} of {left.total:,} random test images{temperature_of(name, rung)}."
    look = (
        "the columns that stand in front; then the last one."
        if scene.part == "ladder"
        else f"the same images: {usual} leaves {percent(before.share)} of them."
    )
    return replace(scene, title=title, says=says, look=look, figure=(name, rung))


def _aim(settings: Mapping[Any, Any]) -> tuple[str, str]:
    """The loss and the way of an attack by its `settings`."""
    return settings.get("objective", LOSSES[0]), settings.get("gradient", WAYS[0])


def _after(now: tuple[str, str]) -> tuple[str, str]:
    return ORDER[(ORDER.index(now) + 1) % len(ORDER)] if now in ORDER else ORDER[0]
