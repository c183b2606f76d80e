"""What is known of the networks, to take away, and the lines of Python that say it."""

from collections.abc import Collection

from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.library import Card

MEASURED = ("accuracy", "fgsm_accuracy", "zero_gradient")
HEADER = ("network", "group", "training", "seed", "origin", "sha256", *MEASURED)


def of_cards(cards: Collection[Card]) -> TakeAway:
    """A row a network."""
    code = cards_code([card.name for card in cards])
    return TakeAway("networks", code, {"networks.csv": lambda: csv_of(HEADER, map(_row, cards))})


def cards_code(names: list[str]) -> str:
    """Python that says what is known of them."""
    return f"""from satcore import library

for name in {names!r}:
    card = library.describe(name)
    print(name, card.sha256[:12], card.measurements)
"""


def _row(card: Card) -> list:
    measured = [card.measurements.get(figure, "") for figure in MEASURED]
    return [card.name, card.group, card.training, card.seed, card.origin, card.sha256, *measured]
