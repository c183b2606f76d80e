"""Networks that are measured while one looks: state of one session, which dies with it."""

import dataclasses
import threading
import time
from collections.abc import Iterator

from satcore import data, library
from satcore.dashboard.shared import digits
from satcore.evaluation.table_1 import Measurements, measuring


class Measuring:
    """The networks that are to be measured, one after the other, as Table 1 is.

    waiting  their names; the first is under way
    done     the share of its images that is done
    refused  why those that couldn't be measured couldn't, by name
    """

    def __init__(self):
        self.waiting: list[str] = []
        self.done = 0.0
        self.refused: dict[str, str] = {}
        self._under_way: Iterator[tuple[float, Measurements]] | None = None
        self._sha256, self._turn = "", threading.RLock()  # a press begins a new thread while the last one is at work

    def ask(self, name: str) -> None:
        """Measure the network `name`, after those that wait already."""
        with self._turn:
            self.refused.pop(name, None)
            if name not in self.waiting:
                self.waiting.append(name)

    def forget(self, name: str) -> None:
        """Don't measure the network `name`."""
        with self._turn:
            self.refused.pop(name, None)
            if name in self.waiting:
                if name == self.waiting[0]:
                    self._under_way = None
                self.waiting.remove(name)

    def advance(self, seconds: float) -> None:
        """Go on for about so many `seconds`, and at least one part of the images; what is measured goes on the card."""
        until = time.monotonic() + seconds
        with self._turn:
            if self.waiting:
                self._advance(self.waiting[0], until)

    def _advance(self, name: str, until: float) -> None:
        try:
            if self._under_way is None:
                self._sha256, self.done = library.describe(name).sha256, 0.0
                self._under_way = measuring(digits.network(name), *data.load("test"))
            for done, found in self._under_way:
                self.done = done
                if done == 1:
                    self._keep(name, found)
                    self.forget(name)
                if done == 1 or time.monotonic() > until:
                    break
        except (ValueError, OSError) as error:
            self.forget(name)
            self.refused[name] = str(error)

    def _keep(self, name: str, found: Measurements) -> None:
        library.check_same(name, self._sha256)
        library.measured(name, dataclasses.asdict(found))
