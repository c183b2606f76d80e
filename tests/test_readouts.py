"""The silhouette, the linear read-out and the embeddings are what their names say."""

import numpy as np
import pytest
import torch
from torch import Tensor

from satcore.readouts import METHODS, embedding, linear_readout, silhouette
from satcore.representations import rdm


def gaussian(rows: int, units: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clusters(per_class: int, units: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Ten classes of images, far apart, and their labels."""
    labels = torch.arange(10).repeat_interleave(per_class)
    return 30 * torch.eye(10, units, dtype=torch.float64)[labels] + gaussian(len(labels), units, seed), labels


def test_a_silhouette_is_the_literal_one():
    activations, labels = gaussian(12, 3), torch.tensor([0, 0, 0, 0, 3, 3, 3, 3, 3, 7, 7, 9])
    distance = [[np.sqrt(np.mean((a - b) ** 2)) for b in activations.numpy()] for a in activations.numpy()]
    scores = []
    for a in range(12):
        to = {digit: [distance[a][b] for b in range(12) if labels[b] == digit and b != a] for digit in (0, 3, 7, 9)}
        own = to.pop(int(labels[a]))
        nearest = min(np.mean(others) for others in to.values())
        # A class of one image is neither near nor far.
        scores.append((nearest - np.mean(own)) / max(nearest, np.mean(own)) if own else 0)
    assert silhouette(rdm(activations), labels) == pytest.approx(np.mean(scores), abs=1e-12)


def test_a_silhouette_is_one_for_classes_of_equal_images_and_less_for_random_ones():
    labels = torch.arange(10).repeat_interleave(5)
    assert silhouette(rdm(torch.eye(10)[labels]), labels) == 1
    assert silhouette(rdm(gaussian(50, 20)), labels) < 0.1


def test_a_silhouette_is_of_distances_and_not_of_their_squares():
    # Distances 1 within, 2 between.
    d = torch.tensor([[0, 1, 4, 4], [1, 0, 4, 4], [4, 4, 0, 1], [4, 4, 1, 0]], dtype=torch.float64)
    assert silhouette(d, torch.tensor([0, 0, 1, 1])) == pytest.approx(0.5, abs=1e-15)


def test_a_linear_readout_gets_separable_classes_all_right():
    assert linear_readout(*clusters(20), *clusters(5, seed=1)) == 1


def test_a_linear_readout_of_random_labels_is_right_by_chance():
    train, test = torch.randint(10, (2, 2000), generator=torch.Generator().manual_seed(0))
    # Four standard errors √(0.1·0.9/2000).
    assert linear_readout(gaussian(2000, 30), train, gaussian(2000, 30, 1), test) == pytest.approx(0.1, abs=0.027)


def test_a_linear_readout_is_a_ridge_regression_of_standardised_units_onto_the_classes():
    # Units of different sizes, and classes that overlap, so that the standardising and the penalty matter.
    size = torch.logspace(-2, 2, 12, dtype=torch.float64)
    labels = torch.arange(10).repeat_interleave(6)
    train, test = (size * (3 * torch.eye(10, 12)[labels] + gaussian(60, 12, seed)) + 5 for seed in (0, 1))
    mean, deviation = train.mean(0), train.std(0, correction=0)
    x, targets = (train - mean) / deviation, 2 * torch.eye(10, dtype=torch.float64)[labels] - 1
    weights = torch.linalg.solve(x.T @ x + torch.eye(12), x.T @ (targets - targets.mean(0)))
    answers = ((test - mean) / deviation @ weights + targets.mean(0)).argmax(1)
    expected = (answers == labels).double().mean().item()
    assert 0.4 < expected < 0.9
    assert linear_readout(train.float(), labels, test.float(), labels) == pytest.approx(expected, abs=1e-12)


def test_a_linear_readout_withstands_a_unit_that_never_changes():
    (train, labels), (test, test_labels) = clusters(20), clusters(5, seed=1)
    train[:, 3], test[:, 3] = 1, 1
    assert linear_readout(train, labels, test, test_labels) > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_an_embedding_has_two_dimensions_and_is_the_same_for_the_same_seed(method):
    activations, _ = clusters(5)
    found = embedding(activations.float(), method, seed=3)
    assert found.shape == (50, 2) and np.isfinite(found).all()
    np.testing.assert_array_equal(embedding(activations.float(), method, seed=3), found)


@pytest.mark.parametrize("method", METHODS)
def test_an_embedding_keeps_two_clusters_apart(method):
    activations, labels = gaussian(60, 8), torch.arange(60) % 2
    activations[:, 0] += 50 * labels
    found = torch.from_numpy(embedding(activations, method))
    assert silhouette(rdm(found), labels) > 0.5


def test_the_pca_is_the_singular_value_decomposition_up_to_sign():
    activations = gaussian(40, 6) * torch.tensor([5, 3, 2, 1, 1, 0.1]) + 7
    u, s, _ = np.linalg.svd((activations - activations.mean(0)).numpy(), full_matrices=False)
    found = embedding(activations, "PCA")
    for axis in (0, 1):
        expected = u[:, axis] * s[axis]
        np.testing.assert_allclose(
            found[:, axis] * np.sign(found[0, axis]), expected * np.sign(expected[0]), rtol=0, atol=1e-11
        )


@pytest.mark.parametrize("method", ["pca", "UMAP", ""])
def test_another_method_is_refused(method):
    with pytest.raises(ValueError) as refusal:
        embedding(gaussian(40, 3), method)
    assert str(refusal.value) == f"expected a method out of PCA, MDS, t-SNE, got {method!r}"


@pytest.mark.parametrize(
    "labels, came",
    [(torch.zeros(3, dtype=torch.int64), "torch.int64 of shape (3,)"), (torch.zeros(4), "torch.float32 of shape (4,)")],
)
def test_labels_of_another_kind_are_refused(labels, came):
    good = torch.tensor([0, 0, 1, 1])
    for call in (
        lambda: silhouette(rdm(gaussian(4, 2)), labels),
        lambda: linear_readout(gaussian(4, 2), labels, gaussian(4, 2), good),
        lambda: linear_readout(gaussian(4, 2), good, gaussian(4, 2), labels),
    ):
        with pytest.raises(ValueError) as refusal:
            call()
        assert str(refusal.value) == f"expected int64 labels of shape (4,), got {came}"
