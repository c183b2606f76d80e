"""How little Adam can still do where a network is so saturated that its gradient has all but vanished.

A step moves a pixel by lr·m̂/(√v̂ + 10⁻⁸), and the mean m of the gradients is no larger than the largest of them. So n
steps move no pixel by more than 10⁸·n·lr·G, if no gradient on the way is larger than G: which is proven by interval
arithmetic over all images that are no farther away than that.
"""

import math

import torch
from torch import Tensor, nn

from satcore.attacks.adam import BETAS, TINY
from satcore.networks import Dense, Network
from satcore.nonlinearities import Sigmoid
from satcore.proofs.rounding import SMALLEST, Arithmetic, Interval

RADII = [10.0**-power for power in range(9, 1, -1)]
ROUNDED = 1 + 2.0**-9  # more than all roundings of a gradient, or of the steps, that are relative to their size


def drift(
    network: nn.Module, images: Tensor, targets: Tensor, means: Tensor, *, taken: int, left: int, learning_rate: float
) -> Tensor:
    """By how much any pixel can change, at most, in the `left` steps of Adam that follow on the `taken`; (N,) float64.

    No image on the way is classified as its target (N,). ∞ where that isn't proven, as for every network that isn't
    one of dense layers with sigmoids between them. `images` (N, 1, 28, 28) are where Adam stands after 1 or more steps,
    `means` (N,) at least the size of its moving average of the gradient in any pixel. Gradients are those of the
    cross-entropy by autograd, in the network's own dtype: what is proven holds for any order of summation.
    """
    moved = torch.full((len(images),), torch.inf, dtype=torch.float64)
    if not (isinstance(network, Network) and _can_be_bounded(network)) or len(images) == 0:
        return moved
    plateau = _Plateau(network)
    largest_mean = means.double() / (1 - BETAS[0] ** taken)
    for radius in RADII:
        gradient, misses = plateau.around(images.flatten(1).double(), targets, radius)
        step = learning_rate * torch.maximum(largest_mean, gradient / (1 - BETAS[0] ** taken)) / TINY
        reach = 2 * left * step * ROUNDED  # x − u, rounded, is at most 2u away from x
        moved = torch.where(moved.isinf() & misses & (reach <= radius), reach, moved)
    return moved


def _can_be_bounded(network: Network) -> bool:
    *hidden, last = network.architecture
    return isinstance(last.affine, Dense) and all(
        isinstance(block.affine, Dense) and block.pooling is None and block.nonlinearity == Sigmoid.name
        for block in hidden
    )


class _Plateau:
    """Bounds of an MLP of sigmoid units and of its gradient, in whatever order its float numbers are summed up."""

    def __init__(self, network: Network):
        self.arithmetic = Arithmetic(network)
        self.weights = [weight.detach().abs() for weight in self.arithmetic.network.weights]

    def around(self, x: Tensor, targets: Tensor, radius: float) -> tuple[Tensor, Tensor]:
        """At most how large an entry of the gradient is at any image within `radius` of x (N, 784), and whether none
        of them is seen as its target (N,); both (N,).
        """
        y, slopes = ((x - radius).clamp(0, 1), (x + radius).clamp(0, 1)), []
        for depth in range(len(self.weights) - 1):
            h = self.arithmetic.pre_activations(depth, y, self.arithmetic.errors(depth, y))
            slopes.append(self._steepest(h))
            y = self.arithmetic.outputs(depth, h)
        last = len(self.weights) - 1
        low, high = self.arithmetic.pre_activations(last, y, self.arithmetic.errors(last, y))
        own = targets[:, None]
        misses = high.gather(1, own)[:, 0] < low.scatter(1, own, -torch.inf).amax(1)
        signal = torch.ones_like(low)  # |∂C/∂hᴰ| = |p − e_y| ≤ 1
        for weight, slope in zip(reversed(self.weights[1:]), reversed(slopes), strict=True):
            signal = self._pulled(signal, weight) * slope
        return self._pulled(signal, self.weights[0]).amax(1), misses

    def _pulled(self, signal: Tensor, weight: Tensor) -> Tensor:
        return ROUNDED * (signal @ weight) + len(weight) * SMALLEST

    def _steepest(self, h: Interval) -> Tensor:
        """At most what autograd takes for σ′ = y(1 − y) in the interval h, (N, units).

        With y = 1/(1 + e⁻ʰ) as it is rounded: exactly 1 where e⁻ʰ is below half a roundoff.
        """
        (low, high), u = h, self.arithmetic.roundoff
        nearest = torch.maximum(low, -high).clamp_min(0)  # how near it comes to 0
        slope = torch.sigmoid(-nearest) * ROUNDED + SMALLEST
        off = (Sigmoid.roundoffs + 1) * u  # of 1 − y, where y isn't small
        return torch.where(low > math.log(2 / u), 0, slope + off * (high >= 0))
