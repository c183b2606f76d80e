"""Is an attack's failure the network's merit? What Carlini et al. (2019) and AutoAttack (Croce & Hein 2020) would check
before they believe it, of the attacker that takes its gradient from float32 autograd.
"""

import copy
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from satcore.attacks import fgsm, pgd, square, transfer
from satcore.attacks.descent import check
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.data import CLASSES, check_kind, check_network
from satcore.evaluation.rungs import right_in_noise, still_right
from satcore.networks import Network

MASKED = (  # by which of the checks a gradient is called masked: another attack breaks what this one can't
    "another loss breaks no more",
    "no gradient is needed less",
    "no stranger knows better",
    "no gradient is exactly zero",
)
TOLERANCE = 0.01 + 1e-9  # one image in a hundred may say otherwise, whatever the rounding of shares
STEPS = 40
GROWING = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
MEANINGS = {
    "iterating beats one step": "PGD goes on where FGSM stops. If that gains nothing, the gradient leads nowhere.",
    "success grows with ε": "Whatever lies within a small ε lies within a large one too.",
    "nothing is left at ε = 0.5": "There every image can be made the same grey: no network can do better than chance.",
    "another loss breaks no more": (
        "The cross-entropy's gradient may vanish at the softmax. If that of the margin breaks more, it had."
    ),
    "no gradient is needed less": (
        "Square only asks for logits. It should not break what an attack that knows the network can't."
    ),
    "no stranger knows better": (
        "Images that fool the vanilla network should not break what an attack on this network can't."
    ),
    "more steps change nothing": "If doubling the steps still breaks more images, the attack had not converged.",
    "noise is weaker": "A random change, the worst of ten, should do less harm than one made for the purpose.",
    "no gradient is exactly zero": "Where it is, the attack hands back the image it was given.",
    "the same answer twice": "A random network must be attacked on average (AutoAttack's rand version).",
    "its outputs are logits": "Probabilities would saturate before the attack's loss sees them.",
}


@dataclass(frozen=True)
class Check:
    """One check.

    name     a key of `MEANINGS`
    passed   whether the attack's failure may be believed, as far as this goes
    figures  what it was decided by: shares of the images, unless their name says otherwise
    """

    name: str
    passed: bool
    figures: dict[str, float]


@dataclass(frozen=True)
class Signal:
    """How much of the gradient of the cross-entropy arrives at a layer, on N images.

    layer        "image", "layer 1", …, "logits": what the gradient is taken by, a layer's pre-activation; that of a
                 first block that steps pixel by pixel is called "step"
    zero_single  the share of images on which float32 autograd gives exactly zero in every unit
    zero_double  the same in float64
    log10_norm   (N,) float64: log₁₀ of the true gradient's Euclidean norm; −inf where it is truly zero
    """

    layer: str
    zero_single: float
    zero_double: float
    log10_norm: Tensor


def checks(
    network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25, source: Network | None = None
) -> tuple[Check, ...]:
    """All checks of `MEANINGS` on `images` (N, 1, 28, 28) with classes `labels` (N,), the one of transfer if there is a
    `source`.

    The attacks that are checked follow the cross-entropy's autograd gradient in the network's own dtype, as the
    published ones do. Raises ValueError as `satcore.attacks.fgsm`.
    """

    def right(attack, **settings) -> float:
        return still_right(attack, network, images, labels, **{"epsilon": epsilon} | settings)

    single, iterated, twice = right(fgsm), right(pgd, steps=STEPS), right(pgd, steps=2 * STEPS)
    growing = {f"ε = {there:g}": right(pgd, epsilon=there, steps=STEPS) for there in GROWING}
    smallest, *_, largest = growing.values()
    rises = [later - earlier for earlier, later in itertools.pairwise(growing.values())]
    otherwise = right(pgd, steps=STEPS, loss="margin")
    noise, blind = right_in_noise(network, images, labels, epsilon=epsilon), right(square)
    zero = zero_gradients(network, images, labels)
    with torch.no_grad():
        first, again = network(images[:CLASSES]), network(images[:CLASSES])
    sums = first.sum(1)
    found = [
        Check("iterating beats one step", _less(iterated, single), {"FGSM": single, "PGD": iterated}),
        Check("success grows with ε", max(rises) <= TOLERANCE and _less(largest, smallest), growing),
        Check("nothing is left at ε = 0.5", largest <= 1 / CLASSES + TOLERANCE, {"PGD": largest}),
        Check(
            "another loss breaks no more",
            iterated <= otherwise + TOLERANCE,
            {"PGD, cross-entropy": iterated, "PGD, margin": otherwise},
        ),
        Check("no gradient is needed less", iterated <= blind + TOLERANCE, {"PGD": iterated, "Square": blind}),
        Check(
            "more steps change nothing",
            abs(twice - iterated) <= TOLERANCE,
            {f"{STEPS} steps": iterated, f"{2 * STEPS} steps": twice},
        ),
        Check("noise is weaker", _less(single, noise), {"FGSM": single, "noise": noise}),
        Check("no gradient is exactly zero", zero <= TOLERANCE, {"images": zero}),
        Check(
            "the same answer twice",
            bool((first == again).all()),
            {"largest difference of a logit": float((first - again).abs().max())},
        ),
        Check(
            "its outputs are logits",
            not bool(first.ge(0).all() and (sums - 1).abs().lt(1e-3).all()),
            {"smallest output": float(first.min()), "largest output": float(first.max())},
        ),
    ]
    if source is not None:
        carried = right(transfer, source=source)
        found.append(
            Check("no stranger knows better", iterated <= carried + TOLERANCE, {"PGD": iterated, "transfer": carried})
        )
    return tuple(sorted(found, key=lambda check: list(MEANINGS).index(check.name)))


def masked(found: Iterable[Check]) -> bool:
    """Whether the checks `found` show that the published attack's gradient hides what it should lead to."""
    return any(check.name in MASKED and not check.passed for check in found)


def _less(left: float, than: float) -> bool:
    """Clearly less is left, or next to nothing is."""
    return left < than - TOLERANCE or left <= TOLERANCE


def zero_gradients(network: Network, images: Tensor, labels: Tensor) -> float:
    """The share of `images` on which autograd's gradient of the cross-entropy is exactly zero in every pixel.

    What the Adversarial Robustness Toolbox's `loss_gradient_check` finds, image by image. Raises ValueError as
    `satcore.attacks.fgsm`.
    """
    check(images, labels)
    check_network(network)
    return float(Way("autograd").gradient(network, images, Objective(labels)).zero.double().mean())


def signals(network: Network, images: Tensor, labels: Tensor) -> list[Signal]:
    """The `Signal` at the image and at each layer, from the bottom up; arguments as in `checks`.

    Raises ValueError as it does, and for what isn't a network of blocks.
    """
    check(images, labels)
    check_kind(network, Network, "a network of blocks, which has layers")
    objective = Objective(labels)
    single, double = copy.deepcopy(network).float(), copy.deepcopy(network).double()
    names = ["image", *network.hidden, "logits"]
    found = zip(
        names,
        Way("autograd").by_layer(single, images.float(), objective),
        Way("autograd").by_layer(double, images.double(), objective),
        Way("exact").by_layer(double, images.double(), objective),
        strict=True,
    )
    return [
        Signal(name, float(in_single.zero.double().mean()), float(in_double.zero.double().mean()), true.log10_norm())
        for name, in_single, in_double, true in found
    ]
