"""The figure behind a scene: as it ships, or computed anew on stage."""

import time

import streamlit as st

from satcore import data, evaluation, library
from satcore.dashboard.shared import digits
from satcore.dashboard.story.scenes import Scene
from satcore.evaluation import reality
from satcore.proportions import Proportion

KEY = "computed on stage"  # of the session's state: what was, by network and rung


def badge(scene: Scene) -> str:
    """What stands beside the scene's title: the figure, and whether it ships or was computed here; "" for no figure."""
    if scene.figure is None:
        return ""
    name, rung = scene.figure
    computed = st.session_state.get(KEY, {}).get(scene.figure)
    if computed:
        share, seconds = computed
        return f"live, {seconds:.1f} s: {_said(rung, share)}"
    found = reality.load(name)
    share = found.left(rung) if found else None
    return f"shipped, {library.describe(name).sha256[:4]}…: {_said(rung, share)}" if share else ""


def compute(scene: Scene) -> None:
    """Compute the scene's figure anew, on the images that the stored one is of.

    Raises ValueError as `satcore.evaluation.one_rung`.
    """
    if scene.figure is None:
        return
    name, rung = scene.figure
    found = reality.load(name)
    if found is None:
        return
    began = time.monotonic()
    images, labels = data.sample("test", found.images, found.seed)
    *_, share = evaluation.one_rung(rung, digits.network(name), images, labels, epsilon=reality.EPSILON)
    st.session_state.setdefault(KEY, {})[scene.figure] = share, time.monotonic() - began


def _said(rung: str, share: Proportion) -> str:
    return f"{rung} leaves {100 * share.share:.1f} % of {share.total:,}"
