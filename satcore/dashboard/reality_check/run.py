"""A cell of the ladder that is computed anew while it is looked at: state of one session, which dies with it."""

import threading
import time
from collections.abc import Iterator

from satcore import data, evaluation, library
from satcore.dashboard.shared import digits
from satcore.evaluation.reality import SEED
from satcore.proportions import Proportion


class CellRun:
    """What the `rung` leaves of the network `name` at `epsilon`, on so many random test `images`, bit by bit.

    reached  of the images so far; None before the first
    refused  why it can't be computed, where it can't
    running  False as soon as it is done, or has been stopped
    """

    def __init__(self, name: str, rung: str, images: int, epsilon: float):
        self.name, self.rung, self.epsilon, self.images = name, rung, epsilon, images
        self.hashes = digits.hashes([name])
        self.reached: Proportion | None = None
        self.refused = ""
        self.running = True
        self._climbing, self._turn = self._climb(), threading.Lock()

    @property
    def done(self) -> float:
        """The share of the images that have been attacked."""
        return self.reached.total / self.images if self.reached else 0.0

    def advance(self, seconds: float) -> None:
        """Go on for about so many `seconds`, and at least one part of the images."""
        until = time.monotonic() + seconds
        with self._turn:  # a press begins a new thread while this one is at work, and what it stops stays so
            if not self.running:
                return
            try:
                for reached in self._climbing:
                    self.reached = reached
                    if time.monotonic() > until or not self.running:
                        break
            except (ValueError, OSError) as error:
                self.running, self.refused = False, str(error)
            if self.done == 1:
                self.running = False

    def _climb(self) -> Iterator[Proportion]:
        network, vanilla = digits.network(self.name), library.vanilla_beside(self.name)
        images, labels = data.sample("test", self.images, SEED)
        yield from evaluation.one_rung(
            self.rung,
            network,
            images,
            labels,
            epsilon=self.epsilon,
            source=digits.network(vanilla) if vanilla else None,
            at_a_time=10 if network.convolves else 50,
        )
