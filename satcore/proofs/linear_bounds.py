"""What no attack can break: linear bounds of a network's logits over the ε-ball (CROWN, Zhang et al. 2018), in float64.

Every unit's output is enclosed, over all the images of the ball, between two lines in its pre-activation; the lines are
substituted block by block down to the pixels, where the extremes of a linear function are known.
"""

import math

import torch
from torch import Tensor, nn

from satcore.data import CLASSES, check_images, check_labels
from satcore.geometry.linear_maps import LinearMap, Product, Scaling
from satcore.geometry.linearised import ExactNetwork
from satcore.networks import Dense, Elementwise, ElementwiseModule, Network, shapes
from satcore.nonlinearities import Enclosure

_AT_A_TIME = 50  # images: each carries a matrix of units × units


def certified(network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> Tensor:
    """Which of `images` (N, 1, 28, 28) are proven to be classified as `labels` (N,) int64 within `epsilon`, (N,) bool.

    A lower bound on how accurate the network stays under any attack in the L∞ ball and [0, 1]; False says nothing. The
    proof is about the network in float64, and leaves its rounding out. Raises ValueError for a network that `refusal`
    has something against, for other images or labels, and for a negative epsilon.
    """
    if sentence := refusal(network):
        raise ValueError(sentence)
    check_images(images)
    check_labels(labels, len(images))
    if not epsilon >= 0:
        raise ValueError(f"expected an epsilon of 0 or more, got {epsilon!r}")
    bounds = _Bounds(ExactNetwork(network))
    parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
    return torch.cat([bounds.least_margins(x.double(), y, epsilon).amin(1) > 0 for x, y in parts])


def refusal(network: object) -> str:
    """Why no proof is to be had for the `network`, in one sentence; "" where one is."""
    if not isinstance(network, Network):
        return f"expected a network of blocks to certify, got a {type(network).__name__}, which only gives logits"
    if network.convolves or any(
        not isinstance(block.affine, Dense | Elementwise) or block.pooling for block in network.architecture
    ):
        return "expected a network of dense layers to certify, got one with convolutions or pooling"
    return ""


class _Bounds:
    """Bounds of an exact network's units, as lines in those below, down to the pixels."""

    def __init__(self, exact: ExactNetwork):
        self.linear_parts: list[LinearMap] = exact.linear_parts
        self.network = exact.network
        units = [h for h, _ in shapes(exact.network.architecture)]
        self.biases = [_spread(layer, shape) for layer, shape in zip(exact.network.layers, units, strict=True)]

    def least_margins(self, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
        """Lower bounds of h_y − h_j over the ball around each of the images, (N, 9) for the classes j ≠ y."""
        x = images.flatten(1)
        box = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
        enclosures: list[Enclosure] = []
        last = len(self.biases) - 1
        for depth in range(last):
            low, high = self._interval(depth, enclosures, box)
            enclosures.append(self.network.phi(depth).enclosure(low, high))
        others = torch.ones(len(x), CLASSES, dtype=torch.bool, device=x.device).scatter(1, labels[:, None], False)
        eye = torch.eye(CLASSES, dtype=torch.float64, device=x.device)
        contrast = (eye[labels][:, None] - eye)[others].view(-1, CLASSES - 1, CLASSES)
        return self._lower_bound(last, enclosures, contrast, box)

    def _interval(self, depth: int, enclosures: list[Enclosure], box: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Between what the pre-activations of the block at `depth` lie, two (N, units)."""
        if depth == 0 and isinstance(self.linear_parts[0], Scaling):  # pixel by pixel, without a matrix
            ends = torch.stack([self.linear_parts[0](end).flatten(1) for end in box]) + self.biases[0]
            return ends.amin(0), ends.amax(0)
        rows = torch.eye(len(self.biases[depth])).to(box[0])[None]
        return (self._lower_bound(depth, enclosures, rows, box), -self._lower_bound(depth, enclosures, -rows, box))

    def _lower_bound(self, depth: int, enclosures: list[Enclosure], rows: Tensor, box: tuple[Tensor, Tensor]) -> Tensor:
        """The least that rows·h can be, (N, K), of h the pre-activations of the block at `depth`; `rows` (N, K, units).

        A positive coefficient takes the line below its unit, a negative one the line above.
        """
        offset = rows @ self.biases[depth]
        rows = self._pulled(depth, rows)
        for below in range(depth - 1, -1, -1):
            around, (positive, negative) = enclosures[below], (rows.clamp_min(0), rows.clamp_max(0))
            offset = offset + (
                positive @ around.lower_offset[:, :, None] + negative @ around.upper_offset[:, :, None]
            ).squeeze(2)
            rows = positive * around.lower_slope[:, None] + negative * around.upper_slope[:, None]
            offset, rows = offset + rows @ self.biases[below], self._pulled(below, rows)
        low, high = box
        return offset + (rows.clamp_min(0) @ low[:, :, None] + rows.clamp_max(0) @ high[:, :, None]).squeeze(2)

    def _pulled(self, depth: int, rows: Tensor) -> Tensor:
        linear = self.linear_parts[depth]
        return rows @ linear.weight if isinstance(linear, Product) else linear.transposed(rows).flatten(2)


def _spread(layer: nn.Module, units: tuple[int, ...]) -> Tensor:
    """The bias of a dense or elementwise `layer` for every unit, flat."""
    assert isinstance(layer, nn.Linear | ElementwiseModule)
    return layer.bias.expand(units).reshape(math.prod(units))
