"""The gradient of a smoother network than the one that is attacked, which sees beyond the nearest kink or plateau."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import Gradient, leaf
from satcore.attacks.objective import Objective
from satcore.data import check_number
from satcore.networks import Network
from satcore.nonlinearities import Nonlinearity


@dataclass(frozen=True)
class Smoothed:
    """Every slope φ′(h) is that of a chord, (φ(h + w) − φ(h − w)) / 2w; the forward pass is untouched.

    It is the derivative of φ's mean over h ± w, so a step has one too. `width` is w over the mean of |h| in the layer,
    image by image: the weights' scale doesn't matter. Raises ValueError for a width that is not above 0.
    """

    width: float

    def __post_init__(self):
        check_number(self.width, "a width above 0", math.ulp(0))

    def gradient(self, network: nn.Module, images: Tensor, objective: Objective) -> Gradient:
        """That of `objective` at `images` (N, 1, 28, 28), in the network's own dtype.

        Raises ValueError for what isn't a network of blocks, and as `leaf` does.
        """
        if not isinstance(network, Network):
            raise ValueError(f"expected a network of blocks to smooth, got a {type(network).__name__}")
        images = leaf(images)
        with torch.enable_grad():
            logits = network.pre_activations_above(0, images, lambda phi, h: _Chord.apply(h, phi, self.width))[-1]
        slope, log_factor = objective.slope(logits.detach(), 1.0)
        (direction,) = torch.autograd.grad(logits, images, slope)
        return Gradient(direction, log_factor, logits.detach())


class _Chord(torch.autograd.Function):
    """φ, with a chord's slope in place of φ′(h)."""

    @staticmethod
    def forward(ctx, h: Tensor, phi: Nonlinearity, width: float) -> Tensor:
        w = width * h.abs().flatten(1).mean(1).clamp_min(torch.finfo(h.dtype).tiny)
        w = w.view(-1, *[1] * (h.ndim - 1))
        ctx.save_for_backward((phi(h + w) - phi(h - w)) / (2 * w))
        return phi(h)

    @staticmethod
    def backward(ctx, g: Tensor):
        (slope,) = ctx.saved_tensors
        return g * slope, None, None
