"""What is known of the networks, to take away, and the lines of Python that say it."""

from collections.abc import Iterable

from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.library import Card

MEASURED = ("accuracy", "fgsm_accuracy", "zero_gradient")
HEADER = ("network", "group", "training", "seed", "origin", "sha256", *MEASURED)
CODE = """from satcore import library

for name in library.names():
    card = library.describe(name)
    print(name, card.sha256[:12], card.measurements)
"""


def of_cards(cards: Iterable[Card]) -> TakeAway:
    """A row a network."""
    return TakeAway("networks", CODE, {"networks.csv": lambda: csv_of(HEADER, map(_row, cards))})


def _row(card: Card) -> list:
    measured = [card.measurements.get(figure, "") for figure in MEASURED]
    return [card.name, card.group, card.training, card.seed, card.origin, card.sha256, *measured]
