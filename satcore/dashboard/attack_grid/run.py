"""Grids that fill while they are looked at: state of one session, which dies with it."""

import time
from collections.abc import Iterator

from satcore.grids import Filling, Grid, Setting

from satcore import grids
from satcore.dashboard import live


class GridRun:
    """Some networks' grids of one setting, filled a slice of time at a time, one network after the other.

    Those that ship, or have been filled since the server was started, are there at once.

    shown    the grid of each network, as far as it is known
    running  whether it is at work; False as soon as it is stopped, or all are filled
    done     the share of the work that lies behind
    says     how far the one at work has got
    """

    def __init__(self, names: tuple[str, ...], setting: Setting):
        self.names, self.setting, self.running = tuple(dict.fromkeys(names)), setting, False
        there = {name: live.known_grid(name, setting) for name in self.names}
        self.shown: dict[str, Grid] = {name: grid for name, grid in there.items() if grid is not None}
        self._begin([name for name in self.names if name not in self.shown])

    def fills(self, names: tuple[str, ...], setting: Setting) -> bool:
        """Whether this is the run for them."""
        return (self.names, self.setting) == (tuple(dict.fromkeys(names)), setting)

    @property
    def finished(self) -> bool:
        return not self._filling

    def start(self) -> None:
        """Go on where it was stopped; where all grids are filled, fill them anew."""
        if self.finished:
            self._begin(self.names)
        self.running = True

    def advance(self, seconds: float) -> None:
        """Go on with the first network that isn't finished for about so many `seconds`, and at least one step."""
        name, filling = next(iter(self._filling.items()))
        until, self.running = time.monotonic() + seconds, False  # should it come to nothing
        try:
            for reached in filling:
                if time.monotonic() > until:
                    break
            else:
                del self._filling[name]
        except ValueError:
            self._filling[name] = self._fill(name)  # from the beginning, when it is tried again
            raise
        self.shown[name] = reached.grid
        if name not in self._filling:
            live.keep_grid(name, self.setting, self.shown[name])
        left = int(reached.step.running.sum())
        ahead = (1 - reached.done) * max(0.0, 1 - reached.step.iteration / self.setting.steps)  # of this network's work
        self.done = 1 - (len([other for other in self._filling if other != name]) + ahead) / self._count
        self.says = f"{name}: iteration {reached.step.iteration:,} of {self.setting.steps:,}; {left} of 90 pairs still under attack"
        self.running = not self.finished

    def _fill(self, name: str) -> Iterator[Filling]:
        yield from grids.fill(live.network(name), self.setting)

    def _begin(self, names: list[str] | tuple[str, ...]) -> None:
        self._filling: dict[str, Iterator[Filling]] = {name: self._fill(name) for name in names}
        self._count, self.done, self.says = len(names), 0.0, "begun"
