"""Components of our own in the browser, and arrays on their way there."""

import base64
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from streamlit.components import v2

HELPERS = Path(__file__).with_suffix(".js")


def component(python_file: str, helpers: Path = HELPERS):
    """The component whose look and behaviour lie beside the `python_file` that draws it, in its .css and .js.

    Its script can call what the `helpers` define.
    """
    here = Path(python_file)
    css, js = (here.with_suffix(ending).read_text(encoding="utf-8") for ending in (".css", ".js"))
    return v2.component(
        here.stem, html="<div class='view'></div>\n", css=css, js=helpers.read_text(encoding="utf-8") + js
    )


def float32(values: ArrayLike) -> str:
    """Numbers as little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")


def pixels(images: ArrayLike) -> str:
    """Images in [0, 1] as bytes in base64."""
    return base64.b64encode((255 * np.asarray(images)).round().astype(np.uint8).tobytes()).decode("ascii")
