"""Histograms and ratios to take away, and the lines of Python that compute them again."""

from collections.abc import Mapping, Sequence

import numpy as np

from satcore.dashboard.shared.downloads import npz
from satcore.dashboard.shared.take_away import TakeAway
from satcore.dashboard.weights.compute import FLAT, KURTOSES, PAIRS, Curve
from satcore.weights import Saturation, Shape


def of_curves(found: Mapping[str, Mapping[str, Curve]]) -> TakeAway:
    """The curves of every layer of some networks, with the inputs along them."""
    arrays = {
        f"{name}/{'layer ' * layer.isdigit()}{layer}/{what}": getattr(curve, what)
        for name, curves in found.items()
        for layer, curve in curves.items()
        for what in ("h", "phi", "edges", "shares")
    }
    return TakeAway("saturation", curves_code(list(found)), {"saturation.npz": lambda: npz(arrays)})


def of_shapes(found: Mapping[str, Sequence[Shape]]) -> TakeAway:
    """The histograms of the weights of some networks."""
    return TakeAway("weights", weights_code(list(found)), {"weights.npz": lambda: npz(_histograms(found))})


def of_saturation(found: Mapping[str, Sequence[Saturation]]) -> TakeAway:
    """The histograms of the pre-activations of some networks."""
    file = "pre-activations"
    return TakeAway(file, saturation_code(list(found)), {f"{file}.npz": lambda: npz(_histograms(found))})


def of_mechanism(arrays: Mapping[str, np.ndarray], names: list[str]) -> TakeAway:
    """Fig. 6 as arrays."""
    file = "linear-mechanism"
    return TakeAway(file, mechanism_code(names, PAIRS), {f"{file}.npz": lambda: npz(arrays)})


def curves_code(names: list[str]) -> str:
    """Python that counts again how many inputs lie where φ is flat."""
    return f"""from satcore import data, library, representations, weights

images = data.load("test").images[representations.sample("test")]
for name in {names!r}:
    network = library.load(name)
    *_, layers = weights.saturation(network, images)
    for phi, layer in zip(network.nonlinearities, layers):
        if layer.saturated is not None:  # the read-out has no nonlinearity
            print(name, phi.name, layer.histogram.edges[[0, -1]], layer.saturated[{FLAT - 1}])
"""


def weights_code(names: list[str]) -> str:
    """Python that describes the layers' weights again."""
    return f"""from satcore import library, weights

for name in {names!r}:
    for w in library.load(name).weights:
        shape = weights.shape(w)  # its histogram, too
        print(name, shape.kurtosis, shape.deviation, shape.quantiles)
"""


def saturation_code(names: list[str]) -> str:
    """Python that counts the pre-activations again."""
    return f"""from satcore import data, library, weights

for name in {names!r}:
    *_, layers = weights.saturation(library.load(name), data.load("test").images)
    for layer in layers:
        print(name, layer.histogram.edges[[0, -1]], layer.saturated)
"""


def mechanism_code(names: list[str], pairs: int) -> str:
    """Python that draws the ratios of Fig. 6 again, with the page's seeds."""
    return f"""from satcore import library, weights

for seed, kurtosis in enumerate({KURTOSES!r}):
    ratios = weights.scaled_ratios(weights.pearson_vii(kurtosis), repeats={pairs}, seed=seed)
    print(kurtosis, ratios.mean(), weights.limiting_ratio(kurtosis))
for name in {names!r}:
    for seed, w in enumerate(library.load(name).weights):
        print(name, weights.scaled_ratios(weights.resampled(w), repeats={pairs}, seed=seed).mean())
"""


def _histograms(found: Mapping[str, Sequence[Shape] | Sequence[Saturation]]) -> dict[str, np.ndarray]:
    return {
        f"{name}/layer {number}/{what}": getattr(layer.histogram, what)
        for name, layers in found.items()
        for number, layer in enumerate(layers, start=1)
        for what in ("edges", "counts")
    }
