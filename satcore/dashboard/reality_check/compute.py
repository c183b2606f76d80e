"""What was found out about networks, and the gradients at one image."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from satcore import data
from satcore.attacks.gradients import WAYS, Way
from satcore.attacks.objective import Objective
from satcore.dashboard.shared import cache, digits
from satcore.dashboard.shared.layers import in_order
from satcore.evaluation.reality import Reality
from satcore.library import Card


@dataclass(frozen=True)
class GradientView:
    """The gradient of a loss at one image, (28, 28), of any scale, and log₁₀ of its norm.

    The logarithm is −inf where the gradient is exactly zero.
    """

    direction: np.ndarray
    log10_norm: float


def climbed(found: dict[str, Reality]) -> dict[str, Reality]:
    """Those of the networks on which the ladder has been climbed."""
    return {name: there for name, there in found.items() if there.right}


def before_the_proof(found: dict[str, Reality], cards: dict[str, Card]) -> dict[str, Reality]:
    """Those of the networks that the story speaks of first: all but those that are trained to be proven right."""
    return {name: there for name, there in found.items() if cards[name].training != "dendritic"}


def epsilons(found: dict[str, Reality]) -> list[float]:
    """Those ε at which the ladder was climbed on any of the networks, ascending.

    Raises ValueError where there is no such ε.
    """
    there = sorted({epsilon for one in found.values() for epsilon in one.epsilons})
    if not there:
        raise ValueError("expected an ε at which networks were attacked, got none")
    return there


@cache.of_network
def gradients(name: str, index: int, loss: str, temperature: float) -> dict[str, GradientView]:
    """The gradient of the `loss` at the test image at `index`, taken in each of the three ways, by their names."""
    images, labels = data.example("test", index)
    network = digits.network(name)
    taken = {way: Way(way, temperature).gradient(network, images, Objective(labels, loss=loss)) for way in WAYS}
    return {
        way: GradientView(gradient.direction[0, 0].numpy(), float(gradient.log10_norm()))
        for way, gradient in taken.items()
    }


def layers(found: Iterable[Reality]) -> list[str]:
    """The layers that any of the networks has, from the image up to the logits."""
    return in_order([[layer.layer for layer in there.dying] for there in found])
