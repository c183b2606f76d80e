"""What a training can begin with: two recipes quick enough to be watched to their end, and those of the paper."""

from satcore import networks
from satcore.dashboard.shared.style import FAMILY_TITLES
from satcore.recipes import RECIPES, Annealing, Phase, Recipe, control

# PyTorch's initial weights, some twenty times as large: nearly as spread as N(0, 1).
QUICK = Recipe(
    "relu-mlp",
    "saturated",
    networks.mlp("relu", (200, 200)),
    phases=(Phase(epochs=50, batch_size=600, learning_rate=1e-2, penalty=Annealing(step=1e-7, maximum=4e-6)),),
    complementary=("relu",) * 3,
    initial_scale=24.0,
)
PRESETS = {"Saturates in two minutes": QUICK, "Its control": control(QUICK)}
STARTS = (*PRESETS, *FAMILY_TITLES.values())
TRAINING = "saturated"  # of a family, where none is asked for


def recipe_of(start: str, training: str) -> Recipe:
    """The preset called `start`, or the paper's recipe of the family with that title, and of this `training`."""
    if start in PRESETS:
        return PRESETS[start]
    family = next(family for family, title in FAMILY_TITLES.items() if title == start)
    return RECIPES[f"{family}/{training}"]
