"""A network in float64, and its exact linearisation at a batch of images: tangents pushed up, cotangents pulled down.

Derivatives are exact however saturated the units are: each nonlinearity's own slope, never autograd's.
"""

import copy
import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import max_unpool2d

from satcore.data import CLASSES
from satcore.geometry.linear_maps import LinearMap, Product, linear_part
from satcore.networks import IMAGE, MaxPooling, Network, Shape, shapes


@dataclass(frozen=True)
class Slopes:
    """What a block does to small changes: dxˡ = `slope`·dhˡ, taken from where the pooling took its maximum.

    slope    as xˡ, (N, units) or (N, channels, height, width): φ′(hˡ)
    taken    as xˡ, int64: which place of its channel in hˡ each entry was taken from; None where nothing is pooled
    pooling  how, if at all; sides: height and width of hˡ
    """

    slope: Tensor
    taken: Tensor | None = None
    pooling: MaxPooling | None = None
    sides: Shape = ()

    def push(self, dh: Tensor) -> Tensor:
        """dxˡ, (N, …), of dhˡ (N, …), or one dhˡ (1, …) for all."""
        if self.taken is not None:
            places = self.taken.flatten(2)
            dh = dh.flatten(2).expand(len(places), -1, -1).gather(2, places).view_as(self.slope)
        return self.slope * dh

    def pull(self, g: Tensor) -> Tensor:
        """∂/∂hˡ, (N, 10, …), of ∂/∂xˡ: (N, 10, …), or one (10, …) for all; in any shape of as many units."""
        g = g.reshape(-1, CLASSES, *self.slope.shape[1:]) * self.slope[:, None]
        if self.taken is None or self.pooling is None:
            return g
        places = self.taken[:, None].expand_as(g)
        if self.pooling.overlaps or any(self.pooling.padding):  # then a place can have been taken several times
            whole = g.new_zeros(*g.shape[:3], math.prod(self.sides)).scatter_add(3, places.flatten(3), g.flatten(3))
            return whole.unflatten(3, self.sides)
        pulled = max_unpool2d(
            g.flatten(0, 1), places.flatten(0, 1), self.pooling.kernel, self.pooling.stride, output_size=self.sides
        )
        return pulled.unflatten(0, g.shape[:2])


class ExactNetwork:
    """`network` in float64, which is itself left as it is, with the linear part of each of its blocks.

    Raises ValueError for a module that isn't a `Network`: what can't be taken apart has no exact derivative here.
    """

    def __init__(self, network: Network):
        if not isinstance(network, Network):
            raise ValueError(
                "expected a network of blocks, of which exact derivatives can be taken, "
                f"got a {type(network).__name__}, which only gives logits"
            )
        if any(parameter.dtype != torch.float64 for parameter in network.parameters()):
            network = copy.deepcopy(network).double()
        self.network = network
        inputs = [IMAGE, *(x for _, x in shapes(network.architecture)[:-1])]
        smooth = not all(network.phi(index).piecewise_linear for index in range(len(network.architecture)))
        self.linear_parts = [
            linear_part(*parts, entrywise=smooth)
            for parts in zip(network.architecture, network.layers, inputs, strict=True)
        ]
        self.most = 16 if network.convolves else 128  # images at a time, as the processor's cache likes them

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def first(self, images: Tensor) -> Tensor:
        """h¹ of `images` (N, 1, 28, 28)."""
        return self.network.affine(0, images.detach().to(self.device, torch.float64))

    def first_tangent(self, directions: Tensor) -> Tensor:
        """dh¹ of the changes `directions` (N, 1, 28, 28) of the image: the same wherever the image is."""
        return self.linear_parts[0](directions.detach().to(self.device, torch.float64))

    def at(self, h: Tensor) -> "Linearised":
        """The network at images whose first block's pre-activations are `h`, h¹ (N, …)."""
        slopes = []
        for index, block in enumerate(self.network.architecture[:-1]):
            phi, taken, sides = self.network.phi(index), None, tuple(h.shape[2:])
            if block.pooling:
                h, taken = block.pooling.taken(h)
            slopes.append(Slopes(phi.slope(h), taken, block.pooling, sides))
            h = self.network.affine(index + 1, phi(h))
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
        for slopes, linear in zip(self.slopes, self.exact.linear_parts[1:], strict=True):
            dh = linear(slopes.push(dh))
        return dh

    def pull(self) -> Tensor:
        """∂hᴰ/∂h¹, (N, 10, …)."""
        if not self.slopes:
            return torch.eye(CLASSES).to(self.logits).expand(len(self.logits), -1, -1)
        *between, last = self.exact.linear_parts[1:]
        g = self.slopes[-1].pull(_rows(last))
        for slopes, linear in zip(reversed(self.slopes[:-1]), reversed(between), strict=True):
            g = slopes.pull(linear.transposed(g))
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
    return torch.cat(
        [a[..., start:] @ r[start : start + block, start:].mT for start in range(0, len(r), block)], dim=-1
    )


def _rows(last: LinearMap) -> Tensor:
    """The matrix (10, units) of the last block's linear part."""
    if isinstance(last, Product):
        return last.weight
    return last.transposed(torch.eye(CLASSES, dtype=torch.float64)[None])[0]
