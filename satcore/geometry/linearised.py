"""A network in float64, and its exact linearisation at a batch of images: tangents pushed up, cotangents pulled down.

Derivatives are exact however saturated the units are: each nonlinearity's own slope, never autograd's.
"""

import copy
import functools
import math
import weakref
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import hardshrink, pad

from satcore.data import CLASSES
from satcore.geometry.cotangents import Cotangents
from satcore.geometry.linear_maps import linear_part
from satcore.networks import IMAGE, Network, Shape, shapes

MOST, ENTRIES = 128, 6_000_000  # images, and derivatives by the units of a layer, at a time: more is slower
CONVOLVED = 4  # images at a time
BLOCK = 64  # rows of a triangle at a time
FEW = 2 / 3  # of the first layer's units: their triangle is soon found, and spares much of what comes after
# Below, float64 has denormals alone, with which products take ten times as long, and few digits.
SMALLEST = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class Slopes:
    """What a block does to small changes: dxˡ = `slope`·dhˡ, taken from where the pooling took its maximum.

    slope  as xˡ, (N, units) or (N, channels, height, width): φ′(hˡ)
    taken  as xˡ, int64: which place of its channel in hˡ each entry was taken from; None where nothing is pooled
    sides  height and width of hˡ
    """

    slope: Tensor
    taken: Tensor | None = None
    sides: Shape = ()

    @functools.cached_property
    def passing(self) -> Tensor:
        """Which units of xˡ pass anything on at one of the images, (P,) int64, ascending."""
        return self.slope.flatten(1).any(0).nonzero()[:, 0]

    def push(self, dh: Tensor) -> Tensor:
        """dxˡ, (N, …), of dhˡ (N, …), or one dhˡ (1, …) for all."""
        if self.taken is not None:
            places = self.taken.flatten(2)
            dh = dh.flatten(2).expand(len(places), -1, -1).gather(2, places).view_as(self.slope)
        return hardshrink(self.slope * dh, SMALLEST)

    def pull(self, g: Tensor) -> Cotangents:
        """∂/∂hˡ of 10·N quantities, of ∂/∂xˡ by those units that are `passing`: (P, 10·N), or (P, 10) for all N."""
        g, slope = g.unflatten(1, (CLASSES, -1)), self._of_passing(self.slope)
        if self.taken is None:
            return Cotangents(self.passing, hardshrink((g * slope[:, None]).flatten(1), SMALLEST))
        channel = self.passing // math.prod(self.slope.shape[2:]) * math.prod(self.sides)
        return _unpooled(g, slope, channel[:, None] + self._of_passing(self.taken))

    def _of_passing(self, x: Tensor) -> Tensor:
        """(P, N) of what is as xˡ."""
        columns = x.flatten(1).mT
        return columns.contiguous() if len(self.passing) == len(columns) else columns[self.passing]


def _unpooled(g: Tensor, slope: Tensor, taken: Tensor) -> Cotangents:
    """Of the derivatives `g` (P, 10, N) by xˡ those by hˡ, with `slope` and the place they were `taken` from (P, N).

    At N images a maximum is taken from few places: they are gone through, of each maximum one at a time.
    """
    found, values = [taken.new_zeros(0)], [g.new_zeros(0, CLASSES * slope.shape[1])]
    while slope.any():
        place = torch.where(slope != 0, taken, -1).amax(1)
        same = taken == place[:, None]
        here = torch.where(same, slope, 0)
        some = (place >= 0).nonzero()[:, 0]
        found.append(place[some])
        values.append((g[some] * here[some][:, None]).flatten(1))
        slope = torch.where(same, 0, slope)
    each, derivatives = torch.cat(found), torch.cat(values)
    places, which = each.unique(return_inverse=True)
    if len(places) == len(each):
        return Cotangents(each, derivatives)
    together = derivatives.new_zeros(len(places), derivatives.shape[1])  # windows overlap: some are taken by several
    return Cotangents(places, together.index_add(0, which, derivatives))


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
        self.of = network
        if any(parameter.dtype != torch.float64 for parameter in network.parameters()):
            network = copy.deepcopy(network).double()
        self.network = network
        inputs = [IMAGE, *(x for _, x in shapes(network.architecture)[:-1])]
        smooth = not all(network.phi(index).piecewise_linear for index in range(len(network.architecture)))
        self.linear_parts = [
            linear_part(*parts, entrywise=smooth)
            for parts in zip(network.architecture, network.layers, inputs, strict=True)
        ]
        self.largest = max(math.prod(h) for h, _ in shapes(network.architecture))

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
            slopes.append(Slopes(phi.slope(h), taken, sides))
            h = self._affine(index + 1, phi(h))
        return Linearised(self, slopes, h)

    def _affine(self, index: int, x: Tensor) -> Tensor:
        """hˡ of xˡ⁻¹ (N, …), few images at a time where PyTorch copies every window of all of them before it sums."""
        few = CONVOLVED if isinstance(self.network.layers[index], nn.Conv2d) else max(1, len(x))
        return torch.cat([self.network.affine(index, some) for some in x.split(few)])

    def parts(self, batch: Tensor, derivatives: int) -> tuple[Tensor, ...]:
        """`batch` (N, …) in parts of one size, none larger than is good where each image has so many `derivatives`."""
        most = max(1, min(MOST, ENTRIES // (derivatives * self.largest)))
        return batch.chunk(max(1, math.ceil(len(batch) / most)))

    @functools.cached_property
    def triangle(self) -> Tensor:
        """That of all of W¹, found once a network: as long as it has these weights."""
        weight = self.network.get_parameter("layers.0.weight")
        before, triangle = _triangles.get(self.of, (None, None))
        if before is None or triangle is None or not torch.equal(before, weight):
            before, triangle = weight.clone(), _triangle(weight)
            _triangles[self.of] = before, triangle
        return triangle


_triangles: weakref.WeakKeyDictionary[Network, tuple[Tensor, Tensor]] = weakref.WeakKeyDictionary()


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

    @functools.cached_property
    def pulled(self) -> Cotangents:
        """∂hᴰ/∂h¹: the 10·N derivatives, those of one class after the other."""
        images = len(self.logits)
        eye = torch.eye(CLASSES, dtype=torch.float64, device=self.exact.device)
        g = Cotangents(torch.arange(CLASSES, device=self.exact.device), eye)
        if not self.slopes:
            return Cotangents(g.places, eye.repeat_interleave(images, 1))
        for slopes, linear in zip(reversed(self.slopes), reversed(self.exact.linear_parts[1:]), strict=True):
            g = slopes.pull(linear.pulled(g, slopes.passing))
        return g

    def along(self, dh: Tensor) -> Tensor:
        """dhᴰ (N, 10) of one dh¹ (1, …) for all, from the derivatives that have been `pulled`."""
        return (dh.flatten()[self.pulled.places] @ self.pulled.values).view(CLASSES, -1).mT

    def jacobian(self) -> Tensor:
        """J = ∂hᴰ/∂x⁰, (N, 10, 784)."""
        pixels = torch.arange(math.prod(IMAGE), device=self.exact.device)
        return self._by_class(self.exact.linear_parts[0].pulled(self.pulled, pixels))

    def singular_values(self) -> Tensor:
        """Those of J, (N, 10), descending."""
        first, g = self.exact.network.layers[0], self.pulled
        if not isinstance(first, nn.Linear):
            return singular_values(self.jacobian())
        if len(g.places) < FEW * first.out_features:
            return singular_values(self._by_class(_triangle(first.weight[g.places]) @ g.values))
        return singular_values(self._by_class(_triangle_times(self.exact.triangle, g)))

    def _by_class(self, derivatives: Tensor) -> Tensor:
        """(units, 10·N) ↦ (N, 10, units)."""
        return derivatives.unflatten(1, (CLASSES, len(self.logits))).permute(2, 1, 0)


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values of `matrices` (N, 10, columns), (N, 10), descending: of the 10×10 factor R of Mᵀ = QR.

    As exact as of the matrices themselves, and far from MMᵀ, which squares small ratios away.
    """
    missing = max(0, CLASSES - matrices.shape[2])  # columns, without which there would be fewer than ten
    return torch.linalg.svdvals(torch.linalg.qr(pad(matrices, (0, missing)).mT, mode="r").R)


def _triangle(w: Tensor) -> Tensor:
    """R of Wᵀ = QR, so that AW and ARᵀ have the same singular values."""
    return torch.linalg.qr(w.mT, mode="r").R


def _triangle_times(r: Tensor, g: Cotangents) -> Tensor:
    """Rg of an upper triangular R, in blocks that leave out most of its zeros; the places of `g` ascend."""
    starts = range(0, len(r), BLOCK)
    first = torch.searchsorted(g.places, torch.tensor(starts, device=r.device)).tolist()
    r = r if len(g.places) == len(r) else r[:, g.places]
    return torch.cat([r[start : start + BLOCK, i:] @ g.values[i:] for start, i in zip(starts, first, strict=True)])
