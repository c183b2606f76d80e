"""What a network makes of images, layer by layer: dissimilarity matrices, and how far apart the classes lie (Eq. 9)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from satcore.data import CLASSES, check_images, check_kind, check_labels, check_tensor, check_whole, seeded
from satcore.data import labels as labels_of
from satcore.networks import Network

BATCH = 250  # images at a time, so that a convolution's values don't fill the memory


@dataclass(frozen=True)
class Separation:
    """How far apart the classes lie in a layer: mean dissimilarities (Eq. 9) of pairs of two different images.

    within   both of one class
    between  of two classes
    ratio    between / within; infinite where within is 0
    """

    within: float
    between: float
    ratio: float


def sample(split: str, per_class: int = 100, seed: int = 0) -> Tensor:
    """Indices (10·per_class,) of as many examples of every class, sorted by class, the same for the same `seed`.

    Raises ValueError where a class has fewer, for another split, and for a seed outside 0…2⁶³−1.
    """
    labels = labels_of(split)
    fewest = int(labels.bincount(minlength=CLASSES).min())
    check_whole(per_class, f"from 1 to {fewest} examples a class", 1, fewest)
    order = torch.randperm(len(labels), generator=seeded(seed))
    return torch.cat([order[labels[order] == digit][:per_class] for digit in range(CLASSES)])


def layers(network: Network, images: Tensor) -> dict[str, Tensor]:
    """The outputs of every layer for `images` (N, 1, 28, 28) in [0, 1]: "pixels", "layer 1", …, "softmax".

    Each (N, units), in the network's dtype; a first block that steps pixel by pixel is called "step". Hidden layers are
    xˡ = φ(hˡ), a convolution's after pooling, and the last layer's output is the softmax. Raises ValueError for other
    shapes or pixels, and for what isn't a network of blocks.
    """
    check_kind(network, Network, "a network of blocks, which has layers")
    check_images(images)
    parts = [_layers(network, batch) for batch in images.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def _layers(network: Network, images: Tensor) -> dict[str, Tensor]:
    outputs, x = {"pixels": images.flatten(1)}, images.to(next(network.parameters()).dtype)
    for k, name in enumerate(network.hidden):
        x = network.output(k, network.affine(k, x))
        outputs[name] = x.flatten(1)
    return outputs | {"softmax": network.affine(len(network.hidden), x).softmax(1)}


def rdm(activations: Tensor) -> Tensor:
    """The dissimilarity d(a, b) = (1/N_l) Σ_i (x_iᵃ − x_iᵇ)² of every pair of rows, (N, N) float64 (Eq. 9).

    `activations` (N, units). Symmetric, with a zero diagonal, and exact to about 1e-15 of the largest entry. Raises
    ValueError for another shape, or entries that aren't finite.
    """
    check_tensor(activations, "activations")
    if activations.ndim != 2 or activations.numel() == 0:
        raise ValueError(f"expected activations of shape (N, units), got shape {tuple(activations.shape)}")
    # In NumPy, which makes only half of a product of a matrix with its own transpose.
    x = activations.detach().to("cpu", torch.float64).numpy()
    mean = x.mean(0)
    if not np.isfinite(mean).all():
        raise ValueError("expected finite activations, got NaN or infinity")
    x = x - mean  # the same distances, of smaller numbers: less is lost in the difference below
    d = x @ x.T
    norms = d.diagonal().copy()
    d *= -2
    d += norms[:, None] + norms
    d /= x.shape[1]  # Eq. 9
    np.maximum(d, 0, out=d)
    np.fill_diagonal(d, 0)
    return torch.from_numpy(d).to(activations.device)


def separation(dissimilarities: Tensor, labels: Tensor) -> Separation:
    """Mean dissimilarities within and between the classes `labels` (N,) int64 of an RDM (N, N).

    Raises ValueError for another shape, or where there is no pair of the one kind or the other.
    """
    _check_rdm(dissimilarities)
    check_labels(labels, len(dissimilarities))
    same = labels[:, None] == labels
    pairs_within = int(same.sum()) - len(labels)
    pairs_between = labels.numel() ** 2 - int(same.sum())
    if pairs_within == 0 or pairs_between == 0:
        raise ValueError(
            "expected at least two images of one class and two classes, got "
            f"{len(labels)} images of {len(labels.unique())} classes"
        )
    total, diagonal_block = float(dissimilarities.sum()), float(dissimilarities[same].sum())
    within, between = diagonal_block / pairs_within, (total - diagonal_block) / pairs_between
    return Separation(within, between, between / within if within > 0 else float("inf"))


def class_means(dissimilarities: Tensor, labels: Tensor) -> Tensor:
    """Mean dissimilarity of every pair of classes, (10, 10) float64, of an RDM (N, N); a pair of an image with itself
    doesn't count. NaN where there is no pair. Raises ValueError for another shape.
    """
    _check_rdm(dissimilarities)
    check_labels(labels, len(dissimilarities))
    member = torch.nn.functional.one_hot(labels, CLASSES).double()
    size = member.sum(0)
    return member.mT @ dissimilarities.double() @ member / (size[:, None] * size - torch.diag(size))


def rsa(one: Tensor, other: Tensor) -> float:
    """Pearson correlation of two RDMs (N, N) over their pairs of different images: how alike two representations are.

    Raises ValueError for other shapes; NaN where one of them is constant, as it is for fewer than three images.
    """
    _check_rdm(one)
    _check_rdm(other)
    if one.shape != other.shape:
        raise ValueError(f"expected RDMs of one shape, got {tuple(one.shape)} and {tuple(other.shape)}")
    row, column = torch.triu_indices(one.shape[0], one.shape[1], 1)
    return float(torch.corrcoef(torch.stack((one[row, column], other[row, column])).double())[0, 1])


def _check_rdm(dissimilarities: Tensor) -> None:
    check_tensor(dissimilarities, "dissimilarities")
    if dissimilarities.ndim != 2 or dissimilarities.shape[0] != dissimilarities.shape[1]:
        raise ValueError(f"expected dissimilarities of shape (N, N), got {tuple(dissimilarities.shape)}")
