"""Table 1 as a figure, in one colour a training."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from satcore.dashboard.shared import cache
from satcore.dashboard.shared.style import COLOURS, FAMILY_TITLES, NEUTRAL, TEXT_SIZE
from satcore.recipes import FAMILIES, PAPER_TRAININGS

CLEAN = {"symbol": "line-ns", "size": 22, "line": {"width": 4, "color": NEUTRAL}}
PAPER_CLEAN = {"symbol": "circle", "size": 10, "color": "white", "line": {"width": 2, "color": "black"}}
PAPER_FGSM = {"symbol": "diamond", "size": 13, "color": "white", "line": {"width": 2.5, "color": "black"}}


@cache.drawn
def table_1(measured: dict[str, dict], published: dict[str, tuple[float, float]], axis: str) -> go.Figure:
    """Table 1 as bars: accuracy under FGSM, how much of it is due to zero gradients, and the paper's figures.

    `measured` maps names to `satcore.evaluation.Measurements` as dictionaries (shares), `published` names to
    the paper's clean and FGSM accuracies (percent); `axis` says what is counted.
    """
    figure = make_subplots(
        rows=len(FAMILIES),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.075,
        subplot_titles=[f"<b>{FAMILY_TITLES[family]}</b>" for family in FAMILIES],
    )
    for row, family in enumerate(FAMILIES, start=1):
        there = {
            training: measured[f"{family}/{training}"]
            for training in PAPER_TRAININGS
            if f"{family}/{training}" in measured
        }
        for training, m in there.items():
            moved = 100 * (m["fgsm_accuracy"] - m["right_unmoved"])
            _bar(figure, row, training, moved, pattern="", hover=f"{moved:.2f} %: attacked and still right")
            _bar(
                figure,
                row,
                training,
                100 * m["right_unmoved"],
                pattern="/",
                hover=f"{100 * m['right_unmoved']:.2f} %: gradient exactly zero, image unchanged",
            )
            # On a long bar well inside, where it hides neither the part that is not hatched nor the paper's marks.
            inside = {"x": 45, "font_color": "black", "bgcolor": "white", "borderpad": 1}
            beside = {"x": 100 * m["fgsm_accuracy"], "xanchor": "left", "xshift": 14}
            figure.add_annotation(
                y=training,
                row=row,
                col=1,
                showarrow=False,
                font_size=TEXT_SIZE,
                text=f"<b>{100 * m['fgsm_accuracy']:.1f}</b>",
                **(inside if m["fgsm_accuracy"] > 0.5 else beside),
            )
        figure.add_scatter(
            x=[100 * m["accuracy"] for m in there.values()],
            y=list(there),
            row=row,
            col=1,
            mode="markers",
            name="clean accuracy",
            showlegend=False,
            cliponaxis=False,
            marker=CLEAN,
            hovertemplate="%{y}, %{x:.2f} % clean accuracy, ours<extra></extra>",
        )
        paper = {
            training: published[f"{family}/{training}"] for training in there if f"{family}/{training}" in published
        }
        for which, (marker, what) in enumerate(((PAPER_CLEAN, "without attack"), (PAPER_FGSM, "under FGSM"))):
            figure.add_scatter(
                x=[values[which] for values in paper.values()],
                y=list(paper),
                row=row,
                col=1,
                mode="markers",
                showlegend=False,
                cliponaxis=False,
                marker=marker,
                hovertemplate=f"%{{y}}, %{{x:.2f}} % {what}, the paper's<extra></extra>",
            )
    _legend(figure, hatched=any(m["right_unmoved"] for m in measured.values()))
    figure.update_layout(
        barmode="stack",
        bargap=0.18,
        margin={"l": 8, "r": 12, "t": 80, "b": 54},
        font_size=TEXT_SIZE,
        hoverlabel_font_size=TEXT_SIZE - 4,
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.075,
            "x": 0,
            "traceorder": "normal",
            "font_size": TEXT_SIZE - 2,
        },
    )
    figure.update_annotations(selector={"xref": "paper"}, font_size=TEXT_SIZE + 2)
    figure.update_xaxes(range=[0, 101.5], tickfont_size=TEXT_SIZE, zeroline=False)
    figure.update_xaxes(title_text=axis, title_font_size=TEXT_SIZE, row=3, col=1)
    figure.update_yaxes(
        autorange="reversed",
        tickfont_size=TEXT_SIZE,
        ticklabelstandoff=10,
        dtick=1,
        categoryorder="array",
        categoryarray=PAPER_TRAININGS,
    )
    return figure


def _bar(figure: go.Figure, row: int, training: str, value: float, pattern: str, hover: str) -> None:
    figure.add_bar(
        x=[value],
        y=[training],
        orientation="h",
        row=row,
        col=1,
        showlegend=False,
        marker={"color": COLOURS[training], "pattern": {"shape": pattern, "size": 9, "solidity": 0.35}},
        hovertemplate=f"{training}, {hover}<extra></extra>",
    )


def _legend(figure: go.Figure, *, hatched: bool) -> None:
    """What bars, hatching and marks mean, in no regime's colour."""
    bars = (("right after FGSM", ""), ("… because its gradient is exactly zero", "/"))
    for name, pattern in bars if hatched else bars[:1]:
        figure.add_bar(
            x=[None],
            y=[None],
            name=name,
            orientation="h",
            marker={"color": NEUTRAL, "pattern": {"shape": pattern, "size": 9, "solidity": 0.35}},
        )
    for name, marker in (
        ("right without attack", CLEAN),
        ("the paper's, without attack", PAPER_CLEAN),
        ("the paper's, after FGSM", PAPER_FGSM),
    ):
        figure.add_scatter(x=[None], y=[None], mode="markers", name=name, marker=marker)
