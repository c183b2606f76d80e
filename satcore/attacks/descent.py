"""Step by step down an objective's gradient: what FGSM, PGD and Adam have in common, and the checks of all attacks."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import Standing, Step
from satcore.data import check_images, check_labels

Update = Callable[[Tensor, Tensor, Tensor], Tensor]  # (images, directions of their gradients, their index) ↦ new images


def begun(network: nn.Module, images: Tensor, objective: Objective, *, epsilon: float = 0.0, **counts: int) -> Standing:
    """An attack before its first step.

    Raises ValueError for other images, labels, an `epsilon` outside [0, 1], a count below 1 (of steps and the like), and
    where a target is what the network sees already.
    """
    check_images(images)
    check_labels(objective.labels, len(images))
    if not (math.isfinite(epsilon) and 0 <= epsilon <= 1):
        raise ValueError(f"expected an epsilon in [0, 1], got {epsilon!r}")
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"expected 1 or more {name}, got {count!r}")
    with torch.no_grad():
        standing = Standing.at(images.detach(), network(images), objective)
    if objective.targeted and bool(standing.reached.any()):
        image = int(standing.reached.nonzero()[0])
        raise ValueError("expected targets that the network doesn't see yet, "
                         f"got {int(objective.labels[image])} for image {image}, which it sees as that")
    return standing


def descend(network: nn.Module, standing: Standing, way: Way, update: Update, steps: int, iteration: int = 0) -> Iterator[Step]:
    """`steps` steps of `update` with every image that has not got there, until it has or can't move any more.

    It can't where the gradient is exactly zero and the update leaves it as it is. `iteration` is that of the first Step;
    the last has no gradient unless all have stopped before.
    """
    index = (~standing.reached).nonzero().flatten()
    images = standing.images[index]
    for iteration in range(iteration, iteration + steps):
        # One pass gives the gradient and says where the last step has led.
        gradient = way.gradient(network, images, standing.objective[index])
        standing = standing.seen(index, images, gradient.logits)
        going = ~standing.reached[index]
        standing = standing.met(index, gradient.zero & going)
        moved = update(images[going], gradient.direction[going], index[going])
        can_move = ~gradient.zero[going] | (moved != images[going]).flatten(1).any(1)
        seen, index, images = index, index[going][can_move], moved[can_move]
        yield standing.step(iteration, torch.zeros_like(standing.reached).index_fill(0, index, True), gradient, seen)
        if not len(index):
            return
        standing = standing.counted(index)
    with torch.no_grad():
        standing = standing.seen(index, images, network(images))
    yield standing.step(iteration + 1, torch.zeros_like(standing.reached))
