"""What the page on weights computes on demand, and keeps for all sessions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from satcore import data, representations, weights
from satcore.dashboard.shared import cache, digits
from satcore.networks import Network

KURTOSES = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0)
PAIRS = 20  # of prototypes at each point of Fig. 6
FLAT = 3  # φ is called flat where φ′ < 10⁻³
OUTSIDE = 0.005  # share of the inputs beyond either end of a curve
BARS = 60  # at most, along a curve


@dataclass(frozen=True)
class Curve:
    """The nonlinearity φ of a layer, and where the inputs h of its units lie on it.

    nonlinearity  its name
    h, phi        (400,): the curve itself
    edges         (bars + 1,): of bins of one width along it
    shares        (bars,): share of the inputs in each; what lies beyond the ends is in none
    flat          (bars,) bool: whether φ′ < 10^−FLAT in the middle of each
    saturated     share of all inputs with φ′ < 10^−FLAT
    """

    nonlinearity: str
    h: np.ndarray
    phi: np.ndarray
    edges: np.ndarray
    shares: np.ndarray
    flat: np.ndarray
    saturated: float


@dataclass(frozen=True)
class Ratios:
    """Scaled ratios (Fig. 6), each the mean over `PAIRS` pairs of prototypes, with its standard error."""

    means: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Prototypes:
    """Two prototypes (20000,) of unit norm, and what Eq. 14 says of them."""

    first: np.ndarray
    second: np.ndarray
    epsilon_min: float
    strength: float  # mean |component| of the first


@cache.lasting
def curves(name: str) -> dict[str, Curve]:
    """Every layer's nonlinearity with the inputs that 1,000 test images give its units, 100 of each digit.

    By the layer's number, from "1"; or "step", where each pixel passes one before anything is summed.
    """
    network = digits.network(name)
    images = data.load("test").images[representations.sample("test")]
    *_, found = weights.saturation(network, images)
    there = [index for index in _layers(network) if found[index].saturated is not None]
    numbered = {str(number): index for number, index in enumerate(there, start=1)}
    all_of_them = ({"step": 0} if network.steps_first else {}) | numbered
    return {layer: _curve(network, index, found[index]) for layer, index in all_of_them.items()}


@cache.of_network
def shapes(name: str) -> list[weights.Shape]:
    """The shape of the weights of each layer that has them. Raises ValueError where a layer's are all equal."""
    return [weights.shape(w) for w in digits.network(name).weights]


def saturation(name: str) -> list[weights.Saturation]:
    """The pre-activations of every layer over all test images; a bar shows how far they are counted.

    Blocks that neither have a nonlinearity nor are the read-out, as those that scale the pixels, are left out, and so
    is a step before anything is summed.
    """
    bar, record = st.empty(), []
    for record in _counted(name):
        if record[0].done < 1:
            bar.progress(record[0].done, text=f"{name}: all 10,000 test images")
    bar.empty()
    return record


@cache.kept
def curve() -> tuple[np.ndarray, np.ndarray]:
    """γ₂ and the scaled ratio's limit for Pearson VII weights."""
    kurtoses = np.linspace(0, KURTOSES[-1], 81)
    return kurtoses, np.array([weights.limiting_ratio(kurtosis) for kurtosis in kurtoses])


def largest_limit() -> float:
    """The scaled ratio's limit for infinite kurtosis."""
    return weights.limiting_ratio(np.inf)


@cache.kept
def sampled() -> Ratios:
    """The scaled ratio at each of the `KURTOSES`, sampled."""
    return _summary([weights.pearson_vii(kurtosis) for kurtosis in KURTOSES])


@cache.lasting
def of_layers(name: str) -> Ratios:
    """The scaled ratio of prototypes drawn from each layer's own weights."""
    return _summary([weights.resampled(w) for w in digits.network(name).weights])


def figure_6(names: Iterable[str]) -> dict[str, np.ndarray]:
    """Fig. 6 as arrays: the limit's curve, the points sampled, and the layers of some networks."""
    kurtoses, limits = curve()
    points, layers = sampled(), {name: of_layers(name) for name in names}
    return {
        "curve/kurtosis": kurtoses,
        "curve/limit": limits,
        "sampled/kurtosis": np.array(KURTOSES),
        "sampled/mean": points.means,
        "sampled/standard error": points.errors,
        **{f"{name}/mean": found.means for name, found in layers.items()},
        **{f"{name}/standard error": found.errors for name, found in layers.items()},
    }


@cache.kept
def prototypes(kurtosis: float, seed: int) -> Prototypes:
    """Two prototypes with Pearson VII components."""
    w = weights.pearson_vii(kurtosis)(np.random.default_rng(seed), (2, weights.DIMENSION))
    first, second = w / np.linalg.norm(w, axis=1, keepdims=True)
    epsilon_min = weights.linear_robustness(torch.from_numpy(first), torch.from_numpy(second))
    return Prototypes(first, second, epsilon_min, float(np.abs(first).mean()))


@cache.followed
def _counted(name: str) -> Iterator[list[weights.Saturation]]:
    network = digits.network(name)
    there = _layers(network)
    for record in weights.saturation(network, data.load("test").images):
        yield [record[index] for index in there]


def _layers(network: Network) -> list[int]:
    """The blocks with a nonlinearity, and the read-out, counted from 0, without a step before anything is summed."""
    first, last = int(network.steps_first), len(network.architecture) - 1
    return [k for k in range(first, last + 1) if network.architecture[k].nonlinearity != "identity" or k == last]


@torch.no_grad()
def _curve(network: Network, index: int, found: weights.Saturation) -> Curve:
    assert found.saturated is not None
    phi, histogram = network.phi(index), found.histogram
    reached = np.cumsum(histogram.counts) / histogram.counts.sum()
    first, last = np.searchsorted(reached, (OUTSIDE, 1 - OUTSIDE))
    together = -(-(last + 1 - first) // BARS)  # bins in a bar
    starts = np.arange(first, last + 1, together)
    stop = min(starts[-1] + together, len(histogram.counts))
    edges = histogram.edges[[*starts, stop]]
    counts = np.add.reduceat(histogram.counts[:stop], starts)
    h = torch.linspace(float(edges[0]), float(edges[-1]), 400, dtype=torch.float64)
    slope = phi.slope(torch.from_numpy((edges[1:] + edges[:-1]) / 2))
    return Curve(
        nonlinearity=phi.name,
        h=h.numpy(),
        phi=phi(h).numpy(),
        edges=edges,
        shares=counts / histogram.counts.sum(),
        flat=(slope < 10.0**-FLAT).numpy(),
        saturated=float(found.saturated[FLAT - 1]),
    )


def _summary(samplers: list) -> Ratios:
    ratios = np.array([weights.scaled_ratios(sample, repeats=PAIRS, seed=seed) for seed, sample in enumerate(samplers)])
    return Ratios(ratios.mean(1), ratios.std(1, ddof=1) / np.sqrt(PAIRS))
