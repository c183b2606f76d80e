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


@dataclass(frozen=True)
class Layer:
    """What a layer's dissimilarities come to.

    blocks (100, 100) float32, their averages over blocks of ten by ten images; how far apart the classes lie; and the
    mean silhouette.
    """

    blocks: np.ndarray
    separation: representations.Separation
    silhouette: float


@cache.kept
def sample(seed: int) -> Tensor:
    """Indices (1000,) of the test images looked at, 100 a class, sorted by class."""
    return representations.sample("test", 100, seed)


def labels(seed: int) -> Tensor:
    """The digits (1000,) that the sample's images show."""
    return data.labels("test")[sample(seed)]


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
def activations(name: str, seed: int) -> dict[str, Tensor]:
    """Every layer's outputs for the sample."""
    return _activations(name, "test", seed)


def rdm(name: str, layer: str, seed: int) -> Tensor:
    """A layer's dissimilarities (1000, 1000)."""
    return _rdm_of_pixels(seed) if layer == "pixels" else _rdms(name, seed)[layer]


def blocks(name: str, seed: int) -> dict[str, np.ndarray]:
    """Every layer's dissimilarities, averaged over blocks of ten by ten images: (100, 100) float32."""
    return {layer: there.blocks for layer, there in _looked_into(name, seed).items()}


def separation(name: str, field: str, seed: int) -> dict[str, float]:
    """How far apart the classes lie in each layer: one of the fields of `representations.Separation`."""
    return {layer: getattr(there.separation, field) for layer, there in _looked_into(name, seed).items()}


def readout(name: str, which: str, seed: int) -> dict[str, float]:
    """What scikit-learn finds in each layer: its "silhouette", or the share that a linear "readout" gets right."""
    if which == "silhouette":
        return {layer: there.silhouette for layer, there in _looked_into(name, seed).items()}
    return {"pixels": _readout_of_pixels(seed)} | _readouts(name, seed)


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


@cache.lasting
def embedded(name: str, layer: str, method: str, seed: int, index: int) -> np.ndarray:
    """Two dimensions (1000 + 11, 2) of a layer: the sample's images, then the one at `index` as it travels."""
    way = torch.from_numpy(travel(name, index).images)[:, None]
    attacked = representations.layers(digits.network(name), way)[layer]
    points = torch.cat((activations(name, seed)[layer], attacked))
    if not points.isfinite().all():
        raise ValueError("expected finite activations, got NaN or infinity")
    return readouts.embedding(points, method, seed)


# The pixels are the same below every network, and all layers of a network come of one pass: what is kept of them is
# small, but for the dissimilarities.


def _activations(name: str, split: str, seed: int) -> dict[str, Tensor]:
    images, _ = data.some(split, representations.sample(split, 100, seed))
    return representations.layers(digits.network(name), images)


@cache.kept
def _rdm_of_pixels(seed: int) -> Tensor:
    return representations.rdm(torch.from_numpy(images(seed)).flatten(1))


@cache.in_turn
def _rdms(name: str, seed: int) -> dict[str, Tensor]:
    above = _activations(name, "test", seed)
    del above["pixels"]
    return {layer: representations.rdm(outputs) for layer, outputs in above.items()}


def _looked_into(name: str, seed: int) -> dict[str, Layer]:
    return {"pixels": _pixels(seed)} | _layers(name, seed)


@cache.kept
def _pixels(seed: int) -> Layer:
    return _layer(_rdm_of_pixels(seed), seed)


@cache.lasting
def _layers(name: str, seed: int) -> dict[str, Layer]:
    return {layer: _layer(dissimilarities, seed) for layer, dissimilarities in _rdms(name, seed).items()}


def _layer(dissimilarities: Tensor, seed: int) -> Layer:
    there = labels(seed)
    return Layer(
        torch.nn.functional.avg_pool2d(dissimilarities[None], 1000 // BLOCKS)[0].float().numpy(),
        representations.separation(dissimilarities, there),
        readouts.silhouette(dissimilarities, there),
    )


@cache.kept
def _readout_of_pixels(seed: int) -> float:
    train, train_labels = data.some("train", representations.sample("train", 100, seed))
    test = torch.from_numpy(images(seed))
    return readouts.linear_readout(train.flatten(1), train_labels, test.flatten(1), labels(seed))


@cache.lasting
def _readouts(name: str, seed: int) -> dict[str, float]:
    train, test = _activations(name, "train", seed), _activations(name, "test", seed)
    del test["pixels"]
    train_labels = data.labels("train")[representations.sample("train", 100, seed)]
    return {layer: readouts.linear_readout(train[layer], train_labels, test[layer], labels(seed)) for layer in test}


@cache.lasting
def _likeness(one: str, other: str, sha256: str, seed: int) -> dict[str, float]:
    return {
        layer: representations.rsa(rdm(one, layer, seed), rdm(other, layer, seed)) for layer in shared((one, other))
    }
