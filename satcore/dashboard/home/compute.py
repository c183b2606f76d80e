"""What FGSM makes of one test image, and what all attacks together leave."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from satcore import attacks, data
from satcore.dashboard.shared import cache, digits
from satcore.evaluation import reality
from satcore.proportions import Proportion


@dataclass(frozen=True)
class FgsmView:
    """One image before and after FGSM, as a page shows it: images (28, 28) in [0, 1], probabilities in [0, 1]."""

    label: int
    before: np.ndarray
    after: np.ndarray
    predicted_before: int
    confidence_before: float
    predicted_after: int
    confidence_after: float
    zero_gradient: bool


@cache.of_network
def fgsm_view(name: str, index: int, epsilon: float) -> FgsmView:
    """The test image at `index` and what FGSM makes of it. Raises ValueError as `satcore.attacks.fgsm` does."""
    network = digits.network(name)
    images, labels = data.example("test", index)
    before, after = attacks.fgsm_steps(network, images, labels, epsilon=epsilon)
    confidence, predicted = torch.cat((before.logits, after.logits)).softmax(1).max(1)
    return FgsmView(
        label=int(labels),
        before=images[0, 0].numpy(),
        after=after.images[0, 0].numpy(),
        predicted_before=int(predicted[0]),
        confidence_before=float(confidence[0]),
        predicted_after=int(predicted[1]),
        confidence_after=float(confidence[1]),
        zero_gradient=bool(after.result.zero_gradient),
    )


def left(names: Iterable[str], rung: str) -> dict[str, Proportion]:
    """What the `rung` of the ladder leaves of the networks `names`, as far as that was found out and can be read."""
    found = {}
    for name in names:
        with contextlib.suppress(ValueError):  # of which the reality check speaks
            if (there := reality.load(name)) and (share := there.left(rung)):
                found[name] = share
    return found
