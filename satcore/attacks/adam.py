"""Adam on the image: the paper's first-order attack."""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun, descend
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import check_number

BETAS, TINY = (0.9, 0.999), 1e-8  # of Kingma & Ba (2015)
RATE = 0.01  # of learning, unless told otherwise


def adam(network: nn.Module, images: Tensor, targets: Tensor, **settings) -> AttackResult:
    """The cross-entropy towards `targets` (N,) minimised over the image by Adam; the settings are those of
    `adam_steps`.
    """
    return last(adam_steps(network, images, targets, **settings))


def adam_steps(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    steps: int = 1000,
    learning_rate: float = RATE,
    gradient: str = "autograd",
    temperature: float = 1.0,
    targeted: bool = True,
) -> Iterator[Step]:
    """Adam, step by step, pixels kept in [0, 1], until an image is classified as its target or is proven at rest.

    Proven: that no step to come, however many there were, would change a bit of it. The result's `iterations` then
    count the steps up to the last one that did: an image that is not fooled although they are fewer than `steps` is at
    rest from there on. The proof is for the gradient as it was computed; among other images a product may be rounded
    in another way.

    Nothing else bounds the perturbation. Not `targeted`: away from the classes `targets`. The gradient that underflows
    nowhere ("exact", "softened") is scaled to a largest entry of ±1, or Adam's 1e-8 would take it for nothing;
    autograd's is taken as it is. The rest as in `fgsm_steps`; raises ValueError as it does, for fewer than 1 steps, for
    a learning rate that is not a number above 0 and up to 1, and for images of a dtype narrower than float32.
    """
    objective, way = Objective(targets, targeted), Way(gradient, temperature)
    check_number(learning_rate, "a learning rate above 0 and up to 1", math.ulp(0), 1)
    standing = begun(network, images, objective, steps=steps)
    if images.dtype.itemsize < 4:  # in which the squares of gradients underflow
        raise ValueError(f"expected images in float32 or float64 for Adam, got {images.dtype}")
    moments = _Moments(standing.originals, learning_rate, scales=way.name != "autograd")
    yield from descend(network, standing, way, moments.update, steps, rests=moments.rest)


class _Moments:
    """What Adam remembers of N images: moving averages of the gradient and of its square, and of how many."""

    def __init__(self, images: Tensor, learning_rate: float, *, scales: bool):
        """Before the first step; `scales`: the gradient to a largest entry of ±1."""
        self.learning_rate, self.scales = learning_rate, scales
        self.mean, self.square = torch.zeros_like(images), torch.zeros_like(images)
        self.count = torch.zeros(len(images), 1, 1, 1, dtype=torch.float64, device=images.device)

    def update(self, x: Tensor, direction: Tensor, index: Tensor) -> Tensor:
        """Where the images x (n, 1, 28, 28) at `index` (n,) go by the gradients `direction`."""
        g, (first, second) = self._scaled(direction), BETAS
        self.count[index] += 1
        self.mean[index] = _average(first, self.mean[index], g)
        self.square[index] = _average(second, self.square[index], g**2)
        return self._moved(x, self.mean[index], self.square[index], *self._corrections(index))

    def rest(self, x: Tensor, direction: Tensor, index: Tensor) -> Tensor:
        """Whether the images x stay where they are for ever, (n,) bool, once an update has left them there.

        While an image stays, its gradient g does, and the averages go by m ↦ βm + (1 − β)g alone, within `_bounds`;
        the corrections 1 − βᵗ rise to 1. Every operation from there to a new pixel is monotone, its rounding
        included: between the outermost averages and corrections nothing moves that they don't move.
        """
        g, (first, second) = self._scaled(direction), BETAS
        means = _bounds(first, self.mean[index], g)
        least, most = _bounds(second, self.square[index], g**2)
        now = [correction * (1 - 4 * torch.finfo(x.dtype).eps) for correction in self._corrections(index)]  # pow rounds
        farthest, nearest = (
            (least.clamp_min(0), now[0], torch.ones_like(now[1])),
            (most, torch.ones_like(now[0]), now[1]),
        )
        stays = torch.ones_like(x, dtype=torch.bool)
        for mean, (square, *corrections) in itertools.product(means, (farthest, nearest)):
            stays &= self._moved(x, mean, square, *corrections) == x
        return stays.flatten(1).all(1)

    def _moved(self, x: Tensor, mean: Tensor, square: Tensor, by_mean: Tensor, by_square: Tensor) -> Tensor:
        return (x - self.learning_rate * (mean / by_mean) / ((square / by_square).sqrt() + TINY)).clamp(0, 1)

    def _corrections(self, index: Tensor) -> list[Tensor]:
        """1 − βᵗ of both averages, which begin at 0; each (n, 1, 1, 1)."""
        return [(1 - beta ** self.count[index]).to(self.mean) for beta in BETAS]

    def _scaled(self, direction: Tensor) -> Tensor:
        if not self.scales:
            return direction
        return direction / direction.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(direction.dtype).tiny)


def _average(beta: float, now: Tensor, g: Tensor) -> Tensor:
    """The moving average after it was `now` and g has come."""
    return beta * now + (1 - beta) * g


def _bounds(beta: float, now: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Between what the moving average stays for ever that is `now` while nothing but g comes; ±∞ where unproven.

    It goes to g, up to rounding. What proves it is that the average of either bound with g isn't beyond that bound:
    the average is monotone in what it was.
    """
    info = torch.finfo(g.dtype)
    rounding = (4 * info.eps * g.abs() + 2 * info.smallest_normal * info.eps) / (1 - beta)
    low, high = torch.minimum(now, g - rounding), torch.maximum(now, g + rounding)
    closed = (_average(beta, low, g) >= low) & (_average(beta, high, g) <= high)
    return torch.where(closed, low, -torch.inf), torch.where(closed, high, torch.inf)
