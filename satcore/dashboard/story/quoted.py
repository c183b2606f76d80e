"""The figures that the story quotes, as its sentences write them: each computed from what is stored."""

from satcore import library, runs
from satcore.evaluation import certificates, reality
from satcore.evaluation.rungs import ONE_WORD, PUBLISHED
from satcore.library import Card
from satcore.paper import TABLE_1
from satcore.proportions import Proportion

SIGMOID, RELU = "sigmoid-mlp", "relu-mlp"
TOLD_OF = (
    *(f"{family}/{training}" for family in (SIGMOID, RELU) for training in ("vanilla", "saturated", "control")),
    *(f"quick/{training}-seed-1" for training in ("saturated", "control")),
)
LEFT = {  # by rung of the ladder: the name that sentences give to what it leaves
    PUBLISHED: "left",
    ONE_WORD: "left by the margin",
    "PGD, cross-entropy, exact": "left by exact PGD",
    "PGD, cross-entropy, softened": "left by softened PGD",
    "worst case": "left by all",
}
BOUNDED = "dendritic"  # the training that bounds are proven of


def quoted() -> dict[str, str]:
    """The figures by what sentences call them, such as "sigmoid-mlp/saturated left by all".

    What isn't stored is left out. Raises ValueError as `satcore.evaluation.reality.load`.
    """
    cards = library.catalogue().cards
    figures = {"epsilon": f"{reality.EPSILON:g}"}
    figures |= {f"{name} published": _number(after) for name, (_, after) in TABLE_1.items()}
    for name in TOLD_OF:
        if name in cards:
            figures |= _measured(cards[name]) | _found_out(name) | _recorded(name)
    papers = [name for name, card in cards.items() if card.shipped and card.training != BOUNDED]
    if left := [share for name in papers if (share := left_of(name, "worst case"))]:
        figures["most left by all"] = percent(max(share.share for share in left))
    return figures | _bounded(cards)


def left_of(name: str, rung: str) -> Proportion | None:
    """What a rung of the ladder leaves of a network; None where that isn't stored.

    Raises ValueError as `satcore.evaluation.reality.load`.
    """
    found = reality.load(name)
    return found.left(rung) if found else None


def temperature_of(name: str, rung: str) -> str:
    """At which temperature a softened rung of the ladder attacked a network, in words; "" of another rung.

    Raises ValueError as `satcore.evaluation.reality.load`.
    """
    found = reality.load(name)
    temperature = found.temperature(rung) if found else None
    return f" (T = {temperature:g}, chosen on training images)" if temperature else ""


def _measured(card: Card) -> dict[str, str]:
    """Table 1's figures of a network."""
    measured = {
        "clean": "accuracy",
        "after FGSM": "fgsm_accuracy",
        "zero gradients": "zero_gradient",
    }
    there = {f"{card.name} {name}": percent(card.measurements[key]) for name, key in measured.items()}
    return there | {f"{card.name} images": f"{card.measurements['images']:,}"} if card.measurements else {}


def _recorded(name: str) -> dict[str, str]:
    """How long a network was trained for, where its epochs are on record."""
    epochs = runs.records(library.kept(name, library.RECORDS))
    return {f"{name} epochs": f"{epochs[-1]['epoch']:,}"} if epochs else {}


def _found_out(name: str) -> dict[str, str]:
    """What the ladder leaves of a network."""
    found = reality.load(name)
    if found is None:
        return {}
    left = {called: share for rung, called in LEFT.items() if (share := found.left(rung))}
    return {f"{name} {called}": percent(share.share) for called, share in left.items()} | {
        f"{name} attacked": f"{found.images:,}"
    }


def _bounded(cards: dict[str, Card]) -> dict[str, str]:
    """The network that is trained for its bounds, and what is proven of it; nothing where nothing is."""
    for name, card in cards.items():
        if card.training == BOUNDED and (proven := _proven(name)):
            return {"bounded": name, "bounded proven": percent(proven.share), "bounded images": f"{proven.total:,}"}
    return {}


def _proven(name: str) -> Proportion | None:
    """What is proven of a network within the paper's ε: of all test images, or else of a sample."""
    for certificate in certificates.load(name):
        if certificate.epsilon == reality.EPSILON:
            return certificate.proven
    found = reality.load(name)
    if found is None or reality.EPSILON not in found.epsilons:
        return None
    count = found.proven[found.epsilons.index(reality.EPSILON)]
    return None if count is None else Proportion(count, found.images)


def percent(share: float) -> str:
    """A share as sentences write it."""
    return f"{_number(100 * share)} %"


def _number(value: float) -> str:
    return f"{value:.1f}"
