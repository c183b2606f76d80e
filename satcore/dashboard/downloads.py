"""What a page shows, to take away: the numbers, and the lines of Python that compute them again."""

import csv
import io

import numpy as np
import streamlit as st
from torch import Tensor

from satcore.geometry import Path, Plane


def of_paths(paths: dict[str, Path], source: int, target: int, points: int) -> None:
    """Buttons for the paths of some networks between the test images at the indices `source` and `target`."""
    name = f"{next(iter(paths)).partition('/')[0]}-{source}-{target}"
    with st.container(horizontal=True, vertical_alignment="center"):
        _button("NPZ", f"{name}.npz", lambda: npz(paths))
        _button("CSV", f"{name}.csv", lambda: csv_of_paths(paths))
    _code(path_code(list(paths), source, target, points))


def of_planes(planes: dict[str, Plane], corners: tuple[int, int, int], side: int) -> None:
    """Buttons for the maps of the triangle between the test images at the indices `corners`."""
    name = "-".join((next(iter(planes)).partition("/")[0], "plane", *map(str, corners)))
    _button("NPZ", f"{name}.npz", lambda: npz(planes))
    _code(plane_code(list(planes), corners, side))


def of_rdms(rdms: dict[str, Tensor], layer: str, seed: int) -> None:
    """A button for the dissimilarities of one layer of some networks."""
    def file() -> bytes:
        return _npz({name: matrix.numpy() for name, matrix in rdms.items()})

    _button("NPZ", f"rdm-{layer.replace(' ', '-')}-{seed}.npz", file)
    _code(rdm_code(list(rdms), layer, seed))


def npz(records: dict[str, Path | Plane]) -> bytes:
    """All fields of some networks' records as one NPZ, each called "network/field"."""
    return _npz({f"{name}/{field}": np.asarray(value)
                 for name, record in records.items() for field, value in vars(record).items()})


def csv_of_paths(paths: dict[str, Path]) -> str:
    """A row a network and a t: probabilities, length element, singular values."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["network", "t", *(f"p{k}" for k in range(10)), "length_element", *(f"sigma{k}" for k in range(1, 11))])
    for name, path in paths.items():
        columns = (path.t[:, None], path.probabilities, path.length_element[:, None], path.singular_values)
        rows.writerows([name, *row] for row in np.hstack(columns).tolist())
    return text.getvalue()


def path_code(names: list[str], source: int, target: int, points: int) -> str:
    """Python that computes the paths again."""
    return f"""from satcore import checkpoints, data, geometry

images, labels = data.load("test")
for name in {names!r}:
    path = geometry.path(checkpoints.load(name), images[{source}], images[{target}], points={points})
    print(name, path.length, path.geodesic, path.flatness, path.participation)
"""


def plane_code(names: list[str], corners: tuple[int, int, int], side: int) -> str:
    """Python that computes the maps again."""
    return f"""from satcore import checkpoints, data, geometry

images, labels = data.load("test")
for name in {names!r}:
    *_, plane = geometry.plane(checkpoints.load(name), *images[{list(corners)}], side={side})
    print(name, plane.predicted.unique(), plane.log_length_element.nan_to_num(-1e9).max().item())
"""


def rdm_code(names: list[str], layer: str, seed: int) -> str:
    """Python that computes the dissimilarities again."""
    return f"""from satcore import checkpoints, data, representations

images, labels = data.load("test")
chosen = representations.sample("test", 100, seed={seed})
for name in {names!r}:
    layers = representations.layers(checkpoints.load(name), images[chosen])
    rdm = representations.rdm(layers[{layer!r}])
    print(name, representations.separation(rdm, labels[chosen]))
"""


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _button(label: str, file: str, data) -> None:
    st.download_button(label, data, file, on_click="ignore", icon=":material/download:", key=f"download {label}")


def _code(lines: str) -> None:
    with st.expander("The same in Python"):
        st.code(lines, language="python")
