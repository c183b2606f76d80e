"""Straight paths and planes between test images, kept for all sessions: nobody may write to them."""

import time
from collections.abc import Iterable, Iterator

from satcore import geometry
from satcore.dashboard.shared import cache, digits

PATIENCE = 0.5  # seconds


def convolves(names: Iterable[str]) -> bool:
    """Whether any of the networks `names` convolves."""
    return any(digits.network(name).convolves for name in names)


def paths(names: Iterable[str], source: int, target: int, points: int) -> dict[str, geometry.Path]:
    """The straight path between two test images for the networks `names`, by name.

    Only as many as are known or can be computed before `PATIENCE` runs out: ask again for the rest. Raises ValueError
    as `satcore.geometry.path`.
    """
    start, there = time.monotonic(), {}
    for name in names:
        there[name] = _path(name, source, target, points)
        if time.monotonic() - start > PATIENCE:
            break
    return there


@cache.followed
def plane(name: str, corners: tuple[int, int, int], side: int) -> Iterator[geometry.Plane]:
    """The triangle between three test images, as it fills, or at once where it is known.

    Raises ValueError as `satcore.geometry.plane`.
    """
    images = (digits.example(index) for index in corners)
    yield from geometry.plane(digits.network(name), *images, side=side)


@cache.lasting
def _path(name: str, source: int, target: int, points: int) -> geometry.Path:
    return geometry.path(digits.network(name), digits.example(source), digits.example(target), points)
