"""The fast gradient sign method."""

import math

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import loss_gradient
from satcore.attacks.result import AttackResult
from satcore.data import check_images, check_labels


def signed_step(images: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """x⁰ + ε·sgn(∂C/∂x⁰), pixels kept in [0, 1] (Eq. 3). sgn 0 = 0: such a pixel stays as it is."""
    return (images + epsilon * gradient.sign()).clamp(0, 1)  # Eq. 3


def fgsm(network: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float = 0.25) -> AttackResult:
    """One step of size `epsilon` up the gradient of the cross-entropy (Eq. 3), by plain autograd.

    `network` maps `images` (N, 1, 28, 28) in [0, 1] to logits (N, 10); `labels` (N,) int64 are the
    true classes. Raises ValueError for other shapes, pixels, labels, or an `epsilon` outside [0, 1].
    """
    check_images(images)
    check_labels(labels, len(images))
    if not (math.isfinite(epsilon) and 0 <= epsilon <= 1):
        raise ValueError(f"expected an epsilon in [0, 1], got {epsilon!r}")
    images = images.detach()
    gradient, logits = loss_gradient(network, images, labels)
    attacked = signed_step(images, gradient, epsilon)
    with torch.no_grad():
        success = network(attacked).argmax(1) != labels
    moved = (attacked - images).flatten(1)
    return AttackResult(
        images=attacked, success=success, correct_before=logits.argmax(1) == labels,
        iterations=torch.ones_like(labels), linf=moved.abs().amax(1), l2=moved.norm(dim=1),
        zero_gradient=(gradient == 0).flatten(1).all(1))
