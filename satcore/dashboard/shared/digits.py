"""Test images as pages show them, and how one is chosen: in whose eyes, by which seed."""

import contextlib
from collections.abc import Iterable

import numpy as np
import streamlit as st
import torch

from satcore import data, library
from satcore.dashboard.shared import cache
from satcore.networks import Network

LAST = 9_999  # index of a test image


def with_article(digit: int) -> str:
    """Such as "a 3" and "an 8"."""
    return f"an {digit}" if digit == 8 else f"a {digit}"


@cache.of_network
def network(name: str) -> Network:
    """The network `name`. Raises ValueError where it is not there or damaged."""
    return library.load(name)


def hashes(names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the networks' weights, by name; "" of one that is gone or damaged."""
    found = dict.fromkeys(names, "")
    for name in found:
        with contextlib.suppress(ValueError):
            found[name] = library.describe(name).sha256
    return found


def stepping(names: Iterable[str]) -> list[str]:
    """Those of the networks `names` that step pixel by pixel before anything is summed."""
    return [name for name in names if network(name).steps_first]


@cache.lasting
def _chosen(judge: str, digit: int, how: str, seed: int) -> int:
    return data.choose(network(judge), "test", digit, how, seed)


def index_of(how: str, needs: dict) -> int:
    """Index of the test image that the controls ask for: by its `index`, or by `digit`, `seed` and `judge`.

    Where the judge gets none of that digit right it is a random one, and the page says so.
    """
    if how == "by index":
        return needs["index"]
    judge, digit, seed = needs["judge"], needs["digit"], needs["seed"]
    try:
        return _chosen(judge, digit, how, seed)
    except ValueError:
        st.info(f"{judge} gets no {digit} right: this one is drawn at random.", icon=":material/info:")
        return _chosen(judge, digit, "random", seed)


def refuse_unknown() -> None:
    """Say it where the address asks for a test image by an index that none has.

    Before the index has its widget, which takes what it can't show out of the address.
    """
    asked = st.query_params
    by_index = "by index" in (asked.get("pick"), asked.get("which"))
    if by_index and not all(_is_index(asked[key]) for key in asked if key.endswith("index")):
        st.warning(f"No test image has the index asked for: they go from 0 to {LAST:,}.", icon=":material/info:")


def _is_index(value: str) -> bool:
    try:
        return 0 <= float(value) <= LAST
    except ValueError:
        return False


def label_of(index: int) -> int:
    """The digit that the test image at `index` shows."""
    return int(data.example("test", index).labels)


def example(index: int) -> torch.Tensor:
    """The test image at `index`, (1, 1, 28, 28) in [0, 1]."""
    return data.example("test", index).images


def image_of(index: int) -> np.ndarray:
    """The test image at `index`, (28, 28) in [0, 1]."""
    return data.example("test", index).images[0, 0].numpy()
