"""One legend for all figures of a page: each network's colour, dash and label."""

import html
from collections.abc import Mapping

import streamlit as st

from satcore.dashboard.shared.style import Style

DASHES = {"solid": "none", "dash": "9 5", "dot": "4 4", "dashdot": "9 4 3 4"}  # as Plotly draws them


def legend(styles: Mapping[str, Style]) -> None:
    """Draw the legend of some networks, in their order."""
    entries = "".join(
        "<span style='display: inline-flex; align-items: center; gap: .5rem'>"
        "<svg width='42' height='5' aria-hidden='true'><line x2='42' y1='2.5' y2='2.5' stroke-width='5' "
        f"stroke='{style.colour}' stroke-dasharray='{DASHES[style.dash]}'/></svg>"
        f"{html.escape(style.label)}</span>"
        for style in styles.values()
    )
    st.html(f"<div style='display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: 1.1rem'>{entries}</div>")
