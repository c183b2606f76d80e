"""A field to draw a digit on, with a pointer or a finger."""

import base64

import numpy as np
import torch
from torch import Tensor

from satcore import data
from satcore.dashboard.shared.component import component

_component = component(__file__)


def draw_pad(*, key: str) -> Tensor | None:
    """The digit drawn, centred as MNIST's are, (1, 1, 28, 28) float32 in [0, 1]; None as long as nothing is drawn."""
    drawn = _component(key=key, data={}, default={"pixels": ""}, on_pixels_change=lambda: None).pixels
    if not drawn:
        return None
    pixels = np.frombuffer(base64.b64decode(drawn), np.uint8)
    if pixels.size != 784:
        raise ValueError(f"expected a drawing of 784 pixels, got {pixels.size}")
    if not pixels.any():
        return None
    return data.centred(torch.from_numpy(pixels.reshape(28, 28).astype(np.float32) / 255))[None, None]
