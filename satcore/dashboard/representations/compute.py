"""What the page on representations computes on demand, and keeps: shared by all sessions, keyed by the checkpoint's hash."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from satcore import attacks, checkpoints, data, representations
from satcore.dashboard import live

BLOCKS = 100  # a side of the matrix as it is drawn
EPSILONS = tuple(0.025 * step for step in range(11))


@dataclass(frozen=True)
class Travel:
    """An image under FGSM as published, at each of the `EPSILONS`: images (11, 28, 28), the class predicted for each, and
    whether the gradient was exactly zero.
    """

    images: np.ndarray
    predicted: list[int]
    zero_gradient: bool


def sample(seed: int) -> Tensor:
    """Indices (1000,) of the test images looked at, 100 a class, sorted by class."""
    return representations.sample("test", 100, seed)


def labels(seed: int) -> Tensor:
    return data.load("test").labels[sample(seed)]


def images(seed: int) -> np.ndarray:
    """The sample's images (1000, 28, 28) in [0, 1]."""
    return data.load("test").images[sample(seed), 0].numpy()


def index_of(digit: int, seed: int) -> int:
    """Index of the sample's first test image of `digit`."""
    return int(sample(seed)[100 * digit])


def shared(names: list[str], seed: int) -> list[str]:
    """The layers that all of the networks have."""
    return [layer for layer in names_of(names[0], seed) if all(layer in names_of(name, seed) for name in names)]


def names_of(name: str, seed: int) -> list[str]:
    """The layers of the network `name`: "pixels", "layer 1", …, "softmax"."""
    return list(activations(name, "test", seed))


def activations(name: str, split: str, seed: int) -> dict[str, Tensor]:
    """Every layer's outputs for the sample of `split`. One object for all sessions: don't write to it."""
    return _activations(name, checkpoints.describe(name).sha256, split, seed)


def rdm(name: str, layer: str, seed: int) -> Tensor:
    """A layer's dissimilarities (1000, 1000). One object for all sessions: don't write to it."""
    return _rdm(name, checkpoints.describe(name).sha256, layer, seed)


def blocks(name: str, seed: int) -> dict[str, np.ndarray]:
    """Every layer's dissimilarities, averaged over blocks of ten by ten images: (100, 100) float32."""
    return _blocks(name, checkpoints.describe(name).sha256, seed)


def separation(name: str, field: str, seed: int) -> dict[str, float]:
    """How far apart the classes lie in each layer: one of the fields of `representations.Separation`."""
    found = _separations(name, checkpoints.describe(name).sha256, seed)
    return {layer: getattr(there, field) for layer, there in found.items()}


def readout(name: str, which: str, seed: int) -> dict[str, float]:
    """What scikit-learn finds in each layer: its "silhouette", or the share that a linear "readout" gets right."""
    return (_silhouettes if which == "silhouette" else _readouts)(name, checkpoints.describe(name).sha256, seed)


def likeness(one: str, other: str, seed: int) -> dict[str, float]:
    """The correlation of two networks' dissimilarities in each of the layers that they share."""
    return {
        layer: representations.rsa(rdm(one, layer, seed), rdm(other, layer, seed))
        for layer in shared([one, other], seed)
    }


def class_means(name: str, layer: str, seed: int) -> np.ndarray:
    """Mean dissimilarity of every pair of classes, (10, 10)."""
    return representations.class_means(rdm(name, layer, seed), labels(seed)).numpy()


def highest(names: list[str], layer: str, seed: int) -> float:
    """The largest dissimilarity in a layer of any of the networks."""
    return max(float(rdm(name, layer, seed).max()) for name in names)


def travel(name: str, index: int) -> Travel:
    """The test image at `index` under attack, stronger and stronger."""
    images, label = data.example("test", index)
    there = live.network(name)
    results = [attacks.fgsm(there, images, label, epsilon=epsilon) for epsilon in EPSILONS]
    attacked = torch.cat([result.images for result in results])
    with torch.no_grad():
        predicted = there(attacked).argmax(1).tolist()
    return Travel(attacked[:, 0].numpy(), predicted, bool(results[0].zero_gradient))


def embedded(name: str, layer: str, method: str, seed: int, index: int) -> np.ndarray:
    """Two dimensions (1000 + 11, 2) of a layer: the sample's images, then the one at `index` as it travels."""
    return _embedded(name, checkpoints.describe(name).sha256, layer, method, seed, index)


@st.cache_resource(max_entries=16, show_spinner=False)
def _activations(name: str, sha256: str, split: str, seed: int) -> dict[str, Tensor]:
    images = data.load(split).images[representations.sample(split, 100, seed)]
    return representations.layers(live.network(name), images)


@st.cache_resource(max_entries=32, show_spinner=False)
def _rdm(name: str, sha256: str, layer: str, seed: int) -> Tensor:
    return representations.rdm(activations(name, "test", seed)[layer])


@st.cache_resource(max_entries=64, show_spinner=False)
def _blocks(name: str, sha256: str, seed: int) -> dict[str, np.ndarray]:
    return {
        layer: torch.nn.functional.avg_pool2d(rdm(name, layer, seed)[None], 10)[0].float().numpy()
        for layer in names_of(name, seed)
    }


@st.cache_data(max_entries=200, show_spinner=False)
def _separations(name: str, sha256: str, seed: int) -> dict[str, representations.Separation]:
    return {layer: representations.separation(rdm(name, layer, seed), labels(seed)) for layer in names_of(name, seed)}


@st.cache_data(max_entries=200, show_spinner=False)
def _silhouettes(name: str, sha256: str, seed: int) -> dict[str, float]:
    from satcore import readouts  # brings scikit-learn, which takes a second: the matrices stand by now

    return {layer: readouts.silhouette(rdm(name, layer, seed), labels(seed)) for layer in names_of(name, seed)}


@st.cache_data(max_entries=200, show_spinner=False)
def _readouts(name: str, sha256: str, seed: int) -> dict[str, float]:
    from satcore import readouts

    train, test = activations(name, "train", seed), activations(name, "test", seed)
    train_labels = data.load("train").labels[representations.sample("train", 100, seed)]
    return {layer: readouts.linear_readout(train[layer], train_labels, test[layer], labels(seed)) for layer in test}


@st.cache_data(max_entries=500, show_spinner=False)
def _embedded(name: str, sha256: str, layer: str, method: str, seed: int, index: int) -> np.ndarray:
    from satcore import readouts

    way = torch.from_numpy(travel(name, index).images)[:, None]
    attacked = representations.layers(live.network(name), way)[layer]
    return readouts.embedding(torch.cat((activations(name, "test", seed)[layer], attacked)), method, seed)
