"""Where the science refuses its input, the page says why."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def one_readable_line() -> Iterator[None]:
    """Where the science refuses its input, say why in one line and end the page there; never a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        st.error(str(error), icon=":material/error:")
        st.stop()


@contextmanager
def one_sentence() -> Iterator[None]:
    """Where one network is refused, say why in its place, and go on with the others."""
    try:
        yield
    except (ValueError, OSError) as error:
        st.error(str(error), icon=":material/error:")
