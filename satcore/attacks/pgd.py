"""Projected gradient descent (Madry et al. 2018)."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun, descend
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import check_number, seeded
from satcore.intervals import box


def pgd(network: nn.Module, images: Tensor, labels: Tensor, **settings) -> AttackResult:
    """Signed steps within `epsilon` of each image in every pixel; the settings are those of `pgd_steps`."""
    return last(pgd_steps(network, images, labels, **settings))


def pgd_steps(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    steps: int = 40,
    restarts: int = 1,
    step_size: float | None = None,
    gradient: str = "autograd",
    temperature: float = 1.0,
    loss: str = "cross-entropy",
    targeted: bool = False,
    seed: int = 0,
) -> Iterator[Step]:
    """PGD, step by step: x ← P(x + `step_size`·sgn ∂C/∂x), until an image is misclassified or a step leaves it where it
    is, as all others would: its gradient is exactly zero, or every pixel is pushed against an edge of the ball.

    The first start is the image itself; each of the other `restarts` is a random point of the ε-ball, the same offset
    for every image, so that no image's fate depends on the others. `step_size` is 2.5·ε/`steps` unless given; the rest
    as in `fgsm_steps`. Raises ValueError as it does, for fewer than 1 steps or restarts, for a step size that is not
    above 0 or is above 1, which goes from black to white, and for a seed outside 0…2⁶³−1.
    """
    objective, way = Objective(labels, targeted, loss), Way(gradient, temperature)
    standing = begun(network, images, objective, epsilon=epsilon, steps=steps, restarts=restarts)
    size = 2.5 * epsilon / steps if step_size is None else step_size
    if step_size is not None:
        check_number(step_size, "a step size above 0 and up to 1", math.ulp(0), 1)
    originals, generator = standing.originals, seeded(seed)
    low, high = box(originals, epsilon)
    within, bounds = torch.arange(len(originals), device=originals.device), (low, high)

    def update(x: Tensor, direction: Tensor, index: Tensor) -> Tensor:
        nonlocal within, bounds
        if not torch.equal(index, within):  # else nobody has stopped since the last step
            within, bounds = index, (low[index], high[index])
        signs = direction.sign()  # whose memory serves for the images as well
        return torch.sub(x, signs, alpha=size, out=signs).clamp_(*bounds)

    iteration = 0
    for restart in range(restarts):
        if restart:
            offset = (2 * torch.rand(1, 1, 28, 28, generator=generator, dtype=torch.float64) - 1).to(originals)
            standing = standing.sent((originals + epsilon * offset).clamp(0, 1))
        for step in descend(network, standing, way, update, steps, iteration):
            yield step
            standing, iteration = step.standing, step.iteration + 1
        if bool(standing.reached.all()):
            return
