"""Dissimilarities and embeddings to take away, and the lines of Python that compute them again."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from satcore.dashboard.representations.compute import EPSILONS
from satcore.dashboard.shared.downloads import of_arrays


def of_rdms(rdms: Mapping[str, Tensor], layer: str, seed: int) -> None:
    """A button for the dissimilarities of one layer of some networks."""
    arrays = {name: matrix.numpy() for name, matrix in rdms.items()}
    of_arrays(arrays, f"rdm-{layer.replace(' ', '-')}-{seed}", rdm_code(list(rdms), layer, seed))


def of_embeddings(embeddings: Mapping[str, Mapping[str, np.ndarray]], method: str, seed: int, index: int) -> None:
    """A button for two dimensions of every layer of some networks, the image at `index` under attack in them."""
    arrays = {f"{name}/{layer}": points for name, layers in embeddings.items() for layer, points in layers.items()}
    of_arrays(arrays, f"{method}-{seed}", embedding_code(list(embeddings), method, seed, index))


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
