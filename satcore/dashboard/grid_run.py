"""Grids that fill while they are looked at: state of one session, which dies with it."""

import time
from collections.abc import Iterator

from satcore import grids
from satcore.dashboard import live
from satcore.grids import Filling, Grid, Setting


class GridRun:
    """Some networks' grids of one setting, filled a slice of time at a time, one network after the other.

    shown    the grid of each network, as far as it is known
    says     of each network that is at work: how far it has got
    """

    def __init__(self, names: list[str], setting: Setting, anew: bool = False):
        self.setting = setting
        self.shown: dict[str, Grid] = {}
        self.says: dict[str, str] = {}
        self._filling: dict[str, Iterator[Filling]] = {}
        for name in dict.fromkeys(names):
            known = None if anew else live.known_grid(name, setting)
            if known is None:
                self._filling[name] = grids.fill(live.network(name), setting)
            else:
                self.shown[name] = known

    @property
    def finished(self) -> bool:
        return not self._filling

    def advance(self, seconds: float) -> None:
        """Go on with the first network that isn't finished for about so many `seconds`, and at least one step."""
        name, filling = next(iter(self._filling.items()))
        until = time.monotonic() + seconds
        for reached in filling:
            if time.monotonic() > until:
                break
        else:
            del self._filling[name]
            self.says.pop(name, None)
        self.shown[name] = reached.grid
        if name not in self._filling:
            live.keep_grid(name, self.setting, self.shown[name])
        else:
            left = int(reached.step.running.sum())
            self.says[name] = f"iteration {reached.step.iteration:,} of {self.setting.steps:,}; {left} of 90 pairs still under attack"


def known(names: list[str], setting: Setting) -> dict[str, Grid]:
    """The grids of some networks that ship or have been computed since the server was started."""
    there = {name: live.known_grid(name, setting) for name in names}
    return {name: grid for name, grid in there.items() if grid is not None}
