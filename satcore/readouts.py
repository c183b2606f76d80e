"""Looking into a layer with scikit-learn: clusters, a linear read-out, and two dimensions to see it in."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.manifold import MDS, TSNE
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from satcore.data import check_labels

METHODS = ("PCA", "MDS", "t-SNE")


def silhouette(dissimilarities: Tensor, labels: Tensor) -> float:
    """Mean silhouette of an RDM's images (N, N) in their classes `labels` (N,), by Euclidean distance √d: −1 to 1."""
    check_labels(labels, len(dissimilarities))
    return float(silhouette_score(dissimilarities.sqrt().numpy(), labels.numpy(), metric="precomputed"))


def linear_readout(activations: Tensor, labels: Tensor, test_activations: Tensor, test_labels: Tensor) -> float:
    """Share of `test_activations` (M, units) that a ridge classifier on standardised units, fitted to `activations`
    (N, units) with their `labels` (N,), gets right.
    """
    check_labels(labels, len(activations))
    check_labels(test_labels, len(test_activations))
    # In place, on copies of our own: a convolution's activations are large.
    classifier = make_pipeline(StandardScaler(copy=False), RidgeClassifier(copy_X=False))
    train, test = (x.to(torch.float64, copy=True).numpy() for x in (activations, test_activations))
    classifier.fit(train, labels.numpy())
    return float(classifier.score(test, test_labels.numpy()))


def embedding(activations: Tensor, method: str, seed: int = 0) -> np.ndarray:
    """Two dimensions (N, 2) of `activations` (N, units), by one of the `METHODS`. Raises ValueError for another."""
    if method not in METHODS:
        raise ValueError(f"expected a method out of {', '.join(METHODS)}, got {method!r}")
    x = activations.double().numpy()
    ways = {
        "PCA": PCA(2, random_state=seed),
        "MDS": MDS(2, n_init=1, init="classical_mds", max_iter=100, random_state=seed),
        "t-SNE": TSNE(2, init="pca", random_state=seed),
    }
    return np.asarray(ways[method].fit_transform(x))
