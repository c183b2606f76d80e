"""What every attack yields on its way, and what it returns at the end."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from satcore.attacks.gradients import Gradient
from satcore.attacks.objective import Objective


@dataclass(frozen=True)
class AttackResult:
    """One attack on N images; everything has one entry an image.

    images          (N, 1, 28, 28), in [0, 1]: the attacked images, all of them, successful or not; where nothing was
                    changed they may share memory with the originals: don't write to them
    success         (N,) bool: the image is classified wrongly after the attack, or was before (as the target, where
                    there is one)
    correct_before  (N,) bool: the image was classified correctly before the attack (not as the target, where there is
                    one)
    iterations      (N,) int64: steps taken (queries, where the attack asks for no gradient)
    zero_gradient   (N,) bool: the attack met a gradient that was exactly zero in every pixel, before it got there
    originals       (N, 1, 28, 28): the images that were attacked, which `moved`, `linf` and `l2` are taken from
    """

    images: Tensor
    success: Tensor
    correct_before: Tensor
    iterations: Tensor
    zero_gradient: Tensor
    originals: Tensor = field(repr=False)

    @property
    def moved(self) -> Tensor:
        """(N, 784): what was added to each image."""
        return (self.images - self.originals).flatten(1)

    @cached_property
    def linf(self) -> Tensor:
        """(N,): the largest change of a pixel."""
        return self.moved.abs().amax(1)

    @cached_property
    def l2(self) -> Tensor:
        """(N,): the change's Euclidean norm."""
        return self.moved.norm(dim=1)


@dataclass(frozen=True)
class Step:
    """Where an attack on N images stands after `iteration` steps.

    running   (N,) bool: those that the attack will go on with
    gradient  that of those in `seen`, where they are now; None where none is taken
    seen      (n,) int64: whose gradient that is; some of them may have stopped before
    standing  all that the result is made of
    """

    iteration: int
    running: Tensor
    gradient: Gradient | None
    seen: Tensor
    standing: "Standing"

    @property
    def images(self) -> Tensor:
        """(N, 1, 28, 28), now."""
        return self.standing.images

    @property
    def logits(self) -> Tensor:
        """(N, 10), of these."""
        return self.standing.logits

    @property
    def log10_gradient(self) -> Tensor:
        """log₁₀ of the norm of each image's gradient, (N,) float64; −inf: exactly zero; NaN: not taken."""
        norms = torch.full((len(self.images),), torch.nan, dtype=torch.float64, device=self.images.device)
        return norms if self.gradient is None else norms.index_copy(0, self.seen, self.gradient.log10_norm())

    @property
    def result(self) -> AttackResult:
        """What the attack would return if it were stopped here."""
        return self.standing.result()


@dataclass(frozen=True)
class Sent:
    """N images, those at `index` (n,) moved to `there` (n, 1, 28, 28) since, but for some `rows` (m,) of these, which
    `stayed` (m, 1, 28, 28) where they were; put together where one asks, as copying all of them is a part of a step
    that counts.
    """

    before: Tensor
    index: Tensor | None = None
    there: Tensor | None = None
    rows: Tensor | None = None
    stayed: Tensor | None = None

    @cached_property
    def together(self) -> Tensor:
        """(N, 1, 28, 28)."""
        if self.index is None:
            return self.before
        moved = self.at(self.index)
        return moved if len(moved) == len(self.before) else self.before.index_copy(0, self.index, moved)

    def at(self, index: Tensor) -> Tensor:
        """Those at `index`."""
        if self.there is None or index is not self.index:
            return self.together[index]
        if self.rows is None or self.stayed is None:
            return self.there
        return self.there.index_copy(0, self.rows, self.stayed)

    def few_at(self, index: Tensor, rows: Tensor) -> Tensor:
        """Those at `index[rows]`."""
        if self.there is None or index is not self.index:
            return self.together[index[rows]]
        found = self.there[rows]
        if self.rows is not None and self.stayed is not None:
            number = torch.full_like(index, -1)
            number[self.rows] = torch.arange(len(self.rows), device=index.device)
            number = number[rows]
            found[number >= 0] = self.stayed[number[number >= 0]]
        return found

    def put(self, index: Tensor, there: Tensor, rows: Tensor | None = None, stayed: Tensor | None = None) -> "Sent":
        """With `there` in place of those at `index`, but for the ones at `index[rows]`, which `stayed`."""
        return Sent(self.before if index is self.index else self.together, index, there, rows, stayed)


@dataclass(frozen=True)
class Standing:
    """The bookkeeping that all attacks share: where each image is, and its own best so far.

    originals              (N, 1, 28, 28)
    now, logits            where they are, and what the network makes of them
    kept, lowest           the image that reached the goal, else that of the lowest objective, and its value
    reached, first_reached (N,) bool: whether the best has got there; whether the original was there already
    iterations             (N,) int64
    zero                   (N,) bool: met a gradient that was exactly zero
    """

    objective: Objective
    originals: Tensor
    now: Sent
    logits: Tensor
    kept: Sent
    lowest: Tensor
    reached: Tensor
    first_reached: Tensor
    iterations: Tensor
    zero: Tensor

    @property
    def images(self) -> Tensor:
        """(N, 1, 28, 28), now."""
        return self.now.together

    @property
    def best(self) -> Tensor:
        """(N, 1, 28, 28), the best of each."""
        return self.kept.together

    @classmethod
    def at(cls, originals: Tensor, logits: Tensor, objective: Objective) -> "Standing":
        """Before the first step: at the images themselves."""
        reached = objective.reached(logits)
        return cls(
            objective,
            originals,
            Sent(originals),
            logits,
            Sent(originals),
            objective.values(logits),
            reached,
            reached,
            torch.zeros_like(objective.labels),
            torch.zeros_like(reached),
        )

    def seen(self, index: Tensor, images: Tensor, logits: Tensor) -> "Standing":
        """After those at `index` (n,) have been seen at `images` (n, 1, 28, 28): the first success is kept, else the
        best.
        """
        everyone = len(index) == len(self.originals)
        objective = self.objective if everyone else self.objective[index]
        before, lowest = self._of(self.reached, index), self._of(self.lowest, index)
        values, reached = objective.values(logits), objective.reached(logits)
        better = ~before & (reached | (values < lowest))
        there = {"logits": logits, "reached": before | reached, "lowest": torch.where(better, values, lowest)}
        kept, taken, worse = self.kept, better.nonzero().flatten(), (~better).nonzero().flatten()
        if not len(worse):
            kept = kept.put(index, images)
        elif len(worse) < len(taken):
            kept = kept.put(index, images, worse, kept.few_at(index, worse))
        elif len(taken):
            kept = kept.put(index, kept.at(index).index_copy(0, taken, images[taken]))
        return replace(self._with(index, **there), now=self.now.put(index, images), kept=kept)

    def counted(self, index: Tensor, steps: int | Tensor = 1) -> "Standing":
        """After those at `index` (n,) have taken `steps` more."""
        return self._with(index, iterations=self.iterations[index] + steps)

    def replaced(self, images: Tensor, logits: Tensor) -> "Standing":
        """At `images` (N, 1, 28, 28), all of them, for better or worse; who had got there before still counts."""
        return replace(
            self,
            now=Sent(images),
            logits=logits,
            kept=Sent(images),
            reached=self.reached | self.objective.reached(logits),
            lowest=self.objective.values(logits),
        )

    def sent(self, images: Tensor) -> "Standing":
        """With those that have not got there at `images` (N, 1, 28, 28), still to be seen."""
        return replace(self, now=Sent(torch.where(self.reached[:, None, None, None], self.images, images)))

    def met(self, index: Tensor, zero: Tensor) -> "Standing":
        """After those at `index` (n,) have met a gradient that was exactly zero, or not: `zero` (n,)."""
        return self._with(index, zero=self.zero[index] | zero)

    def step(
        self, iteration: int, running: Tensor, gradient: Gradient | None = None, seen: Tensor | None = None
    ) -> Step:
        """The Step after `iteration` of them; the `gradient` is that of those at `seen` (n,)."""
        if seen is None:
            seen = running.new_zeros(0, dtype=torch.int64)
        return Step(iteration, running, gradient, seen, self)

    def result(self) -> AttackResult:
        """What the attack has come to."""
        return AttackResult(
            images=self.best,
            success=self.reached,
            correct_before=~self.first_reached,
            iterations=self.iterations,
            zero_gradient=self.zero,
            originals=self.originals,
        )

    def _of(self, part: Tensor, index: Tensor) -> Tensor:
        return part if len(index) == len(self.originals) else part[index]

    def _with(self, index: Tensor, **there: Tensor) -> "Standing":
        if len(index) < len(self.originals):
            there = {name: getattr(self, name).index_copy(0, index, values) for name, values in there.items()}
        return replace(self, **there)


def last(steps: Iterable[Step]) -> AttackResult:
    """The result of the last of an attack's `steps`."""
    (step,) = deque(steps, maxlen=1)
    return step.result
