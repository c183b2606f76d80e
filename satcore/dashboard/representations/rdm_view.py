"""Dissimilarity matrices of two networks side by side: a component that answers to the pointer in the browser alone."""

import numpy as np
from plotly.colors import sample_colorscale, unlabel_rgb
from satcore.dashboard.encoded import component, float32, pixels
from satcore.dashboard.figures import COLOURS

SCALE = (
    np.array([unlabel_rgb(colour) for colour in sample_colorscale("Viridis", np.linspace(0, 1, 256))])
    .round()
    .astype(np.uint8)
)
DECADES = 3  # of the logarithmic colour scale of one layer

_component = component("rdm_view")


def rdm_view(blocks: dict[str, dict[str, np.ndarray]], images: np.ndarray, *, scale: str) -> None:
    """Draw each network's layers (100, 100), block averages, in columns, all on one colour `scale`, "linear" or "log".

    `images` (100, 28, 28) in [0, 1]: one of each block.
    """
    panels = [matrix for layers in blocks.values() for matrix in layers.values()]
    high = max(float(matrix.max()) for matrix in panels)
    low = min(float(matrix.mean()) for matrix in panels) / 10 if scale == "log" else 0
    layers = max((list(layers) for layers in blocks.values()), key=len)
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
                    "colour": COLOURS[name.partition("/")[2]],
                    "layers": [float32(there[layer]) if layer in there else None for layer in layers],
                }
                for name, there in blocks.items()
            ],
        },
    )


def whole(matrix: np.ndarray, high: float, scale: str) -> np.ndarray:
    """A matrix (N, N) as a picture (N, N, 3) uint8, a pixel a pair, on the colour scale that ends at `high`."""
    if scale == "log":
        share = 1 + np.log10(np.maximum(matrix, high / 10**DECADES) / high) / DECADES
    else:
        share = matrix / high
    return SCALE[(255 * share).round().clip(0, 255).astype(np.uint8)]
