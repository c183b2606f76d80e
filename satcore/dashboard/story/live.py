"""The figure behind a scene: as it ships, or computed anew on stage."""

import time

import streamlit as st

from satcore import data, evaluation, library
from satcore.dashboard.shared import digits
from satcore.dashboard.story.quoted import left_of
from satcore.dashboard.story.scenes import TABLE_1, Scene
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
    share = _stored(name, rung)
    return f"shipped, {library.describe(name).sha256[:4]}…: {_said(rung, share)}" if share else ""


def compute(scene: Scene) -> None:
    """Compute the scene's figure anew, on the images that the stored one is of; where that can't be, say why."""
    if scene.figure is None:
        return
    began = time.monotonic()
    try:
        share = _computed(*scene.figure)
    except (ValueError, OSError) as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state.setdefault(KEY, {})[scene.figure] = share, time.monotonic() - began


def _stored(name: str, rung: str) -> Proportion | None:
    if rung == TABLE_1:
        measured = library.describe(name).measurements
        return _share(measured["fgsm_accuracy"], measured["images"]) if measured else None
    return left_of(name, rung)


def _computed(name: str, rung: str) -> Proportion:
    """The figure, of the images that the stored one is of."""
    network, found = digits.network(name), reality.load(name)
    if rung == TABLE_1 or found is None:
        measured = evaluation.measure(network, *data.load("test"))
        return _share(measured.fgsm_accuracy, measured.images)
    images, labels = data.sample("test", found.images, found.seed)
    *_, share = evaluation.one_rung(rung, network, images, labels, epsilon=reality.EPSILON)
    return share


def _share(right: float, images: int) -> Proportion:
    return Proportion(round(right * images), images)


def _said(rung: str, share: Proportion) -> str:
    return f"{rung} leaves {100 * share.share:.1f} % of {share.total:,}"
