"""A network in float64, and its exact linearisation at a batch of images: tangents pushed up, cotangents pulled down.

Derivatives are exact however saturated the units are: σ′(h) is taken as σ(h)·σ(−h), never as the y(1−y) of autograd,
which is 0 from h ≈ 37 on.
"""

import copy
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_unpool2d

from satcore.data import CLASSES
from satcore.linear_maps import Dense, DirectConvolution, FourierConvolution
from satcore.networks import Network


@dataclass(frozen=True)
class Slopes:
    """What a hidden layer does to small changes: dxˡ = `slope`·dhˡ, taken from where the pooling took its maximum.

    slope  as xˡ, (N, units) or (N, channels, height, width): φ′(hˡ)
    taken  as xˡ, int64: which place of its channel in hˡ each entry was taken from; None where nothing is pooled
    """

    slope: Tensor
    taken: Tensor | None

    def push(self, dh: Tensor) -> Tensor:
        """dxˡ, (N, …), of dhˡ (N, …), or one dhˡ (1, …) for all."""
        if self.taken is not None:
            places = self.taken.flatten(2)
            dh = dh.flatten(2).expand(len(places), -1, -1).gather(2, places).view_as(self.slope)
        return self.slope * dh

    def pull(self, g: Tensor) -> Tensor:
        """∂/∂hˡ, (N, 10, …), of ∂/∂xˡ: (N, 10, …), or one (10, …) for all; in any shape of as many units."""
        g = g.reshape(-1, CLASSES, *self.slope.shape[1:]) * self.slope[:, None]
        if self.taken is None:
            return g
        places = self.taken[:, None].expand_as(g).flatten(0, 1)
        return max_unpool2d(g.flatten(0, 1), places, 2).unflatten(0, (-1, CLASSES))


class ExactNetwork:
    """`network` in float64, which is itself left as it is, with the linear part of each of its layers."""

    def __init__(self, network: Network):
        if any(parameter.dtype != torch.float64 for parameter in network.parameters()):
            network = copy.deepcopy(network).double()
        self.network = network
        self.linear_parts = [_linear_part(layer, side=28 >> index) for index, layer in enumerate(network.layers)]
        convolves = isinstance(network.layers[0], nn.Conv2d)
        self.most = 16 if convolves else 128  # images at a time, as the processor's cache likes them

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def first(self, images: Tensor) -> Tensor:
        """h¹ of `images` (N, 1, 28, 28)."""
        layer = self.network.layers[0]
        images = images.detach().to(self.device, torch.float64)
        return layer(images.flatten(1) if isinstance(layer, nn.Linear) else images)

    def first_tangent(self, directions: Tensor) -> Tensor:
        """dh¹ of the changes `directions` (N, 1, 28, 28) of the image: the same wherever the image is."""
        return self.linear_parts[0](directions.detach().to(self.device, torch.float64))

    def at(self, h: Tensor) -> "Linearised":
        """The network at images whose first layer's pre-activations are `h`, h¹ (N, …)."""
        slopes = []
        for layer in self.network.layers[1:]:
            taken = None
            if h.ndim == 4:
                h, taken = max_pool2d(h, 2, return_indices=True)
            x, slope = OUTPUT_AND_SLOPE[self.network.activation](h)
            slopes.append(Slopes(slope, taken))
            h = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
        return Linearised(self, slopes, h)

    def parts(self, batch: Tensor) -> tuple[Tensor, ...]:
        """`batch` (N, …) in parts of one size, none larger than is good."""
        return batch.chunk(max(1, math.ceil(len(batch) / self.most)))

    @functools.cached_property
    def triangle(self) -> Tensor:
        """R (units, units) of W¹ᵀ = QR, so that AW¹ and ARᵀ have the same singular values."""
        return torch.linalg.qr(self.network.layers[0].weight.mT, mode="r").R


@dataclass(frozen=True)
class Linearised:
    """An exact network at N images: its `logits` (N, 10), and the slopes of its hidden layers, from the first up."""

    exact: ExactNetwork
    slopes: list[Slopes]
    logits: Tensor

    def push(self, dh: Tensor) -> Tensor:
        """dhᴰ (N, 10) of dh¹ (N, …), or of one dh¹ (1, …) for all."""
        for slopes, linear_part in zip(self.slopes, self.exact.linear_parts[1:], strict=True):
            dh = linear_part(slopes.push(dh))
        return dh

    def pull(self) -> Tensor:
        """∂hᴰ/∂h¹, (N, 10, …)."""
        *between, last = self.exact.linear_parts[1:]
        g = self.slopes[-1].pull(last.weight)
        for slopes, linear_part in zip(reversed(self.slopes[:-1]), reversed(between), strict=True):
            g = slopes.pull(linear_part.transposed(g))
        return g

    def jacobian(self) -> Tensor:
        """J = ∂hᴰ/∂x⁰, (N, 10, 784)."""
        return self.exact.linear_parts[0].transposed(self.pull()).flatten(2)

    def singular_values(self) -> Tensor:
        """Those of J, (N, 10), descending."""
        if isinstance(self.exact.network.layers[0], nn.Linear):
            return singular_values(_times_triangle(self.pull(), self.exact.triangle))
        return singular_values(self.jacobian())


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values of `matrices` (N, 10, columns), (N, 10), descending: of the 10×10 factor R of Mᵀ = QR.

    As exact as of the matrices themselves, and far from MMᵀ, which squares small ratios away.
    """
    return torch.linalg.svdvals(torch.linalg.qr(matrices.mT, mode="r").R)


def _times_triangle(a: Tensor, r: Tensor) -> Tensor:
    """ARᵀ of an upper triangular R, in blocks that leave out most of its zeros."""
    block = -(-len(r) // 4)
    return torch.cat([a[..., start:] @ r[start:start + block, start:].mT for start in range(0, len(r), block)], dim=-1)


def _linear_part(layer: nn.Module, side: int) -> Dense | DirectConvolution | FourierConvolution:
    if isinstance(layer, nn.Linear):
        return Dense(layer)
    return DirectConvolution(layer) if layer.in_channels == 1 else FourierConvolution(layer, side)


def _sigmoid(h: Tensor) -> tuple[Tensor, Tensor]:
    y = torch.sigmoid(h)
    return y, y * torch.sigmoid(-h)


def _relu(h: Tensor) -> tuple[Tensor, Tensor]:
    return torch.relu(h), (h > 0).to(h.dtype)


OUTPUT_AND_SLOPE = {"sigmoid": _sigmoid, "relu": _relu}
