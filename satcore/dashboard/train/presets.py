"""What a training can begin with: two recipes quick enough to be watched to their end, and those of the paper."""

from satcore import networks
from satcore.dashboard.shared.style import FAMILY_TITLES
from satcore.recipes import RECIPES, Annealing, Phase, Recipe, control

# As the paper's CNN: the penalty takes the logits themselves, f(z) = z. Adam forgets and follows gradients that fade.
QUICK = Recipe(
    "relu-mlp",
    "saturated",
    networks.mlp("relu", (200, 200)),
    phases=(
        Phase(
            epochs=60,
            batch_size=1200,
            learning_rate=1e-2,
            beta2=0.95,
            adam_epsilon=1e-15,
            penalty=Annealing(step=2e-7, maximum=1e-5),
        ),
    ),
    complementary=("relu", "relu", "identity"),
)
PRESETS = {"Gradients vanish in two minutes": QUICK, "Its control": control(QUICK)}
STARTS = (*PRESETS, *FAMILY_TITLES.values())
TRAINING = "saturated"  # of a family, where none is asked for


def recipe_of(start: str, training: str) -> Recipe:
    """The preset called `start`, or the paper's recipe of the family with that title, and of this `training`."""
    if start in PRESETS:
        return PRESETS[start]
    family = next(family for family, title in FAMILY_TITLES.items() if title == start)
    return RECIPES[f"{family}/{training}"]
