"""What every page's export has in common: a button for a file, and the lines of Python that compute it again."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from satcore import library

Content = str | bytes
Rows = Iterable[Sequence[object]]


def button(label: str, file: str, data: Content | Callable[[], Content]) -> None:
    """A button that saves `data` as the `file`; a function of no arguments is called when the button is pressed."""
    st.download_button(label, data, file, on_click="ignore", icon=":material/download:", key=f"download {label}")


def code(lines: str) -> None:
    """Lines of Python, folded away."""
    with st.expander("The same in Python"):
        st.markdown("In the repository's folder, or anywhere once `pip install .` has been run there.")
        st.code(lines, language="python")


def of_arrays(arrays: Mapping[str, ArrayLike], file: str, lines: str) -> None:
    """A button for some named arrays, as the `file` without its ending, and the Python that computes them again."""
    button("NPZ", f"{file}.npz", lambda: npz(arrays))
    code(lines)


def npz(arrays: Mapping[str, ArrayLike]) -> bytes:
    """The named arrays as one compressed NPZ."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
    return file.getvalue()


def csv_of(header: Sequence[str], rows: Rows) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def file_name(names: Iterable[str], *parts: object) -> str:
    """What a file is called that is about the networks `names`: their group where they have one, then the `parts`.

    "relu-mlp-1-7" for a family of the paper, "networks-1-7" for networks from several groups.
    """
    groups = {library.describe(name).group for name in names}
    group = groups.pop() if len(groups) == 1 else ""
    return "-".join(map(str, (group or "networks", *parts)))
