"""What the pages compute on demand, and keep: shared by all sessions, keyed by the checkpoint's hash.

Importing this module imports torch, which takes seconds: a page draws what it can before it does.
"""

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from satcore import attacks, checkpoints, data, geometry
from satcore.networks import Network


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


def path(name: str, source: int, target: int, points: int) -> geometry.Path:
    """The straight path between the test images at the indices `source` and `target`. Raises ValueError as
    `satcore.geometry.path` does. One object for all sessions: don't write to it.
    """
    return _path(name, checkpoints.describe(name).sha256, source, target, points)


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
    return FgsmView(int(labels), images[0, 0].numpy(), attack.images[0, 0].numpy(),
                    int(predicted[0]), float(confidence[0]), int(predicted[1]), float(confidence[1]),
                    bool(attack.zero_gradient))


@st.cache_resource(max_entries=300, show_spinner=False)
def _path(name: str, sha256: str, source: int, target: int, points: int) -> geometry.Path:
    (start, _), (stop, _) = data.example("test", source), data.example("test", target)
    return geometry.path(_network(name, sha256), start, stop, points)
