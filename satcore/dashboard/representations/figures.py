"""Figures of what the layers of some networks tell apart, a colour and a dash a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from streamlit.delta_generator import DeltaGenerator

from satcore.dashboard.representations import words
from satcore.dashboard.representations.rdm_view import share
from satcore.dashboard.shared import cache
from satcore.dashboard.shared import figures as shared
from satcore.dashboard.shared.layers import in_order
from satcore.dashboard.shared.style import TEXT_SIZE, Style


@dataclass(frozen=True)
class Curve:
    """What a figure of one number a layer is called, its unit, and what it shows."""

    title: str
    unit: str
    what: str
    log: bool = False


SEPARATIONS = {
    "between": Curve(
        "Between digits", "mean squared difference", "Mean dissimilarity of two images of different digits", log=True
    ),
    "within": Curve(
        "Within a digit", "mean squared difference", "Mean dissimilarity of two different images of one digit", log=True
    ),
    "ratio": Curve(
        "Between / within", "times", "How many times as far apart two digits are as two images of one", log=True
    ),
}
READOUTS = {
    "silhouette": Curve(
        "Silhouette", "mean silhouette", "How well the digits cluster: 1 far apart, 0 touching, below 0 mixed"
    ),
    "readout": Curve(
        "Linear read-out",
        "share right",
        "Share of the images that a linear classifier of this layer gets right, fitted to 1,000 training images",
    ),
}


def likeness(reference: Style) -> Curve:
    """What the figure is called that shows how alike each network's dissimilarities are to those of the first."""
    what = f"Correlation of each network's dissimilarities with those of {reference.label}, over all pairs of images"
    return Curve(f"RSA: how alike to {reference.label}", "correlation", what)


def draw(column: DeltaGenerator, key: str, curve: Curve, values: words.ByLayer, styles: Mapping[str, Style]) -> None:
    """Draw one number a layer, a line a network, with what it shows written below."""
    shared.draw(column, key, by_layer(values, styles, curve), words.alternative(curve.what, values, styles))
    column.caption(curve.what)


@cache.drawn
def by_layer(values: words.ByLayer, styles: Mapping[str, Style], curve: Curve) -> go.Figure:
    """One number a layer, a line a network."""
    figure = go.Figure()
    for name, layers in values.items():
        style = styles[name]
        figure.add_scatter(
            x=list(layers),
            y=list(layers.values()),
            name=style.label,
            mode="lines+markers",
            marker_size=11,
            line={"color": style.colour, "width": 4, "dash": style.dash},
            hovertemplate="%{y:.3g}<extra>" + style.label + ", %{x}</extra>",
        )
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        font_size=TEXT_SIZE - 2,
        showlegend=False,
        title={"text": f"<b>{curve.title}</b>", "font_size": TEXT_SIZE},
    )
    order = in_order([list(layers) for layers in values.values()])
    figure.update_xaxes(tickfont_size=TEXT_SIZE - 3, categoryorder="array", categoryarray=order)
    figure.update_yaxes(
        type="log" if curve.log else "linear",
        rangemode="normal" if curve.log else "tozero",
        tickfont_size=TEXT_SIZE + 1 if curve.log else TEXT_SIZE - 3,  # between powers 2 and 5 are written at 75 %
        nticks=5,
        exponentformat="power",
        title_text=curve.unit,
    )
    return figure


def class_means(means: np.ndarray, style: Style, layer: str, high: float, scale: str) -> go.Figure:
    """The mean dissimilarity of every pair of classes (10, 10), with numbers, on the colour `scale` up to `high`."""
    figure = go.Figure(
        go.Heatmap(
            z=share(means, high, scale),
            zmin=0,
            zmax=1,
            text=[[f"{mean:.2f}" for mean in row] for row in means],
            customdata=means,
            colorscale="Viridis",
            texttemplate="%{text}",
            textfont_size=TEXT_SIZE - 4,
            showscale=False,
            hovertemplate="%{y} and %{x}: %{customdata:.4g}<extra></extra>",
        )
    )
    figure.update_layout(
        height=480,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        font_size=TEXT_SIZE - 4,
        title={"text": f"{shared.titled(style.label, style.colour)}, {layer}", "font_size": TEXT_SIZE},
    )
    figure.update_xaxes(dtick=1, title_text="digit", tickfont_size=TEXT_SIZE - 3)
    figure.update_yaxes(dtick=1, autorange="reversed", title_text="digit", tickfont_size=TEXT_SIZE - 3)
    return figure
