"""A network's row of the paper's Table 1: how accurate it is, and after FGSM as published."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from satcore.attacks import fgsm_steps
from satcore.attacks.descent import check_some
from satcore.networks import Network
from satcore.weights import kurtosis_by_layer

BATCH = 1_000


@dataclass(frozen=True)
class Measurements:
    """A network's row of Table 1, as shares of all the images, and its weights' shape.

    accuracy         classified correctly
    fgsm_accuracy    the paper's figure: the attacked image is classified correctly, after one step of `epsilon` up the
                     gradient that autograd gives in the network's dtype. An image that was wrong, and that the step has
                     put right, counts
    fgsm_withstood   classified correctly before and after it, as every other figure of robustness here is counted
    zero_gradient    met by a gradient that was exactly zero in every pixel: FGSM left the image as it was
    right_unmoved    counted in `fgsm_accuracy`, yet of zero gradient: right because nothing was done to it
    kurtosis         excess kurtosis of the weights of each layer that sums; None where they don't differ
    images, epsilon  how many images this was measured on, and how large the FGSM step was
    """

    accuracy: float
    fgsm_accuracy: float
    fgsm_withstood: float
    zero_gradient: float
    right_unmoved: float
    kurtosis: tuple[float | None, ...]
    images: int
    epsilon: float


def measure(network: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> Measurements:
    """Measure `network` on `images` (N, 1, 28, 28) in [0, 1] with true classes `labels` (N,) int64.

    Raises ValueError for images, labels or an epsilon that `satcore.attacks.fgsm` refuses, and for none at all.
    """
    *_, (_, last) = measuring(network, images, labels, epsilon=epsilon)
    return last


def measuring(
    network: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float = 0.25
) -> Iterator[tuple[float, Measurements]]:
    """As `measure`, with a record after every thousand images: the share that is done, and what it came to so far."""
    check_some(images, labels, epsilon)
    kurtosis = tuple(kurtosis_by_layer(network)) if isinstance(network, Network) else ()
    seen = right = robust = withstood = zero = unmoved = 0
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        *_, step = fgsm_steps(network, x, y, epsilon=epsilon)
        attack, right_after = step.result, step.logits.argmax(1) == y
        seen += len(y)
        right += int(attack.correct_before.sum())
        robust += int(right_after.sum())
        withstood += int((~attack.success).sum())
        zero += int(attack.zero_gradient.sum())
        unmoved += int((attack.zero_gradient & right_after).sum())
        yield (
            seen / len(images),
            Measurements(
                accuracy=right / seen,
                fgsm_accuracy=robust / seen,
                fgsm_withstood=withstood / seen,
                zero_gradient=zero / seen,
                right_unmoved=unmoved / seen,
                kurtosis=kurtosis,
                images=seen,
                epsilon=epsilon,
            ),
        )
