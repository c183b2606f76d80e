"""What a comparison of networks has to say of the control: what it does too is not the penalty's doing."""

from collections.abc import Mapping

from satcore import library
from satcore.dashboard.shared.style import Style
from satcore.recipes import control


def about_the_control(chosen: Mapping[str, Style]) -> str:
    """What to make of a line-up whose networks are compared with its first, as far as a control decides it.

    "" where no saturated network with a control is among them.
    """
    cards = library.catalogue().cards
    saturated = next((name for name in chosen if cards[name].training == "saturated"), None)
    if saturated is None:
        return ""
    recipe = cards[saturated].recipe
    identity = control(recipe).identity if recipe else None
    controls = [name for name, card in cards.items() if card.recipe and card.recipe.identity == identity]
    if not controls:
        return ""
    label = chosen[saturated].label
    there = next((name for name in controls if name in chosen), None)
    if there is None:
        return f"Add {controls[0]} to see what {label} owes to its recipe alone: the control has no penalty."
    if there == next(iter(chosen)):
        return f"{chosen[there].label} has the recipe of {label} without the penalty: what differs is its doing."
    return (
        f"**{chosen[there].label}** has the recipe of {label} without the penalty: where it does the same, "
        "that is the recipe's doing and not the penalty's."
    )
