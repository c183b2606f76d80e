"""What the page on representations computes on demand, and keeps for all sessions: nobody may write to it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from satcore import attacks, data, library, readouts, representations
from satcore.dashboard.shared import cache, digits

BLOCKS = 100  # a side of the matrix as it is drawn
EPSILONS = tuple(0.025 * step for step in range(11))


@dataclass(frozen=True)
class Travel:
    """An image under FGSM as published, at each of the `EPSILONS`.

    images (11, 28, 28), the class predicted for each, and whether the gradient was exactly zero.
    """

    images: np.ndarray
    predicted: list[int]
    zero_gradient: bool


def sample(seed: int) -> Tensor:
    """Indices (1000,) of the test images looked at, 100 a class, sorted by class."""
    return representations.sample("test", 100, seed)


def labels(seed: int) -> Tensor:
    """The digits (1000,) that the sample's images show."""
    return data.load("test").labels[sample(seed)]


def images(seed: int) -> np.ndarray:
    """The sample's images (1000, 28, 28) in [0, 1]."""
    return data.load("test").images[sample(seed), 0].numpy()


def images_of_blocks(seed: int) -> np.ndarray:
    """One image of each block that `blocks` averages over, (100, 28, 28) in [0, 1]."""
    return images(seed)[5 :: 1000 // BLOCKS]


def index_of(digit: int, seed: int) -> int:
    """Index of the sample's first test image of `digit`."""
    return int(sample(seed)[100 * digit])


def shared(names: Iterable[str]) -> list[str]:
    """The layers that all of the networks have."""
    first, *others = (names_of(name) for name in names)
    return [layer for layer in first if all(layer in there for there in others)]


def names_of(name: str) -> list[str]:
    """The layers of the network `name`: "pixels", "layer 1", …, "softmax"."""
    return ["pixels", *digits.network(name).hidden, "softmax"]


@cache.in_turn
def activations(name: str, split: str, seed: int) -> dict[str, Tensor]:
    """Every layer's outputs for the sample of `split`."""
    chosen = data.load(split).images[representations.sample(split, 100, seed)]
    return representations.layers(digits.network(name), chosen)


@cache.in_turn
def rdm(name: str, layer: str, seed: int) -> Tensor:
    """A layer's dissimilarities (1000, 1000)."""
    return representations.rdm(activations(name, "test", seed)[layer])


@cache.in_turn
def blocks(name: str, seed: int) -> dict[str, np.ndarray]:
    """Every layer's dissimilarities, averaged over blocks of ten by ten images: (100, 100) float32."""
    return {
        layer: torch.nn.functional.avg_pool2d(rdm(name, layer, seed)[None], 1000 // BLOCKS)[0].float().numpy()
        for layer in names_of(name)
    }


def separation(name: str, field: str, seed: int) -> dict[str, float]:
    """How far apart the classes lie in each layer: one of the fields of `representations.Separation`."""
    return {layer: getattr(there, field) for layer, there in _separations(name, seed).items()}


def readout(name: str, which: str, seed: int) -> dict[str, float]:
    """What scikit-learn finds in each layer: its "silhouette", or the share that a linear "readout" gets right."""
    return _silhouettes(name, seed) if which == "silhouette" else _linear_readouts(name, seed)


def likeness(one: str, other: str, seed: int) -> dict[str, float]:
    """The correlation of two networks' dissimilarities in each of the layers that they share."""
    return _likeness(one, other, library.describe(other).sha256, seed)


def class_means(name: str, layer: str, seed: int) -> np.ndarray:
    """Mean dissimilarity of every pair of classes, (10, 10)."""
    return representations.class_means(rdm(name, layer, seed), labels(seed)).numpy()


@cache.of_network
def travel(name: str, index: int) -> Travel:
    """The test image at `index` under attack, stronger and stronger."""
    image, label = data.example("test", index)
    network = digits.network(name)
    results = [attacks.fgsm(network, image, label, epsilon=epsilon) for epsilon in EPSILONS]
    attacked = torch.cat([result.images for result in results])
    with torch.no_grad():
        predicted = network(attacked).argmax(1).tolist()
    return Travel(attacked[:, 0].numpy(), predicted, bool(results[0].zero_gradient))


def embeddings(name: str, method: str, seed: int, index: int) -> dict[str, np.ndarray]:
    """Two dimensions of every layer, as `embedded` has them; a bar shows how far they are found."""
    layers, bar, found = names_of(name), st.progress(0.0), {}
    for done, layer in enumerate(layers):
        bar.progress(done / len(layers), text=f"{method} of {layer} of {name}")
        found[layer] = embedded(name, layer, method, seed, index)
    bar.empty()
    return found


@cache.in_turn
def embedded(name: str, layer: str, method: str, seed: int, index: int) -> np.ndarray:
    """Two dimensions (1000 + 11, 2) of a layer: the sample's images, then the one at `index` as it travels."""
    way = torch.from_numpy(travel(name, index).images)[:, None]
    attacked = representations.layers(digits.network(name), way)[layer]
    points = torch.cat((activations(name, "test", seed)[layer], attacked))
    if not points.isfinite().all():
        raise ValueError("expected finite activations, got NaN or infinity")
    return readouts.embedding(points, method, seed)


@cache.in_turn
def _separations(name: str, seed: int) -> dict[str, representations.Separation]:
    return {layer: representations.separation(rdm(name, layer, seed), labels(seed)) for layer in names_of(name)}


@cache.in_turn
def _silhouettes(name: str, seed: int) -> dict[str, float]:
    return {layer: readouts.silhouette(rdm(name, layer, seed), labels(seed)) for layer in names_of(name)}


@cache.in_turn
def _linear_readouts(name: str, seed: int) -> dict[str, float]:
    train, test = activations(name, "train", seed), activations(name, "test", seed)
    train_labels = data.load("train").labels[representations.sample("train", 100, seed)]
    return {layer: readouts.linear_readout(train[layer], train_labels, test[layer], labels(seed)) for layer in test}


@cache.in_turn
def _likeness(one: str, other: str, sha256: str, seed: int) -> dict[str, float]:
    return {
        layer: representations.rsa(rdm(one, layer, seed), rdm(other, layer, seed)) for layer in shared((one, other))
    }
