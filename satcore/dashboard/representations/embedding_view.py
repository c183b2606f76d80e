"""Two dimensions of every layer of two networks: a component that shows the image pointed at, in every layer at once."""

import numpy as np
from satcore.dashboard.encoded import component, float32, pixels
from satcore.dashboard.figures import COLOURS, DIGIT_COLOURS
from satcore.dashboard.layers import EPSILONS, Travel

_component = component("embedding_view")


def embedding_view(
    embeddings: dict[str, dict[str, np.ndarray]],
    travels: dict[str, Travel],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    method: str,
) -> None:
    """Draw each network's layers, (1000 + 11, 2) each: the sample's `images` (1000, 28, 28) with their `labels`, then the
    way of an image under attack.
    """
    layers = max((list(layers) for layers in embeddings.values()), key=len)
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
                    "colour": COLOURS[name.partition("/")[2]],
                    "layers": [float32(there[layer]) if layer in there else None for layer in layers],
                }
                for name, there in embeddings.items()
            ],
        },
    )
