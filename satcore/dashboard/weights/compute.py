"""What the page on weights computes on demand, and keeps: shared by all sessions, keyed by the checkpoint's hash."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from satcore import checkpoints, data, weights
from satcore.dashboard import live

KURTOSES = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0)
PAIRS = 20  # of prototypes at each point of Fig. 6


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


def shapes(name: str) -> list[weights.Shape]:
    """The shape of each layer's weights."""
    return _shapes(name, checkpoints.describe(name).sha256)


def saturation(name: str) -> Iterator[list[weights.Saturation]]:
    """The pre-activations of every layer over all test images, as they are counted, or at once where they are known."""
    known = _known_saturation(name, checkpoints.describe(name).sha256)
    if not known:
        for record in weights.saturation(live.network(name), data.load("test").images):
            yield record
        known.append(record)
    yield known[0]


@st.cache_data(show_spinner=False)
def curve() -> tuple[np.ndarray, np.ndarray]:
    """γ₂ and the scaled ratio's limit for Pearson VII weights."""
    kurtoses = np.linspace(0, KURTOSES[-1], 81)
    return kurtoses, np.array([weights.limiting_ratio(kurtosis) for kurtosis in kurtoses])


def largest_limit() -> float:
    """The scaled ratio's limit for infinite kurtosis."""
    return weights.limiting_ratio(np.inf)


@st.cache_data(show_spinner=False)
def sampled() -> Ratios:
    """The scaled ratio at each of the `KURTOSES`, sampled."""
    return _summary([weights.pearson_vii(kurtosis) for kurtosis in KURTOSES])


def of_layers(name: str) -> Ratios:
    """The scaled ratio of prototypes drawn from each layer's own weights."""
    return _of_layers(name, checkpoints.describe(name).sha256)


def figure_6(names: list[str]) -> dict[str, np.ndarray]:
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


@st.cache_data(max_entries=200, show_spinner=False)
def prototypes(kurtosis: float, seed: int) -> Prototypes:
    """Two prototypes with Pearson VII components."""
    w = weights.pearson_vii(kurtosis)(np.random.default_rng(seed), (2, weights.DIMENSION))
    first, second = w / np.linalg.norm(w, axis=1, keepdims=True)
    epsilon_min = weights.linear_robustness(torch.from_numpy(first), torch.from_numpy(second))
    return Prototypes(first, second, epsilon_min, float(np.abs(first).mean()))


@st.cache_data(max_entries=24, show_spinner=False)
def _shapes(name: str, sha256: str) -> list[weights.Shape]:
    return [weights.shape(layer.weight) for layer in live.network(name).layers]


@st.cache_resource(max_entries=24, show_spinner=False)
def _known_saturation(name: str, sha256: str) -> list[list[weights.Saturation]]:
    return []  # whoever counts first puts it here


@st.cache_data(max_entries=24, show_spinner=False)
def _of_layers(name: str, sha256: str) -> Ratios:
    return _summary([weights.resampled(layer.weight) for layer in live.network(name).layers])


def _summary(samplers: list) -> Ratios:
    ratios = np.array([weights.scaled_ratios(sample, repeats=PAIRS, seed=seed) for seed, sample in enumerate(samplers)])
    return Ratios(ratios.mean(1), ratios.std(1, ddof=1) / np.sqrt(PAIRS))
