"""Figures of weights and pre-activations, in one colour a training regime (Fig. 1, 2 and 6)."""

import numpy as np
import plotly.graph_objects as go
from satcore.dashboard.figures import COLOURS, NEUTRAL, TEXT_SIZE

from satcore.weights import Histogram, Shape


def weights(shapes: dict[str, Shape], title: str, *, standardised: bool) -> go.Figure:
    """The density of one layer's weights in some networks, each with the Gaussian of its variance, on a log axis; the weights
    as they are, or in standard deviations from their mean.
    """
    figure, lowest, highest = go.Figure(), np.inf, 0.0
    for name, shape in shapes.items():
        centre, unit = (shape.mean, shape.deviation) if standardised else (0.0, 1.0)
        histogram = Histogram((shape.histogram.edges - centre) / unit, shape.histogram.counts)
        _density(figure, name, histogram)
        w = np.linspace(histogram.edges[0], histogram.edges[-1], 400)
        mean, deviation = (shape.mean - centre) / unit, shape.deviation / unit
        figure.add_scatter(
            x=w,
            y=np.exp(-(((w - mean) / deviation) ** 2) / 2) / deviation / np.sqrt(2 * np.pi),
            mode="lines",
            showlegend=False,
            line={"color": _colour(name), "width": 2, "dash": "dot"},
            hovertemplate="Gaussian of the same variance<extra></extra>",
        )
        lowest, highest = (
            min(lowest, histogram.density[histogram.counts > 0].min()),
            max(highest, histogram.density.max()),
        )
    figure.update_yaxes(
        type="log",
        range=[np.log10(lowest) - 0.2, np.log10(highest) + 0.3],
        title_text="density",
        exponentformat="power",
        dtick=1 if highest < 1e5 * lowest else 2,
    )
    return _finished(figure, title, "weight, in standard deviations" if standardised else "weight", legend=True)


def pre_activations(histograms: dict[str, Histogram], title: str) -> go.Figure:
    """The density of one layer's pre-activations in some networks, on a log axis."""
    figure = go.Figure()
    for name, histogram in histograms.items():
        _density(figure, name, histogram)
    figure.update_yaxes(type="log", title_text="density", exponentformat="power", dtick=2)
    return _finished(figure, title, "pre-activation h", legend=True)


def mechanism(kurtoses: np.ndarray, limits: np.ndarray, sampled_at, means: np.ndarray, errors: np.ndarray) -> go.Figure:
    """Fig. 6: the scaled ratio of Eq. 14 against excess kurtosis, sampled, with its limit; the Gaussian marked."""
    figure = go.Figure()
    figure.add_scatter(
        x=kurtoses,
        y=limits,
        mode="lines",
        name="limit in high dimension",
        line={"color": NEUTRAL, "width": 4},
        hovertemplate="limit %{y:.4f}<extra></extra>",
    )
    figure.add_scatter(
        x=sampled_at,
        y=means,
        mode="markers",
        name="sampled, 20,000 dimensions",
        error_y={"array": errors, "thickness": 2},
        marker={"size": 12, "color": ["#D62728"] + [COLOURS["saturated"]] * (len(means) - 1)},
        hovertemplate="γ₂ = %{x}: %{y:.4f} ± %{error_y.array:.4f}<extra></extra>",
    )
    figure.add_annotation(x=0, y=means[0], text="Gaussian", showarrow=True, ax=70, ay=24, font_size=TEXT_SIZE)
    figure.update_layout(legend={"x": 0.98, "xanchor": "right", "y": 0.05, "font_size": TEXT_SIZE - 2}, showlegend=True)
    figure.update_yaxes(title_text="ε_min / mean |w₁|")
    return _finished(figure, "", "excess kurtosis γ₂", height=480, legend=True)


def layer_ratios(ratios: dict[str, tuple[np.ndarray, np.ndarray]]) -> go.Figure:
    """The scaled ratio of prototypes drawn from each layer's own weights, with standard errors, a group a layer."""
    figure = go.Figure()
    for name, (means, errors) in ratios.items():
        layers = [f"layer {number}" for number in range(1, len(means) + 1)]
        figure.add_bar(
            x=layers,
            y=means,
            name=name,
            marker_color=_colour(name),
            error_y={"array": errors, "thickness": 2},
            text=[f"{mean:.2f}" for mean in means],
            textposition="outside",
            hovertemplate="%{y:.4f}<extra>" + name + "</extra>",
        )
    figure.update_layout(barmode="group")
    figure.update_yaxes(title_text="ε_min / mean |w₁|", rangemode="tozero")
    return _finished(figure, "", "", height=480, legend=True)


def prototypes(first: np.ndarray, second: np.ndarray, shown: int = 200) -> go.Figure:
    """The first components of two prototypes, one above the other."""
    figure = go.Figure()
    for w, colour, name in ((first, COLOURS["saturated"], "w₁"), (second, NEUTRAL, "w₂")):
        figure.add_bar(
            y=w[:shown],
            name=name,
            marker={"color": colour, "line_width": 0},
            hovertemplate="%{y:.4f}<extra>" + name + "</extra>",
        )
    figure.update_layout(barmode="overlay", bargap=0.1)
    figure.update_yaxes(title_text="component", range=[-0.075, 0.075])
    return _finished(figure, "", f"the first {shown} of 20,000 components", height=360, legend=True)


ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font_size": TEXT_SIZE - 3}


def _density(figure: go.Figure, name: str, histogram: Histogram) -> None:
    centres = (histogram.edges[1:] + histogram.edges[:-1]) / 2
    there = histogram.counts > 0
    figure.add_scatter(
        x=centres[there],
        y=histogram.density[there],
        mode="lines",
        name=name,
        fill="tozeroy",
        line={"color": _colour(name), "width": 3, "shape": "hvh"},
        opacity=0.9,
        hovertemplate="%{x:.3g}: density %{y:.3g}<extra>" + name + "</extra>",
    )


def _colour(name: str) -> str:
    return COLOURS[name.partition("/")[2]]


def _finished(figure: go.Figure, title: str, x: str, height: int = 360, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 72, "b": 8},
        font_size=TEXT_SIZE - 2,
        showlegend=legend,
        title={"text": f"<b>{title}</b>", "font_size": TEXT_SIZE},
    )
    figure.update_xaxes(title_text=x, tickfont_size=TEXT_SIZE - 3)
    figure.update_yaxes(tickfont_size=TEXT_SIZE - 3)
    if legend and figure.layout.legend.x is None:
        figure.update_layout(legend=ABOVE)
    return figure
