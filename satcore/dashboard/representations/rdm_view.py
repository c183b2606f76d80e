"""Dissimilarity matrices of some networks: a component that answers to the pointer in the browser alone."""

from collections.abc import Iterable, Mapping

import numpy as np
from plotly.colors import sample_colorscale, unlabel_rgb

from satcore.dashboard.shared.component import component, float32, pixels
from satcore.dashboard.shared.layers import in_order
from satcore.dashboard.shared.style import Style

SCALE = (
    np.array([unlabel_rgb(colour) for colour in sample_colorscale("Viridis", np.linspace(0, 1, 256).tolist())])
    .round()
    .astype(np.uint8)
)
DECADES = 3  # of the logarithmic colour scale of one layer
FAR_APART = 30  # how many times as large one matrix may be as another and be seen beside it on a linear scale
BORDERS = {"solid": "solid", "dash": "dashed", "dot": "dotted", "dashdot": "double"}  # beside a network's name

_component = component(__file__)


def rdm_view(
    blocks: Mapping[str, Mapping[str, np.ndarray]], styles: Mapping[str, Style], images: np.ndarray, *, scale: str
) -> None:
    """Draw each network's layers (100, 100), block averages, in a row, all on one colour `scale`, "linear" or "log".

    `images` (100, 28, 28) in [0, 1]: one of each block.
    """
    panels = [matrix for layers in blocks.values() for matrix in layers.values()]
    high = max(float(matrix.max()) for matrix in panels)
    positive = [float(matrix.mean()) for matrix in panels if matrix.any()]
    low = min(positive, default=1.0) / 10 if scale == "log" else 0
    layers = in_order([list(there) for there in blocks.values()])
    _component(
        key="rdm_view",
        data={
            "layers": layers,
            "blocks": len(images),
            "perBlock": 1000 // len(images),
            "scale": scale,
            "high": high,
            "low": low,
            "colours": SCALE.tolist(),
            "images": pixels(images),
            "networks": [
                {
                    "name": name,
                    "label": styles[name].label,
                    "colour": styles[name].colour,
                    "border": BORDERS[styles[name].dash],
                    "layers": [float32(there[layer]) if layer in there else None for layer in layers],
                }
                for name, there in blocks.items()
            ],
        },
    )


def fitting(asked: str, largest: Iterable[float]) -> str:
    """The colour scale that is `asked` for; "automatic": "log" where the `largest` values of matrices are far apart."""
    if asked != "automatic":
        return asked
    positive = [value for value in largest if value > 0]
    return "log" if positive and max(positive) > FAR_APART * min(positive) else "linear"


def whole(matrix: np.ndarray, high: float, scale: str) -> np.ndarray:
    """A matrix (N, N) as a picture (N, N, 3) uint8, a pixel a pair, on the colour scale that ends at `high`."""
    return SCALE[(255 * share(matrix, high, scale)).round().clip(0, 255).astype(np.uint8)]


def share(matrix: np.ndarray, high: float, scale: str) -> np.ndarray:
    """How far up the colour `scale` that ends at `high` the values of a matrix lie, from 0 to 1."""
    share = matrix / (high or 1.0)  # 0 where all are alike
    return 1 + np.log10(np.maximum(share, 10.0**-DECADES)) / DECADES if scale == "log" else share
