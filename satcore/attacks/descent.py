"""Step by step down an objective's gradient: what FGSM, PGD and Adam have in common, and the checks of all attacks."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import Way, alike
from satcore.attacks.objective import Objective
from satcore.attacks.result import Standing, Step
from satcore.data import check_epsilon, check_images, check_labels, check_whole, logits_of

Update = Callable[[Tensor, Tensor, Tensor], Tensor]  # (images, directions of their gradients, their index) ↦ new images
Rest = Callable[
    [Tensor, Tensor, Tensor], Tensor
]  # of the same, where the update changed nothing ↦ whether it never will


def check(images: Tensor, labels: Tensor, *, epsilon: float = 0.0, **counts: int) -> None:
    """Raise ValueError for other images, labels, an `epsilon` outside [0, 1], and a count below 1 (of steps and the
    like).
    """
    check_images(images)
    check_labels(labels, len(images))
    check_epsilon(epsilon)
    for name, count in counts.items():
        check_whole(count, f"1 or more {name}", 1)


def check_some(images: Tensor, labels: Tensor, epsilon: float = 0.0) -> None:
    """Raise ValueError as `check` does, and for no images at all."""
    check(images, labels, epsilon=epsilon)
    if len(images) == 0:
        raise ValueError("expected at least one image, got none")


def begun(network: nn.Module, images: Tensor, objective: Objective, **settings) -> Standing:
    """An attack before its first step. Raises ValueError as `check`, `logits_of` and `at_first` do."""
    check(images, objective.labels, **settings)
    return at_first(images.detach(), logits_of(network, images), objective)


def at_first(images: Tensor, logits: Tensor, objective: Objective) -> Standing:
    """Where an attack begins; raises ValueError where a target is what the network sees already."""
    standing = Standing.at(images, logits, objective)
    if objective.targeted and bool(standing.reached.any()):
        image = int(standing.reached.nonzero()[0])
        raise ValueError(
            "expected targets that the network doesn't see yet, "
            f"got {int(objective.labels[image])} for image {image}, which it sees as that"
        )
    return standing


def no_gradient(images: Tensor, directions: Tensor, index: Tensor) -> Tensor:
    """Whether the gradient is exactly zero, (n,) bool: an update that remembers nothing then does the same for ever."""
    return alike(directions, directions.new_zeros(()).expand_as(directions))


def descend(
    network: nn.Module,
    standing: Standing,
    way: Way,
    update: Update,
    steps: int,
    first: int = 0,
    rests: Rest = no_gradient,
) -> Iterator[Step]:
    """`steps` steps of `update` with every image that has not got there, until it has or `rests` for ever.

    The iterations of an image that rests count up to the last that changed it. `first` is the iteration of the first
    Step; the last has no gradient unless all have stopped before.
    """
    index = (~standing.reached).nonzero().flatten()
    images = of(standing.images, ~standing.reached)
    idle = torch.zeros_like(standing.iterations)  # steps since the last that changed an image
    for iteration in range(first, first + steps):
        # One pass gives the gradient and says where the last step has led.
        gradient = way.gradient(network, images, standing.objective[index])
        standing = standing.seen(index, images, gradient.logits)
        going, seen = ~standing.reached[index], index
        standing = standing.met(index, gradient.zero & going)
        index, images, direction = (of(part, going) for part in (index, images, gradient.direction))
        moved = update(images, direction, index)
        still = alike(moved, images)
        if bool(still.any()):
            over = still.clone()
            over[still] = rests(images[still], direction[still], index[still])
            standing = standing.counted(index[over], -idle[index[over]])
            index, moved, still = (of(part, ~over) for part in (index, moved, still))
        idle[index] = torch.where(still, idle[index] + 1, 0)
        images = moved
        yield standing.step(iteration, torch.zeros_like(standing.reached).index_fill(0, index, True), gradient, seen)
        if not len(index):
            return
        standing = standing.counted(index)
    with torch.no_grad():
        standing = standing.seen(index, images, network(images))
    yield standing.step(first + steps, torch.zeros_like(standing.reached))


def of(part: Tensor, chosen: Tensor) -> Tensor:
    """`part[chosen]`, not copied where all are chosen."""
    return part if bool(chosen.all()) else part[chosen]
