"""Attacks carried over from another network."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import check_network
from satcore.intervals import box


def transfer(network: nn.Module, images: Tensor, labels: Tensor, **settings) -> AttackResult:
    """PGD on another network, tried on `network`, which gives no gradient; the settings are those of
    `transfer_steps`.
    """
    return last(transfer_steps(network, images, labels, **settings))


def transfer_steps(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    source: nn.Module,
    epsilon: float = 0.25,
    steps: int = 40,
    gradient: str = "autograd",
    temperature: float = 1.0,
) -> Iterator[Step]:
    """PGD on the margin of the network `source`, each of whose steps is tried on `network`.

    It goes on past its success on `source`: what fools that one barely may not carry over. The rest as in `pgd_steps`,
    ValueError included; the Steps' gradients are those of `source`.
    """
    check_network(source)
    objective, way = Objective(labels, loss="margin"), Way(gradient, temperature)
    standing = begun(network, images, objective, epsilon=epsilon, steps=steps)
    low, high = box(standing.originals, epsilon)
    nobody = torch.zeros_like(standing.reached)
    index, x = (~standing.reached).nonzero().flatten(), standing.originals[~standing.reached]
    for iteration in range(steps):
        taken = way.gradient(source, x, objective[index])
        standing = standing.met(index, taken.zero)
        yield standing.step(iteration, nobody.index_fill(0, index, True), taken, index)
        if not len(index):
            return
        x = (x - 2.5 * epsilon / steps * taken.direction.sign()).clamp(low[index], high[index])
        with torch.no_grad():
            standing = standing.seen(index, x, network(x)).counted(index)
        going = ~standing.reached[index]
        index, x = index[going], x[going]
    yield standing.step(steps, nobody)
