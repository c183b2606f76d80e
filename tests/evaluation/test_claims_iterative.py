"""What the claim on Adam says of the iterations that were not run is what its grid says."""

import dataclasses

import numpy as np
import pytest

from satcore import library
from satcore.evaluation import grids
from satcore.evaluation.claims import evidence, iterative
from satcore.evaluation.claims.evidence import ADAM

NAME = "relu-mlp/saturated"


@pytest.fixture
def grid() -> grids.Grid:
    kept = grids.load(NAME, ADAM)
    assert kept is not None and kept.resists[3, 7]
    return kept


def said(name: str = NAME) -> str:
    return iterative._to_come(evidence._chase(name, library.load(name), ADAM))


def test_it_says_from_which_iteration_on_nothing_changes(grid):
    count = int(grid.resists.sum())
    assert f"of the other {count} pairs {count} are proven at rest, 0 proven not to be fooled, and 0 open" in said()
    assert said().endswith(f"3 → 7 is at rest from iteration {grid.iterations[3, 7]} on: nothing changes a bit")


@pytest.mark.parametrize(
    "seven, says",
    [(3e-7, "3 → 7 is proven not to be fooled: no pixel changes by more than 3.0·10⁻⁷"), (np.inf, "3 → 7 is open")],
)
def test_it_tells_what_is_nearly_at_rest_from_what_is_open(monkeypatch, grid, seven, says):
    drift = np.where(grid.resists, np.inf, 0)
    drift[3, 7] = seven
    changed, load = dataclasses.replace(grid, drift=drift), grids.load
    monkeypatch.setattr(grids, "load", lambda name, setting: changed if setting == ADAM else load(name, setting))
    assert said().endswith(says)


def test_where_every_pair_is_fooled_nothing_is_left_to_say():
    assert said("relu-mlp/vanilla") == ""
