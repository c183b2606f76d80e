"""A training in figures: its course, and what the network looks like after an epoch, beside the first one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch

from satcore import nonlinearities
from satcore.dashboard.shared.style import DASHES, NEUTRAL, TEXT_SIZE
from satcore.dashboard.train.records import Beside, Counts, Epoch
from satcore.evaluation.seeds import Stage
from satcore.recipes import Recipe

# By field: what it is called, its line, and its symbol after one epoch; hatched where the gradient is exactly zero, as
# in Table 1.
CURVES = {
    "zero_gradient": ("zero gradient", {"width": 1.5, "dash": "dot"}, "x"),
    "accuracy": ("right", {"width": 2}, "circle-open"),
    "fgsm_accuracy": ("after FGSM", {"width": 5}, "diamond"),
}
FLAT, PALE = 1e-3, 0.3  # φ is called flat where φ′ is below; the opacity of bars where it still rises
MIDDLE = 0.99  # share of the inputs that a curve of φ shows
SYMBOLS = ("circle-open", "square-open", "diamond-open", "x-open")  # as many as there are dashes; seen where they meet
HEIGHT = 285  # of what stands on the first screen, in pixels
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW = {"nticks": 5, "tickmode": "auto"}  # numbers at an axis, wherever those of an axis below it are
DECADES, LEAST = 8, 1e-290  # of the length element; below the latter float64 has no decades left to draw


def course(epochs: Sequence[Epoch], beside: Beside | None, colour: str, shown: int, recipe: Recipe) -> go.Figure:
    """Accuracy, FGSM accuracy and zero gradients over the epochs of a `recipe`, with λ below them; `beside` in grey.

    `shown` is the epoch that the other figures show.
    """
    figure, stages = go.Figure(), beside.stages if beside else ()
    comparable = beside is None or beside.on_the_axis_of(recipe)
    if beside:
        _add_course(figure, stages, NEUTRAL, beside.called, filled=False, legend=not epochs)
    if beside and comparable:
        _add_lambda(figure, stages, NEUTRAL, beside.called, filled=False)
    _add_course(figure, epochs, colour, "", filled=True, legend=bool(epochs))
    _add_lambda(figure, epochs, colour, "", filled=True)
    if epochs:
        figure.add_vline(x=shown, line={"color": NEUTRAL, "width": 2, "dash": "dash"})
    most = max(recipe.lambda_max, beside.lambda_max if beside and comparable else 0.0)
    figure.update_layout(
        hovermode="x unified",
        yaxis={"domain": [0.27, 1], "range": [0, 101], "title_text": "% of images", "dtick": 25},
        yaxis2={"domain": [0, 0.16]} | _of_lambda(most),
        xaxis={"range": [0, _reach(epochs, beside, recipe.epochs)], "anchor": "y2"},
    )
    return _finished(figure, "epoch", height=HEIGHT, legend=True)


def _add_course(
    figure: go.Figure, stages: Sequence[Epoch | Stage], colour: str, whose: str, *, filled: bool, legend: bool
) -> None:
    at = [there.epoch for there in stages]
    hatched = {"fill": "tozeroy", "fillpattern": {"shape": "/", "size": 9, "solidity": 0.25, "fgcolor": colour}}
    for field, (name, line, symbol) in CURVES.items():
        figure.add_scatter(
            x=at,
            y=[100 * getattr(there, field) for there in stages],
            name=name,
            showlegend=legend,
            mode="lines" if len(at) > 1 else "markers",
            marker=_marker(symbol, colour),
            line={"dash": "solid"} | line | {"color": colour, "width": line["width"] * (1 if filled else 0.6)},
            hovertemplate=f"%{{y:.1f}} % {name}<extra>{whose}</extra>",
            **(hatched if filled and field == "zero_gradient" else {}),
        )


def _add_lambda(figure: go.Figure, stages: Sequence[Epoch | Stage], colour: str, whose: str, *, filled: bool) -> None:
    figure.add_scatter(
        x=[there.epoch for there in stages],
        y=[there.lam for there in stages],
        showlegend=False,
        yaxis="y2",
        mode="lines",
        line={"color": colour, "width": 2},
        fill="tozeroy" if filled else "none",
        hovertemplate=f"λ = %{{y:.3g}}<extra>{whose}</extra>",
    )


def losses(epochs: Sequence[Epoch], colour: str, last: int) -> go.Figure:
    """The objective, on a logarithmic axis, and the penalty over the epochs."""
    figure = go.Figure()
    at = [there.epoch for there in epochs]
    for name, values, dash, symbol, axis in (
        ("loss", [there.loss for there in epochs], "solid", "circle-open", "y"),
        ("penalty, without its λ (right)", [there.penalty for there in epochs], "dot", "x", "y2"),
    ):
        figure.add_scatter(
            x=at,
            y=values,
            name=name,
            yaxis=axis,
            mode="lines" if len(at) > 1 else "markers",
            marker=_marker(symbol, colour),
            line={"color": colour, "width": 3, "dash": dash},
            hovertemplate=f"%{{y:.4g}} {name}<extra></extra>",
        )
    figure.update_layout(
        hovermode="x unified",
        yaxis={"title_text": "loss"} | _logarithmic(np.array([there.loss for there in epochs])),
        yaxis2={"title_text": "penalty", "side": "right", "overlaying": "y", "showgrid": False, **FEW},
        xaxis_range=[0, _reach(epochs, None, last)],
    )
    return _finished(figure, "epoch", legend=True)


def by_layer(epochs: Sequence[Epoch], field: str, colour: str, last: int) -> go.Figure:
    """The "saturation", in percent, or the "kurtosis" of each layer over the epochs: one dash a layer."""
    figure = go.Figure()
    at = [there.epoch for there in epochs]
    layers = np.array([getattr(there, field) for there in epochs], float).T
    for number, values in enumerate(layers, start=1):
        figure.add_scatter(
            x=at,
            y=100 * values if field == "saturation" else values,
            name=f"layer {number}",
            mode="lines" if len(at) > 1 else "markers",
            marker=_marker(SYMBOLS[(number - 1) % len(SYMBOLS)], colour),
            line={"color": colour, "width": 3, "dash": DASHES[(number - 1) % len(DASHES)]},
            hovertemplate=f"%{{y:.3g}} layer {number}<extra></extra>",
        )
    figure.update_layout(hovermode="x unified", xaxis_range=[0, _reach(epochs, None, last)])
    if field == "saturation":
        figure.update_yaxes(title_text="saturated units (%)", range=[-2, 102], dtick=20)
    else:
        figure.update_yaxes(title_text="excess kurtosis", nticks=6)
    return _finished(figure, "epoch", legend=True)


def saturation(now: Epoch, first: Epoch, latest: Epoch, layer: int, nonlinearity: str, colour: str) -> go.Figure:
    """The `nonlinearity` of a `layer`, counted from 0, and where its units' inputs lie on it, now and after the first
    epoch, each histogram as high as the other. All epochs are shown between the same ends.
    """
    figure, phi = go.Figure(), nonlinearities.named(nonlinearity)
    ends = [there.inputs[layer].within(MIDDLE) for there in (first, latest)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    inputs = now.inputs[layer]
    with torch.no_grad():
        flat = phi.slope(torch.from_numpy(inputs.centres)).numpy() < FLAT
        h = torch.linspace(low, high, 401, dtype=torch.float64)
        value = phi(h).numpy()
    figure.add_bar(
        x=inputs.centres,
        y=inputs.counts / inputs.counts.max(),
        width=np.diff(inputs.edges),
        yaxis="y2",
        marker={"color": colour, "opacity": np.where(flat, 1, PALE), "line_width": 0},
        customdata=100 * inputs.counts / inputs.counts.sum(),
        hovertemplate="%{customdata:.2g} % of the inputs about h = %{x:.3g}<extra></extra>",
    )
    figure.add_scatter(
        x=first.inputs[layer].centres,
        y=first.inputs[layer].counts / first.inputs[layer].counts.max(),
        yaxis="y2",
        mode="lines",
        line={"color": NEUTRAL, "width": 2, "dash": "dot", "shape": "hvh"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=h.numpy(),
        y=value,
        mode="lines",
        line={"color": NEUTRAL, "width": 5},
        hovertemplate="φ(%{x:.3g}) = %{y:.3g}<extra></extra>",
    )
    space = 0.06 * (value.max() - value.min() or 1)
    figure.update_layout(
        title={"text": f"<b>Layer {layer + 1}: {100 * now.saturation[layer]:.0f} % saturated</b>"},
        yaxis={"overlaying": "y2", "title_text": "φ(h)", "nticks": 4, "tickmode": "auto"},
        yaxis2={"visible": False, "side": "right", "range": [-0.05, 1.05]},
        xaxis_range=[low, high],
        bargap=0,
    )
    figure.update_yaxes(range=[value.min() - space, value.max() + space], selector={"title.text": "φ(h)"})
    return _finished(figure, "input h of a unit", height=HEIGHT)


def weights(now: Counts, first: Counts, title: str, colour: str) -> go.Figure:
    """The density of a layer's weights, now and after the first epoch, on a logarithmic axis."""
    figure = go.Figure()
    for counts, line in ((first, {"color": NEUTRAL, "width": 2, "dash": "dot"}), (now, {"color": colour, "width": 3})):
        there = counts.counts > 0
        figure.add_scatter(
            x=counts.centres[there],
            y=counts.density[there],
            mode="lines",
            line=line | {"shape": "hvh"},
            hovertemplate="%{x:.3g}: density %{y:.3g}<extra></extra>",
        )
    figure.update_layout(title={"text": f"<b>{title}</b>"})
    densities = np.concatenate([counts.density[counts.counts > 0] for counts in (first, now)])
    figure.update_yaxes(title_text="density", **_logarithmic(densities))
    return _finished(figure, "weight", height=250)


def element(now: Epoch, first: Epoch, colour: str) -> go.Figure:
    """The length element along one path, now and after the first epoch, on a logarithmic axis."""
    figure = go.Figure()
    t = np.linspace(0, 1, len(now.element))
    most = max(now.element.max(), first.element.max())
    top = np.log10(most) if most > LEAST else 0.0  # of a dead network it is 0 all along
    floor = int(np.ceil(top)) - DECADES  # what is smaller is drawn there
    powers = list(range(floor, floor + DECADES + 1, 2))
    for values, line in (
        (first.element, {"color": NEUTRAL, "width": 2, "dash": "dot"}),
        (now.element, {"color": colour, "width": 4}),
    ):
        figure.add_scatter(
            x=t,
            y=np.maximum(values, 10.0**floor),
            customdata=values,
            mode="lines",
            line=line,
            hovertemplate="%{customdata:.3g} at t = %{x:.3g}<extra></extra>",
        )
    figure.update_layout(title={"text": "<b>Length element, from a 3 to an 8</b>"})
    figure.update_yaxes(
        type="log",
        title_text="√(vᵀ G v)",
        range=[floor - 0.3, floor + DECADES + 0.3],
        tickvals=[10.0**power for power in powers],
        ticktext=[f"{'≤' * (power == floor)}10{str(power).translate(SUPERSCRIPTS)}" for power in powers],
    )
    return _finished(figure, "t, from the 3 (0) to the 8 (1)", height=300)


def _reach(epochs: Sequence[Epoch], beside: Beside | None, last: int) -> float:
    """How far an axis of epochs reaches: to the end of a short training, of a long one some way ahead of it."""
    if not epochs:
        return beside.stages[-1].epoch if beside else last
    return min(last, max(60.0, 1.25 * epochs[-1].epoch))


def _marker(symbol: str, colour: str) -> dict[str, Any]:
    """What stands for a curve that has one point so far."""
    return {"symbol": symbol, "color": colour, "size": 11, "line": {"color": colour, "width": 2}}


def _of_lambda(most: float) -> dict[str, Any]:
    """A linear axis of λ from 0 to `most`, the one number that it has."""
    return {"range": [0, 1.1 * most or 1], "tickvals": [most], "ticktext": [f"λ = {most:g}"]}


def _logarithmic(values: np.ndarray) -> dict[str, Any]:
    """A logarithmic axis for such positive values: with numbers at powers of ten where it has several, else between."""
    span = np.log10(values.max()) - np.log10(values.min())
    dtick = 1 + span // 5 if span > 2 else "D2" if span > 0.7 else None  # None: as on a linear axis
    return {"type": "log", "exponentformat": "power", "dtick": dtick, "nticks": 5}


def _finished(figure: go.Figure, x: str, height: int = 300, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        font_size=TEXT_SIZE - 3,
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font_size": TEXT_SIZE - 3},
        title_font_size=TEXT_SIZE - 1,
        uirevision="kept",  # what was zoomed into stays so when the next epoch comes
    )
    figure.update_xaxes(title_text=x, tickfont_size=TEXT_SIZE - 4)
    figure.update_yaxes(tickfont_size=TEXT_SIZE - 4)
    return figure
