"""How the gradient of an attack's objective with respect to the image is taken."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore.attacks.objective import Objective
from satcore.data import check_logits, check_number
from satcore.networks import Activation, Network
from satcore.nonlinearities import Nonlinearity

WAYS = ("autograd", "exact", "softened")
COLDEST = 1e-6  # far below, h/T has no place in float32
BANDS = {torch.float16: 4, torch.bfloat16: 60, torch.float32: 60, torch.float64: 500}  # e-folds that go side by side
NOTHING = 60  # so many e-folds below what is there, nothing matters in float64 either, whatever the weights


def alike(one: Tensor, other: Tensor) -> Tensor:
    """Where all entries of two images or layers are the same, (N,) bool, of `one` and `other` (N, …): of nearly all
    that differ, those in the middle tell already.
    """
    one, other = one.flatten(1), other.flatten(1)
    middle = slice(max(0, one.shape[1] // 2 - 14), one.shape[1] // 2 + 14)
    same = _throughout(one[:, middle] == other[:, middle])
    perhaps = same.nonzero().flatten()
    if 2 * len(perhaps) > len(one):  # to take them out would take longer
        return _throughout(one == other)
    if len(perhaps):
        same[perhaps] = _throughout(one[perhaps] == other[perhaps])
    return same


def _throughout(rows: Tensor) -> Tensor:
    """Which of `rows` (N, …) bool are true throughout, (N,): as `all`, in a tenth of its time."""
    return rows.view(torch.uint8).amin(1).bool()


@dataclass(frozen=True)
class Gradient:
    """∂/∂x⁰, or the derivative by another layer, of an objective at N images.

    direction   (N, 1, 28, 28) or as that layer: the gradient divided by exp(`log_factor`)
    log_factor  (N,): 0 where autograd took it
    logits      (N, 10), of the images
    """

    direction: Tensor
    log_factor: Tensor
    logits: Tensor

    def __getitem__(self, index: Tensor) -> "Gradient":
        """Those of the images at `index` (n,)."""
        return Gradient(self.direction[index], self.log_factor[index], self.logits[index])

    @classmethod
    def joined(cls, parts: Sequence["Gradient"]) -> "Gradient":
        """Those of all images of the `parts`, in their order; not copied where there is but one part."""
        if len(parts) == 1:
            return parts[0]
        return cls(*map(torch.cat, zip(*(vars(part).values() for part in parts), strict=True)))

    def put(self, index: Tensor, there: "Gradient") -> "Gradient":
        """With those of `there` in place of the ones at `index` (n,)."""
        pairs = zip(vars(self).values(), vars(there).values(), strict=True)
        return Gradient(*(old.index_copy(0, index, new.to(old.dtype)) for old, new in pairs))

    @property
    def zero(self) -> Tensor:
        """(N,) bool: exactly zero in every pixel or unit."""
        return alike(self.direction, self.direction.new_zeros(()).expand_as(self.direction))

    def log10_norm(self) -> Tensor:
        """log₁₀ of the gradient's Euclidean norm, (N,) float64; −inf where it is exactly zero."""
        flat = self.direction.flatten(1).double()
        largest = flat.abs().amax(1)
        norm = (flat / largest.clamp_min(torch.finfo(torch.float64).tiny)[:, None]).norm(
            dim=1
        )  # whose squares don't underflow
        return (largest.log() + norm.log() + self.log_factor.double()) / math.log(10)


@dataclass(frozen=True)
class Way:
    """One of the three `WAYS` to take a gradient.

    autograd  what PyTorch computes, in the network's own dtype; it can underflow to exactly zero. The paper's attacker.
    exact     the true direction, however small: each nonlinearity's exact slope, and each image's backward signal is
              carried by its logarithm through every smooth one and rescaled there, so that nothing underflows; entry by
              entry where not every unit passes its own on to all below, as in a convolution
    softened  as exact, with every derivative taken at h / `temperature`; the forward pass is untouched

    Raises ValueError for another name, and for a temperature below `COLDEST`.
    """

    name: str = "autograd"
    temperature: float = 1.0

    def __post_init__(self):
        if self.name not in WAYS:
            raise ValueError(f"expected a gradient out of {', '.join(WAYS)}, got {self.name!r}")
        check_number(self.temperature, f"a temperature of {COLDEST:g} or more", COLDEST)

    def gradient(self, network: nn.Module, images: Tensor, objective: Objective) -> Gradient:
        """The gradient of `objective` at `images` (N, 1, 28, 28).

        Image by image: it depends on who else is in the batch by no more than the rounding of a batched product.
        Autograd takes any module that gives logits (N, 10), else it raises ValueError; so do "exact" and "softened" for
        what isn't a network of blocks, and all where `leaf` does. Where a module compares or rounds its image,
        autograd's gradient is zero.
        """
        images = leaf(images)
        if self.name == "autograd":
            with torch.enable_grad():
                logits = network(images)
                if not isinstance(network, Network):  # whose blocks come to ten logits
                    check_logits(logits, len(images))
                value = objective.values(logits).sum()
            return Gradient(_by_autograd(value, images), torch.zeros_like(logits[:, 0]).detach(), logits.detach())
        if not isinstance(network, Network):
            raise ValueError(
                f"expected a network of blocks, of which the {self.name} gradient can be taken, "
                f"got a {type(network).__name__}, which only gives logits"
            )
        if not _mixes(network):
            return self._entry_by_entry(network, images, objective, layers=False)[0]
        log_factors: list[Tensor] = []
        with torch.enable_grad():
            logits = network.pre_activations_above(0, images, self._activation(log_factors))[-1]
        slope, log_factor = objective.slope(logits.detach(), self._temperature)
        (direction,) = torch.autograd.grad(logits, images, slope)
        return Gradient(direction, log_factor + sum(log_factors), logits.detach())

    def by_layer(self, network: Network, images: Tensor, objective: Objective) -> list[Gradient]:
        """The gradients with respect to x⁰, h¹, …, hᴰ; each `direction` is (N, …) as what it is taken by.

        Raises ValueError where `leaf` does.
        """
        images = leaf(images)
        if self.name != "autograd" and not _mixes(network):
            return self._entry_by_entry(network, images, objective)
        factors: list[Tensor] = []
        with torch.enable_grad():
            *below, logits = network.pre_activations_above(0, images, self._activation(factors))
            if self.name == "autograd":
                (slope,) = torch.autograd.grad(objective.values(logits).sum(), logits)
                log_factor = torch.zeros_like(logits[:, 0])
            else:
                slope, log_factor = objective.slope(logits.detach(), self._temperature)
        directions = [*torch.autograd.grad(logits, [images, *below], slope), slope]
        # On the way down a factor is noted at every block below the logits, or none where autograd has taken them.
        noted = factors or [torch.zeros_like(log_factor)] * len(below)
        passed = list(itertools.accumulate(noted, initial=log_factor))
        return [
            Gradient(direction, factor.detach(), logits.detach())
            for direction, factor in zip(directions, [passed[-1], *reversed(passed)], strict=True)
        ]

    def _entry_by_entry(
        self, network: Network, images: Tensor, objective: Objective, *, layers: bool = True
    ) -> list[Gradient]:
        """As `by_layer`, with a logarithm for each entry of the signal and not for each image; without the hidden
        `layers`, by x⁰ and hᴰ alone.
        """
        x, blocks = images.detach().to(next(network.parameters()).dtype), []
        with torch.enable_grad():
            for index, block in enumerate(network.architecture):
                x = x.detach().requires_grad_()
                h = network.affine(index, x)
                there = h.detach().requires_grad_() if layers else h
                pooled = block.pooling(there) if block.pooling else there
                blocks.append((x, h, there, pooled))
                x = network.phi(index)(pooled)
        logits = blocks[-1][1].detach()
        slope, log_factor = objective.slope(logits, self._temperature)
        signal = _Signal.of(slope)
        found = [signal]
        for index in range(len(blocks) - 1, -1, -1):
            x, h, there, pooled = blocks[index]
            if index < len(blocks) - 1:
                signal = signal.times(network.phi(index), pooled.detach() / self._temperature)
                if layers:
                    signal = signal.through(pooled, there) if pooled is not there else signal
                    found.append(signal)
            signal = signal.through(h if layers else pooled, x)
        found.append(signal)
        first, *others = reversed(found)
        return [
            first.gradient(log_factor, logits, images.dtype),
            *(there.gradient(log_factor, logits, there.log.dtype) for there in others),
        ]

    @property
    def _temperature(self) -> float:
        return self.temperature if self.name == "softened" else 1.0

    def _activation(self, log_factors: list[Tensor]) -> Activation | None:
        """φ with the derivative that is wanted, which notes by what logarithms it has rescaled; None: as PyTorch's."""
        if self.name == "autograd":
            return None
        return lambda phi, h: _Exact.apply(h, phi, self._temperature, log_factors)


class _Exact(torch.autograd.Function):
    """φ, with the derivative φ′(h/T) to rounding.

    Where φ is smooth, each image's backward signal is rescaled so that its largest entry is ±1; the factor's logarithm
    is added to `log_factors`.
    """

    @staticmethod
    def forward(ctx, h: Tensor, phi: Nonlinearity, temperature: float, log_factors: list[Tensor]) -> Tensor:
        ctx.save_for_backward(h)
        ctx.phi, ctx.temperature, ctx.log_factors = phi, temperature, log_factors
        return phi(h)

    @staticmethod
    def backward(ctx, g: Tensor):
        (h,) = ctx.saved_tensors
        softer = h / ctx.temperature
        if ctx.phi.piecewise_linear:
            ctx.log_factors.append(torch.zeros_like(g.flatten(1)[:, 0]))
            return g * ctx.phi.slope(softer), None, None, None
        log_size = g.abs().log() + ctx.phi.log_slope(softer)  # log |g·φ′(h/T)|
        largest = log_size.flatten(1).amax(1).nan_to_num(neginf=0)  # a signal of nothing but zeros stays one
        ctx.log_factors.append(largest)
        scaled = g.sign() * (log_size - largest.view(-1, *[1] * (g.ndim - 1))).exp()
        return scaled, None, None, None


def leaf(values: Tensor) -> Tensor:
    """The `values`, of which gradients are to be taken.

    Raises ValueError under torch.inference_mode and for what was made there: autograd would give no gradient, or zero.
    """
    if torch.is_inference_mode_enabled() or values.is_inference():
        raise ValueError("expected images of which a gradient can be taken, got some under torch.inference_mode")
    return values.detach().requires_grad_()


def _by_autograd(value: Tensor, images: Tensor) -> Tensor:
    """∂`value`/∂`images`; zero where no graph leads from one to the other."""
    if not value.requires_grad:
        return torch.zeros_like(images)
    return torch.autograd.grad(value, images, materialize_grads=True)[0]


def _mixes(network: Network) -> bool:
    """Whether each smooth unit passes its signal on to all units below, so that of those the largest alone counts."""
    return all(
        network.phi(index).piecewise_linear or (isinstance(layer, nn.Linear) and bool(layer.weight.all()))
        for index, layer in enumerate(network.layers)
    )


def _beginnings(below: Tensor, width: float) -> Iterator[float]:
    """Where those bands of this `width` begin that hold any of what is so far `below` the largest."""
    while below.numel():
        start = float(below.amin()) // width * width
        yield start
        below = below[below >= start + width]


@dataclass(frozen=True)
class _Signal:
    """`sign`·exp(`log`), both (N, …), in float32 or wider: ∂/∂ each entry of a layer, however far apart in size."""

    sign: Tensor
    log: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "_Signal":
        """Of numbers as they are."""
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        return cls(values.sign(), values.abs().log())

    @property
    def largest(self) -> Tensor:
        """The largest of each image's logarithms, (N, 1, …); 0 where there is nothing but zeros."""
        largest = self.log.flatten(1).amax(1).nan_to_num(neginf=0)
        return largest.view(-1, *[1] * (self.log.ndim - 1))

    def times(self, phi: Nonlinearity, h: Tensor) -> "_Signal":
        """Through φ, at h."""
        h = h.to(self.log)
        if not phi.piecewise_linear:
            return _Signal(self.sign, self.log + phi.log_slope(h))
        slope = phi.slope(h)
        return _Signal(self.sign * slope.sign(), self.log + slope.abs().log())

    def through(self, outputs: Tensor, inputs: Tensor) -> "_Signal":
        """From the `outputs` of an affine map or a pooling to its `inputs`, by their graph.

        In bands of sizes, from the largest down: what is small beside what is large elsewhere goes through by itself,
        until no input can be reached any more but by what is nothing beside what it has.
        """
        largest, width = self.largest, BANDS[outputs.dtype]
        below = largest - self.log  # infinite where there is nothing
        there = below.isfinite()

        def pulled(values: Tensor) -> Tensor:
            return torch.autograd.grad(outputs, inputs, values.to(outputs), retain_graph=True)[0]

        total = _Signal.of(torch.zeros_like(inputs))
        if bool((below[there] >= width).any()):
            some = torch.linspace(1, 2, below.numel()).to(below).view_as(below)
            reachable = pulled(some * there) != 0
        for start in _beginnings(below[there], width):
            factor = (largest - start).view(-1, *[1] * (inputs.ndim - 1))
            if start and bool((total.log - factor > NOTHING)[reachable].all()):
                break
            band = torch.where((below >= start) & (below < start + width), self.sign * (start - below).exp(), 0)
            part = _Signal.of(pulled(band))
            part = _Signal(part.sign, part.log + factor)
            total = total.plus(part) if start else part
        return total

    def plus(self, other: "_Signal") -> "_Signal":
        """Their sum."""
        top = torch.maximum(self.log, other.log).nan_to_num(neginf=0)
        total = _Signal.of(self.sign * (self.log - top).exp() + other.sign * (other.log - top).exp())
        return _Signal(total.sign, total.log + top)

    def gradient(self, log_factor: Tensor, logits: Tensor, dtype: torch.dtype) -> Gradient:
        """Over each image's largest entry; what is too small beside it keeps its sign, as the smallest of `dtype`."""
        largest = self.largest
        size = (self.log - largest).exp().to(dtype).clamp_min(torch.finfo(dtype).tiny)
        return Gradient(self.sign.to(dtype) * size, log_factor + largest.flatten(), logits)
