"""A field to draw a digit on, with a pointer or a finger."""

import base64

import numpy as np
import torch
from torch import Tensor

from satcore import data
from satcore.dashboard.shared.component import component
from satcore.room import PAD

_component = component(__file__, PAD)


def draw_pad(*, key: str) -> Tensor | None:
    """The digit drawn, centred as MNIST's are, (1, 1, 28, 28) float32 in [0, 1]; None as long as nothing is drawn."""
    drawn = _component(key=key, data={}, default={"pixels": ""}, on_pixels_change=lambda: None).pixels
    return digit_of(base64.b64decode(drawn)) if drawn else None


def digit_of(drawn: bytes) -> Tensor | None:
    """What was drawn, a byte a pixel, centred as MNIST's digits are: (1, 1, 28, 28) float32 in [0, 1]; None: nothing.

    Raises ValueError for other than 784 pixels.
    """
    pixels = np.frombuffer(drawn, np.uint8)
    if pixels.size != 784:
        raise ValueError(f"expected a drawing of 784 pixels, got {pixels.size}")
    if not pixels.any():
        return None
    return data.centred(torch.from_numpy(pixels.reshape(28, 28).astype(np.float32) / 255))[None, None]
