"""One network's answer to an attack, as a card."""

import math

import streamlit as st

from satcore.dashboard import pictures
from satcore.dashboard.figures import COLOURS
from satcore.dashboard.live import FgsmView, GradientView

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fgsm_card(training: str, view: FgsmView) -> None:
    """The attacked image in the regime's colour, the perturbation, the prediction before and after, and a remark."""
    with st.container(border=True):
        st.markdown(f"**{training}**")
        st.image(
            pictures.attacked(view.before, view.after, COLOURS[training]),
            width="stretch",
            alt=f"After FGSM on the {training} network, and what was changed: "
            + ("nothing" if (view.after == view.before).all() else "orange pixels raised, blue ones lowered"),
        )
        st.markdown(
            f"{_says(view.predicted_before, view.confidence_before, view.label)} → "
            f"{_says(view.predicted_after, view.confidence_after, view.label)}"
        )
        st.caption(_remark(view))


def gradient_card(training: str, views: dict[str, GradientView]) -> None:
    """The gradient at one image in each of the ways, side by side, and how large it is in each."""
    with st.container(border=True):
        st.markdown(f"**{training}**")
        st.image(
            pictures.gradients([view.direction for view in views.values()], COLOURS[training]),
            width="stretch",
            alt=f"The gradient of the {training} network: "
            + ", ".join(f"{way} {_size(view.log10_norm)}" for way, view in views.items()),
        )
        st.markdown(" · ".join(f"{way} **{_size(view.log10_norm)}**" for way, view in views.items()))


def _size(log10_norm: float) -> str:
    return "exactly zero" if log10_norm == -math.inf else "10" + str(round(log10_norm)).translate(SUPERSCRIPTS)


def _says(predicted: int, confidence: float, label: int) -> str:
    return f":{'green' if predicted == label else 'red'}[**{predicted}**] ({100 * confidence:.1f} %)"


def _remark(view: FgsmView) -> str:
    before = "" if view.predicted_before == view.label else " It was wrong before."
    if view.zero_gradient:
        return f":material/block: The gradient is **exactly zero**: FGSM left the image as it was.{before}"
    if (view.after == view.before).all():
        return f"Nothing was changed.{before}"
    if before:
        return "Wrong before the attack already."
    if view.predicted_after != view.label:
        return f"Fooled: a {view.label} that it takes for a {view.predicted_after}."
    return "Attacked, and still recognised."
