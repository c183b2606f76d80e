"""An attack on one image of several networks while it is looked at: state of one session, which dies with it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from satcore import attacks
from satcore.attacks import Step
from satcore.dashboard import live

FRAMES = 120  # images kept of each trace: every one at first, then every second, fourth, …
SCALARS = ("iteration", "source", "target", "l2", "linf", "log10_gradient", "seen")
STEPS = {
    "FGSM": attacks.fgsm_steps,
    "PGD": attacks.pgd_steps,
    "Adam": attacks.adam_steps,
    "L-BFGS": attacks.lbfgs_steps,
    "Square": attacks.square_steps,
}


@dataclass(frozen=True)
class Settings:
    """What is attacked and how: an `attack` of `STEPS`, with its own `parameters`; `target` None: any other than `source`."""

    names: tuple[str, ...]
    source: int
    target: int | None
    attack: str
    parameters: tuple[tuple[str, object], ...]


@dataclass
class Trace:
    """What an attack on one network has gone through, a row a step.

    rows    the `SCALARS` of every step: probabilities of source and target, distances, log₁₀ of the gradient's norm
            (−inf: exactly zero; NaN: none taken), the class seen
    frames  (row, image (28, 28)) of some of them, the last one always; says: what is to be said of the last
    """

    rows: list[tuple[float, ...]] = field(default_factory=list)
    frames: list[tuple[int, np.ndarray]] = field(default_factory=list)
    says: str = ""
    every: int = 1

    def add(self, step: Step, original: Tensor, settings: Settings) -> None:
        probabilities = step.logits[0].double().softmax(0)
        moved = (step.images - original)[0].double()
        target = (
            settings.target
            if settings.target is not None
            else int(probabilities.index_fill(0, torch.tensor([settings.source]), 0).argmax())
        )
        self.rows.append(
            (
                step.iteration,
                float(probabilities[settings.source]),
                float(probabilities[target]),
                float(moved.norm()),
                float(moved.abs().max()),
                float(step.log10_gradient[0]),
                int(probabilities.argmax()),
            )
        )
        if len(self.frames) > 1 and self.frames[-1][0] % self.every:
            self.frames.pop()  # it was there only as the last
        self.frames.append((len(self.rows) - 1, step.images[0, 0].float().numpy()))
        if len(self.frames) > FRAMES:
            self.every *= 2
            self.frames = [frame for frame in self.frames[:-1] if frame[0] % self.every == 0] + self.frames[-1:]
        self.says = _said(step, self.rows[0], self.rows[-1], settings)

    def column(self, name: str) -> np.ndarray:
        return np.array([row[SCALARS.index(name)] for row in self.rows])


def _said(step: Step, first: tuple, row: tuple, settings: Settings) -> str:
    result, l2, seen, seen_before = step.result, row[3], row[6], first[6]
    count = int(result.iterations[0])
    one, more = ("query", "queries") if settings.attack == "Square" else ("step", "steps")
    steps = f"{count:,} {one if count == 1 else more}"
    where = f"still {_a(seen)}" if seen == settings.source else f"it sees {_a(seen)}, not {_a(settings.target)}"
    if bool(step.running[0]):
        return f"{steps}: moved {l2:.2g} in L2, and it sees {_a(seen)}." if count else f"It sees {_a(seen)}."
    if not bool(result.correct_before[0]):
        return f"It sees {_a(seen_before)} before any attack" + (
            f", and {_a(seen)} after it." if seen != seen_before else "."
        )
    if bool(result.success[0]):
        return f"Fooled after {steps}: {_a(seen)}."
    if bool(result.zero_gradient[0]) and l2 == 0:
        return "The gradient is exactly zero: this attack cannot move."
    if bool(step.log10_gradient[0] == -torch.inf):
        return f"After {steps} the gradient is exactly zero: stuck, {l2:.2g} away in L2, and {where}."
    return f"Moved {l2:.2g} in L2 in {steps}, and {where}."


def _a(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


class Run:
    """One attack, step by step on each of the networks; a network that is through gives its attack's memory back.

    running  whether it is being played; False as soon as it is paused, or all networks are through
    """

    def __init__(self, settings: Settings, image: Tensor):
        self.settings, self.image = settings, image
        self.reset()

    def reset(self) -> None:
        """Back to before the first step."""
        aim = self.settings.source if self.settings.target is None else self.settings.target
        self.running = False
        self.traces = {name: Trace() for name in self.settings.names}
        self.refused: dict[str, str] = {}
        self._attacks: dict[str, Iterator[Step]] = {
            name: STEPS[self.settings.attack](
                live.network(name),
                self.image,
                torch.tensor([aim]),
                targeted=self.settings.target is not None,
                **dict(self.settings.parameters),
            )
            for name in self.settings.names
        }
        self.step()

    @property
    def finished(self) -> bool:
        return not self._attacks

    def step(self) -> None:
        """One step of every network that isn't through."""
        for name in list(self._attacks):
            try:
                step = next(self._attacks[name], None)
            except ValueError as error:
                self.refused[name], step = str(error), None
            if step is not None:
                self.traces[name].add(step, self.image, self.settings)
            if step is None or not bool(step.running[0]):
                del self._attacks[name]
        self.running = self.running and not self.finished

    def advance(self, seconds: float) -> None:
        """As many steps as fit into so many `seconds`, but at most a tenth more than have been taken: the first ones are to be seen."""
        until = time.monotonic() + seconds
        for _ in range(1 + max(len(trace.rows) for trace in self.traces.values()) // 10):
            self.step()
            if self.finished or time.monotonic() > until:
                return
