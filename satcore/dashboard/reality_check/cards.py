"""One network's gradients at an image, as a card."""

import streamlit as st

from satcore.dashboard.reality_check import words
from satcore.dashboard.reality_check.compute import GradientView
from satcore.dashboard.shared import pictures
from satcore.dashboard.shared.style import Style


def gradient_card(style: Style, views: dict[str, GradientView]) -> None:
    """The gradient at one image in each of the ways, side by side, and how large it is in each."""
    sizes = {way: words.size(view.log10_norm) for way, view in views.items()}
    with st.container(border=True):
        st.markdown(f"**{style.label}**")
        st.image(
            pictures.gradients([view.direction for view in views.values()], style.colour),
            width="stretch",
            alt=f"The gradient of {style.label}: " + ", ".join(f"{way} {size}" for way, size in sizes.items()),
        )
        st.markdown(" · ".join(f"{way} **{size}**" for way, size in sizes.items()))
