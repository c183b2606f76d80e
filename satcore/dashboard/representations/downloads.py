"""Dissimilarities and embeddings to take away, and the lines of Python that compute them again."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from satcore.dashboard.representations import words
from satcore.dashboard.representations.compute import BLOCKS, EPSILONS
from satcore.dashboard.shared.downloads import csv_of, npz
from satcore.dashboard.shared.take_away import TakeAway


def of_matrices(blocks: Mapping[str, Mapping[str, np.ndarray]], seed: int) -> TakeAway:
    """The dissimilarities of every layer of some networks, as they are drawn: averages over blocks of images."""
    arrays = {f"{name}/{layer}": matrix for name, layers in blocks.items() for layer, matrix in layers.items()}
    file = f"rdms-{seed}"
    return TakeAway(file, matrices_code(list(blocks), seed), {f"{file}.npz": lambda: npz(arrays)})


def of_layers(curves: Mapping[str, words.ByLayer], names: list[str], seed: int) -> TakeAway:
    """How well the layers of some networks tell the digits apart: the `curves` by what they are of, all of which are
    there by the time that somebody asks for the file.
    """

    def table() -> str:
        rows = [(name, layer) for name in names for layer in curves["between"][name]]
        values = ([of.get(name, {}).get(layer, "") for of in curves.values()] for name, layer in rows)
        return csv_of(("network", "layer", *curves), [(*row, *value) for row, value in zip(rows, values, strict=True)])

    file = f"layers-{seed}"
    return TakeAway(file, layers_code(names, seed), {f"{file}.csv": table})


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


def matrices_code(names: list[str], seed: int) -> str:
    """Python that computes the matrices again, layer by layer."""
    return f"""import torch
from satcore import data, library, representations

images, _ = data.load("test")
chosen = representations.sample("test", 100, seed={seed})
for name in {names!r}:
    for layer, activations in representations.layers(library.load(name), images[chosen]).items():
        rdm = representations.rdm(activations)
        drawn = torch.nn.functional.avg_pool2d(rdm[None], {1000 // BLOCKS})[0]
        print(name, layer, drawn.float())
"""


def layers_code(names: list[str], seed: int) -> str:
    """Python that finds again how well the layers tell the digits apart, and how alike the networks are."""
    return f"""from satcore import data, library, readouts, representations

chosen = {{split: representations.sample(split, 100, seed={seed}) for split in ("train", "test")}}
(seen, digits), (images, labels) = (data.some(split, index) for split, index in chosen.items())
rdms = {{}}
for name in {names!r}:
    network = library.load(name)
    fitted, layers = representations.layers(network, seen), representations.layers(network, images)
    rdms[name] = {{layer: representations.rdm(outputs) for layer, outputs in layers.items()}}
    for layer, rdm in rdms[name].items():
        print(name, layer, representations.separation(rdm, labels), readouts.silhouette(rdm, labels),
              readouts.linear_readout(fitted[layer], digits, layers[layer], labels))
first, *others = rdms
for name in others:
    print(name, {{layer: representations.rsa(rdms[first][layer], rdms[name][layer])
                 for layer in rdms[first] if layer in rdms[name]}})
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
