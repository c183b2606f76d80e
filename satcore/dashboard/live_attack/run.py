"""An attack on one image of several networks while it is looked at: state of one session, which dies with it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from satcore import attacks
from satcore.attacks import Step
from satcore.dashboard.live_attack import words
from satcore.dashboard.shared import digits

FRAMES = 120  # images kept of each trace: every one at first, then every second, fourth, …
SCALARS = ("iteration", "source", "target", "l2", "linf", "log10_gradient", "seen")
STEPS = {
    "FGSM": attacks.fgsm_steps,
    "PGD": attacks.pgd_steps,
    "Adam": attacks.adam_steps,
    "L-BFGS": attacks.lbfgs_steps,
    "Square": attacks.square_steps,
    words.FREE: attacks.cube_steps,
}


@dataclass(frozen=True)
class Settings:
    """What is attacked and how.

    names         of the networks
    index         of the test image that is attacked; None: a drawn one
    source, into  the digit that it shows, and the one that the attack goes to; None: any other
    attack        out of `STEPS`, with its own `parameters`
    """

    names: tuple[str, ...]
    index: int | None
    source: int
    into: int | None
    attack: str
    parameters: tuple[tuple[str, object], ...]

    @property
    def way(self) -> str:
        """How gradients are taken, out of `satcore.attacks.gradients.WAYS`."""
        return str(dict(self.parameters).get("gradient", "autograd"))

    @property
    def aim(self) -> int:
        """The digit that the attack is told: to go to, or, where any other will do, to leave."""
        return self.source if self.into is None else self.into


@dataclass
class Trace:
    """What an attack on one network has gone through, a row a step.

    rows    the `SCALARS` of every step: probabilities of the source and of the target (where there is none of the
            likeliest other), distances, log₁₀ of the gradient's norm (−inf: exactly zero; NaN: none taken), the class
            seen
    frames  (row, image (28, 28)) of some of them, the last one always
    says    what is to be said of the last
    every   of so many rows one has a frame
    """

    rows: list[tuple[float, ...]] = field(default_factory=list)
    frames: list[tuple[int, np.ndarray]] = field(default_factory=list)
    says: str = ""
    every: int = 1

    def add(self, step: Step, original: Tensor, settings: Settings) -> None:
        """Take down a `step` of an attack on the image `original` (1, 1, 28, 28)."""
        probabilities = step.logits[0].double().softmax(0)
        moved = (step.images - original)[0].double()
        target = settings.into
        if target is None:
            target = int(probabilities.index_fill(0, torch.tensor([settings.source]), 0).argmax())
        seen = int(probabilities.argmax())
        self.rows.append(
            (
                step.iteration,
                float(probabilities[settings.source]),
                float(probabilities[target]),
                float(moved.norm()),
                float(moved.abs().max()),
                float(step.log10_gradient[0]),
                seen,
            )
        )
        self._keep(step.images[0, 0].float().numpy())
        before = int(self.rows[0][SCALARS.index("seen")])
        self.says = words.said(step, settings.attack, settings.way, settings.source, settings.into, before, seen)

    def column(self, name: str) -> np.ndarray:
        """One of the `SCALARS`, (steps,)."""
        return np.array([row[SCALARS.index(name)] for row in self.rows])

    def _keep(self, image: np.ndarray) -> None:
        if len(self.frames) > 1 and self.frames[-1][0] % self.every:
            self.frames.pop()  # it was there only as the last
        self.frames.append((len(self.rows) - 1, image))
        if len(self.frames) > FRAMES:
            self.every *= 2
            self.frames = [frame for frame in self.frames[:-1] if frame[0] % self.every == 0] + self.frames[-1:]


class Run:
    """One attack, step by step on each of the networks; a network that is through gives its attack's memory back.

    A press begins a new thread of the session while the last one is still at a step (Streamlit's fast reruns): so what
    changes the run takes turns, and a run that has been paused stays so.

    running  whether it is being played; False as soon as it is paused, or all networks are through
    hashes   of the networks: another one may be given the name of one that is gone
    traces   by network
    refused  why a network can't be attacked so, by network
    notes    what else is to be known of a network that is attacked so, by network
    """

    def __init__(self, settings: Settings, image: Tensor):
        self.settings, self.image, self._turn = settings, image, threading.RLock()
        self.hashes = digits.hashes(settings.names)
        self.reset()

    def reset(self) -> None:
        """Back to before the first step."""
        with self._turn:
            self.running = False
            self.traces = {name: Trace() for name in self.settings.names}
            self.refused: dict[str, str] = {}
            self.notes: dict[str, str] = {}
            self._attacks: dict[str, Iterator[Step]] = {}
            for name in self.settings.names:
                try:
                    self._begin(name)
                except (ValueError, OSError) as error:
                    self.refused[name] = str(error)
            self.step()

    @property
    def finished(self) -> bool:
        """Whether all networks are through."""
        return not self._attacks

    def step(self) -> None:
        """One step of every network that isn't through."""
        with self._turn:
            for name in list(self._attacks):
                self._step_of(name)
            if self.finished:
                self.running = False

    def advance(self, seconds: float) -> None:
        """As many steps as fit into so many `seconds`, but at most a tenth more than have been taken.

        The first ones are to be seen.
        """
        until = time.monotonic() + seconds
        for _ in range(1 + max(len(trace.rows) for trace in self.traces.values()) // 10):
            if not self.running:
                return
            self.step()
            if time.monotonic() > until:
                return

    def _step_of(self, name: str) -> None:
        try:
            step = next(self._attacks[name], None)
        except ValueError as error:
            self.refused[name], step = str(error), None
        if step is not None:
            self.traces[name].add(step, self.image, self.settings)
        if step is None or not bool(step.running[0]):
            del self._attacks[name]

    def _begin(self, name: str) -> None:
        network, settings = digits.network(name), self.settings
        if settings.way == "softened" and not network.softens:
            self.notes[name] = words.NOT_SOFTER
        if settings.attack == words.FREE and not network.steps_first:
            raise ValueError(words.NOT_FREE)
        self._attacks[name] = STEPS[settings.attack](
            network,
            self.image,
            torch.tensor([settings.aim]),
            targeted=settings.into is not None,
            **dict(settings.parameters),
        )


def run_of(settings: Settings, image: Tensor, latest: Run | None, *, playing: bool = False) -> Run:
    """The run of this attack on the `image` (1, 1, 28, 28): the `latest`, where it is that one, on these very networks,
    or a new one, which begins to play at once where new ones are `playing`.
    """
    hashes = digits.hashes(settings.names)
    if latest and (latest.settings, latest.hashes) == (settings, hashes) and torch.equal(latest.image, image):
        return latest
    run = Run(settings, image)
    run.running = playing and not run.finished
    return run
