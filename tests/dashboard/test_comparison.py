"""What a line-up's networks are called, and whose recipe the control's is."""

from satcore import library
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.style import styles
from satcore.networks import build
from satcore.recipes import RECIPES, changed, control

SATURATED, CONTROL = "relu-mlp/saturated", "relu-mlp/control"


def trained(recipe, label: str) -> str:
    """The name of a network that is said to have been trained by this recipe."""
    network = build(recipe.architecture).requires_grad_(False)
    return library.add(network, label, group=recipe.family, training=recipe.training, recipe=recipe, seed=0)


def said(*names: str) -> str:
    return about_the_control(styles(map(library.describe, names)))


def test_the_papers_are_called_by_their_training_and_ones_own_by_its_name():
    own = trained(changed(RECIPES[SATURATED], {"widths": (8,)}), "small")
    looks = styles(map(library.describe, ("relu-mlp/vanilla", own, CONTROL)))
    assert [style.label for style in looks.values()] == ["vanilla", own, "control"]
    assert looks[own].colour == styles([library.describe(SATURATED)])[SATURATED].colour


def test_only_what_has_the_recipe_without_the_penalty_is_called_the_control():
    assert said(SATURATED, CONTROL).startswith("**control** has the recipe of saturated without the penalty")
    assert said(CONTROL, SATURATED).startswith("control has the recipe of saturated without the penalty")
    assert said(SATURATED).startswith(f"Add {CONTROL} to see")
    recipe = changed(RECIPES[SATURATED], {"widths": (8,), "epochs": 4})
    own = trained(recipe, "small")
    assert said(own, CONTROL) == said(own) == ""
    without = trained(control(recipe), "small control")
    assert said(own, CONTROL, without).startswith(f"**{without}** has the recipe of {own} without the penalty")
    assert said(own) == f"Add {without} to see what {own} owes to its recipe alone: the control has no penalty."
