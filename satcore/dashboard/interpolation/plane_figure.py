"""The triangle between three images as a figure: where each class is predicted, and where the answer changes fast."""

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from satcore.dashboard.shared.digits import with_article
from satcore.dashboard.shared.figures import titled
from satcore.dashboard.shared.style import TEXT_SIZE
from satcore.geometry import Plane

STYLE = Path(__file__).with_suffix(".css")  # how high it is on the page
# Neighbours on the map need only be told apart: each region has its digit written on it as well.
CLASSES = ("#8DA0CB", "#E5C494", "#A6D854", "#FC8D62", "#66C2A5", "#E78AC3", "#FFD92F", "#B3B3B3", "#80B1D3", "#BC80BD")
RANGE = (-4, 4)  # of the logarithm; the same for all, so that maps compare
LABEL = {
    "showarrow": False,
    "font": {"size": TEXT_SIZE, "color": "black"},
    "bgcolor": "rgba(255,255,255,0.8)",
    "borderpad": 2,
}


def plane_figure(name: str, plane: Plane, corners: list[int], colour: str) -> go.Figure:
    """The map of one network, `name`, in its `colour`; `corners` are the digits that the three images show."""
    x, y = np.asarray(plane.x), np.asarray(plane.y)
    predicted, confidence = np.asarray(plane.predicted), np.asarray(plane.confidence)
    log_element = np.asarray(plane.log_length_element)
    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=["Class predicted", "Length element"],
    )
    inside = predicted >= 0
    figure.add_heatmap(
        x=x,
        y=y,
        z=np.where(inside, predicted, np.nan).astype(np.float32),
        zmin=-0.5,
        zmax=9.5,
        showscale=False,
        colorscale=[[edge / 10, colour] for k, colour in enumerate(CLASSES) for edge in (k, k + 1)],
        customdata=confidence.astype(np.float32),
        row=1,
        col=1,
        hoverongaps=False,
        hovertemplate="%{z:.0f}, with probability %{customdata:.3f}<extra></extra>",
    )
    figure.add_heatmap(
        x=x,
        y=y,
        z=np.maximum(log_element, 2 * RANGE[0]).astype(np.float32),
        zmin=RANGE[0],
        zmax=RANGE[1],
        colorscale="Cividis",
        row=1,
        col=2,
        hoverongaps=False,
        colorbar={
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "ypad": 0,
            "thickness": 12,
            "len": 0.92,
            "ticklabeloverflow": "allow",
            "tickvals": [-4, -2, 0, 2, 4],
            "ticktext": ["≤10⁻⁴", "10⁻²", "1", "10²", "10⁴"],
            "title": {"text": "length element, per unit of distance", "side": "bottom"},
        },
        hovertemplate="length element 10 to the power of %{z:.1f}, or less where −8<extra></extra>",
    )
    for digit in np.unique(predicted[inside]):
        where = np.argwhere(predicted == digit)
        if len(where) > 0.015 * inside.sum():
            row, column = where[((where - where.mean(0)) ** 2).sum(1).argmin()]  # of the region, nearest to its centre
            figure.add_annotation(x=x[column], y=y[row], text=f"<b>{digit}</b>", row=1, col=1, **LABEL)
    for (at_x, at_y), digit in zip(plane.corners.tolist(), corners, strict=True):
        for column in (1, 2):
            figure.add_scatter(
                x=[at_x],
                y=[at_y],
                mode="markers",
                row=1,
                col=column,
                showlegend=False,
                cliponaxis=False,
                marker={"size": 12, "color": colour, "line": {"width": 2, "color": "black"}},
                hovertemplate=f"the image of {with_article(digit)}<extra></extra>",
            )
    edge = 0.04 * (x[-1] - x[0])
    figure.update_xaxes(visible=False, constrain="domain", range=[x[0] - edge, x[-1] + edge])
    figure.update_yaxes(visible=False, constrain="domain", range=[y[0] - edge, y[-1] + edge])
    figure.update_xaxes(matches="x")
    figure.update_yaxes(matches="y", scaleanchor="x")
    figure.update_annotations(selector={"xref": "paper"}, font_size=TEXT_SIZE)
    figure.update_layout(
        title={"text": titled(name, colour), "font_size": TEXT_SIZE + 2, "y": 1, "yanchor": "top", "pad_t": 4},
        margin={"l": 4, "r": 4, "t": 62, "b": 56},
        font_size=TEXT_SIZE - 4,
    )
    return figure
