"""Bounds in the loss: what a network may do, at worst, to any image of a box (interval bounds, Gowal et al. 2018)."""

import torch
from torch import Tensor, nn

from satcore.networks import Network


def worst_logits(network: Network, low: Tensor, high: Tensor, labels: Tensor) -> Tensor:
    """At most how far above its label's logit each other logit may lie, over all images between `low` and `high`.

    Both (N, 1, 28, 28), `labels` (N,) int64; (N, 10), 0 at the label itself. What is below 0 everywhere else is
    classified as the label throughout the box. The last layer is taken together with the difference of two logits, as
    Gowal et al. do. Rounding isn't accounted for: for a proof see `satcore.proofs`. Raises ValueError for a network
    that doesn't end in a dense layer.
    """
    *_, last = network.layers
    if not isinstance(last, nn.Linear):
        raise ValueError(f"expected a network that ends in a dense layer, got {type(last).__name__}")
    for index in range(len(network.layers) - 1):
        h, radius = network.affine(index, (low + high) / 2), network.spread(index, (high - low) / 2)
        low, high = network.output(index, h - radius), network.output(index, h + radius)  # φ and pooling are monotone
    centre, radius = ((low + high) / 2).flatten(1), ((high - low) / 2).flatten(1)
    logits = last(centre)
    differences = (last.weight[:, None] - last.weight).abs()  # |w_y − w_k|, (10, 10, units)
    spread = (radius @ differences.flatten(0, 1).T).view(-1, *differences.shape[:2])
    of_label = labels[:, None]
    return logits - logits.gather(1, of_label) + spread[torch.arange(len(labels), device=labels.device), labels]


def box(images: Tensor, epsilon: float | Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest value of each pixel within `epsilon` of `images` (N, …), in [0, 1]."""
    return (images - epsilon).clamp(0, 1), (images + epsilon).clamp(0, 1)
