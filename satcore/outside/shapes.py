"""What only moves the entries of an array, checked before it is done."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from satcore.networks import Shape

MOST_DIMENSIONS = 8


def broadcast(shape: Shape, *others: Shape) -> Shape:
    """What all broadcast to. Raises ValueError where that is more than the first `shape` has entries."""
    try:
        found = np.broadcast_shapes(shape, *others)
    except ValueError:
        found = None
    if found is None or len(found) > MOST_DIMENSIONS or math.prod(found) != math.prod(shape):
        raise ValueError(f"expected constants that broadcast to the shape {shape}, got {', '.join(map(str, others))}")
    return found


def axes_of(axes: Iterable[int], dimensions: int) -> list[int]:
    """The `axes`, counted from the front. Raises ValueError for one that isn't there, or is there twice."""
    axes = list(axes)
    found = [axis % dimensions if dimensions and -dimensions <= axis < dimensions else -1 for axis in axes]
    if -1 in found or len(set(found)) < len(found):
        raise ValueError(f"expected different axes out of {dimensions}, got {axes[:MOST_DIMENSIONS]}")
    return found


def reshaped(array: np.ndarray, target: Sequence[int], zero_copies: bool = False) -> np.ndarray:
    """`array` in the shape `target`, of which one may be −1; 0 is the side it has where `zero_copies`."""
    if len(target) > MOST_DIMENSIONS:
        raise ValueError(f"expected a shape of at most {MOST_DIMENSIONS} dimensions, got {len(target)}")
    shape = [
        array.shape[at] if side == 0 and zero_copies and at < array.ndim else side for at, side in enumerate(target)
    ]
    known = math.prod(side for side in shape if side != -1)
    if shape.count(-1) == 1 and known > 0 and array.size % known == 0:
        shape[shape.index(-1)] = array.size // known
    if any(side < 0 for side in shape) or math.prod(shape) != array.size:
        raise ValueError(f"expected a shape of {array.size} entries, got {few(target)}")
    return array.reshape(shape)


def transposed(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """`array` with its dimensions in that `order`."""
    if len(order) != array.ndim:
        raise ValueError(f"expected an order of {array.ndim} dimensions, got {few(order)}")
    return array.transpose(axes_of(order, array.ndim))


def squeezed(array: np.ndarray, axes: Sequence[int] | None) -> np.ndarray:
    """`array` without the dimensions `axes`, of size 1; without all that are, for None."""
    if axes is None:
        return array.squeeze()
    over = axes_of(axes, array.ndim)
    if any(array.shape[axis] != 1 for axis in over):
        raise ValueError(f"expected dimensions of size 1 to take away, got {over} of {array.shape}")
    return array.squeeze(tuple(over))


def unsqueezed(array: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """`array` with dimensions of size 1 at the places `axes` of what comes out."""
    if array.ndim + len(axes) > MOST_DIMENSIONS:
        raise ValueError(f"expected at most {MOST_DIMENSIONS} dimensions, got {array.ndim + len(axes)}")
    return np.expand_dims(array, tuple(axes_of(axes, array.ndim + len(axes))))


def few(values: Sequence[int]) -> list[int]:
    """So many of the `values` as a sentence can hold."""
    return list(values)[:MOST_DIMENSIONS]
