"""Step by step down an objective's gradient: what FGSM, PGD and Adam have in common, and the checks of all attacks."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import Way, alike
from satcore.attacks.objective import Objective
from satcore.attacks.result import Standing, Step
from satcore.data import check_epsilon, check_images, check_labels, check_whole, logits_of

CARRIED = 1 / 8  # of a batch, at most
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


def for_ever(images: Tensor, directions: Tensor, index: Tensor) -> Tensor:
    """Whether it is for ever that nothing was changed, (n,) bool: an update that remembers nothing does it again."""
    return torch.ones_like(index, dtype=torch.bool)


def descend(
    network: nn.Module,
    standing: Standing,
    way: Way,
    update: Update,
    steps: int,
    first: int = 0,
    rests: Rest = for_ever,
) -> Iterator[Step]:
    """`steps` steps of `update` with every image that has not got there, until it has or `rests` for ever.

    The iterations of an image that rests count up to the last that changed it. `first` is the iteration of the first
    Step; the last has no gradient unless all have stopped before. Those that have stopped are carried along, and left
    as they are, until they are more than `CARRIED` of the batch: taking a few out costs more than a step with them.
    """
    index = (~standing.reached).nonzero().flatten()
    images, going = of(standing.images, ~standing.reached), torch.ones_like(index, dtype=torch.bool)
    idle = torch.zeros_like(standing.iterations)  # steps since the last that changed an image
    for iteration in range(first, first + steps):
        # One pass gives the gradient and says where the last step has led.
        gradient = way.gradient(network, images, standing.objective[index])
        standing = standing.seen(index, images, gradient.logits)
        seen, direction = index, gradient.direction
        going = going & ~standing.reached[index]
        standing = standing.met(index, gradient.zero & going)
        if int((~going).sum()) > CARRIED * len(index):
            index, images, direction, going = (part[going] for part in (index, images, direction, going))
        moved = update(images, direction, index)
        stopped = (~going).nonzero().flatten()
        moved[stopped] = images[stopped]
        still = alike(moved, images) & going
        if bool(still.any()):
            over = still.clone()
            over[still] = rests(images[still], direction[still], index[still])
            standing = standing.counted(index[over], -idle[index[over]])
            going, still = going & ~over, still & ~over
        idle[index] = torch.where(still, idle[index] + 1, 0)
        images, left = moved, of(index, going)
        yield standing.step(iteration, torch.zeros_like(standing.reached).index_fill(0, left, True), gradient, seen)
        if not len(left):
            return
        standing = standing.counted(left)
    with torch.no_grad():
        standing = standing.seen(index, images, network(images))
    yield standing.step(first + steps, torch.zeros_like(standing.reached))


def of(part: Tensor, chosen: Tensor) -> Tensor:
    """`part[chosen]`, not copied where all are chosen."""
    return part if bool(chosen.all()) else part[chosen]
