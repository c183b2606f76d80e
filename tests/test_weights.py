"""Kurtosis, histograms, Pearson VII weights, their robustness (Eq. 14) and the pre-activations are what they say."""

import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from satcore import data, weights
from satcore.networks import Network
from satcore.nonlinearities import Nonlinearity
from satcore.weights import (
    BINS,
    THRESHOLDS,
    excess_kurtosis,
    limiting_ratio,
    linear_robustness,
    pearson_vii,
    pearson_vii_density,
    resampled,
    saturation,
    scaled_ratios,
    shape,
)
from tests import literal
from tests.examples import EVERY, load, of_family, small

# Whole multiples of a thousandth, so that differing values differ by more than rounding.
VALUES = st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 1000), min_size=2, max_size=60).filter(
    lambda values: len(set(values)) > 1
)


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


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_neither_tiny_nor_huge_values_leave_the_numbers_there_are(scale):
    assert excess_kurtosis(torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64) * scale) == -1


def test_two_values_give_the_least_there_is():
    assert excess_kurtosis(torch.tensor([3.0, 8.0])) == -2


def test_a_gaussians_is_zero_and_a_laplacians_three():
    generator = np.random.default_rng(0)
    # Standard errors at a million values: √(24/N) = 0.005, and about 0.05 for the heavier tail.
    assert excess_kurtosis(torch.from_numpy(generator.normal(size=10**6))) == pytest.approx(0, abs=0.025)
    assert excess_kurtosis(torch.from_numpy(generator.laplace(size=10**6))) == pytest.approx(3, abs=0.25)


def test_complex_values_are_refused():
    with pytest.raises(ValueError, match=r"expected real values, got torch\.complex64"):
        excess_kurtosis(torch.tensor([1 + 2j, 3, 4]))


def test_all_entries_count_whatever_the_shape_and_dtype():
    weight = of_family("relu-mlp", 16).layers[0].weight
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


@settings(deadline=None)
@given(VALUES)
def test_a_shape_is_numpys(values):
    values = torch.tensor(values, dtype=torch.float64)
    found = shape(values.reshape(1, -1))
    counts, edges = np.histogram(values.numpy(), BINS)
    np.testing.assert_array_equal(found.histogram.counts, counts)
    np.testing.assert_array_equal(found.histogram.edges, edges)
    assert found.histogram.counts.sum() == len(values)
    assert (found.histogram.density * np.diff(found.histogram.edges)).sum() == pytest.approx(1, rel=1e-12)
    assert found.mean == pytest.approx(np.mean(values.numpy()), rel=1e-12, abs=1e-12)
    assert found.deviation == pytest.approx(np.std(values.numpy()), rel=1e-12)
    assert found.kurtosis == excess_kurtosis(values)
    assert found.quantiles == pytest.approx(tuple(np.quantile(values.numpy(), (0.001, 0.999))), rel=1e-15)


def test_a_shape_is_of_all_weights_in_float64():
    weight = of_family("relu-mlp", 16).layers[0].weight
    found = shape(weight)
    assert found.histogram.counts.dtype == np.int64 and found.histogram.counts.sum() == 16 * 784
    assert found.histogram.edges[0] == weight.min().item() and found.histogram.edges[-1] == weight.max().item()
    assert found.deviation == pytest.approx(weight.detach().double().numpy().std(), rel=1e-13)


def test_a_shape_of_values_that_do_not_differ_is_refused():
    assert refused(shape, torch.ones(4)) == "expected at least two different values, got 4 that don't differ"


@settings(deadline=None)
@given(st.floats(0.01, 1000), st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_the_pearson_vii_density_is_that_of_a_scaled_t_distribution(kurtosis, w):
    freedom = 4 + 6 / kurtosis
    unit = np.sqrt(freedom / (freedom - 2))  # the t distribution's standard deviation
    expected = scipy.stats.t.pdf(np.array(w) * unit, freedom) * unit
    np.testing.assert_allclose(pearson_vii_density(np.array(w), kurtosis), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("kurtosis", [0.01, 0.5, 3.0, 50.0, 1000.0])
def test_the_pearson_vii_density_is_the_papers_formula(kurtosis):
    m = 5 / 2 + 3 / kurtosis
    alpha = math.sqrt(2 * m - 3)
    norm = math.exp(math.lgamma(m) - math.lgamma(m - 1 / 2)) / (alpha * math.sqrt(math.pi))
    w = np.linspace(-30, 30, 601)
    # lgamma's values near m = 300 are some 1400, and their difference loses as many units in the last place.
    expected = norm * (1 + (w / alpha) ** 2) ** -m
    np.testing.assert_allclose(pearson_vii_density(w, kurtosis), expected, rtol=2e-12, atol=0)


@pytest.mark.parametrize("kurtosis", [0.0, 0.01, 0.5, 3.0, 50.0, 1000.0, math.inf])
def test_the_pearson_vii_density_integrates_to_one_with_unit_variance(kurtosis):
    for power, expected in ((0, 1), (1, 0), (2, 1)):
        found, _ = scipy.integrate.quad(
            lambda w, power=power: w**power * pearson_vii_density(w, kurtosis),
            -np.inf,
            np.inf,
            epsabs=1e-11,
            epsrel=1e-11,
            limit=500,
        )
        assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("kurtosis", [0.01, 0.5, 3.0])
def test_the_pearson_vii_density_has_that_kurtosis(kurtosis):
    fourth, _ = scipy.integrate.quad(lambda w: w**4 * pearson_vii_density(w, kurtosis), -np.inf, np.inf, limit=500)
    assert fourth - 3 == pytest.approx(kurtosis, rel=1e-6)


def test_the_pearson_vii_density_is_gaussian_at_zero_and_t_with_four_degrees_of_freedom_at_infinity():
    w = np.linspace(-8, 8, 161)
    gaussian = np.exp(-(w**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(pearson_vii_density(w, 0), gaussian, rtol=1e-13)
    # Of the first order in γ₂, and of the fourth power of w.
    np.testing.assert_allclose(pearson_vii_density(w[50:111], 1e-9), gaussian[50:111], rtol=1e-8)
    t4 = 3 / 8 * np.sqrt(2) * (1 + w**2 / 2) ** -2.5
    np.testing.assert_allclose(pearson_vii_density(w, math.inf), t4, rtol=1e-13)
    np.testing.assert_allclose(pearson_vii_density(w, 1e9), t4, rtol=1e-7)


@pytest.mark.parametrize("kurtosis", [0.0, 0.1, 1.0, 10.0, math.inf])
def test_pearson_vii_samples_are_of_that_distribution(kurtosis):
    values = pearson_vii(kurtosis)(np.random.default_rng(0), (10, 1000))
    assert values.shape == (10, 1000)
    freedom = 4 + 6 / kurtosis if kurtosis else math.inf
    unit = math.sqrt(freedom / (freedom - 2)) if kurtosis else 1
    assert scipy.stats.kstest(unit * values.ravel(), scipy.stats.t(freedom).cdf).pvalue > 0.01


@pytest.mark.parametrize("kurtosis", [-0.01, -3, -math.inf, math.nan])
def test_a_negative_kurtosis_is_refused(kurtosis):
    message = f"expected an excess kurtosis of at least 0, got {kurtosis!r}"
    assert refused(pearson_vii, kurtosis) == message
    assert refused(pearson_vii_density, np.zeros(1), kurtosis) == message
    assert refused(limiting_ratio, kurtosis) == message


def test_resampling_draws_the_layers_values_in_their_proportions():
    values = torch.tensor([[2.0, -1.0, 2.0], [2.0, 0.5, 7.0]], requires_grad=True)
    drawn, counts = np.unique(resampled(values)(np.random.default_rng(0), (60, 1000)), return_counts=True)
    assert drawn.tolist() == [-1, 0.5, 2, 7]
    assert scipy.stats.chisquare(counts, [10_000, 10_000, 30_000, 10_000]).pvalue > 0.01


def test_resampling_a_layer_gives_its_distribution():
    weight = load("relu-mlp/saturated").layers[1].weight
    drawn = resampled(weight)(np.random.default_rng(0), (20_000,))
    assert np.isin(drawn, weight.double().numpy()).all()
    assert scipy.stats.ks_2samp(drawn, weight.double().numpy().ravel()).pvalue > 0.01


@pytest.mark.parametrize(
    "w1, w2, expected",
    [
        ([3, 0], [0, 4], 9 / 7),
        ([1, 1, 0], [0, 0, -2], 2 / 4),
        ([2, -1], [1, 2], 5 / 4),
        ([0, 0], [1, 0], 0),
        ([1, 2], [1, 0], 2),  # (5 − 1)/2: what both share doesn't tell them apart
        ([1, 1], [-1, 1], 1),
        ([1, 0], [2, 0], 0),  # taken for the other as it stands
    ],
)
def test_the_linear_robustness_is_equation_14_less_what_the_prototypes_share(w1, w2, expected):
    w1, w2 = torch.tensor(w1, dtype=torch.float32), torch.tensor(w2, dtype=torch.float32)
    assert linear_robustness(w1, w2) == pytest.approx(expected, rel=1e-15)


PAIRS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=8).filter(
    lambda pairs: any(a != b for a, b in pairs)
)


@settings(deadline=None)
@given(PAIRS, st.sampled_from([0.25, 1, 2, 7]), st.integers(0, 2**32))
def test_two_prototypes_are_told_apart_up_to_it_and_no_farther(pairs, length, seed):
    w1, w2 = length * torch.tensor(pairs, dtype=torch.float64).T
    limit = linear_robustness(w1, w2)
    worst = (w2 - w1).sign()

    def margin(x: torch.Tensor) -> float:
        return (w1 @ x - w2 @ x).item()

    assert (limit == 0) == (margin(w1) <= 0)
    if limit == 0:
        return
    assert margin(w1 + 1.001 * limit * worst) < 0 < margin(w1 + 0.999 * limit * worst)
    anywhere = 2 * torch.rand(20, len(w1), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    for direction in (*anywhere, *anywhere.sign()):
        assert margin(w1 + 0.999 * limit * direction) > 0


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((2, 2), (2, 2)), ((), ()), ((3,), (3,))])
def test_prototypes_that_are_not_two_different_vectors_are_refused(shapes):
    assert refused(linear_robustness, *map(torch.ones, shapes)) == (
        f"expected two different, finite vectors of one length, got shapes {shapes[0]} and {shapes[1]}"
    )


def test_scaled_ratios_are_equation_14_of_unit_vectors_over_their_mean_component():
    drawn = np.array([[[3.0, 0.0, 4.0], [0.0, 5.0, 0.0]], [[1.0, -2.0, 2.0], [2.0, 2.0, 1.0]]])
    rest = iter(drawn)
    found = scaled_ratios(lambda rng, size: next(rest), repeats=2, seed=0, dimension=3)
    # The first w₁'s zero doesn't count in its mean component.
    expected = [
        linear_robustness(torch.tensor(w1) / length, torch.tensor(w2) / other) / strength
        for (w1, w2), length, other, strength in zip(drawn, (5, 3), (5, 3), (0.7, 5 / 9), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_scaled_ratios_are_drawn_by_their_seed_in_the_papers_dimension():
    sizes = []

    def sample(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        sizes.append(size)
        return rng.standard_normal(size)

    found = scaled_ratios(sample, repeats=3, seed=5)
    assert sizes == [(2, 20_000)] * 3 and found.shape == (3,) and len(set(found)) == 3
    np.testing.assert_array_equal(scaled_ratios(sample, repeats=3, seed=5), found)
    assert not np.isin(scaled_ratios(sample, repeats=3, seed=6), found).any()


@pytest.mark.parametrize("factor", [1e-6, 3.7, 1e9, -2.0])
def test_scaled_ratios_do_not_depend_on_the_size_of_the_weights(factor):
    sample = pearson_vii(5.0)
    expected = scaled_ratios(sample, repeats=3, seed=0, dimension=500)
    found = scaled_ratios(lambda rng, size: factor * sample(rng, size), repeats=3, seed=0, dimension=500)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("repeats", [0, -1])
def test_no_pairs_are_refused(repeats):
    message = refused(scaled_ratios, pearson_vii(0), repeats=repeats, seed=0)
    assert message == f"expected at least one pair, got {repeats}"


@pytest.mark.parametrize("kurtosis", [0.0, 1.0, 20.0, 1000.0, math.inf])
def test_scaled_ratios_meet_their_limit(kurtosis):
    # At ∞ the weights have no fourth moment, which slows the convergence, but doesn't end it.
    found = scaled_ratios(pearson_vii(kurtosis), repeats=100, seed=0)
    # A ratio of means is biased by about the square of its spread, which falls as 1/n.
    error = 4 * found.std(ddof=1) / math.sqrt(100) + 4 * found.var(ddof=1)
    assert error < 0.05
    assert found.mean() == pytest.approx(limiting_ratio(kurtosis), abs=error)


@pytest.mark.parametrize("kurtosis", [0.01, 0.1, 1.0, 8.0, 100.0, math.inf])
def test_the_limiting_ratio_is_its_closed_form(kurtosis):
    freedom, beta = 4 + 6 / kurtosis, scipy.special.beta
    # E|w₂ − w₁| is 4∫wfF, and wf the derivative of −(ν + w²)/(ν − 1)·f: by parts, 4∫(ν + w²)/(ν − 1)·f².
    difference = 4 * math.sqrt(freedom) / (freedom - 1) * beta(1 / 2, freedom - 1 / 2) / beta(1 / 2, freedom / 2) ** 2
    size = 2 * math.sqrt(freedom) / (freedom - 1) / beta(1 / 2, freedom / 2)
    assert limiting_ratio(kurtosis) == pytest.approx(freedom / (freedom - 2) / (difference * size), rel=1e-8)


def test_the_limiting_ratio_rises_from_the_gaussians_to_that_of_t_with_four_degrees_of_freedom():
    assert limiting_ratio(0) == pytest.approx(math.sqrt(math.pi) / 2 * math.sqrt(math.pi / 2), rel=1e-15)
    ratios = [limiting_ratio(kurtosis) for kurtosis in (0, 0.01, 0.1, 1, 3, 10, 100, 1e4, math.inf)]
    assert all(lower < upper for lower, upper in itertools.pairwise(ratios))
    assert limiting_ratio(1e-6) == pytest.approx(ratios[0], abs=1e-6)
    assert ratios[-1] == pytest.approx(1.358, abs=1e-3)


def larger(family: str, scale: float) -> Network:
    """An untrained network in float64, its pre-activations far out."""
    return of_family(family, 16, scale=scale).double()


def literal_saturation(h: np.ndarray, phi: Nonlinearity) -> list[float]:
    """Share of φ′(h) < τ, for every τ, by complex step."""
    slope = literal.applied(phi, h + 1e-30j).imag / 1e-30
    # No ties, within which rounding decides.
    assert all((np.abs(slope / tau - 1) > 1e-12).all() for tau in THRESHOLDS)
    return [np.mean(slope < tau) for tau in THRESHOLDS]


@pytest.mark.parametrize("kind", ["dense", "strides and means"])
@pytest.mark.parametrize("name", EVERY)
def test_the_saturation_is_the_literal_one(name, kind):
    network, images = small(kind, name, scale=60.0), data.load("test").images[:603].double()
    expected = literal.pre_activations(network, images.numpy())
    *_, last = saturation(network, images)
    assert len(last) == len(expected) and last[-1].saturated is None
    for found, h in zip(last, expected, strict=True):
        assert found.histogram.counts.dtype == np.int64 and found.histogram.counts.sum() == h.size
        assert found.histogram.edges[[0, -1]] == pytest.approx((h.min(), h.max()), rel=1e-12)
        np.testing.assert_array_equal(found.histogram.counts, np.histogram(h, BINS)[0])
        assert (found.histogram.density * np.diff(found.histogram.edges)).sum() == pytest.approx(1, rel=1e-12)
    for phi, found, h in zip(network.nonlinearities, last[:-1], expected, strict=False):
        there = literal_saturation(h, phi)
        np.testing.assert_allclose(found.saturated, there, rtol=1e-15, atol=0)
        if not phi.piecewise_linear:  # from the largest threshold to the smallest
            assert found.saturated[-1] < found.saturated[0] < 1


def test_the_saturation_of_the_cnn_is_of_every_unit_before_pooling(monkeypatch):
    monkeypatch.setattr(weights, "BATCH", 2)
    network, images = larger("cnn", 1.0), data.load("test").images[:3].double()
    expected = literal.cnn_pre_activations(literal.parameters(network), images.numpy())
    *_, last = saturation(network, images)
    assert [found.histogram.counts.sum() // 3 for found in last] == [25088, 12544, 1024, 10]
    for found, h in zip(last[:-1], expected, strict=False):
        # A blank corner of the image leaves every kernel its bias: a value as often as not, but never an edge of a bin.
        np.testing.assert_array_equal(found.histogram.counts, np.histogram(h, BINS)[0])
        np.testing.assert_allclose(found.saturated, np.full(16, np.mean(h <= 0)), rtol=1e-15)


def test_the_saturation_is_right_where_the_outputs_derivative_is_zero():
    # In float32, too, in which y(1 − y) of h = 20 is 0 already.
    network = with_first_pre_activations("sigmoid-mlp", -36.0, 20.0, 2.0)
    *_, (first, *_) = saturation(network, torch.zeros(1, 1, 28, 28))
    # σ′ is 2e-16, 2e-9 and 0.1050.
    expected = [2 / 3 if tau > 2.1e-9 else 1 / 3 if tau > 2.4e-16 else 0 for tau in THRESHOLDS]
    np.testing.assert_allclose(first.saturated, expected, rtol=1e-15)


def test_a_relu_unit_at_zero_is_saturated():
    network = with_first_pre_activations("relu-mlp", -1.0, 0.0, 2.0, 1e-30)
    *_, (first, *_) = saturation(network, torch.zeros(1, 1, 28, 28))
    assert (first.saturated == 0.5).all()


def with_first_pre_activations(family: str, *h: float) -> Network:
    """A network with these h¹ for every image."""
    network = of_family(family, len(h)).requires_grad_(False)
    network.layers[0].weight.data.zero_()
    network.layers[0].bias.data.copy_(torch.tensor(h))
    return network


def test_the_saturation_of_a_float32_network_is_that_of_its_pre_activations():
    network, images = load("sigmoid-mlp/saturated"), data.load("test").images[:200]
    *_, last = saturation(network, images)
    for found, h in zip(last[:-1], network.pre_activations(images), strict=False):
        size = np.exp(-np.abs(h.double().numpy()))
        slope = size / (1 + size) ** 2
        for share, tau in zip(found.saturated, THRESHOLDS, strict=True):
            # A threshold's h, at most 37, is rounded to float32, and with it its φ′ by 2e-6 of itself.
            undecided = np.mean(np.abs(slope / tau - 1) < 3e-6)
            assert share == pytest.approx(np.mean(slope < tau), abs=undecided + 1e-12)


def test_the_saturation_grows_batch_by_batch_to_the_whole():
    network, images = larger("sigmoid-mlp", 80.0), data.load("test").images[:1001].double()
    records = list(saturation(network, images))
    assert [[found.done for found in record] for record in records] == [[500 / 1001] * 3, [1000 / 1001] * 3, [1] * 3]
    for layer, units in enumerate((16, 16, 10)):
        histograms = [record[layer].histogram for record in records]
        assert [histogram.counts.sum() for histogram in histograms] == [500 * units, 1000 * units, 1001 * units]
        for earlier, later in itertools.pairwise(histograms):
            assert (earlier.counts <= later.counts).all()
            np.testing.assert_array_equal(earlier.edges, later.edges)
    # The shares are of the images seen so far.
    *_, half = saturation(network, images[:500])
    for found, first in zip(half[:-1], records[0], strict=False):
        np.testing.assert_array_equal(found.saturated, first.saturated)


def test_the_saturation_is_streamed_twice_and_a_batch_at_a_time(monkeypatch):
    sizes = []
    whole = Network.pre_activations
    monkeypatch.setattr(Network, "pre_activations", lambda self, x: sizes.append(len(x)) or whole(self, x))
    for _ in saturation(of_family("relu-mlp", 16), data.load("test").images[:1001]):
        pass
    assert sizes == 2 * [500, 500, 1]


@pytest.mark.parametrize(
    "images, message",
    [
        (torch.zeros(0, 1, 28, 28), "expected at least one image, got none"),
        (torch.zeros(2, 784), "expected images of shape (N, 1, 28, 28), got (2, 784)"),
        (torch.full((1, 1, 28, 28), 2.0), "expected pixels in [0, 1], got values from 2 to 2"),
    ],
)
def test_the_saturation_over_what_are_no_images_is_refused(images, message):
    assert refused(lambda: next(saturation(of_family("relu-mlp", 16), images))) == message


def refused(call, *arguments, **options) -> str:
    with pytest.raises(ValueError) as refusal:
        call(*arguments, **options)
    return str(refusal.value)


def test_pre_activations_farther_apart_than_a_number_reaches_are_refused():
    network = of_family("relu-mlp", 8)
    network.layers[0].bias.data[:2] = torch.tensor([3e38, -3e38])
    network.layers[1].weight.data.zero_()
    assert "expected finite pre-activations" in refused(lambda: next(saturation(network, torch.zeros(1, 1, 28, 28))))


def test_a_layer_whose_pre_activations_are_all_equal_still_has_a_density():
    network = of_family("sigmoid-mlp", 8)
    for parameter in network.parameters():
        parameter.data.zero_()
    *_, found = saturation(network, torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    for layer in found:
        widths = np.diff(layer.histogram.edges)
        assert layer.histogram.counts.max() == layer.histogram.counts.sum()
        assert (layer.histogram.density * widths).sum() == pytest.approx(1)
