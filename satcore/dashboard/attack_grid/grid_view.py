"""The 10×10 grids of some networks side by side: a component whose cells lead to the live page."""

from urllib.parse import urlencode

from satcore.dashboard.attack_grid import words
from satcore.dashboard.shared.component import component, pixels
from satcore.dashboard.shared.style import Style
from satcore.evaluation.grids import Grid, Setting

_component = component(__file__)


def grid_view(shown: dict[str, dict[str, Grid]], styles: dict[str, Style], setting: Setting, *, key: str) -> None:
    """Draw the grids in `shown`, by network and by where they are from, whole or on their way.

    Each grid's images are (10, 10, 28, 28), source digits by row, targets by column. A cell opens the attack of its
    pair on all networks of `styles`.
    """
    _component(
        key=key,
        data={
            "networks": [
                {
                    "name": name,
                    "colour": styles[name].colour,
                    "grids": [_drawn(grid, origin, list(styles), setting) for origin, grid in there.items()],
                }
                for name, there in shown.items()
            ]
        },
    )


def _drawn(grid: Grid, origin: str, names: list[str], setting: Setting) -> dict:
    return {
        "origin": origin,
        "images": pixels(grid.images),
        "fooled": grid.fooled,
        "whole": grid.done == 1,
        "says": "" if grid.done == 1 else f"{100 * grid.done:.0f} % of the pairs finished",
        "found": grid.found.tolist(),
        "iterations": grid.iterations.tolist(),
        "zero": grid.zero.tolist(),
        "rest": [[words.rest(grid, setting, source, target) for target in range(10)] for source in range(10)],
        "links": [_link(names, int(index), setting) for index in grid.sources],
    }


def _link(names: list[str], index: int, setting: Setting) -> str:
    """Where the live page attacks the test image at `index` alike; the target is still to be added."""
    softness = {"temperature": f"{setting.temperature:g}"} if setting.gradient == "softened" else {}
    asked = {
        "networks": names,
        "pick": "by index",
        "index": index,
        "attack": setting.attack,
        "gradient": setting.gradient,
        "steps": setting.steps,
    }
    return "live_attack?" + urlencode(asked | softness, doseq=True)
