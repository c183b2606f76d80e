"""A field to draw a digit on, with a pointer or a finger."""

import base64

import numpy as np
import streamlit as st
import torch
from satcore.dashboard.encoded import component
from torch import Tensor

from satcore import data

_component = component("draw_pad")


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


def ask_for_one() -> None:
    st.info("Draw a digit in the field, and say which it is.", icon=":material/draw:")
