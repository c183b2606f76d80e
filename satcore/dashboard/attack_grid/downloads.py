"""Grids to take away, and the lines of Python that fill them again."""

import numpy as np

from satcore.dashboard.attack_grid.words import IN_SESSION
from satcore.dashboard.shared.downloads import npz
from satcore.dashboard.shared.take_away import TakeAway
from satcore.evaluation.grids import Grid, Setting


def of_grids(shown: dict[str, dict[str, Grid]], setting: Setting) -> TakeAway:
    """The grids of some networks, by network and by where they are from, filled as `setting` says."""
    file = f"grid-{setting.source}-{setting.attack}-{setting.gradient}".lower().replace(" ", "-")
    return TakeAway(file, grid_code(list(shown), setting), {f"{file}.npz": lambda: npz(arrays(shown))})


def arrays(shown: dict[str, dict[str, Grid]]) -> dict[str, np.ndarray]:
    """All fields of the grids, each called "network/field", or "network/anew/field" beside one that was kept."""
    found = {}
    for name, there in shown.items():
        for origin, grid in there.items():
            prefix = f"{name}/anew" if origin == IN_SESSION and len(there) > 1 else name
            found |= {f"{prefix}/{field}": np.asarray(value) for field, value in vars(grid).items()}
    return found


def grid_code(names: list[str], setting: Setting) -> str:
    """Python that fills the grids again."""
    return f"""from satcore import library
from satcore.evaluation import grids

setting = grids.{setting!r}
for name in {names!r}:
    *_, last = grids.fill(library.load(name), setting)
    print(name, last.grid.fooled, "of 90 pairs fooled")
"""
