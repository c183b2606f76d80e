"""One network's answer to FGSM, as a card."""

import streamlit as st

from satcore.dashboard.home.compute import FgsmView
from satcore.dashboard.shared import pictures
from satcore.dashboard.shared.digits import with_article
from satcore.dashboard.shared.style import Style


def fgsm_card(style: Style, view: FgsmView) -> None:
    """The attacked image in the network's colour, the perturbation, the prediction before and after, and a remark."""
    with st.container(border=True):
        st.markdown(f"**{style.label}**")
        st.image(
            pictures.attacked(view.before, view.after, style.colour),
            width="stretch",
            alt=f"After FGSM on the {style.label} network, and what was changed: "
            + ("nothing" if (view.after == view.before).all() else "orange pixels raised, blue ones lowered"),
        )
        st.markdown(
            f"{_says(view.predicted_before, view.confidence_before, view.label)} → "
            f"{_says(view.predicted_after, view.confidence_after, view.label)}"
        )
        st.caption(_remark(view))


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
        return f"Fooled: {with_article(view.label)} that it takes for {with_article(view.predicted_after)}."
    return "Attacked, and still recognised."
