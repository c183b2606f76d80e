"""One legend for all figures of a page: each network's colour, dash and label."""

import html
from collections.abc import Mapping

import streamlit as st

from satcore.dashboard.shared.style import Style

STROKES = {"solid": "", "dash": "9 5", "dot": "3 4", "dashdot": "9 4 3 4"}  # as Plotly draws its dashes


def legend(styles: Mapping[str, Style]) -> None:
    """Draw the legend of some networks, in their order."""
    entries = "".join(
        "<span style='display: inline-flex; align-items: center; gap: .5rem'>"
        "<svg width='42' height='8' aria-hidden='true'>"
        f"<line x1='0' x2='42' y1='4' y2='4' stroke='{style.colour}' stroke-width='5' "
        f"stroke-dasharray='{STROKES[style.dash]}'></line></svg>{html.escape(style.label)}</span>"
        for style in styles.values()
    )
    st.html(f"<div style='display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: 1.1rem'>{entries}</div>")
