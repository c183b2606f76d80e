"""Grids that fill while they are looked at: state of one session, which dies with it."""

import threading
import time
from collections.abc import Iterable, Iterator, MutableMapping

from satcore import library
from satcore.dashboard.attack_grid import words
from satcore.dashboard.shared import digits
from satcore.evaluation import grids
from satcore.evaluation.grids import Filling, Grid, Setting

MOST = 100  # grids that a session keeps: some 30 MB
Computed = MutableMapping[tuple[str, Setting], Grid]  # by the network's hash and the setting


class GridRun:
    """Some networks' grids of one setting, filled a slice of time at a time, one network after the other.

    A press begins a new thread of the session while the last one is still in its slice (Streamlit's fast reruns): so
    slices wait for each other, and what a press sets stays set.

    kept      the grids that ship, or lie on the user's shelf, by network
    refused   why a network has none, by network
    running   whether it is at work; False as soon as it is stopped, or all are filled
    done      the share of the work that lies behind
    says      how far the one at work has got
    """

    def __init__(self, names: Iterable[str], setting: Setting, computed: Computed):
        """`computed` are the grids that this session has filled: more are put there."""
        self.names, self.setting, self.running = tuple(names), setting, False
        self._hashes = digits.hashes(self.names)
        self.kept: dict[str, Grid] = {}
        self.refused: dict[str, str] = {}
        self._computed, self._turn = computed, threading.Lock()
        for name in self.names:
            try:
                if (grid := grids.load(name, setting)) is not None:
                    self.kept[name] = grid
            except (ValueError, OSError) as error:
                self.refused[name] = str(error)
        self._begin([name for name in self.names if name not in self.kept and self._whole(name) is None])

    @property
    def computed(self) -> dict[str, Grid]:
        """The grids of this setting that were filled in this session, whole or on their way, by network."""
        there = {name: self._computed.get(self._key(name)) for name in self.names}
        return {name: grid for name, grid in there.items() if grid is not None}

    @property
    def shown(self) -> dict[str, dict[str, Grid]]:
        """What there is to show: the grids by network and by where they are from, no more than two a network."""
        found: dict[str, dict[str, Grid]] = {}
        computed = self.computed
        for name in self.names:
            origin = words.SHIPS if library.describe(name).shipped else words.ON_SHELF
            there = {origin: self.kept.get(name), words.IN_SESSION: computed.get(name)}
            if grids_there := {origin: grid for origin, grid in there.items() if grid is not None}:
                found[name] = grids_there
        return found

    @property
    def missing(self) -> list[str]:
        """The networks that have no grid yet, and aren't refused one."""
        return [name for name in self.names if name not in self.shown and name not in self.refused]

    @property
    def finished(self) -> bool:
        """Whether every network has a grid, or is refused one."""
        return not self._filling

    def fills(self, names: Iterable[str], setting: Setting) -> bool:
        """Whether this is the run for them: another network may have been given the name of one that is gone."""
        names = tuple(names)
        return (self.names, self._hashes, self.setting) == (names, digits.hashes(names), setting)

    def start(self) -> None:
        """Go on where it was stopped; where all grids are filled, fill them anew."""
        if self.finished:
            self._begin(self.names)
        self.running = True

    def advance(self, seconds: float) -> None:
        """Go on with the first network that isn't finished for about so many `seconds`, and at least one step."""
        with self._turn:
            if self.running:
                self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        name, filling = next(iter(self._filling.items()))
        until, latest, ended = time.monotonic() + seconds, None, True
        try:
            for reached in filling:
                latest = reached
                if time.monotonic() > until or not self.running:
                    ended = False
                    break
        except (ValueError, OSError) as error:
            self.refused[name] = str(error)
        if latest is not None:
            self._keep(name, latest.grid)
            self._say(name, latest)
        if ended:
            del self._filling[name]
        ahead = self._ahead(latest) if latest is not None and not ended else 0.0
        self.done = 1 - (len(self._filling) - (not ended) + ahead) / self._count
        if self.finished:  # else as it is: it may have been stopped meanwhile
            self.running = False

    def _begin(self, names: Iterable[str]) -> None:
        names = list(names)
        self._filling: dict[str, Iterator[Filling]] = {name: self._fill(name) for name in names}
        self._count, self.done, self.says = len(names), 0.0, "begun"

    def _fill(self, name: str) -> Iterator[Filling]:
        self.refused.pop(name, None)
        library.check_same(name, self._hashes[name])  # it may have waited long for its turn
        yield from grids.fill(digits.network(name), self.setting)

    def _keep(self, name: str, grid: Grid) -> None:
        self._computed.pop(self._key(name), None)
        self._computed[self._key(name)] = grid  # as the latest
        if len(self._computed) > MOST:
            del self._computed[next(iter(self._computed))]

    def _say(self, name: str, reached: Filling) -> None:
        left = int(reached.step.running.sum())
        self.says = (
            f"{name}: iteration {reached.step.iteration:,} of {self.setting.steps:,}; "
            f"{left} of 90 pairs still under attack"
        )

    def _ahead(self, reached: Filling) -> float:
        """The share of one network's work that lies ahead."""
        return (1 - reached.done) * max(0.0, 1 - reached.step.iteration / self.setting.steps)

    def _whole(self, name: str) -> Grid | None:
        grid = self._computed.get(self._key(name))
        return grid if grid is not None and grid.done == 1 else None

    def _key(self, name: str) -> tuple[str, Setting]:
        return self._hashes[name], self.setting


def run_of(names: Iterable[str], setting: Setting, computed: Computed, latest: GridRun | None) -> GridRun:
    """The run of these networks and this `setting`: the `latest`, where it is that one, or a new one."""
    if latest is not None and latest.fills(names, setting):
        return latest
    return GridRun(names, setting, computed)
