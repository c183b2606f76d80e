"""The measurements are literal counts, and those that ship are found again: test_claims.py judges Table 1 by them."""

import copy
import dataclasses
import functools

import pytest
import scipy.stats
import torch

from satcore import data, library
from satcore.evaluation import Measurements, measure, table_1
from satcore.networks import Network
from satcore.recipes import RECIPES
from tests import literal
from tests.examples import ALL, SHIPPED, load, of_family, slowly


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:200], labels[:200])


@pytest.fixture(scope="module")
def torn(tiny) -> Network:
    """The tiny network with logits some 27 times as far apart: zero gradients for some images, not for all."""
    network = copy.deepcopy(tiny)
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return network


@pytest.mark.parametrize("epsilon", [0.25, 0.02])
def test_the_figures_are_literal_counts(torn, examples, epsilon):
    right = robust = withstood = zero = unmoved = 0
    for image, label in zip(*examples, strict=True):
        attacked, gradient = literal.fgsm(torn, image, label.item(), epsilon)
        survived = bool(torn(attacked.unsqueeze(0)).argmax() == label)
        before = bool(torn(image.unsqueeze(0)).argmax() == label)
        right += before
        robust += survived
        withstood += before and survived
        zero += not gradient.any()
        unmoved += survived and not gradient.any()
    assert 0 < zero < 200 and 0 < robust < right < 200
    found = measure(torn, *examples, epsilon=epsilon)
    assert dataclasses.replace(found, kurtosis=()) == Measurements(
        accuracy=right / 200,
        fgsm_accuracy=robust / 200,
        fgsm_withstood=withstood / 200,
        zero_gradient=zero / 200,
        right_unmoved=unmoved / 200,
        kurtosis=(),
        images=200,
        epsilon=epsilon,
    )
    weights = [parameter for parameter in literal.parameters(torn) if parameter.ndim > 1]
    assert found.kurtosis == pytest.approx(
        [scipy.stats.kurtosis(w.ravel(), fisher=True, bias=True) for w in weights], rel=1e-12
    )


def test_only_right_answers_count_as_right_unmoved(examples):
    # Every unit saturated, so that nothing moves, whether the answer is right or wrong.
    network = of_family("sigmoid-mlp", 16)
    for parameter in network.parameters():
        parameter.data.mul_(1e5)
    found = measure(network, *examples)
    assert found.zero_gradient == 1
    assert 0 < found.accuracy == found.fgsm_accuracy == found.right_unmoved < 1


def test_the_batch_size_does_not_matter(torn, examples, monkeypatch):
    whole = measure(torn, *examples)
    for batch in (1, 7, 199, 200, 201):
        monkeypatch.setattr(table_1, "BATCH", batch)
        assert measure(torn, *examples) == whole


def test_one_image_is_enough_and_none_is_refused(tiny, examples):
    assert measure(tiny, examples.images[:1], examples.labels[:1]).images == 1
    with pytest.raises(ValueError, match="expected at least one image, got none"):
        measure(tiny, examples.images[:0], examples.labels[:0])


def test_what_the_attack_refuses_is_refused(tiny, examples):
    with pytest.raises(ValueError, match=r"expected an epsilon in \[0, 1\], got 2"):
        measure(tiny, *examples, epsilon=2)
    with pytest.raises(ValueError, match=r"expected pixels in \[0, 1\], got values from 1 to 2"):
        measure(tiny, examples.images + 1, examples.labels)
    with pytest.raises(ValueError):
        measure(tiny, examples.images, examples.labels[:-1])


def test_measurements_cannot_be_changed(tiny, examples):
    with pytest.raises(dataclasses.FrozenInstanceError):
        measure(tiny, *examples).accuracy = 1.0


# The networks that ship.


@functools.cache
def measured(name: str) -> Measurements:
    """On the whole test set; each network once a session."""
    return measure(load(name), *data.load("test"))


def test_the_papers_twelve_networks_ship_and_some_that_stand_beside_them():
    assert library.names() == ALL and [name for name in RECIPES if name in SHIPPED] == SHIPPED


@pytest.mark.shipped
@pytest.mark.parametrize(
    "name", slowly((name for name in SHIPPED if not name.startswith("cnn/")), lambda name: name.endswith("/saturated"))
)
def test_a_shipped_mlp_measures_as_stored(name):
    stored, found = library.describe(name).measurements, measured(name)
    assert stored.keys() == dataclasses.asdict(found).keys()
    assert (stored["images"], stored["epsilon"]) == (found.images, found.epsilon) == (10_000, 0.25)
    # Five images in ten thousand: those that another order of summation may tip over.
    for share in ("accuracy", "fgsm_accuracy", "zero_gradient", "right_unmoved"):
        assert getattr(found, share) == pytest.approx(stored[share], abs=5e-4), share
    assert found.kurtosis == pytest.approx(stored["kurtosis"], rel=1e-6)


@pytest.mark.shipped
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("cnn/")])
def test_a_shipped_cnn_measures_as_stored_as_far_as_a_sample_shows(name):
    """The whole test set takes it half a minute."""
    stored, count = library.describe(name).measurements, 400
    sample = torch.randperm(10_000, generator=torch.Generator().manual_seed(1))[:count]
    found = measure(load(name), *(tensor[sample] for tensor in data.load("test")))
    for share in ("accuracy", "fgsm_accuracy", "zero_gradient", "right_unmoved"):
        # Four standard deviations of a binomial's count, and one image.
        width = 4 * (stored[share] * (1 - stored[share]) / count) ** 0.5 + 1 / count
        assert getattr(found, share) == pytest.approx(stored[share], abs=width), share
    assert found.kurtosis == pytest.approx(stored["kurtosis"], rel=1e-6)
