"""The factorial crosses its factors, and what is said of each is the mean over the pairs that differ in it."""

import itertools
import os

import numpy as np
import pytest
from scipy import stats

from satcore.evaluation import factorial
from satcore.evaluation.factorial import CELLS, FACTORS, Cell
from satcore.networks import build, mlp
from satcore.recipes import STEP


def cell(factors: tuple[str, ...], standing: int, proven: int = 0) -> Cell:
    return Cell(factors, 0.98, 0.1, 0.2, standing, proven, images=500, epsilon=0.25)


def test_there_are_sixteen_recipes_which_differ_in_what_they_are_called_by():
    recipes = {factors: factorial.recipe(factors) for factors in CELLS}
    assert len({recipe.identity for recipe in recipes.values()}) == len(recipes) == 16
    for factors, recipe in recipes.items():
        assert (recipe.architecture[0] == STEP) == ("step" in factors)
        assert (recipe.architecture[-2].nonlinearity == "ramp") == ("ramp" in factors)
        assert any(phase.bounded for phase in recipe.phases) == recipe.for_bounds == ("bounds" in factors)
        assert (recipe.lambda_max == pytest.approx(factorial.LAMBDA)) == ("penalty" in factors)
        assert sum(phase.epochs for phase in recipe.phases) == sum(factorial.EPOCHS)
        assert not any(phase.attacked for phase in recipe.phases)


def test_the_penalty_rises_evenly_over_two_phases():
    recipe = factorial.recipe(["penalty"])
    lams = [phase.penalty(epoch) for phase in recipe.phases[1:] for epoch in range(phase.epochs)]
    assert np.allclose(np.diff(lams), factorial.LAMBDA / len(lams)) and lams[0] == 0


def test_what_a_factor_contributes_is_the_mean_over_its_pairs():
    generator = np.random.default_rng(0)
    counts = {factors: int(generator.integers(0, 500)) for factors in CELLS}
    found = factorial.effects([cell(factors, count) for factors, count in counts.items()], "standing")
    assert [effect.factor for effect in found] == list(FACTORS)
    for effect in found:
        others = [factor for factor in FACTORS if factor != effect.factor]
        differences = []
        for chosen in itertools.chain.from_iterable(itertools.combinations(others, k) for k in range(4)):
            with_it = tuple(factor for factor in FACTORS if factor in chosen or factor == effect.factor)
            differences.append((counts[with_it] - counts[chosen]) / 500)
        expected = stats.t.interval(0.95, 7, np.mean(differences), stats.sem(differences))
        assert effect.mean == pytest.approx(np.mean(differences))
        assert (effect.low, effect.high) == pytest.approx(expected)


def test_effects_of_fewer_networks_are_refused():
    with pytest.raises(ValueError, match="expected 16 networks, one for each choice of factors, got 15"):
        factorial.effects([cell(factors, 1) for factors in CELLS[:-1]], "standing")


def test_what_is_measured_comes_back_and_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "factorial.jsonl"
    assert factorial.load(path) == []
    cells = [cell(CELLS[5], 9, 3), cell(CELLS[0], 0)]
    for one in cells:
        factorial.append(one, path)
    assert factorial.load(path) == cells
    path.write_bytes(path.read_bytes()[:-1])  # as whoever is killed leaves it
    factorial.append(cell(CELLS[1], 0), path)
    assert factorial.load(path) == [*cells, cell(CELLS[1], 0)]
    path.write_text(path.read_text().replace('"proven": 3', '"proven": 30'))
    with pytest.raises(ValueError, match=r"expected what was measured of the factorial in .*, got a damaged file"):
        factorial.load(path)


def test_what_cannot_be_added_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "factorial.jsonl"
    factorial.append(cell(CELLS[5], 9, 3), path)
    content = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        factorial.append(cell(CELLS[0], 0), path)
    assert path.read_bytes() == content


def test_what_is_attacked_and_proven_is_of_the_same_images(monkeypatch):
    monkeypatch.setattr(factorial, "IMAGES", 10)
    monkeypatch.setattr(factorial, "SECONDS", 0.01)
    found = factorial.measured(("step", "ramp"), build((STEP, *mlp("ramp", (8,))), seed=2).requires_grad_(False))
    assert found.images == 10 and 0 <= found.proven <= found.standing <= 10
    assert factorial.called(found.factors) == "step-ramp" and factorial.called(()) == "nothing"
