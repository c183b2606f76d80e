"""Adam on the image: the paper's first-order attack."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun, descend
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last

BETAS, TINY = (0.9, 0.999), 1e-8  # of Kingma & Ba (2015)


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
    learning_rate: float = 0.01,
    gradient: str = "autograd",
    temperature: float = 1.0,
    targeted: bool = True,
) -> Iterator[Step]:
    """Adam, step by step, pixels kept in [0, 1], until an image is classified as its target or can't move any more.

    Nothing else bounds the perturbation. Not `targeted`: away from the classes `targets`. The gradient that underflows
    nowhere ("exact", "softened") is scaled to a largest entry of ±1, or Adam's 1e-8 would take it for nothing;
    autograd's is taken as it is. The rest as in `fgsm_steps`; raises ValueError as it does, for fewer than 1 steps, and
    for a learning rate that is not a positive number.
    """
    objective, way = Objective(targets, targeted), Way(gradient, temperature)
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"expected a learning rate above 0, got {learning_rate!r}")
    standing = begun(network, images, objective, steps=steps)
    mean, square = torch.zeros_like(standing.originals), torch.zeros_like(standing.originals)
    count = torch.zeros_like(targets)
    first, second = BETAS

    def update(x: Tensor, direction: Tensor, index: Tensor) -> Tensor:
        if way.name != "autograd":
            direction = direction / direction.abs().amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        count[index] += 1
        mean[index] = first * mean[index] + (1 - first) * direction
        square[index] = second * square[index] + (1 - second) * direction**2
        t = count[index, None, None, None].double()
        unbiased = mean[index] / (1 - first**t).to(x), square[index] / (1 - second**t).to(x)
        return (x - learning_rate * unbiased[0] / (unbiased[1].sqrt() + TINY)).clamp(0, 1)

    yield from descend(network, standing, way, update, steps)
