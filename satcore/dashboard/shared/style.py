"""How each network looks, everywhere alike: a colour, a dash and a short label; and what figures have in common."""

from collections.abc import Iterable
from dataclasses import dataclass

from satcore.library import Card

# Told apart by colour-blind people too (after Okabe and Ito), on white and on black.
COLOURS = {
    "vanilla": "#3B8BD4",
    "adversarial": "#E69F00",
    "saturated": "#C8589B",
    "control": "#17A085",
    "dendritic": "#D55E00",
}
FREE = ("#8C6BE0", "#D1495B", "#6B8E23", "#00A3B4", "#B07A4B", "#5B7083")  # for networks of no training of the paper's
DASHES = ("solid", "dash", "dot", "dashdot")  # for networks of one colour
FAMILY_TITLES = {"sigmoid-mlp": "Sigmoid MLP", "relu-mlp": "ReLU MLP", "cnn": "CNN"}
NEUTRAL = "#888888"
DIGIT_COLOURS = (
    "#1F77B4", "#FF7F0E", "#2CA02C", "#D62728", "#9467BD", "#8C564B", "#E377C2", "#7F7F7F", "#BCBD22", "#17BECF",
)  # fmt: skip
TEXT_SIZE = 18


@dataclass(frozen=True)
class Style:
    """How one network of a line-up is drawn and called there.

    label     the training where all come from one family of the paper, and it is one of the paper's own; else the whole
              name
    """

    colour: str
    dash: str
    label: str


def styles(cards: Iterable[Card]) -> dict[str, Style]:
    """The style of each network of a line-up, by name and in the same order.

    A training of the paper keeps its colour; others take one by their hash, the next one where that is taken. A second
    network of one training is dashed.
    """
    cards = list(cards)
    one_family = len({card.group for card in cards}) == 1 and all(card.training for card in cards)
    distinct = len({card.training for card in cards}) == len(cards)
    found: dict[str, Style] = {}
    taken: list[str] = []
    for card in cards:
        colour = COLOURS.get(card.training) or _free(card.sha256, taken)
        dash = DASHES[min(taken.count(colour), len(DASHES) - 1)]
        label = card.training if one_family and distinct and card.shipped else card.name
        found[card.name] = Style(colour, dash, label)
        taken.append(colour)
    return found


def _free(sha256: str, taken: list[str]) -> str:
    first = int(sha256, 16) % len(FREE)
    order = FREE[first:] + FREE[:first]
    return next((colour for colour in order if colour not in taken), order[0])
