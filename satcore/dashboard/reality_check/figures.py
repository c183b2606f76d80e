"""Figures of how much of the robustness is real, each network in its style."""

import itertools
import math
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from satcore.dashboard.reality_check import words
from satcore.dashboard.reality_check.compute import layers
from satcore.dashboard.shared import cache
from satcore.dashboard.shared.style import NEUTRAL, TEXT_SIZE, Style
from satcore.evaluation.certificates import Certificate
from satcore.evaluation.reality import EDGES, EPSILON, Decided, Reality
from satcore.proportions import Proportion

LEGEND_WIDTH = 400  # pixels, of the narrowest figures on a wide screen
FLOORS = {"float32": -44.85, "float64": -323.3}  # log₁₀ of the smallest numbers above zero, denormals included
NO_TOOLS = {"displayModeBar": False}  # which would cover titles on a phone
TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5)
LIGHT, HALF, FULL = 0.25, 0.5, 0.75  # how opaque areas are
Point = tuple[float, float]  # ε, and a share


def draw_against_epsilon(found: dict[str, Reality], styles: dict[str, Style], rungs: Sequence[str]) -> None:
    """Draw what each of the `rungs` leaves against ε, three side by side."""
    for row in (rungs[first : first + 3] for first in range(0, len(rungs), 3)):
        for rung, column in zip(row, st.columns(3, gap="medium"), strict=False):
            figure = against_epsilon(found, styles, rung)
            column.plotly_chart(figure, key=f"curve {rung}", config=NO_TOOLS, alt=words.alt_curve(rung, found, styles))


def draw_between_attack_and_proof(found: dict[str, Reality], styles: dict[str, Style]) -> None:
    """Draw each network between attack and proof, two side by side."""
    places = [column for _ in range(0, len(found), 2) for column in st.columns(2, gap="medium")]
    for (name, there), place in zip(found.items(), places, strict=False):
        figure, alt = between_attack_and_proof(there, styles[name]), words.alt_between(styles[name].label, there)
        place.plotly_chart(figure, key=f"between {name}", config=NO_TOOLS, alt=alt)


@cache.drawn
def against_epsilon(found: dict[str, Reality], styles: dict[str, Style], rung: str) -> go.Figure:
    """What the `rung` leaves of each network against ε, with 95 % intervals."""
    figure = go.Figure()
    for name, there in found.items():
        if rung in there.right:
            left, style = _by_epsilon(there, there.right[rung]), styles[name]
            low, high = ([(epsilon, share.interval[end]) for epsilon, share in left.items()] for end in (0, 1))
            _area(figure, low, high, style.colour, LIGHT)
            _curve(figure, style.label, left, color=style.colour, dash=style.dash)
    _against_epsilon(figure)
    return _finished(figure, [styles[name].label for name in found], rung, 316)


@cache.drawn
def between_attack_and_proof(found: Reality, style: Style) -> go.Figure:
    """One network against ε: what is proven right, full; what is broken, blank; and what nobody knows between them.

    Upright: of the images that were decided one by one, from the share proven to the share not broken.
    """
    figure = go.Figure()
    labels = [*_edges(figure, found, style.colour), _uprights(figure, found.decided)]
    _against_epsilon(figure)
    return _finished(figure, labels, style.label, 264, size=TEXT_SIZE)


@cache.drawn
def certified(found: list[Certificate], style: Style) -> go.Figure:
    """What is proven of all test images against ε, by intervals and by branch and bound, what is open, and what is
    broken.
    """
    figure, labels = go.Figure(), []
    right = {0.0: found[0].clean}
    standing, proven, intervals = (
        right | {there.epsilon: getattr(there, part) for there in found} for part in ("standing", "proven", "intervals")
    )
    nothing = [(epsilon, 0.0) for epsilon in standing]
    edges = [nothing, _at_least(intervals), _at_least(proven), _at_most(standing)]
    for (low, high), opacity in zip(itertools.pairwise(edges), (FULL, HALF, LIGHT), strict=True):
        _area(figure, low, high, style.colour, opacity, rooted=False)
    for label, shares, line in (
        ("not broken", standing, {"shape": "hv"}),
        ("proven", proven, {"shape": "vh", "dash": "dash"}),
        ("proven by intervals", intervals, {"shape": "vh", "dash": "dot"}),
    ):
        _curve(figure, label, shares, rooted=False, color=style.colour, **line)
        labels.append(label)
    for epsilon in (EPSILON, 0.5):
        figure.add_vline(x=epsilon, line={"color": NEUTRAL, "width": 2, "dash": "dash"})
    figure.update_yaxes(title_text="test images (%)", range=[-2, 103])
    figure.update_xaxes(title_text="ε, largest change of a pixel (from black to white: 1)", range=[-0.01, 0.61])
    return _finished(figure, labels, f"{style.label}, all {found[0].images:,} test images", 316)


@cache.drawn
def against_temperature(
    found: dict[str, Reality], styles: dict[str, Style], loss: str, temperature: float
) -> go.Figure:
    """What softened FGSM and PGD by the `loss` leave of each network against the temperature, the one chosen marked.

    PGD is thick with full marks, FGSM thin with open ones.
    """
    figure = go.Figure()
    for name, there in found.items():
        temperatures = [softening.temperature for softening in there.softening]
        for attack in ("FGSM", "PGD"):
            rung, thick = f"{attack}, {loss}, softened", attack == "PGD"
            counts = [softening.right[rung] for softening in there.softening if rung in softening.right]
            figure.add_scatter(
                x=temperatures[: len(counts)],
                y=[100 * count / there.images for count in counts],
                mode="lines+markers",
                name=styles[name].label,
                line={"color": styles[name].colour, "width": 4 if thick else 2, "dash": styles[name].dash},
                marker={"size": 9, "symbol": "circle" if thick else "diamond-open"},
                showlegend=thick and bool(counts),
                hovertemplate=f"{attack}, T = %{{x:g}}: %{{y:.1f}} % right<extra>{name}</extra>",
            )
    figure.add_vline(x=temperature, line={"color": NEUTRAL, "width": 4})
    figure.update_yaxes(title_text="right (%)", range=[-2, 103])
    figure.update_xaxes(
        title_text="temperature T",
        type="log",
        tickvals=[1, 3, 10, 30, 100, 300],
        ticktext=["1", "3", "10", "30", "100", "300"],
    )
    return _finished(figure, [styles[name].label for name in found], "", 392)


@cache.drawn
def dying(found: dict[str, Reality], styles: dict[str, Style]) -> go.Figure:
    """How large the gradient is at each layer, a row a layer, the logits on top.

    Shaded where float32 and float64 have only zero.
    """
    rows = {layer: row for row, layer in enumerate(reversed(layers(found.values())), start=1)}
    figure = make_subplots(
        rows=len(rows),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.2 / len(rows),
        subplot_titles=[f"<b>{layer}</b>" for layer in rows],
    )
    centres = [(low + high) / 2 for low, high in itertools.pairwise(EDGES)]
    for name, there in found.items():
        for layer in reversed(there.dying):
            counts = (layer.below + layer.counts[0], *layer.counts[1:])
            figure.add_scatter(
                x=centres,
                y=[100 * count / there.images for count in counts],
                mode="lines",
                name=styles[name].label,
                line={"color": styles[name].colour, "width": 3, "shape": "hvh", "dash": styles[name].dash},
                showlegend=layer.layer == "logits",
                row=rows[layer.layer],
                col=1,
                hovertemplate="10<sup>%{x}</sup>: %{y:.1f} % of the images<extra>" + name + "</extra>",
            )
    _shade(figure, "float32<br>has only zero", FLOORS["float64"], FLOORS["float32"], 0.12)
    _shade(figure, "float64, too", EDGES[0], FLOORS["float64"], 0.24)
    figure.update_yaxes(title_text="images (%)", rangemode="tozero", nticks=4)
    figure.update_xaxes(range=[EDGES[0], 12], showgrid=True)
    figure.update_xaxes(title_text="log₁₀ of the gradient's norm", row=len(rows), col=1)
    return _finished(figure, [styles[name].label for name in found], "", 62 + 150 * len(rows), lift=26)


def _shade(figure: go.Figure, text: str, low: float, high: float, opacity: float) -> None:
    """Shade sizes of which a number format has only zero, and say so on top."""
    figure.add_vrect(x0=low, x1=high, fillcolor="#D62728", opacity=opacity, line_width=0, row="all", col="all")
    figure.add_annotation(
        x=high - 4,
        y=0.97,
        yref="y domain",
        xanchor="right",
        yanchor="top",
        text=text,
        showarrow=False,
        font_size=TEXT_SIZE - 3,
        row=1,
        col=1,
    )


def _by_epsilon(found: Reality, counts: Iterable[int | None]) -> dict[float, Proportion]:
    """The share that is right without any attack, and those that the `counts` at each ε are; no share for no count."""
    every = zip((0.0, *found.epsilons), (found.clean, *counts), strict=True)
    return {epsilon: Proportion(count, found.images) for epsilon, count in every if count is not None}


def _area(
    figure: go.Figure, low: list[Point], high: list[Point], colour: str, opacity: float, *, rooted: bool = True
) -> None:
    epsilons, shares = zip(*low, *reversed(high), strict=True)
    figure.add_scatter(
        x=_rooted(epsilons) if rooted else epsilons,
        y=[100 * share for share in shares],
        mode="none",
        fill="toself",
        fillcolor=colour,
        opacity=opacity,
        showlegend=False,
        hoverinfo="skip",
    )


def _curve(figure: go.Figure, label: str, left: dict[float, Proportion], *, rooted: bool = True, **line: str) -> None:
    figure.add_scatter(
        x=_rooted(left) if rooted else list(left),
        y=[100 * share.share for share in left.values()],
        mode="lines+markers",
        name=label,
        line={"width": 4, **line},
        marker_size=8,
        customdata=[_said(epsilon, share) for epsilon, share in left.items()],
        hovertemplate="%{customdata}<extra>" + label + "</extra>",
    )


def _said(epsilon: float, share: Proportion) -> str:
    low, high = share.interval
    return f"ε = {epsilon:g}: {100 * share.share:.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f} %)"


def _edges(figure: go.Figure, found: Reality, colour: str) -> tuple[str, str]:
    """What no attack breaks, what is proven, and the areas beneath; gives their lines of the legend."""
    images = f"{found.images:,} images"
    standing, proven = (_by_epsilon(found, counts) for counts in (found.right["worst case"], found.proven))
    nothing, above = [(epsilon, 0.0) for epsilon in standing], f"not broken by any attack ({images})"
    _curve(figure, above, standing, color=colour, shape="hv")
    if None in found.proven:
        _area(figure, nothing, _at_most(standing), colour, LIGHT)
        return above, _mention(figure, "proofs: not tried")
    below = f"proven ({images})"
    _area(figure, _at_least(proven), _at_most(standing), colour, LIGHT)
    _area(figure, nothing, _at_least(proven), colour, FULL)
    _curve(figure, below, proven, color=colour, dash="dot", shape="vh")
    return above, below


def _at_most(standing: dict[float, Proportion]) -> list[Point]:
    """The steps of an edge from above: what a ball has broken is broken in all larger ones."""
    points = [(epsilon, share.share) for epsilon, share in standing.items()]
    steps = [((here, share), (there, share)) for (here, share), (there, _) in itertools.pairwise(points)]
    return [*itertools.chain(*steps), points[-1]]


def _at_least(proven: dict[float, Proportion]) -> list[Point]:
    """The steps of an edge from below: what is proven of a ball is proven of all smaller ones."""
    points = [(epsilon, share.share) for epsilon, share in proven.items()]
    steps = [((here, share), (there, share)) for (here, _), (there, share) in itertools.pairwise(points)]
    return [points[0], *itertools.chain(*steps)]


def _uprights(figure: go.Figure, decided: list[Decided]) -> str:
    """From the share proven up to the share not broken, at each ε; gives their line of the legend."""
    if not decided:
        return _mention(figure, "one by one: not tried")
    label = f"one by one ({decided[0].images:,} images, {decided[0].seconds:g} s each)"
    for index, there in enumerate(decided):
        proven, not_broken = (Proportion(count, there.images) for count in (there.proven, there.images - there.broken))
        figure.add_scatter(
            x=_rooted(2 * [there.epsilon]),
            y=[100 * proven.share, 100 * not_broken.share],
            mode="lines+markers",
            name=label,
            showlegend=index == 0,
            line={"color": NEUTRAL, "width": 5},
            marker={"symbol": "line-ew", "size": 14, "line": {"color": NEUTRAL, "width": 5}},
            customdata=[f"{_said(there.epsilon, proven)} proven", f"{_said(there.epsilon, not_broken)} not broken"],
            hovertemplate="%{customdata}<extra></extra>",
        )
    return label


def _mention(figure: go.Figure, label: str) -> str:
    """A line of the legend without anything that is drawn."""
    figure.add_scatter(x=[None], y=[None], mode="lines", name=label, line_color="rgba(0, 0, 0, 0)")
    return label


def _against_epsilon(figure: go.Figure) -> None:
    """The axes of shares against ε, and the paper's ε."""
    figure.add_vline(x=EPSILON**0.5, line={"color": NEUTRAL, "width": 2, "dash": "dash"})
    figure.update_yaxes(title_text="right (%)", range=[-2, 103])
    figure.update_xaxes(
        title_text="ε, largest change of a pixel (√ scale)",
        range=[-0.01, 0.717],
        tickvals=_rooted(TICKS),
        ticktext=[f"{tick:g}" for tick in TICKS],
    )


def _rooted(epsilons: Iterable[float]) -> list[float]:
    """ε as drawn: most happens far below the paper's 0.25."""
    return [epsilon**0.5 for epsilon in epsilons]


def _finished(
    figure: go.Figure, labels: list[str], title: str, height: int, lift: int = 4, size: int = TEXT_SIZE - 2
) -> go.Figure:
    """With margins and text of a `size`: `height` pixels, a `lift`, and above it a `title` and the `labels` of the
    legend, which on a phone are as wide as all of the figure.
    """
    columns = max(1, LEGEND_WIDTH // (60 + 9 * max(map(len, labels))))
    above = 28 * bool(title)
    top = above + (size + 8) * max(2, math.ceil(len(labels) / columns)) + 8 + lift
    figure.update_layout(
        height=height + top,
        margin={"l": 8, "r": 8, "t": top, "b": 8},
        font_size=size,
        legend={
            "orientation": "h",
            "x": 0,
            "xref": "container",
            "y": 1 - above / (height + top),
            "yref": "container",
            "yanchor": "top",
            "font_size": size,
        },
        title={"text": f"<b>{title}</b>", "font_size": TEXT_SIZE + 2, "y": 1, "pad_t": 10, "yanchor": "top"}
        if title
        else None,
    )
    figure.update_xaxes(title_font_size=size, tickfont_size=size)
    figure.update_yaxes(title_font_size=size, tickfont_size=size)
    return figure
