"""Arrays and assets on their way into a component in the browser."""

import base64
from pathlib import Path

import numpy as np
import streamlit as st

HERE = Path(__file__).parent


def component(name: str):
    """The component whose look and behaviour lie in `name`.css and `name`.js beside this file."""
    return st.components.v2.component(
        name,
        html="<div class='view'></div>\n",
        css=(HERE / f"{name}.css").read_text(encoding="utf-8"),
        js=(HERE / f"{name}.js").read_text(encoding="utf-8"),
    )


def float32(values) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")


def pixels(images) -> str:
    """Images in [0, 1] as bytes."""
    return base64.b64encode((255 * np.asarray(images)).round().astype(np.uint8).tobytes()).decode("ascii")
