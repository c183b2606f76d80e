"""What a training can begin with: two recipes quick enough to be watched to their end, and those of the paper."""

from satcore.dashboard.shared.style import FAMILY_TITLES
from satcore.recipes import RECIPES, WATCHED, Recipe

PRESETS = {
    "Gradients vanish in two minutes": WATCHED["quick/saturated"],
    "Its control": WATCHED["quick/control"],
}
STARTS = (*PRESETS, *FAMILY_TITLES.values())
TRAINING = "saturated"  # of a family, where none is asked for


def recipe_of(start: str, training: str) -> Recipe:
    """The preset called `start`, or the paper's recipe of the family with that title, and of this `training`."""
    if start in PRESETS:
        return PRESETS[start]
    family = next(family for family, title in FAMILY_TITLES.items() if title == start)
    return RECIPES[f"{family}/{training}"]
