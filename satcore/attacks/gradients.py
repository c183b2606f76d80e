"""How the gradient of an attack's objective with respect to the image is taken."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from satcore.attacks.objective import Objective
from satcore.networks import Network

WAYS = ("autograd", "exact", "softened")
COLDEST = 1e-6  # far below, h/T has no place in float32


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

    @property
    def zero(self) -> Tensor:
        """(N,) bool: exactly zero in every pixel or unit."""
        return self.direction.abs().flatten(1).amax(1) == 0

    def log10_norm(self) -> Tensor:
        """log₁₀ of the gradient's Euclidean norm, (N,) float64; −inf where it is exactly zero."""
        flat = self.direction.flatten(1).double()
        largest = flat.abs().amax(1)
        norm = (flat / largest.clamp_min(torch.finfo(torch.float64).tiny)[:, None]).norm(dim=1)  # whose squares don't underflow
        return (largest.log() + norm.log() + self.log_factor.double()) / math.log(10)


@dataclass(frozen=True)
class Way:
    """One of the three `WAYS` to take a gradient.

    autograd  what PyTorch computes, in the network's own dtype; it can underflow to exactly zero. The paper's attacker.
    exact     the true direction, however small: σ′(h) = σ(h)σ(−h), and each image's backward signal is carried by its
              logarithm through every sigmoid and rescaled there, so that nothing underflows
    softened  as exact, with every derivative taken at h / `temperature`; the forward pass is untouched

    Raises ValueError for another name, and for a temperature below `COLDEST`.
    """

    name: str = "autograd"
    temperature: float = 1.0

    def __post_init__(self):
        if self.name not in WAYS:
            raise ValueError(f"expected a gradient out of {', '.join(WAYS)}, got {self.name!r}")
        if not (math.isfinite(self.temperature) and self.temperature >= COLDEST):
            raise ValueError(f"expected a temperature of {COLDEST:g} or more, got {self.temperature!r}")

    def gradient(self, network: nn.Module, images: Tensor, objective: Objective) -> Gradient:
        """The gradient of `objective` at `images` (N, 1, 28, 28).

        Image by image: it doesn't depend on who else is in the batch. "exact" and "softened" need a
        `satcore.networks.Network`; autograd takes any module.
        """
        images = images.detach().requires_grad_()
        if self.name == "autograd":
            with torch.enable_grad():
                logits = network(images)
                value = objective.values(logits).sum()
            direction, = torch.autograd.grad(value, images)
            return Gradient(direction, torch.zeros_like(logits[:, 0]).detach(), logits.detach())
        log_factors: list[Tensor] = []
        with torch.enable_grad():
            logits = network.pre_activations_above(0, images, self._activation(network, log_factors))[-1]
        slope, log_factor = objective.slope(logits.detach(), self._temperature)
        direction, = torch.autograd.grad(logits, images, slope)
        return Gradient(direction, log_factor + sum(log_factors), logits.detach())

    def by_layer(self, network: Network, images: Tensor, objective: Objective) -> list[Gradient]:
        """The gradients with respect to x⁰, h¹, …, hᴰ; each `direction` is (N, …) as what it is taken by."""
        images = images.detach().requires_grad_()
        log_factors: list[Tensor] = []
        with torch.enable_grad():
            *below, logits = network.pre_activations_above(0, images, self._activation(network, log_factors))
            slope, log_factor = (torch.autograd.grad(objective.values(logits).sum(), logits) + (torch.zeros_like(logits[:, 0]),)
                                 if self.name == "autograd" else objective.slope(logits.detach(), self._temperature))
        directions = [*torch.autograd.grad(logits, [images, *below], slope), slope]
        passed = list(itertools.accumulate(log_factors or [torch.zeros_like(log_factor)] * len(below), initial=log_factor))
        return [Gradient(direction, factor.detach(), logits.detach())
                for direction, factor in zip(directions, [passed[-1], *reversed(passed)], strict=True)]

    @property
    def _temperature(self) -> float:
        return self.temperature if self.name == "softened" else 1.0

    def _activation(self, network: Network, log_factors: list[Tensor]) -> Callable | None:
        """φ with the derivative that is wanted, which notes by what logarithms it has rescaled; None: as PyTorch has it."""
        if self.name == "autograd" or network.activation == "relu":  # relu′(h/T) = relu′(h)
            return None
        return lambda h: _Sigmoid.apply(h, self._temperature, log_factors)


class _Sigmoid(torch.autograd.Function):
    """σ, whose backward signal is rescaled so that its largest entry is ±1; log of the factor is added to `log_factors`."""

    @staticmethod
    def forward(ctx, h: Tensor, temperature: float, log_factors: list[Tensor]) -> Tensor:
        ctx.save_for_backward(h)
        ctx.temperature, ctx.log_factors = temperature, log_factors
        return torch.sigmoid(h)

    @staticmethod
    def backward(ctx, g: Tensor):
        h, = ctx.saved_tensors
        softer = h / ctx.temperature
        log_size = g.abs().log() + logsigmoid(softer) + logsigmoid(-softer)  # log |g·σ′(h/T)|
        largest = log_size.amax(1, keepdim=True).nan_to_num(neginf=0)  # a signal of nothing but zeros stays one
        ctx.log_factors.append(largest.squeeze(1))
        return g.sign() * (log_size - largest).exp(), None, None
