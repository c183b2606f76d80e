"""What a network's units can be, by interval arithmetic and in the network's own floating-point numbers.

A sum of n products, in whatever order it is taken, is off by at most γ_n Σ|products|, γ_n = nu/(1 − nu) with u the unit
roundoff (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, §3.1). So a block computes Wx + b + e
with |e| ≤ γ(|W||x| + |b|), entry by entry, of the inputs x that it is given, rounded as they are; and whatever is
proven with e in it holds for the network as it computes. Here u has float64's roundoff added, several times, for that
of the proof, and γ some more for its sums over the units of the block. Where a sum may overflow, nothing is known.
"""

import math

import torch
from torch import Tensor, nn

from satcore.geometry.linear_maps import FourierConvolution
from satcore.geometry.linearised import ExactNetwork
from satcore.networks import IMAGE, Affine, AveragePooling, Convolution, Dense, MaxPooling, Network, Shape, shapes

SLACK = 2.0**-40  # relative: far more than float64 loses in a sum over any layer that is taken in
OVERFLOW = 0.25  # of the largest number: no sum whose products come to less than this share of it overflows
SMALLEST = 2.0**-126  # what is below may be flushed to 0
Interval = tuple[Tensor, Tensor]


class Arithmetic:
    """A network's blocks on intervals, as its own numbers and float64 round them; everything is flat, (N, units)."""

    def __init__(self, network: Network):
        exact = ExactNetwork(network)
        self.network, self.linear_parts = exact.network, exact.linear_parts
        numbers = torch.finfo(next(network.parameters()).dtype)
        self.roundoff, self.most = numbers.eps / 2, OVERFLOW * numbers.max
        self.shapes = shapes(network.architecture)
        self.windows = [
            _windows(block.pooling, h) if block.pooling else None
            for block, (h, _) in zip(network.architecture, self.shapes, strict=True)
        ]
        self.biases = [_flat_bias(layer, h) for layer, (h, _) in zip(self.network.layers, self.shapes, strict=True)]

    def errors(self, depth: int, inputs: Interval) -> Tensor:
        """By how much rounding can change the pre-activations of the block at `depth`; no number where they may
        overflow, so that all that is computed of them is none, as in the network itself.
        """
        largest = torch.maximum(inputs[0].abs(), inputs[1].abs())
        summed = self._spread(depth, largest) + self.biases[depth].abs()
        terms = _terms(self.network.architecture[depth].affine) + 2
        nu = terms * (self.roundoff + 2.0**-51)
        error = (nu / (1 - nu) + SLACK) * summed + terms * SMALLEST
        if isinstance(self.linear_parts[depth], FourierConvolution):  # whose roundoff goes by the largest entry
            error = error + SLACK * self.network.get_parameter(f"layers.{depth}.weight").abs().amax() * largest.sum(
                1, keepdim=True
            )
        return torch.where(summed < self.most, error, torch.nan)

    def pre_activations(self, depth: int, inputs: Interval, errors: Tensor) -> Interval:
        """Between what the pre-activations of the block at `depth` lie."""
        low, high = inputs
        middle, around = (low + high) / 2, self._spread(depth, (high - low) / 2) + errors
        h = self.network.affine(depth, middle.view(-1, *self._inputs(depth))).flatten(1)
        return h - around, h + around

    def outputs(self, depth: int, h: Interval) -> Interval:
        """Between what the outputs of the block at `depth` lie, of pre-activations in `h`."""
        low, high = h
        if (windows := self.windows[depth]) is not None:
            low, high = (in_windows(end, windows).amax(2) for end in h)
        phi = self.network.phi(depth)
        return phi(low) - phi.roundoffs * self.roundoff, phi(high) + phi.roundoffs * self.roundoff

    def _spread(self, depth: int, x: Tensor) -> Tensor:
        return self.network.spread(depth, x.view(-1, *self._inputs(depth))).flatten(1)

    def _inputs(self, depth: int) -> Shape:
        return self.shapes[depth - 1][1] if depth else IMAGE


def in_windows(h: Tensor, windows: Tensor) -> Tensor:
    """The entries of `h` (N, units) in each window, (N, windows, places); −∞ where it reaches over the edge."""
    return nn.functional.pad(h, (0, 1), value=-torch.inf)[:, windows]


def _windows(pooling: MaxPooling, h: Shape) -> Tensor:
    """Which entries of the flat h each window holds, (windows, places); one past the last where it reaches over."""
    rows, columns = pooling.padding
    entries = torch.arange(math.prod(h)).view(h)
    entries = nn.functional.pad(entries, (columns, columns, rows, rows), value=math.prod(h))
    entries = entries.unfold(1, pooling.kernel[0], pooling.stride[0]).unfold(2, pooling.kernel[1], pooling.stride[1])
    return entries.reshape(-1, math.prod(pooling.kernel))


def _flat_bias(layer: nn.Module, h: Shape) -> Tensor:
    """The bias of every unit; nothing where the `layer` has none."""
    bias = getattr(layer, "bias", None)
    if bias is None:
        return torch.zeros(math.prod(h), dtype=torch.float64)
    return (bias[:, None, None] if isinstance(layer, nn.Conv2d) else bias).detach().expand(h).flatten()


def _terms(affine: Affine) -> int:
    """How many products one pre-activation sums up."""
    match affine:
        case Dense(inputs=inputs):
            return inputs
        case Convolution(inputs=inputs, kernel=kernel, groups=groups):
            return inputs // groups * math.prod(kernel)
        case AveragePooling(kernel=kernel):
            return math.prod(kernel)
        case _:
            return 1
