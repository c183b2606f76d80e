"""Figures of weights and pre-activations, a colour and a dash a network (Fig. 1, 2 and 6)."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from satcore.dashboard.shared.figures import draw
from satcore.dashboard.shared.style import NEUTRAL, TEXT_SIZE, Style
from satcore.dashboard.weights import words
from satcore.dashboard.weights.compute import Curve, Ratios
from satcore.weights import Histogram, Saturation, Shape

DARK, PALER = "#6F7587", "#A9ADB8"  # of two prototypes, on white and on black: no network's
A_LINE = 32  # characters of a title above one of four figures on a laptop
PALE = 0.3  # the opacity of bars where φ still rises


def draw_curves(curves: Mapping[str, Mapping[str, Curve]], layer: str, styles: Mapping[str, Style]) -> None:
    """Draw the nonlinearity of one `layer` of each network that has it, side by side."""
    for (name, found), column in zip(curves.items(), st.columns(max(2, len(curves))), strict=False):
        there, style = found.get(layer), styles[name]
        if there:
            draw(column, f"curve {name}", curve(there, style), words.curve_alt(style.label, there, layer))
        column.markdown(words.curve(style.label, there, layer))


def curve(found: Curve, style: Style) -> go.Figure:
    """A nonlinearity, and how often the inputs of a layer's units lie where on it."""
    figure = go.Figure()
    figure.add_bar(
        x=(found.edges[1:] + found.edges[:-1]) / 2,
        y=100 * found.shares,
        width=np.diff(found.edges),
        yaxis="y2",
        marker={"color": style.colour, "opacity": np.where(found.flat, 1, PALE), "line_width": 0},
        customdata=np.stack((found.edges[:-1], found.edges[1:]), 1),
        hovertemplate="%{y:.2g} % of the inputs from %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
    )
    figure.add_scatter(
        x=found.h,
        y=found.phi,
        mode="lines",
        line={"color": NEUTRAL, "width": 5},
        hovertemplate="φ(%{x:.3g}) = %{y:.3g}<extra></extra>",
    )
    # The bars' own axis has no numbers; the curve, which is what has a scale, is drawn above them, both from one line.
    low, high = float(found.phi.min()), float(found.phi.max())
    figure.update_layout(
        yaxis={"overlaying": "y2", "title_text": "φ(h)", "nticks": 4, "tickmode": "auto", "range": _padded(low, high)},
        yaxis2={"visible": False, "side": "right", "range": _padded(0.0, 100 * float(found.shares.max()))},
    )
    figure.update_xaxes(nticks=5, zeroline=True)
    title = "<br>".join(textwrap.wrap(f"{style.label}, {words.called(found.nonlinearity)}", A_LINE))
    return _finished(figure, title, "input h of a unit, 1,000 images", height=320)


def weights(shapes: Mapping[str, Shape], styles: Mapping[str, Style], title: str, *, standardised: bool) -> go.Figure:
    """The density of one layer's weights in some networks, each with the Gaussian of its variance, on a log axis.

    The weights as they are, or in standard deviations from their mean; then one Gaussian serves all.
    """
    figure, lowest, highest = go.Figure(), np.inf, 0.0
    for number, (name, shape) in enumerate(shapes.items()):
        centre, unit = (shape.mean, shape.deviation) if standardised else (0.0, 1.0)
        histogram = Histogram((shape.histogram.edges - centre) / unit, shape.histogram.counts)
        _density(figure, histogram, styles[name])
        lowest = min(lowest, histogram.density[histogram.counts > 0].min())
        highest = max(highest, histogram.density.max())
        if not standardised:
            _gaussian(figure, shape.mean, shape.deviation, styles[name].colour)
        elif number == 0:
            _gaussian(figure, 0.0, 1.0, NEUTRAL)
    figure.update_yaxes(
        type="log",
        range=[np.log10(lowest) - 0.2, np.log10(highest) + 0.3],
        title_text="density",
        exponentformat="power",
        dtick=1 if highest < 1e5 * lowest else 2,
    )
    return _finished(figure, title, "weight, in standard deviations" if standardised else "weight")


def pre_activations(found: Mapping[str, Saturation], styles: Mapping[str, Style], title: str) -> go.Figure:
    """The density of one layer's pre-activations in some networks, on a log axis."""
    figure = go.Figure()
    for name, record in found.items():
        _density(figure, record.histogram, styles[name])
    figure.update_yaxes(type="log", title_text="density", exponentformat="power", dtick=2)
    return _finished(figure, title, "pre-activation h")


def mechanism(kurtoses: np.ndarray, limits: np.ndarray, sampled_at: Sequence[float], found: Ratios) -> go.Figure:
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
        y=found.means,
        mode="markers",
        name="sampled, 20,000 dimensions",
        error_y={"array": found.errors, "thickness": 2},
        marker={"size": 11, "color": "white", "line": {"width": 3, "color": NEUTRAL}},
        hovertemplate="γ₂ = %{x}: %{y:.4f} ± %{error_y.array:.4f}<extra></extra>",
    )
    figure.add_annotation(x=0, y=found.means[0], text="Gaussian", arrowcolor=NEUTRAL, ax=70, ay=24, font_size=TEXT_SIZE)
    figure.update_layout(legend={"x": 0.98, "xanchor": "right", "y": 0.16})
    figure.update_yaxes(title_text="ε_min / mean |w₁|")
    return _finished(figure, "", "excess kurtosis γ₂", height=480, legend=True)


def layer_ratios(ratios: Mapping[str, Ratios], styles: Mapping[str, Style]) -> go.Figure:
    """The scaled ratio of prototypes drawn from each layer's own weights, with standard errors, a group a layer."""
    figure = go.Figure()
    for name, found in ratios.items():
        label = styles[name].label
        figure.add_bar(
            x=[f"layer {number}" for number in range(1, len(found.means) + 1)],
            y=found.means,
            name=label,
            marker={"color": styles[name].colour, "pattern": {"shape": "" if styles[name].dash == "solid" else "/"}},
            error_y={"array": found.errors, "thickness": 2},
            text=[f"{mean:.2f}" for mean in found.means],
            textposition="outside",
            textangle=0,
            cliponaxis=False,
            hovertemplate="%{y:.4f}<extra>" + label + "</extra>",
        )
    figure.update_layout(barmode="group", uniformtext={"minsize": TEXT_SIZE - 4, "mode": "hide"})
    figure.update_yaxes(title_text="ε_min / mean |w₁|", rangemode="tozero")
    return _finished(figure, "", "layer of the network", height=480)


def prototypes(first: np.ndarray, second: np.ndarray, shown: int = 200) -> go.Figure:
    """The first components of two prototypes, one above the other."""
    figure = go.Figure()
    for w, colour, name in ((first, DARK, "w₁"), (second, PALER, "w₂")):
        figure.add_bar(
            y=w[:shown],
            name=name,
            marker={"color": colour, "line_width": 0},
            hovertemplate="%{y:.4f}<extra>" + name + "</extra>",
        )
    figure.update_layout(barmode="overlay", bargap=0.1)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    figure.update_yaxes(title_text="component", range=[-0.075, 0.075])
    return _finished(figure, "", f"the first {shown} of 20,000 components", legend=True)


def _density(figure: go.Figure, histogram: Histogram, style: Style) -> None:
    centres = (histogram.edges[1:] + histogram.edges[:-1]) / 2
    there = histogram.counts > 0
    figure.add_scatter(
        x=centres[there],
        y=histogram.density[there],
        mode="lines",
        name=style.label,
        line={"color": style.colour, "width": 3, "shape": "hvh", "dash": style.dash},
        opacity=0.9,
        hovertemplate="%{x:.3g}: density %{y:.3g}<extra>" + style.label + "</extra>",
    )


def _padded(low: float, high: float) -> list[float]:
    """The range of an axis that shows `low` to `high`, with some space on either side."""
    space = 0.05 * (high - low or 1.0)
    return [low - space, high + space]


def _gaussian(figure: go.Figure, mean: float, deviation: float, colour: str) -> None:
    w = mean + deviation * np.linspace(-6, 6, 241)
    figure.add_scatter(
        x=w,
        y=np.exp(-(((w - mean) / deviation) ** 2) / 2) / deviation / np.sqrt(2 * np.pi),
        mode="lines",
        line={"color": colour, "width": 2, "dash": "dot"},
        hovertemplate="Gaussian of the same variance<extra></extra>",
    )


def _finished(figure: go.Figure, title: str, x: str, height: int = 360, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 48 if title else 24, "b": 8},
        font_size=TEXT_SIZE - 2,
        hoverlabel_font_size=TEXT_SIZE - 4,
        showlegend=legend,
        legend_font_size=TEXT_SIZE - 2,
        title={"text": f"<b>{title}</b>", "font_size": TEXT_SIZE},
    )
    figure.update_xaxes(title_text=x, tickfont_size=TEXT_SIZE - 3)
    figure.update_yaxes(tickfont_size=TEXT_SIZE - 3)
    return figure
