"""One digit in two networks: what FGSM sees and leaves in each, and what is true, with the pixels that are free."""

from html import escape

import numpy as np

from satcore.dashboard.reality_check import words
from satcore.dashboard.reality_check.truths import Symptom, Truth
from satcore.dashboard.shared.component import component, float32, pixels
from satcore.dashboard.shared.style import Style

_component = component(__file__)


def opposite_view(
    image: np.ndarray, found: dict[str, tuple[Symptom, Truth]], styles: dict[str, Style], label: int, *, key: str
) -> None:
    """Draw the `image` (28, 28) of a digit `label`, and what was `found` of it for each network, each in its style."""
    _component(
        key=key,
        data={
            "digit": pixels(image),
            "networks": [
                {
                    "label": escape(styles[name].label),
                    "colour": styles[name].colour,
                    "gradient": float32(symptom.gradient / (np.abs(symptom.gradient).max() or 1)),
                    "left": pixels(symptom.left),
                    "found": pixels(truth.image),
                    "free": np.flatnonzero(truth.free).tolist() if not truth.free.all() else [],
                    "flipped": np.flatnonzero(truth.free & (truth.image != image)).tolist()
                    if not truth.free.all()
                    else [],
                    "captions": [escape(caption) for caption in words.captions(symptom, truth, image)],
                    "verdict": truth.verdict,
                    "says": escape(words.truth(truth, label)),
                }
                for name, (symptom, truth) in found.items()
            ],
        },
    )
