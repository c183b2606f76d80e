"""The fast gradient sign method."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import at_first, check
from satcore.attacks.gradients import Gradient, Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import check_network

AT_A_TIME = 1_000  # images, so that a CNN's activations of many don't fill the memory


def signed_step(images: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """x⁰ + ε·sgn(∂C/∂x⁰), pixels kept in [0, 1] (Eq. 3). sgn 0 = 0: such a pixel stays as it is."""
    signs = gradient.sign()  # whose memory serves for the images as well
    return torch.add(images, signs, alpha=epsilon, out=signs).clamp_(0, 1)  # Eq. 3


def fgsm(network: nn.Module, images: Tensor, labels: Tensor, **settings) -> AttackResult:
    """One step of size `epsilon` up the gradient of the cross-entropy (Eq. 3); the settings are those of `fgsm_steps`.

    Every image takes the step. One that is classified wrongly to begin with counts as broken even where the step puts
    it right, as in every other attack here; the paper's Table 1 counts it as right, and so does
    `satcore.evaluation.measure`.
    """
    return last(fgsm_steps(network, images, labels, **settings))


def fgsm_steps(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    gradient: str = "autograd",
    temperature: float = 1.0,
    loss: str = "cross-entropy",
    targeted: bool = False,
) -> Iterator[Step]:
    """FGSM's one step: two Steps, before and after.

    `network` maps `images` (N, 1, 28, 28) in [0, 1] to logits (N, 10); `labels` (N,) int64 are the true classes, or,
    where `targeted`, those to go to. `gradient` and `temperature` as in `gradients.Way`, `loss` as in
    `objective.Objective`. Raises ValueError for anything else, for an `epsilon` outside [0, 1], and for targets that
    the network sees already.
    """
    objective, way = Objective(labels, targeted, loss), Way(gradient, temperature)
    check(images, labels, epsilon=epsilon)
    check_network(network)
    parts = [slice(first, first + AT_A_TIME) for first in range(0, max(1, len(images)), AT_A_TIME)]
    taken = Gradient.joined([way.gradient(network, images[part], objective[part]) for part in parts])
    standing = at_first(images.detach(), taken.logits, objective)
    index, everyone = torch.arange(len(images), device=images.device), torch.ones_like(standing.reached)
    standing = standing.met(index, taken.zero)
    yield standing.step(0, everyone, taken, index)
    attacked = signed_step(images.detach(), taken.direction, -epsilon)  # what is minimised is −C
    with torch.no_grad():
        logits = torch.cat([network(attacked[part]) for part in parts])
    standing = standing.replaced(attacked, logits).counted(index)
    yield standing.step(1, ~everyone)
