"""Dissimilarities and embeddings to take away, and the lines of Python that compute them again."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from satcore.dashboard.representations.compute import EPSILONS
from satcore.dashboard.shared.downloads import npz
from satcore.dashboard.shared.take_away import TakeAway


def of_separations(names: list[str], seed: int) -> TakeAway:
    """How well the layers of some networks tell the digits apart."""
    return TakeAway(f"separation-{seed}", separation_code(names, seed))


def of_rdms(rdms: Mapping[str, Tensor], layer: str, seed: int) -> TakeAway:
    """The dissimilarities of one layer of some networks."""
    arrays = {name: matrix.numpy() for name, matrix in rdms.items()}
    file = f"rdm-{layer.replace(' ', '-')}-{seed}"
    return TakeAway(file, rdm_code(list(rdms), layer, seed), {f"{file}.npz": lambda: npz(arrays)})


def of_embeddings(embeddings: Mapping[str, Mapping[str, np.ndarray]], method: str, seed: int, index: int) -> TakeAway:
    """Two dimensions of every layer of some networks, the image at `index` under attack in them."""
    arrays = {f"{name}/{layer}": points for name, layers in embeddings.items() for layer, points in layers.items()}
    code, file = embedding_code(list(embeddings), method, seed, index), f"{method}-{seed}"
    return TakeAway(file, code, {f"{file}.npz": lambda: npz(arrays)})


def separation_code(names: list[str], seed: int) -> str:
    """Python that computes the matrices again, layer by layer, and how well they tell the digits apart."""
    return f"""from satcore import data, library, representations

images, labels = data.load("test")
chosen = representations.sample("test", 100, seed={seed})
for name in {names!r}:
    for layer, activations in representations.layers(library.load(name), images[chosen]).items():
        rdm = representations.rdm(activations)
        print(name, layer, representations.separation(rdm, labels[chosen]))
"""


def rdm_code(names: list[str], layer: str, seed: int) -> str:
    """Python that computes the dissimilarities again."""
    return f"""from satcore import data, library, representations

images, labels = data.load("test")
chosen = representations.sample("test", 100, seed={seed})
for name in {names!r}:
    layers = representations.layers(library.load(name), images[chosen])
    rdm = representations.rdm(layers[{layer!r}])
    print(name, representations.separation(rdm, labels[chosen]))
"""


def embedding_code(names: list[str], method: str, seed: int, index: int) -> str:
    """Python that finds the two dimensions again: of the sample, and of an image under attack."""
    return f"""import torch
from satcore import attacks, data, library, readouts, representations

images = data.load("test").images[representations.sample("test", 100, seed={seed})]
image, label = data.example("test", {index})
for name in {names!r}:
    network = library.load(name)
    epsilons = [{EPSILONS[1]} * step for step in range({len(EPSILONS)})]
    way = torch.cat([attacks.fgsm(network, image, label, epsilon=epsilon).images for epsilon in epsilons])
    attacked = representations.layers(network, way)
    for layer, activations in representations.layers(network, images).items():
        points = readouts.embedding(torch.cat((activations, attacked[layer])), {method!r}, seed={seed})
        print(name, layer, points[-1])  # where the attack has taken it
"""
