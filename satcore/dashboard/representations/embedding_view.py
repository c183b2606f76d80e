"""Two dimensions of every layer of some networks: a component that shows the image pointed at, in every layer."""

from collections.abc import Mapping

import numpy as np

from satcore.dashboard.representations.compute import EPSILONS, Travel
from satcore.dashboard.representations.rdm_view import BORDERS
from satcore.dashboard.shared.component import component, float32, pixels
from satcore.dashboard.shared.layers import in_order
from satcore.dashboard.shared.style import DIGIT_COLOURS, Style

_component = component(__file__)


def embedding_view(
    embeddings: Mapping[str, Mapping[str, np.ndarray]],
    travels: Mapping[str, Travel],
    styles: Mapping[str, Style],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    method: str,
) -> None:
    """Draw each network's layers, (1000 + 11, 2) each, in a row.

    First the sample's `images` (1000, 28, 28) with their `labels` (1000,), then the way of an image under attack.
    """
    layers = in_order([list(there) for there in embeddings.values()])
    _component(
        key="embedding_view",
        data={
            "layers": layers,
            "method": method,
            "images": pixels(images),
            "labels": labels.tolist(),
            "epsilons": EPSILONS,
            "colours": DIGIT_COLOURS,
            "attacked": pixels(np.stack([travels[name].images for name in embeddings])),
            "networks": [
                {
                    "name": name,
                    "label": styles[name].label,
                    "colour": styles[name].colour,
                    "border": BORDERS[styles[name].dash],
                    "layers": [float32(there[layer]) if layer in there else None for layer in layers],
                }
                for name, there in embeddings.items()
            ],
        },
    )
