"""Table 1: how accurate a network is, and stays under the attack as the paper published it."""

from dataclasses import dataclass

from torch import Tensor

from satcore.attacks import fgsm
from satcore.networks import Network
from satcore.weights import excess_kurtosis

BATCH = 1_000


@dataclass(frozen=True)
class Measurements:
    """A network's row of Table 1, as shares of all the images, and its weights' shape.

    accuracy         classified correctly
    fgsm_accuracy    classified correctly after FGSM at `epsilon`, gradient by autograd in the network's dtype
    zero_gradient    met by a gradient that was exactly zero in every pixel: FGSM left the image as it was
    right_unmoved    counted in `fgsm_accuracy`, yet of zero gradient: right because nothing was done to it
    kurtosis         excess kurtosis of each layer's weights
    images, epsilon  how many images this was measured on, and how large the FGSM step was
    """

    accuracy: float
    fgsm_accuracy: float
    zero_gradient: float
    right_unmoved: float
    kurtosis: tuple[float, ...]
    images: int
    epsilon: float


def measure(network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> Measurements:
    """Measure `network` on `images` (N, 1, 28, 28) in [0, 1] with true classes `labels` (N,) int64.

    Raises ValueError for images, labels or an epsilon that `satcore.attacks.fgsm` refuses, and for none at all.
    """
    if len(images) == 0:
        raise ValueError("expected at least one image, got none")
    right = robust = zero = unmoved = 0
    for chunk in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        attack = fgsm(network, *chunk, epsilon=epsilon)
        right += int(attack.correct_before.sum())
        robust += int((~attack.success).sum())
        zero += int(attack.zero_gradient.sum())
        unmoved += int((attack.zero_gradient & ~attack.success).sum())
    return Measurements(
        accuracy=right / len(images), fgsm_accuracy=robust / len(images), zero_gradient=zero / len(images),
        right_unmoved=unmoved / len(images),
        kurtosis=tuple(excess_kurtosis(layer.weight) for layer in network.layers),
        images=len(images), epsilon=epsilon)
