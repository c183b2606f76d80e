"""What no attack can break: linear bounds of an MLP's logits over the ε-ball (CROWN, Zhang et al. 2018), in float64.

Every unit's output is enclosed, over all the images of the ball, between two lines in its pre-activation; the lines are
substituted layer by layer down to the pixels, where the extremes of a linear function are known.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore.data import CLASSES, check_images, check_labels
from satcore.networks import Network

_AT_A_TIME = 50  # images: each carries a matrix of units × units
_NARROW = 1e-9  # an interval so short that the line between its ends is mostly rounding
_HALVINGS = 50


@dataclass(frozen=True)
class Enclosure:
    """`lower_slope`·h + `lower_offset` ≤ φ(h) ≤ `upper_slope`·h + `upper_offset` for each unit's h, all (N, units)."""

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor


def certified(network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> Tensor:
    """Which of `images` (N, 1, 28, 28) in [0, 1] are proven to be classified as `labels` (N,) int64 within `epsilon`, (N,) bool.

    A lower bound on how accurate an MLP stays under any attack in the L∞ ball and [0, 1]; False says nothing. The proof is
    about the network in float64, and leaves its rounding out. Raises ValueError for a network that isn't all dense layers,
    for other images or labels, and for a negative epsilon.
    """
    if not all(isinstance(layer, nn.Linear) for layer in network.layers):
        raise ValueError("expected a network of dense layers to certify, got one with convolutions")
    check_images(images)
    check_labels(labels, len(images))
    if not epsilon >= 0:
        raise ValueError(f"expected an epsilon of 0 or more, got {epsilon!r}")
    exact = copy.deepcopy(network).double()
    parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
    return torch.cat([_least_margins(exact, x.flatten(1).double(), y, epsilon).amin(1) > 0 for x, y in parts])


def enclosure(activation: str, low: Tensor, high: Tensor) -> Enclosure:
    """Lines below and above the `activation` "sigmoid" or "relu" over the intervals `low`…`high` (N, units)."""
    if activation == "relu":
        return _around_relu(low, high)
    # σ(−h) = 1 − σ(h): the line below is the one above the mirrored interval, mirrored.
    (upper_slope, upper_offset), (slope, offset) = _above_sigmoid(low, high), _above_sigmoid(-high, -low)
    return Enclosure(slope, 1 - offset, upper_slope, upper_offset)


def _least_margins(network: Network, x: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Lower bounds of h_y − h_j over the ball around each of `x` (N, 784), (N, 9) for the classes j ≠ y."""
    box = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    *hidden, _ = network.layers
    enclosures: list[Enclosure] = []
    for depth, layer in enumerate(hidden):
        rows = layer.weight[None]
        low = _lower_bound(network.layers[:depth], enclosures, rows, layer.bias, box)
        high = -_lower_bound(network.layers[:depth], enclosures, -rows, -layer.bias, box)
        enclosures.append(enclosure(network.activation, low, high))
    last, others = network.layers[-1], torch.ones(len(x), CLASSES, dtype=torch.bool).scatter(1, labels[:, None], False)
    contrast = (torch.eye(CLASSES).double()[labels][:, None] - torch.eye(CLASSES).double())[others].view(-1, CLASSES - 1, CLASSES)
    return _lower_bound(network.layers[:-1], enclosures, contrast @ last.weight, contrast @ last.bias, box)


def _lower_bound(below: nn.ModuleList, enclosures: list[Enclosure], rows: Tensor, offset: Tensor, box: tuple[Tensor, Tensor]) -> Tensor:
    """The least that rows·x + offset can be, (N, K), of x the outputs of the last layer `below` (none: the pixels in the `box`).

    `rows` (N, K, units); a positive coefficient takes the line below its unit, a negative one the line above.
    """
    for layer, around in zip(reversed(below), reversed(enclosures), strict=True):
        positive, negative = rows.clamp_min(0), rows.clamp_max(0)
        offset = (offset + (positive @ around.lower_offset[:, :, None] + negative @ around.upper_offset[:, :, None]).squeeze(2))
        rows = positive * around.lower_slope[:, None] + negative * around.upper_slope[:, None]
        offset, rows = offset + rows @ layer.bias, rows @ layer.weight
    low, high = box
    return offset + (rows.clamp_min(0) @ low[:, :, None] + rows.clamp_max(0) @ high[:, :, None]).squeeze(2)


def _around_relu(low: Tensor, high: Tensor) -> Enclosure:
    crossing = (low < 0) & (high > 0)
    slope = torch.where(crossing, high / (high - low).clamp_min(torch.finfo(low.dtype).tiny), (low >= 0).to(low))
    lower = torch.where(crossing, (high > -low).to(low), slope)  # the smaller triangle of the two
    return Enclosure(lower, torch.zeros_like(low), slope, torch.where(crossing, -slope * low, 0.0))


def _above_sigmoid(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line above σ on `low`…`high`: a chord where σ is convex, a tangent where it is concave, and
    between them the tangent through (low, σ(low)), or the chord where there is no such tangent.
    """
    bottom, top, narrow = torch.sigmoid(low), torch.sigmoid(high), high - low < _NARROW
    chord = (top - bottom) / (high - low).clamp_min(_NARROW)
    touch = torch.where(low >= 0, (low + high) / 2, _touching_point(low, high))
    slope = _slope(touch)
    reaches = torch.sigmoid(touch) + slope * (low - touch) >= bottom  # at `low` the tangent isn't below σ
    tangent = (low >= 0) | ((high > 0) & reaches)
    slope = torch.where(tangent, slope, chord)
    offset = torch.where(tangent, torch.sigmoid(touch) - slope * touch, bottom - slope * low)
    return torch.where(narrow, 0.0, slope), torch.where(narrow, top, offset)


def _touching_point(low: Tensor, high: Tensor) -> Tensor:
    """Where, in 0…`high`, the tangent of σ meets (low, σ(low)) or passes just above it, by bisection; `high` where none does."""
    bottom, left, right = torch.sigmoid(low), torch.zeros_like(low), high.clamp_min(0)
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        above = torch.sigmoid(middle) + _slope(middle) * (low - middle) >= bottom
        left, right = torch.where(above, left, middle), torch.where(above, middle, right)
    return right


def _slope(h: Tensor) -> Tensor:
    return torch.sigmoid(h) * torch.sigmoid(-h)
