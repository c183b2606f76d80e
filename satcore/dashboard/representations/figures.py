"""Figures of what the layers of some networks tell apart, in one colour a training regime."""

import numpy as np
import plotly.graph_objects as go
from satcore.dashboard.figures import COLOURS, NEUTRAL, TEXT_SIZE

SEPARATIONS = (
    ("between", "Between digits", "mean squared difference", "Mean dissimilarity of two images of different digits"),
    ("within", "Within a digit", "mean squared difference", "Mean dissimilarity of two different images of one digit"),
    ("ratio", "Between / within", "times", "How many times as far apart two digits are as two images of one"),
)
READOUTS = (
    (
        "silhouette",
        "Silhouette",
        "mean silhouette",
        "How well the digits cluster: 1 far apart, 0 touching, below 0 mixed",
    ),
    (
        "readout",
        "Linear read-out",
        "share right",
        "Share of the images that a linear classifier of this layer gets right, fitted to 1,000 training images",
    ),
)
RSA = "Correlation of the two networks' dissimilarities over all pairs of images"


def by_layer(values: dict[str, dict[str, float]], title: str, unit: str, *, log: bool = False) -> go.Figure:
    """One number a layer, a line a network: `values` maps networks to layers to numbers. A second network of the same
    training is dashed.
    """
    figure, seen = go.Figure(), set()
    for name, layers in values.items():
        training = name.partition("/")[2]
        colour = COLOURS.get(training, NEUTRAL)  # a comparison of two networks is neither's
        figure.add_scatter(
            x=list(layers),
            y=list(layers.values()),
            name=name,
            mode="lines+markers",
            marker_size=11,
            line={"color": colour, "width": 4, "dash": "dash" if training in seen else "solid"},
            hovertemplate="%{y:.3g}<extra>" + name + ", %{x}</extra>",
        )
        seen.add(training)
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        font_size=TEXT_SIZE - 2,
        showlegend=False,
        title={"text": f"<b>{title}</b>", "font_size": TEXT_SIZE},
    )
    longest = max(values.values(), key=len)
    figure.update_xaxes(tickfont_size=TEXT_SIZE - 3, categoryorder="array", categoryarray=list(longest))
    figure.update_yaxes(
        type="log" if log else "linear",
        rangemode="normal" if log else "tozero",
        tickfont_size=TEXT_SIZE - 3,
        nticks=5,
        exponentformat="power",
        title_text=unit,
    )
    return figure


def class_means(means: np.ndarray, name: str, layer: str, high: float) -> go.Figure:
    """The mean dissimilarity of every pair of classes (10, 10), with numbers."""
    figure = go.Figure(
        go.Heatmap(
            z=means,
            zmin=0,
            zmax=high,
            colorscale="Viridis",
            texttemplate="%{z:.2g}",
            showscale=False,
            hovertemplate="a %{y} and a %{x}: %{z:.4g}<extra></extra>",
        )
    )
    figure.update_layout(
        height=480,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        font_size=TEXT_SIZE - 4,
        title={
            "text": f"<b>{name}</b>, {layer}",
            "font_size": TEXT_SIZE,
            "font_color": COLOURS[name.partition("/")[2]],
        },
    )
    figure.update_xaxes(dtick=1, title_text="digit")
    figure.update_yaxes(dtick=1, autorange="reversed", title_text="digit")
    return figure
