"""Attacks carried over from another network."""

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult


def transfer(network: nn.Module, images: Tensor, labels: Tensor, *, source: nn.Module, epsilon: float = 0.25,
             steps: int = 40) -> AttackResult:
    """PGD on the margin of the network `source`, each of whose steps is tried on `network`, which gives no gradient.

    It goes on for all its `steps`, past its success on `source`: what fools that one barely may not carry over. The rest as in
    `pgd_steps`, ValueError included.
    """
    objective, way = Objective(labels, loss="margin"), Way()
    standing = begun(network, images, objective, epsilon=epsilon, steps=steps)
    low, high = (images - epsilon).clamp(0, 1), (images + epsilon).clamp(0, 1)
    index, x = (~standing.reached).nonzero().flatten(), standing.originals[~standing.reached]
    for _ in range(steps):
        direction = way.gradient(source, x, objective[index]).direction
        x = (x - 2.5 * epsilon / steps * direction.sign()).clamp(low[index], high[index])
        with torch.no_grad():
            standing = standing.seen(index, x, network(x)).counted(index)
        going = ~standing.reached[index]
        index, x = index[going], x[going]
        if not len(index):
            break
    return standing.result()
