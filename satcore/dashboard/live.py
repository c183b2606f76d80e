"""What the pages compute on demand, and keep: shared by all sessions, keyed by the checkpoint's hash.

Importing this module imports torch, which takes seconds: a page draws what it can before it does.
"""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from satcore import attacks, checkpoints, data, geometry, grids
from satcore.attacks.gradients import WAYS, Way
from satcore.attacks.objective import Objective
from satcore.networks import Network

# Streamlit collects garbage after every run of a script or fragment. What is imported by now, torch above all, is none, and
# going through it takes longer than a step of an attack on four networks.
gc.freeze()


@dataclass(frozen=True)
class FgsmView:
    """One image before and after FGSM, as a page shows it: images (28, 28) in [0, 1], probabilities in [0, 1]."""

    label: int
    before: np.ndarray
    after: np.ndarray
    predicted_before: int
    confidence_before: float
    predicted_after: int
    confidence_after: float
    zero_gradient: bool


@dataclass(frozen=True)
class GradientView:
    """The gradient of the cross-entropy at one image, (28, 28), of any scale, and log₁₀ of its norm; −inf: exactly zero."""

    direction: np.ndarray
    log10_norm: float


def network(name: str) -> Network:
    """The shipped network `name`. Raises ValueError where it is not there or damaged."""
    return _network(name, checkpoints.describe(name).sha256)


def chosen(how: str, digit: int, seed: int, judge: str) -> int:
    """Index of the test image of `digit` chosen in the way `how`; confidence is that of the network `judge`.

    Raises ValueError as `satcore.data.choose` does.
    """
    return _chosen(judge, checkpoints.describe(judge).sha256, digit, how, seed)


def fgsm_view(name: str, index: int, epsilon: float) -> FgsmView:
    """The test image at `index` and what FGSM makes of it. Raises ValueError as `satcore.attacks.fgsm` does."""
    return _fgsm_view(name, checkpoints.describe(name).sha256, index, epsilon)


def gradients(name: str, index: int, temperature: float) -> dict[str, GradientView]:
    """The gradient at the test image at `index`, taken in each of the three ways, by their names."""
    return _gradients(name, checkpoints.describe(name).sha256, index, temperature)


def index_of(how: str, needs: dict) -> int:
    """Index of the test image that the controls ask for: by its `index`, or by the arguments of `chosen`."""
    return needs["index"] if how == "by index" else chosen(how, **needs)


def label_of(index: int) -> int:
    """The digit that the test image at `index` shows."""
    return int(data.example("test", index).labels)


def example(index: int) -> torch.Tensor:
    """The test image at `index`, (1, 1, 28, 28) in [0, 1]."""
    return data.example("test", index).images


def image_of(index: int) -> np.ndarray:
    """The test image at `index`, (28, 28) in [0, 1]."""
    return data.example("test", index).images[0, 0].numpy()


def paths(names: list[str], source: int, target: int, points: int, patience: float = 0.5) -> dict[str, geometry.Path]:
    """The straight path between two test images for the networks `names`, as far as they are known or can be computed
    before `patience` (seconds) runs out: ask again for the rest. Raises ValueError as `geometry.path`.

    One object for all sessions: don't write to it.
    """
    start, there = time.monotonic(), {}
    for name in names:
        there[name] = _path(name, checkpoints.describe(name).sha256, source, target, points)
        if time.monotonic() - start > patience:
            break
    return there


def plane(name: str, corners: tuple[int, int, int], side: int) -> Iterator[geometry.Plane]:
    """The triangle between three test images, as it fills, or at once where it is known.

    Raises ValueError as `geometry.plane`. One object for all sessions: don't write to it.
    """
    known = _known_plane(name, checkpoints.describe(name).sha256, corners, side)
    if not known:
        for record in geometry.plane(network(name), *(data.example("test", index).images for index in corners), side):
            yield record
        known.append(record)
    yield known[0]


def known_grid(name: str, setting: grids.Setting) -> grids.Grid | None:
    """The grid of the network `name` that ships, or that was computed since the server was started; None: neither.

    Raises ValueError as `grids.load`. One object for all sessions: don't write to it.
    """
    sha256 = checkpoints.describe(name).sha256
    known = _known_grid(name, sha256, setting)
    if not known and (shipped := grids.load(name, sha256, setting)):
        known.append(shipped)
    return known[-1] if known else None


def keep_grid(name: str, setting: grids.Setting, grid: grids.Grid) -> None:
    """Keep a computed grid for all sessions, in place of the one that ships."""
    _known_grid(name, checkpoints.describe(name).sha256, setting)[:] = [grid]


@st.cache_resource(max_entries=24, show_spinner=False)
def _network(name: str, sha256: str) -> Network:
    return checkpoints.load(name)


@st.cache_data(max_entries=1_000, show_spinner=False)
def _chosen(name: str, sha256: str, digit: int, how: str, seed: int) -> int:
    return data.choose(_network(name, sha256), "test", digit, how, seed)


@st.cache_data(max_entries=5_000, show_spinner=False)
def _fgsm_view(name: str, sha256: str, index: int, epsilon: float) -> FgsmView:
    there = _network(name, sha256)
    images, labels = data.example("test", index)
    attack = attacks.fgsm(there, images, labels, epsilon=epsilon)
    with torch.no_grad():
        confidence, predicted = there(torch.cat((images, attack.images))).softmax(1).max(1)
    return FgsmView(
        int(labels),
        images[0, 0].numpy(),
        attack.images[0, 0].numpy(),
        int(predicted[0]),
        float(confidence[0]),
        int(predicted[1]),
        float(confidence[1]),
        bool(attack.zero_gradient),
    )


@st.cache_data(max_entries=5_000, show_spinner=False)
def _gradients(name: str, sha256: str, index: int, temperature: float) -> dict[str, GradientView]:
    images, labels = data.example("test", index)
    taken = {way: Way(way, temperature).gradient(_network(name, sha256), images, Objective(labels)) for way in WAYS}
    return {
        way: GradientView(gradient.direction[0, 0].numpy(), float(gradient.log10_norm()))
        for way, gradient in taken.items()
    }


@st.cache_resource(max_entries=300, show_spinner=False)
def _path(name: str, sha256: str, source: int, target: int, points: int) -> geometry.Path:
    return geometry.path(
        _network(name, sha256), *(data.example("test", index).images for index in (source, target)), points
    )


@st.cache_resource(max_entries=100, show_spinner=False)
def _known_plane(name: str, sha256: str, corners: tuple[int, int, int], side: int) -> list[geometry.Plane]:
    return []  # whoever maps the plane first puts it here


@st.cache_resource(max_entries=100, show_spinner=False)
def _known_grid(name: str, sha256: str, setting: grids.Setting) -> list[grids.Grid]:
    return []  # whoever loads or fills the grid first puts it here
