"""Paths and planes to take away, and the lines of Python that compute them again."""

from collections.abc import Iterable, Mapping
from itertools import chain

import numpy as np

from satcore.dashboard.shared.downloads import csv_of, file_name, npz
from satcore.dashboard.shared.take_away import TakeAway
from satcore.geometry import Path, Plane


def of_paths(paths: dict[str, Path], source: int, target: int, points: int) -> TakeAway:
    """The paths of some networks between the test images at the indices `source` and `target`."""
    file, code = file_name(paths, source, target), path_code(list(paths), source, target, points)
    data = {f"{file}.npz": lambda: npz(fields(paths)), f"{file}.csv": lambda: csv_of_paths(paths)}
    return TakeAway(file, code, data)


def of_planes(names: Iterable[str], planes: dict[str, Plane], corners: tuple[int, int, int], side: int) -> TakeAway:
    """The maps of the triangle between the test images at the indices `corners`, which may still come."""
    file, code = file_name(names, "plane", *corners), plane_code(list(names), corners, side)
    return TakeAway(file, code, {f"{file}.npz": lambda: npz(fields(planes))})


def fields(records: Mapping[str, Path | Plane]) -> dict[str, np.ndarray]:
    """All fields of some networks' records, each called "network/field"."""
    return {
        f"{name}/{field}": np.asarray(value)
        for name, record in records.items()
        for field, value in vars(record).items()
    }


def csv_of_paths(paths: dict[str, Path]) -> str:
    """A row a network and a t: probabilities, length element, singular values."""
    header = ["network", "t", *(f"p{k}" for k in range(10)), "length_element", *(f"sigma{k}" for k in range(1, 11))]
    return csv_of(header, chain.from_iterable(_rows(name, path) for name, path in paths.items()))


def path_code(names: list[str], source: int, target: int, points: int) -> str:
    """Python that computes the paths again."""
    return f"""from satcore import data, geometry, library

images, labels = data.load("test")
for name in {names!r}:
    path = geometry.path(library.load(name), images[{source}], images[{target}], points={points})
    print(name, path.length, path.geodesic, path.flatness, path.participation)
"""


def plane_code(names: list[str], corners: tuple[int, int, int], side: int) -> str:
    """Python that computes the maps again."""
    return f"""from satcore import data, geometry, library

images, labels = data.load("test")
for name in {names!r}:
    *_, plane = geometry.plane(library.load(name), *images[{list(corners)}], side={side})
    print(name, plane.predicted.unique(), plane.log_length_element.nan_to_num(-1e9).max().item())
"""


def _rows(name: str, path: Path) -> list[list]:
    columns = (path.t[:, None], path.probabilities, path.length_element[:, None], path.singular_values)
    return [[name, *row] for row in np.hstack(columns).tolist()]
