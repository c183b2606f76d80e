"""Of one image and networks whose gradient vanishes alike: what FGSM sees and leaves, and what is true."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from satcore import attacks, data, library
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.dashboard.shared import cache, digits
from satcore.evaluation.strongest import WRONG_BEFORE, attacks_on
from satcore.intervals import box
from satcore.networks import Network
from satcore.proofs import by_intervals, certified, decide
from satcore.proofs.cubes import stepped
from satcore.recipes import STEP

SECONDS = 0.5  # for branch and bound over free pixels
FLIPS = 10  # steps of the search for the hardest corner
FIRST = 100  # test images of each digit, among which those with the symptom are looked for
QUICK = 2  # of the attacks of the worst case: those that don't take seconds where a network convolves


@dataclass(frozen=True)
class Symptom:
    """What FGSM, as published, sees of an image, and what it leaves.

    gradient    (28, 28), of any scale, and log₁₀ of its norm, −inf where it is exactly zero
    left, seen  (28, 28), the image after it, and the digit that the network sees there
    """

    gradient: np.ndarray
    log10_norm: float
    left: np.ndarray
    seen: int


@dataclass(frozen=True)
class Truth:
    """What holds of an image within ε.

    verdict      "proven", "broken" or "open"
    by           the attack that broke it, by its name in `satcore.evaluation.worst_case`
    image, seen  (28, 28), what breaks it, or else the worst that was found; and the digit that the network sees there
    free         (28, 28) bool: the pixels a change of which can reach the first sum
    """

    verdict: str
    by: str | None
    image: np.ndarray
    seen: int
    free: np.ndarray


def pair(chosen: Iterable[str]) -> tuple[str, str] | None:
    """A saturated network and one that steps first, those `chosen` before others; None where there is no such pair."""
    cards, chosen = library.catalogue().cards, list(chosen)
    names = [*chosen, *(name for name in cards if name not in chosen)]
    of_a_group = {cards[name].group for name in chosen if cards[name].training == "saturated"}
    steps = [name for name in names if cards[name].architecture[0] == STEP]
    steps.sort(key=lambda name: (name not in chosen, cards[name].group not in of_a_group))
    if not steps:
        return None
    saturated = [name for name in names if cards[name].training == "saturated" and name not in steps]
    saturated.sort(key=lambda name: (name not in chosen, cards[name].group != cards[steps[0]].group))
    return (saturated[0], steps[0]) if saturated else None


def index_of(names: Iterable[str], digit: int, number: int) -> int:
    """The index of the `number`-th test image of a `digit`, from 1, that all of the networks `names` get right and on
    which the gradients of all are exactly zero, or of the last such; where there is none, of the first of the digit.
    """
    alike = np.logical_and.reduce([_right_and_still(name, digit) for name in names]).nonzero()[0]
    return int(_first_of(digit)[alike[min(number, len(alike)) - 1] if len(alike) else 0])


@cache.of_network
def symptom(name: str, index: int, epsilon: float) -> Symptom:
    """What FGSM sees of the test image at `index`, and leaves within `epsilon`."""
    network, (image, label) = digits.network(name), data.example("test", index)
    gradient = Way("autograd").gradient(network, image, Objective(label))
    left = attacks.fgsm(network, image, label, epsilon=epsilon).images
    return Symptom(_picture(gradient.direction), float(gradient.log10_norm()), _picture(left), _seen(network, left))


@cache.in_turn
def truth(name: str, index: int, epsilon: float) -> Truth:
    """What holds of the test image at `index` within `epsilon`: by search and proof, as quickly as they go."""
    network, (image, label) = digits.network(name), data.example("test", index)
    free, find = torch.full((784,), epsilon > 0), _attacked
    if network.steps_first:
        low, high = stepped(network, *box(image.double().flatten(1), epsilon))
        free, find = (low != high)[0], _searched
    if _seen(network, image) != int(label):
        verdict, by, found = "broken", WRONG_BEFORE, image
    else:
        verdict, by, found = find(network, image, label, epsilon)
    return Truth(verdict, by, _picture(found), _seen(network, found), free.view(28, 28).numpy())


@cache.lasting
def _right_and_still(name: str, digit: int) -> np.ndarray:
    """Which of the first images of a `digit` are seen as that, with a gradient for FGSM of exactly zero, (n,) bool."""
    images, labels = (part[_first_of(digit)] for part in data.load("test"))
    found = Way("autograd").gradient(digits.network(name), images, Objective(labels))
    return (found.zero & (found.logits.argmax(1) == labels)).numpy()


def _first_of(digit: int) -> Tensor:
    return (data.load("test").labels == digit).nonzero().flatten()[:FIRST]


def _searched(network: Network, image: Tensor, label: Tensor, epsilon: float) -> tuple[str, str | None, Tensor]:
    """Behind a step: the hardest corner of the cube, and where that holds whether all of them do."""
    corner = attacks.cube(network, image, label, epsilon=epsilon, steps=FLIPS)
    if bool(corner.success):
        return "broken", "free pixels", corner.images
    decided = decide(network, image, label, epsilon=epsilon, seconds=SECONDS)
    if bool(decided.broken):
        return "broken", "bounds", decided.images
    return decided.verdicts[0], None, corner.images


def _attacked(network: Network, image: Tensor, label: Tensor, epsilon: float) -> tuple[str, str | None, Tensor]:
    prove = by_intervals if network.convolves else certified
    if bool(prove(network, image, label, epsilon=epsilon)):
        return "proven", None, image
    for attack in itertools.islice(attacks_on(network, epsilon), QUICK if network.convolves else None):
        broken, attacked = attack.on(image, label)
        if bool(broken):
            return "broken", attack.name, attacked
    return "open", None, image


def _seen(network: Network, image: Tensor) -> int:
    with torch.no_grad():
        return int(network(image).argmax(1))


def _picture(image: Tensor) -> np.ndarray:
    return image[0, 0].float().numpy()
