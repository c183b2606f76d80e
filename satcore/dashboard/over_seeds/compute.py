"""What is on record of many seeds, sorted by training and by λ."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from satcore import library
from satcore.dashboard.shared.layers import in_order
from satcore.evaluation import seeds
from satcore.evaluation.seeds import Figures, Stage, Trained
from satcore.library import Card
from satcore.paper import TABLE_1
from satcore.recipes import FAMILIES, RECIPES, Recipe


@dataclass(frozen=True)
class Quantity:
    """A figure of a network, as a page shows it.

    values       of the network's layers, from the image up, or its one value; None where there is none
    paper        which of the two figures of a row of Table 1 it is
    logarithmic  how it is drawn
    """

    name: str
    unit: str
    values: Callable[[Figures], Sequence[float | None]]
    paper: int | None = None
    logarithmic: bool = False


def _percent(name: str) -> Callable[[Figures], list[float]]:
    return lambda figures: [100 * figures[name]]


def _ratios(figures: Figures) -> list[float | None]:
    """Fig. 3: how much further apart classes are than images of one class; None where the latter don't differ.

    Without a step before anything is summed.
    """
    step = len(figures["within"]) - len(figures["kurtosis"])
    return [
        between / within if within > 0 else None
        for within, between in zip(figures["within"][step:], figures["between"][step:], strict=True)
    ]


ACCURACY = Quantity("accuracy", "%", _percent("accuracy"), paper=0)
FGSM = Quantity("right after FGSM", "%", _percent("fgsm_accuracy"), paper=1)
WITHSTOOD = Quantity("right before and after FGSM", "%", _percent("fgsm_withstood"))
ZERO = Quantity("gradient exactly zero", "% of images", _percent("zero_gradient"))
WORST = Quantity("worst case", "% right", _percent("worst_case"))
PROVEN = Quantity("proven", "% of images", lambda figures: [100 * figures["proven"] if "proven" in figures else None])
KURTOSIS = Quantity("excess kurtosis", "by layer", lambda figures: figures["kurtosis"])
RATIO = Quantity("between / within classes", "by layer", _ratios, logarithmic=True)
FLATNESS = Quantity("flatness of a path", "% of it", _percent("flatness"))
PARTICIPATION = Quantity(  # from 1 on: 0 says that every singular value is, and none takes part
    "participation", "singular values", lambda figures: [figures["participation"] or None]
)
LENGTH = Quantity("length of a path", "Fisher–Rao", lambda figures: [figures["length"]])
DRAWN = (ACCURACY, FGSM, ZERO, WORST, KURTOSIS, RATIO, FLATNESS, PARTICIPATION)
LISTED = (*DRAWN, LENGTH, PROVEN)

COUNTED = ("accuracy", "fgsm_accuracy", "fgsm_withstood", "zero_gradient")  # shares of all test images, on cards, too

AGAINST_LAMBDA = (WITHSTOOD, ZERO, ACCURACY, WORST)
ALONG = {  # what is on record at every stage of a training, too: by quantity
    WITHSTOOD: lambda stage: 100 * stage.fgsm_accuracy,
    ZERO: lambda stage: 100 * stage.zero_gradient,
    ACCURACY: lambda stage: 100 * stage.accuracy,
}


@dataclass(frozen=True)
class Spread:
    """The median of some networks' values, the least, the greatest, and how many there are."""

    median: float
    least: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Spread | None":
        """That of those values that there are; None where there is none."""
        there = [value for value in values if value is not None]
        return cls(median(there), min(there), max(there), len(there)) if there else None


def on_record() -> tuple[list[Trained], list[str]]:
    """All networks on record, and a sentence for what can't be believed. Raises ValueError where there is none."""
    found, complaints = seeds.load()
    if not found and not complaints:
        raise ValueError(
            "expected networks of several seeds on record, got none: train some with `python -m satcore sweep`"
        )
    return found, complaints


def families(found: Sequence[Trained]) -> list[str]:
    """Those of which there is any."""
    there = {trained.made_by.family for trained in found}
    return [family for family in FAMILIES if family in there]


def by_training(found: Sequence[Trained], family: str, trainings: Sequence[str]) -> dict[str, list[Trained]]:
    """The networks of the recipes of these `trainings`, by training, by seed."""
    recipes = {training: RECIPES[f"{family}/{training}"].identity for training in trainings}
    sorted_by_seed = sorted(found, key=lambda trained: trained.seed)
    return {
        training: there
        for training, identity in recipes.items()
        if (there := [trained for trained in sorted_by_seed if trained.identity == identity])
    }


def by_lambda(found: Sequence[Trained], family: str) -> dict[float, list[Trained]]:
    """The networks of the saturated recipe with any λ, all else equal, by the largest λ, ascending; 0: the control."""
    recipes = {f"{family}/{training}" for training in ("saturated", "control")}
    there: dict[float, list[Trained]] = {}
    for trained in sorted(found, key=lambda trained: trained.seed):
        if trained.recipe in recipes and set(trained.settings) <= {"lambda_max"}:
            there.setdefault(lambda_of(trained.made_by), []).append(trained)
    return dict(sorted(there.items()))


def lambda_of(recipe: Recipe) -> float:
    """Its largest λ, to nine digits: what differs by rounding is the same."""
    return float(f"{recipe.lambda_max:.9g}")


def shipped() -> set[tuple[str, int]]:
    """Of which recipes, by their identities, and seeds the networks are that ship."""
    return set(_cards())


def off_their_cards(some: Sequence[Trained]) -> int:
    """By how many test images at most what was measured for this page differs from the cards of those that ship."""
    cards = _cards()
    return max(
        (
            round(card.measurements["images"] * abs(trained.figures[figure] - card.measurements[figure]))
            for trained in some
            if (card := cards.get((trained.identity, trained.seed)))
            for figure in COUNTED
            if figure in card.measurements
        ),
        default=0,
    )


def _cards() -> dict[tuple[str, int], Card]:
    """Those of the networks that ship, by their recipes' identities and their seeds."""
    cards = library.catalogue().cards.values()
    return {
        (card.recipe.identity, card.seed): card
        for card in cards
        if card.shipped and card.recipe and card.seed is not None
    }


def paper(quantity: Quantity, family: str, training: str) -> float | None:
    """The paper's value, where its Table 1 has one."""
    row = TABLE_1.get(f"{family}/{training}")
    return None if row is None or quantity.paper is None else row[quantity.paper]


def spreads(there: dict[str, list[Trained]], quantity: Quantity, layer: str = "") -> dict[str, Spread]:
    """Of a quantity, or of one `layer` of it, by training."""
    found = {
        training: Spread.of([by_layer(quantity, one.figures).get(layer) for one in some])
        for training, some in there.items()
    }
    return {training: spread for training, spread in found.items() if spread}


def chance(one: int, other: int) -> float:
    """How often `one` and `other` values that come from one distribution don't overlap: 2 in C(one + other, one)."""
    return 2 / math.comb(one + other, one)


def by_layer(quantity: Quantity, figures: Figures) -> dict[str, float | None]:
    """The values of a quantity, by what they are of: layers by their numbers and the softmax, or, "", the network."""
    values = quantity.values(figures)
    last = "softmax" if quantity is RATIO else str(len(values))
    names = [*map(str, range(1, len(values))), last] if len(values) > 1 else [""]
    return dict(zip(names, values, strict=True))


def layers(there: dict[str, list[Trained]], quantity: Quantity) -> list[str]:
    """What the values of a quantity are of, in any of the networks."""
    return in_order(dict.fromkeys(tuple(by_layer(quantity, one.figures)) for some in there.values() for one in some))


def epochs(there: dict[float, list[Trained]]) -> list[int]:
    """After which epochs any of the networks is on record, but for the last one of each, when it is finished."""
    return sorted({stage.epoch for some in there.values() for trained in some for stage in trained.history[:-1]})


def along(trained: Trained, epochs: Sequence[int], value: Callable[[Stage], float] | None) -> list[float | None]:
    """A `value` after each of the `epochs`; None where it is not on record."""
    stages = {stage.epoch: stage for stage in trained.history}
    return [value(stages[epoch]) if value and epoch in stages else None for epoch in epochs]


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are known, if there are any."""
    spread = Spread.of(values)
    return spread.median if spread else None


def half(some: Sequence[Trained]) -> int | None:
    """After which epoch, of those on record, half of the images are first right before and after FGSM, in the median
    of some networks; None where that is not on record.
    """
    for epoch in epochs({0.0: list(some)}):
        there = middle([along(trained, [epoch], ALONG[WITHSTOOD])[0] for trained in some])
        if there is not None and there >= 50:
            return epoch
    return None


def withstood(there: dict[float, list[Trained]], epoch: int | None) -> dict[float, Spread]:
    """How many images are right before and after FGSM, by λ, after an `epoch`; None: at the end."""
    values = {
        lam: [
            WITHSTOOD.values(trained.figures)[0] if epoch is None else along(trained, [epoch], ALONG[WITHSTOOD])[0]
            for trained in some
        ]
        for lam, some in there.items()
    }
    found = {lam: Spread.of(some) for lam, some in values.items()}
    return {lam: spread for lam, spread in found.items() if spread}
