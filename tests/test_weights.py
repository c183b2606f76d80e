"""The excess kurtosis is the population's, as SciPy computes it too."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from satcore.networks import build
from satcore.weights import excess_kurtosis

# Whole multiples of a thousandth, so that differing values differ by more than rounding.
VALUES = st.lists(st.integers(-10**6, 10**6).map(lambda n: n / 1000), min_size=2, max_size=60).filter(
    lambda values: len(set(values)) > 1)


@given(VALUES)
def test_it_is_scipys(values):
    # SciPy gives NaN where the spread is lost in the size of the mean.
    assume(np.std(values) > 1e-3 * abs(np.mean(values)))
    expected = scipy.stats.kurtosis(values, fisher=True, bias=True)
    # The mean's rounding, 1e-16 of it, is at most 1e-13 of the spread.
    assert excess_kurtosis(torch.tensor(values, dtype=torch.float64)) == pytest.approx(expected, rel=1e-11, abs=1e-11)


@given(VALUES, st.floats(0.01, 100), st.booleans(), st.floats(-100, 100))
def test_scaling_shifting_and_mirroring_change_nothing(values, scale, mirrored, shift):
    values = torch.tensor(values, dtype=torch.float64)
    assume(values.std(correction=0) > 1e-3 * values.mean().abs())
    moved = (-scale if mirrored else scale) * values + shift
    assume(moved.std(correction=0) > 1e-3 * moved.mean().abs())
    assert excess_kurtosis(moved) == pytest.approx(excess_kurtosis(values), rel=1e-10, abs=1e-10)


def test_two_values_give_the_least_there_is():
    assert excess_kurtosis(torch.tensor([3.0, 8.0])) == -2


def test_a_gaussians_is_zero_and_a_laplacians_three():
    generator = np.random.default_rng(0)
    # Standard errors at a million values: √(24/N) = 0.005, and about 0.05 for the heavier tail.
    assert excess_kurtosis(torch.from_numpy(generator.normal(size=10**6))) == pytest.approx(0, abs=0.025)
    assert excess_kurtosis(torch.from_numpy(generator.laplace(size=10**6))) == pytest.approx(3, abs=0.25)


def test_all_entries_count_whatever_the_shape_and_dtype():
    weight = build("relu-mlp", 16).layers[0].weight
    assert weight.shape == (16, 784) and weight.dtype == torch.float32 and weight.requires_grad
    expected = scipy.stats.kurtosis(weight.detach().double().numpy().ravel(), fisher=True, bias=True)
    assert excess_kurtosis(weight) == pytest.approx(expected, rel=1e-12)


def test_float32_values_are_not_summed_in_float32():
    # In float32 the fourth powers overflow, or vanish.
    for size in (1e30, 1e-30):
        values = torch.tensor([0.0, 1.0, 2.0, 7.0]) * size
        assert excess_kurtosis(values) == pytest.approx(scipy.stats.kurtosis([0, 1, 2, 7]), rel=1e-6)


@pytest.mark.parametrize("values, count", [([], 0), ([3.0], 1), ([3.0, 3.0, 3.0], 3), ([0.0, -0.0], 2)])
def test_values_that_do_not_differ_are_refused(values, count):
    with pytest.raises(ValueError) as refusal:
        excess_kurtosis(torch.tensor(values))
    assert str(refusal.value) == f"expected at least two different values, got {count} that don't differ"
