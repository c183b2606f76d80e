"""The 10×10 grids of two networks side by side: a component whose cells lead to the live page."""

from urllib.parse import urlencode

from satcore.dashboard.encoded import component, pixels
from satcore.dashboard.figures import COLOURS
from satcore.grids import Grid, Setting

_component = component("grid_view")


def grid_view(grids: dict[str, Grid], setting: Setting, *, key: str) -> None:
    """Draw the `grids` of some networks, whole or on their way; a cell opens the attack of its pair.

    Each grid's images are (10, 10, 28, 28), source digits by row, targets by column.
    """
    _component(
        key=key,
        data={
            "grids": [
                {
                    "name": name,
                    "colour": COLOURS[name.partition("/")[2]],
                    "images": pixels(grid.images),
                    "fooled": grid.fooled,
                    "whole": grid.done == 1,
                    "says": "" if grid.done == 1 else f"{100 * grid.done:.0f} % of the pairs finished",
                    "found": grid.found.tolist(),
                    "iterations": grid.iterations.tolist(),
                    "zero": grid.zero.tolist(),
                    "links": [_link(name, int(index), setting) for index in grid.sources],
                }
                for name, grid in grids.items()
            ]
        },
    )


def _link(name: str, index: int, setting: Setting) -> str:
    """Where the live page attacks the test image at `index` alike; the target is still to be added."""
    family = name.partition("/")[0]
    return "live_attack?" + urlencode(
        {
            "family": family,
            "pick": "by index",
            "index": index,
            "attack": setting.attack,
            "gradient": setting.gradient,
            "steps": setting.steps,
            **({"temperature": f"{setting.temperature:g}"} if setting.gradient == "softened" else {}),
        }
    )
