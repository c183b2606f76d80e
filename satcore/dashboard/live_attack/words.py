"""What the live page says, and what it says of an attack on its way."""

from typing import Any

import torch

from satcore.attacks import Step
from satcore.dashboard.shared.digits import with_article

FREE = "Free pixels"  # an attack, by its name on the page
LOSSES = {"Square": "margin", FREE: "margin"}  # of the attacks that don't follow the cross-entropy
WAYS = {"autograd": "gradient by float32 autograd", "exact": "exact gradient", "softened": "softened gradient"}
INTRODUCTION = (
    "An attack that follows a gradient stops where it is zero: take it *exactly*, or *softened*, and see what was only "
    "underflow."
)
DRAW = "Draw a digit in the field, and say which it is."
DRAW_ON_STAGE = "Draw {digit} in the field."
COUNTS_AS = "It counts as {digit}; another digit is chosen on the whole page (P)."
STUCK = "The gradient is exactly zero: this attack cannot move."
TRULY_STUCK = "The gradient is truly zero, not only too small: this attack cannot move. Square asks for none."
NOT_SOFTER = 'Its slopes are the same at any T: "softened" softens its softmax alone.'
NOT_FREE = "Nothing to search: no step stands between its pixels and its first sum."
NONE_FREE = "No pixel lies within ε of its step: behind it, every image there is this one."


def invitation(digit: int) -> str:
    """What the room is asked for."""
    return f"Draw {with_article(digit)}, and say which network falls first."


def sent(phones: int, drawings: int, votes: int) -> str:
    """How much has come from the room."""
    counts = {"phone": phones, "drawing": drawings, "vote": votes}
    return " · ".join(f"{count}\N{NO-BREAK SPACE}{what}{'' if count == 1 else 's'}" for what, count in counts.items())


def image(index: int, digit: int) -> str:
    """Which test image is attacked."""
    return f"Test image {index:,}: {with_article(digit)}."


def attacked_by(attack: str, parameters: dict[str, Any]) -> str:
    """Which `attack` it is, by which loss and gradient, and how far it may go."""
    loss = parameters.get("loss", LOSSES.get(attack, "cross-entropy"))
    way = WAYS.get(parameters.get("gradient", ""), "gradient behind the step" if attack == FREE else "no gradient")
    soft = f", T = {parameters['temperature']:g}" if "temperature" in parameters else ""
    within = f"ε = {parameters['epsilon']:g}" if "epsilon" in parameters else "within [0, 1]"
    return f"**{attack}** · {loss} · {way}{soft} · {within}"


def said(step: Step, attack: str, way: str, source: int, into: int | None, before: int, seen: int) -> str:
    """Where the `attack` on an image of the digit `source` stands after the `step`, its gradients taken that `way`.

    `into` is the digit that it goes to, None: any other; `before` and `seen` are what the network saw before the first
    step and sees now.
    """
    result = step.result
    count, l2 = int(result.iterations[0]), float((step.images - step.standing.originals)[0].double().norm())
    one, more = ("query", "queries") if attack == "Square" else ("step", "steps")
    steps = f"{count:,} {one if count == 1 else more}"
    if bool(step.running[0]):
        now = f"it sees {with_article(seen)}."
        return f"{steps}: moved {l2:.2g} in L2, and {now}" if count else now.capitalize()
    if not bool(result.correct_before[0]):
        after = f", and {with_article(seen)} after it." if seen != before else "."
        return f"It sees {with_article(before)} before any attack{after}"
    if bool(result.success[0]):
        return f"Fooled after {steps}: {with_article(seen)}."
    if attack == FREE and not count:
        return NONE_FREE
    missed = f"still {with_article(seen)}" if seen == source else f"it sees {with_article(seen)}"
    if seen != source and into is not None:
        missed += f", not {with_article(into)}"
    if bool(result.zero_gradient[0]) and l2 == 0:
        return STUCK if way == "autograd" else TRULY_STUCK
    if bool(step.log10_gradient[0] == -torch.inf):
        return f"After {steps} the gradient is exactly zero: stuck, {l2:.2g} away in L2, and {missed}."
    return f"Moved {l2:.2g} in L2 in {steps}, and {missed}."
