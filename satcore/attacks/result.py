"""What every attack returns."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class AttackResult:
    """One attack on N images; every field has one entry an image.

    images          (N, 1, 28, 28), in [0, 1]: the attacked images, all of them, successful or not
    success         (N,) bool: the attacked image is classified wrongly (as the target, where there is one)
    correct_before  (N,) bool: the image was classified correctly before the attack
    iterations      (N,) int64: gradient steps taken
    linf, l2        (N,): the perturbation's largest change of a pixel, and its Euclidean norm
    zero_gradient   (N,) bool: the attack met a gradient that was exactly zero in every pixel
    """

    images: Tensor
    success: Tensor
    correct_before: Tensor
    iterations: Tensor
    linf: Tensor
    l2: Tensor
    zero_gradient: Tensor
