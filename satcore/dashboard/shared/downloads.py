"""Files of data, as pages hand them out, and what they are called."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from satcore import library

Rows = Iterable[Sequence[object]]


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
