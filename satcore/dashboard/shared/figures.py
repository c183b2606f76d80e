"""How pages show figures of Plotly's."""

import plotly.graph_objects as go
from streamlit.delta_generator import DeltaGenerator

from satcore.dashboard.shared import stage

CONFIG = {  # one button, which saves the figure as SVG
    "displaylogo": False,
    "modeBarButtons": [["toImage"]],
    "toImageButtonOptions": {"format": "svg"},
}


def titled(label: str, colour: str) -> str:
    """The title of a figure of one network: its `label` beside its `colour`, which is no colour for text."""
    return f"<span style='color: {colour}'>■</span> <b>{label}</b>"


def draw(place: DeltaGenerator, key: str, figure: go.Figure, alt: str) -> None:
    """Draw a figure, which `alt` says in words."""
    place.plotly_chart(figure, key=key, height=stage.height(), config=CONFIG, alt=alt)
