"""Descent with a momentum and steps that halve by themselves (APGD, Croce & Hein 2020, Algorithm 1)."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor, nn

from satcore.attacks.descent import check
from satcore.attacks.gradients import Gradient
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Standing
from satcore.data import CLASSES, logits_of
from satcore.intervals import box

MOMENTUM, FALLING = 0.75, 0.75  # the paper's α and ρ
FIRST_WINDOW, SHORTER, SHORTEST = 0.22, 0.03, 0.06  # of all steps: between two looks at how it goes


class Taking(Protocol):
    """A way to take a gradient, as `gradients.Way` is one."""

    def gradient(self, network: nn.Module, images: Tensor, objective: Objective) -> Gradient:
        """That of `objective` at `images` (n, 1, 28, 28)."""
        ...


@dataclass(frozen=True)
class Towards(Objective):
    """Away from the true classes `labels` (N,), by the margin over one other class each, `rivals` (N,); got there where
    the label is not the answer, whatever is.
    """

    loss: str = "margin"
    rivals: Tensor | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.targeted or self.loss != "margin" or self.rivals is None or self.rivals.shape != self.labels.shape:
            raise ValueError("expected a rival for each label, and the margin between the two")

    def __getitem__(self, chosen: Tensor) -> "Towards":
        return Towards(self.labels[chosen], rivals=self._rivals[chosen])

    def values(self, logits: Tensor) -> Tensor:
        """h_y − h_r, (N,), of `logits` (N, 10)."""
        return (logits * self._contrast(logits)).sum(1)

    def slope(self, logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """e_y − e_r, (N, 10), and zeros."""
        return self._contrast(logits), torch.zeros_like(logits[:, 0])

    @property
    def _rivals(self) -> Tensor:
        assert self.rivals is not None
        return self.rivals

    def _contrast(self, logits: Tensor) -> Tensor:
        return torch.zeros_like(logits).scatter(1, self.labels[:, None], 1.0).scatter(1, self._rivals[:, None], -1.0)


def apgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    ways: Sequence[Taking],
    epsilon: float = 0.25,
    rivals: Tensor | None = None,
    starts: Tensor | None = None,
) -> AttackResult:
    """As many steps as there are `ways`, each of which takes one step's gradient, down the margin, until an image is
    misclassified.

    `rivals` (N,) are the classes over which the margin is taken, by default the likeliest other one at each step;
    `starts` (N, 1, 28, 28) where to begin within `epsilon`, by default at the images. The rest as in `fgsm_steps`.
    Raises ValueError as it does, for no ways, and for starts farther away than `epsilon`.
    """
    check(images, labels, epsilon=epsilon, ways=len(ways))
    objective = Objective(labels, loss="margin") if rivals is None else Towards(labels, rivals=rivals)
    standing = Standing.at(images.detach(), logits_of(network, images), objective)
    if starts is not None:
        low, high = box(standing.originals, epsilon)
        if starts.shape != images.shape or not bool(((starts >= low) & (starts <= high)).all()):
            raise ValueError("expected a start for each image, within epsilon and in [0, 1]")
        standing = standing.sent(starts)
    return descended(network, standing, epsilon, ways).result()


def ranked_rivals(logits: Tensor, labels: Tensor) -> Tensor:
    """The nine other classes of each image, the likeliest first, (N, 9), by its `logits` (N, 10)."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.argsort(dim=1, descending=True, stable=True)[:, : CLASSES - 1]


@dataclass
class _Run:
    """Where the n images that go on are; of each:

    low, high          (n, 1, 28, 28): its ball
    x, previous        (n, 1, 28, 28): now and a step ago
    best, direction    (n, 1, 28, 28): where the objective was lowest in this run, and its gradient there
    lowest, value      (n,): the objective there, and now
    lowest_before      (n,): the lowest at the last look
    size               (n,): of a step
    fallen             (n,): in how many steps since the last look the objective has fallen
    halved             (n,) bool: whether the last look has halved the steps
    """

    index: Tensor
    low: Tensor
    high: Tensor
    x: Tensor
    previous: Tensor
    best: Tensor
    direction: Tensor
    lowest: Tensor
    value: Tensor
    lowest_before: Tensor
    size: Tensor
    fallen: Tensor
    halved: Tensor

    @classmethod
    def of(cls, standing: Standing, epsilon: float) -> "_Run":
        index = (~standing.reached).nonzero().flatten()
        x, (low, high) = standing.images[index], box(standing.originals[index], epsilon)
        infinite = torch.full_like(standing.lowest[index], torch.inf)
        zero = torch.zeros_like(infinite)
        size = x.new_full((len(x),), 2 * epsilon)  # in the images' dtype, which steps keep
        never = torch.zeros_like(index, dtype=torch.bool)
        return cls(index, low, high, x, x, x, torch.zeros_like(x), infinite, infinite, infinite, size, zero, never)

    def keep(self, going: Tensor) -> None:
        """Only those that are `going` (n,) on."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[going])

    def note(self, value: Tensor, direction: Tensor) -> None:
        """The objective's `value` (n,) and `direction` (n, 1, 28, 28) where they are now."""
        better = value < self.lowest
        chosen = better[:, None, None, None]
        self.best = torch.where(chosen, self.x, self.best)
        self.direction = torch.where(chosen, direction, self.direction)
        self.lowest = torch.where(better, value, self.lowest)
        self.fallen = self.fallen + (value < self.value)
        self.value = value

    def look(self, window: int) -> Tensor:
        """After a `window` of steps: halve them where it goes too slowly, and return (n,) whether they were."""
        stuck = ~self.halved & (self.lowest >= self.lowest_before)
        self.halved = stuck | (self.fallen < FALLING * window)
        self.size = torch.where(self.halved, self.size / 2, self.size)
        self.lowest_before, self.fallen = self.lowest, torch.zeros_like(self.fallen)
        return self.halved

    def back(self, chosen: Tensor) -> None:
        """To the best, where `chosen` (n,), and without momentum."""
        there = chosen[:, None, None, None]
        self.x, self.previous = torch.where(there, self.best, self.x), torch.where(there, self.best, self.previous)
        self.value = torch.where(chosen, self.lowest, self.value)

    def step(self, direction: Tensor, momentum: float) -> None:
        """Against the sign of the `direction`, and a part of the last step again."""
        target = (self.x - self.size[:, None, None, None] * direction.sign()).clamp(self.low, self.high)
        moved = self.x + momentum * (target - self.x) + (1 - momentum) * (self.x - self.previous)
        self.previous, self.x = self.x, moved.clamp(self.low, self.high)


def descended(network: nn.Module, standing: Standing, epsilon: float, ways: Sequence[Taking]) -> Standing:
    """After a step for each of the `ways`, from where it is; those that have got there stay."""
    run, steps = _Run.of(standing, epsilon), len(ways)
    looks, last = set(_looks(steps)), 0
    for count, way in enumerate(ways):
        if not len(run.index):
            return standing
        taken = way.gradient(network, run.x, standing.objective[run.index])
        value = standing.objective[run.index].values(taken.logits)
        run.note(value, taken.direction)
        standing = standing.seen(run.index, run.x, taken.logits).met(run.index, taken.zero)
        going, direction = ~standing.reached[run.index], taken.direction
        if not bool(going.all()):
            run.keep(going)
            direction = direction[going]
        if count in looks:
            halved = run.look(count - last)
            run.back(halved)
            direction, last = torch.where(halved[:, None, None, None], run.direction, direction), count
        run.step(direction, MOMENTUM if count else 1.0)
        standing = standing.counted(run.index)
    if not len(run.index):
        return standing
    with torch.no_grad():
        return standing.seen(run.index, run.x, network(run.x))


def _looks(steps: int) -> list[int]:
    """After how many of `steps` it is looked at how it goes: in ever shorter windows."""
    windows = [FIRST_WINDOW]
    while sum(windows) < 1:
        windows.append(max(windows[-1] - SHORTER, SHORTEST))
    return [math.ceil(share * steps) for share in itertools.accumulate(windows) if share < 1]
