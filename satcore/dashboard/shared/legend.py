"""One legend for all figures of a page: each network's colour, dash and label."""

import html
from collections.abc import Mapping
from urllib.parse import quote

import streamlit as st

from satcore.dashboard.shared.style import Style

DASHES = {"solid": "none", "dash": "18 10", "dot": "8 8", "dashdot": "18 8 6 8"}  # as Plotly draws them


def legend(styles: Mapping[str, Style]) -> None:
    """Draw the legend of some networks, in their order."""
    entries = "".join(
        "<span style='display: inline-flex; align-items: center; gap: .5rem'>"
        f"<img alt='' width='42' height='5' src='{_stroke(style)}'>{html.escape(style.label)}</span>"
        for style in styles.values()
    )
    st.html(f"<div style='display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; font-size: 1.1rem'>{entries}</div>")


def _stroke(style: Style) -> str:
    """A network's line as an image: Streamlit takes SVGs out of HTML."""
    line = f'<path d="M0 5H84" stroke="{style.colour}" stroke-width="10" stroke-dasharray="{DASHES[style.dash]}"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="84" height="10">{line}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"
