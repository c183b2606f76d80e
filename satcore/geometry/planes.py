"""The triangle that three images span, mapped."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from satcore.data import check_whole
from satcore.geometry.linearised import ExactNetwork
from satcore.geometry.metric import Affine, one_image
from satcore.networks import Network

PART = 2_000  # points of a plane from one record to the next
MOST_SIDE = 1_000  # points: each record is a copy of three maps of so many squared


@dataclass(frozen=True)
class Plane:
    """The triangle that three images span, on a grid in the plane's own coordinates (pixel values, Euclidean).

    corners             (3, 2): where the three images lie; the first at the origin, the second on the x axis
    x, y                (side,): the grid
    predicted           (side, side) int64, [row y, column x]: the class predicted; −1 outside the triangle
    confidence          (side, side): its probability; NaN outside
    log_length_element  (side, side): log₁₀ of the length element per unit of Euclidean distance, root mean square
                        over all directions in the plane; NaN outside
    done                share of the grid that has been computed; the last record's is 1
    """

    corners: Tensor
    x: Tensor
    y: Tensor
    predicted: Tensor
    confidence: Tensor
    log_length_element: Tensor
    done: float


@torch.no_grad()
def plane(network: Network, first: Tensor, second: Tensor, third: Tensor, side: int = 200) -> Iterator[Plane]:
    """Map the triangle that three images span, each (1, 28, 28) or (1, 1, 28, 28), in [0, 1], on `side`² points.

    Yields the map as it fills; the last one is whole. Raises ValueError for other images, for three on one line, for
    what isn't a network of blocks, and for fewer than 2 or more than `MOST_SIDE` points a side.
    """
    check_whole(side, f"from 2 to {MOST_SIDE:,} points a side", 2, MOST_SIDE)
    exact = ExactNetwork(network)
    first, second, third = (one_image(image, exact.device) for image in (first, second, third))
    directions, corners = _frame(first, second, third)
    affine = Affine(exact, torch.cat((first, second, third)), directions)

    x = torch.linspace(float(corners[:, 0].min()), float(corners[:, 0].max()), side, dtype=torch.float64)
    y = torch.linspace(0, float(corners[2, 1]), side, dtype=torch.float64)
    weights = _barycentric(corners, x, y)
    rows, columns = (weights >= -1e-12).all(2).nonzero(as_tuple=True)  # the edges too, however they are rounded
    predicted = torch.full((side, side), -1)
    confidence, log_element = torch.full((2, side, side), math.nan, dtype=torch.float64)
    for at in torch.arange(len(rows)).split(PART):
        row, column = rows[at], columns[at]
        log_p, element, _ = affine.measured(weights[row, column].to(exact.device))
        best, predicted[row, column] = (values.cpu() for values in log_p.max(1))
        confidence[row, column] = best.exp()
        log_element[row, column] = element.log10().cpu()
        yield Plane(
            corners,
            x,
            y,
            predicted.clone(),
            confidence.clone(),
            log_element.clone(),
            done=(int(at[-1]) + 1) / len(rows),
        )


def _frame(first: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
    """An orthonormal frame of the plane of three images, (2, 1, 28, 28), and where they lie in it, (3, 2)."""
    across, up = second - first, third - first
    width = across.norm()
    right = across / width
    along = (up * right).sum()
    height = (up - along * right).norm()
    if not (width > 0 and height > 1e-6 * width):
        raise ValueError("expected three images that span a triangle, got three on one line")
    corners = torch.tensor([[0, 0], [float(width), 0], [float(along), float(height)]], dtype=torch.float64)
    return torch.cat((right, (up - along * right) / height)), corners


def _barycentric(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(rows of y, columns of x, 3): the weights of the triangle's `corners` (3, 2) whose mean the point is."""
    (width, _), (along, height) = corners[1], corners[2]
    third = (y / height)[:, None].expand(len(y), len(x))
    second = (x - third * along) / width
    return torch.stack((1 - second - third, second, third), 2)
