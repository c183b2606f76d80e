"""One legend for all figures of a page: each network's colour, dash and label."""

import html
from collections.abc import Mapping

import streamlit as st

from satcore.dashboard.shared.style import Style

STROKES = {  # as Plotly draws its dashes: where the line ends and begins again, in pixels
    "solid": "{0} 0 42px",
    "dash": "{0} 0 9px, transparent 9px 14px",
    "dot": "{0} 0 4px, transparent 4px 8px",
    "dashdot": "{0} 0 9px, transparent 9px 13px, {0} 13px 16px, transparent 16px 20px",
}


def legend(styles: Mapping[str, Style]) -> None:
    """Draw the legend of some networks, in their order."""
    entries = "".join(
        "<span style='display: inline-flex; align-items: center; gap: .5rem'>"
        "<i style='display: inline-block; width: 42px; height: 5px; background: "
        f"repeating-linear-gradient(90deg, {STROKES[style.dash].format(style.colour)})'></i>"
        f"{html.escape(style.label)}</span>"
        for style in styles.values()
    )
    st.html(f"<div style='display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: 1.1rem'>{entries}</div>")
