"""The layers' outputs, their dissimilarities (Eq. 9) and the distances of classes are what their formulas say."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from torch import Tensor

from satcore import data, representations
from satcore.networks import build, mlp
from satcore.recipes import FAMILIES, STEP
from satcore.representations import Separation, class_means, layers, rdm, rsa, sample, separation
from tests import literal
from tests.examples import of_family, small


def scipys(activations: Tensor) -> np.ndarray:
    """Eq. 9 by differences, one pair at a time."""
    return squareform(pdist(activations.double().numpy(), "sqeuclidean")) / activations.shape[1]


def gaussian(rows: int, units: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(rows, units, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@st.composite
def matrices(draw) -> Tensor:
    rows, units, seed = draw(st.integers(1, 12)), draw(st.integers(1, 40)), draw(st.integers(0, 2**32))
    size, offset = 10.0 ** draw(st.integers(-8, 8)), draw(st.floats(-3, 3))
    activations = size * (gaussian(rows, units, seed) + offset)
    # Rows that occur twice, as those of saturated networks do.
    return activations[torch.tensor(draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=12)))]


@settings(deadline=None, max_examples=200)
@given(matrices())
def test_an_rdm_is_a_distance_pair_by_pair(activations):
    found, expected = rdm(activations).numpy(), scipys(activations)
    # Each entry is a difference of sums as large as the squares of the rows' distances from their mean.
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-15 * expected.max())
    assert (found == found.T).all() and (found.diagonal() == 0).all() and (found >= 0).all()


@pytest.mark.parametrize("units", [1, 10, 400, 6272])
def test_an_rdm_of_many_images_is_scipys(units):
    activations = gaussian(300, units).sigmoid()
    np.testing.assert_allclose(rdm(activations).numpy(), scipys(activations), rtol=0, atol=3e-15)


def test_an_rdm_of_saturated_units_is_right_where_float32_is_off_by_orders():
    generator = np.random.default_rng(0)
    # Two classes of units at 0 or 1, and images of one class that differ by some 1e-5.
    rows = np.repeat(generator.integers(0, 2, (2, 300)), 4, axis=0) + 1e-5 * generator.random((8, 300))
    activations = torch.from_numpy(rows.astype(np.float32))
    exact = np.array(
        [
            [
                float(sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(one, other, strict=True)) / 300)
                for other in activations.tolist()
            ]
            for one in activations.tolist()
        ]
    )
    found = rdm(activations).numpy()
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-15 * exact.max())
    assert 0 < exact[0, 1] < 1e-10 and found[0, 1] == pytest.approx(exact[0, 1], rel=1e-4)
    squares = (activations**2).sum(1)
    in_float32 = (squares[:, None] + squares - 2 * activations @ activations.T).numpy() / 300
    assert np.abs(in_float32 - exact).max() > 100 * exact[0, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64])
def test_an_rdm_is_float64_whatever_it_is_of(dtype):
    activations = (4 * gaussian(5, 7)).to(dtype)
    assert rdm(activations).dtype == torch.float64
    np.testing.assert_allclose(rdm(activations).numpy(), scipys(activations), rtol=1e-13, atol=1e-15)


def test_a_float32_activation_is_not_squared_in_float32():
    activations = torch.tensor([[1e38], [-1e38]])
    assert rdm(activations)[0, 1].item() == pytest.approx(4e76, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(matrices(), st.randoms(use_true_random=False))
def test_reordering_the_images_reorders_the_rdm(activations, random):
    order = random.sample(range(len(activations)), len(activations))
    before = rdm(activations)
    atol = 3e-15 * before.max().item()
    np.testing.assert_allclose(rdm(activations[order]).numpy(), before[order][:, order].numpy(), rtol=0, atol=atol)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.sampled_from([1, -2, 2**20, -(2**30)]))
def test_a_shift_common_to_all_images_changes_nothing(seed, shift):
    # Multiples of 2⁻¹⁰, to which the shift is added without rounding.
    activations = (gaussian(6, 9, seed) * 2**10).round() / 2**10
    expected = rdm(activations).numpy()
    np.testing.assert_allclose(rdm(activations + shift).numpy(), expected, rtol=0, atol=3e-15 * expected.max())


def test_an_rdm_leaves_the_activations_as_they_were():
    activations = gaussian(5, 3).requires_grad_()
    before = activations.detach().clone()
    assert not rdm(activations).requires_grad
    assert torch.equal(activations, before)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2, 2), ()])
def test_an_rdm_of_another_shape_is_refused(shape):
    assert refused(rdm, torch.zeros(shape)) == f"expected activations of shape (N, units), got shape {shape}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_rdm_of_what_is_not_finite_is_refused(value):
    activations = gaussian(4, 3)
    activations[2, 1] = value
    assert refused(rdm, activations) == "expected finite activations, got NaN or infinity"


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp"])
def test_the_layers_of_an_mlp_are_the_literal_ones(family):
    network = of_family(family, hidden=16, scale=3.0).double()
    images = data.load("test").images[:20].double()
    phi = literal.sigmoid if family == "sigmoid-mlp" else literal.relu
    h1, h2, h3 = literal.mlp_pre_activations(literal.parameters(network), images.numpy(), family.removesuffix("-mlp"))
    expected = {
        "pixels": images.numpy().reshape(20, 784),
        "layer 1": phi(h1),
        "layer 2": phi(h2),
        "softmax": softmax(h3),
    }
    found = layers(network, images)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].dtype == torch.float64
        np.testing.assert_allclose(found[name].numpy(), values, rtol=1e-12, atol=1e-13, err_msg=name)


def test_the_layers_of_the_cnn_are_the_literal_ones_after_pooling():
    network = of_family("cnn").double()
    images = data.load("test").images[:3].double()
    h1, h2, h3, h4 = literal.cnn_pre_activations(literal.parameters(network), images.numpy())
    relu, pool = literal.relu, literal.max_pool
    expected = {
        "pixels": images.numpy(),
        "layer 1": pool(relu(h1)),
        "layer 2": pool(relu(h2)),
        "layer 3": relu(h3),
        "softmax": softmax(h4),
    }
    found = layers(network, images)
    assert list(found) == list(expected)
    assert [values.shape[1] for values in found.values()] == [784, 6272, 3136, 1024, 10]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values.reshape(3, -1), rtol=1e-12, atol=1e-13, err_msg=name)


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_a_step_before_anything_is_summed_has_a_name_of_its_own():
    network, images = build((STEP, *mlp("ramp", (5, 4)))), data.load("test").images[:3]
    found = layers(network, images)
    assert list(found) == ["pixels", "step", "layer 1", "layer 2", "softmax"]
    assert torch.equal(found["step"], (images > 0.5).flatten(1).float()) and found["layer 1"].shape == (3, 5)


@pytest.mark.parametrize("kind", ["overlapping maxima", "strides and means", "pixel by pixel"])
def test_the_layers_of_any_network_are_the_literal_ones(kind):
    network, images = small(kind, "tanh", scale=3.0), data.load("test").images[:4].double()
    h = literal.pre_activations(network, images.numpy())
    found = layers(network, images)
    assert list(found) == ["pixels", *(f"layer {k}" for k in range(1, len(h))), "softmax"]
    for index, values in enumerate(list(found.values())[1:-1]):
        expected = literal.output(network, index, h[index]).reshape(4, -1)
        np.testing.assert_allclose(values.numpy(), expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found["softmax"].numpy(), softmax(h[-1]), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_has_the_same_layers_alone_and_in_any_batch(family, monkeypatch):
    network = of_family(family, hidden=16).double()
    images = data.load("test").images[:9].double()
    together = layers(network, images)
    for batch in (1, 4, 9):
        monkeypatch.setattr(representations, "BATCH", batch)
        for name, values in layers(network, images).items():
            np.testing.assert_allclose(values.numpy(), together[name].numpy(), rtol=1e-12, atol=1e-14, err_msg=name)


def test_no_more_than_a_batch_is_given_to_the_network_and_no_image_is_lost():
    sizes, network = [], of_family("relu-mlp", 16)
    given = network.layers[0].register_forward_pre_hook(lambda _, arguments: sizes.append(len(arguments[0])))
    images = data.load("test").images[: 2 * representations.BATCH + 1]
    found = layers(network, images)
    given.remove()
    assert sizes == [representations.BATCH, representations.BATCH, 1]
    assert all(len(values) == len(images) for values in found.values())
    assert torch.equal(found["pixels"], images.flatten(1))


def test_the_layers_are_float32_without_gradients_and_the_softmax_sums_to_one():
    found = layers(of_family("relu-mlp", 16, scale=3.0), data.load("test").images[:300])
    assert {values.dtype for values in found.values()} == {torch.float32}
    assert not any(values.requires_grad for values in found.values())
    # A float32 sum of ten.
    np.testing.assert_allclose(found["softmax"].sum(1).numpy(), 1, rtol=1e-6)
    assert (found["softmax"] >= 0).all()


def test_no_images_have_layers_too():
    found = layers(of_family("relu-mlp", 16), torch.zeros(0, 1, 28, 28))
    shapes = {name: tuple(values.shape) for name, values in found.items()}
    assert shapes == {"pixels": (0, 784), "layer 1": (0, 16), "layer 2": (0, 16), "softmax": (0, 10)}


@pytest.mark.parametrize(
    "images, message",
    [
        (torch.zeros(2, 784), "expected images of shape (N, 1, 28, 28), got (2, 784)"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.uint8), "expected images of a floating-point dtype, got torch.uint8"),
        (torch.full((1, 1, 28, 28), 255.0), "expected pixels in [0, 1], got values from 255 to 255"),
        (torch.full((1, 1, 28, 28), math.nan), "expected pixels in [0, 1], got values from nan to nan"),
    ],
)
def test_layers_of_what_are_no_images_are_refused(images, message):
    assert refused(layers, of_family("relu-mlp", 16), images) == message


@pytest.mark.parametrize("split", ["test", "train"])
def test_a_sample_has_a_hundred_a_class_sorted_by_class(split):
    indices = sample(split)
    assert indices.dtype == torch.int64 and len(indices.unique()) == 1000
    assert data.load(split).labels[indices].tolist() == [digit for digit in range(10) for _ in range(100)]


def test_a_sample_is_the_same_for_the_same_seed_only():
    assert torch.equal(sample("test", 100, 7), sample("test", 100, 7))
    first, second = sample("test", 100, 0), sample("test", 100, 1)
    # Of about a thousand a class, a hundred: a tenth in common by chance.
    assert len(set(first.tolist()) & set(second.tolist())) < 200


def test_a_smaller_sample_is_the_start_of_a_larger_one():
    larger = sample("test", 20, 3).reshape(10, 20)
    assert torch.equal(sample("test", 5, 3).reshape(10, 5), larger[:, :5])


def test_all_of_the_rarest_class_can_be_sampled():
    assert len(sample("test", 892).unique()) == 8920


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("test", 0), "expected from 1 to 892 examples a class, got 0"),
        (("test", 893), "expected from 1 to 892 examples a class, got 893"),
        (("train", 5422), "expected from 1 to 5421 examples a class, got 5422"),
        (("test", 1, -1), "expected a seed from 0 to 2⁶³−1, got -1"),
        (("test", 1, 2**63), f"expected a seed from 0 to 2⁶³−1, got {2**63}"),
        (("validation",), 'expected the split "train" or "test", got \'validation\''),
    ],
)
def test_a_sample_there_is_not_is_refused(arguments, message):
    assert refused(sample, *arguments) == message


LABELS = st.lists(st.integers(0, 9), min_size=3, max_size=15).filter(lambda labels: 1 < len(set(labels)) < len(labels))


@settings(deadline=None, max_examples=50)
@given(LABELS, st.integers(0, 2**32))
def test_a_separation_is_the_mean_over_the_pairs(labels, seed):
    d = rdm(gaussian(len(labels), 4, seed))
    within, between = [], []
    for a, b in itertools.combinations(range(len(labels)), 2):
        (within if labels[a] == labels[b] else between).append(d[a, b].item())
    found = separation(d, torch.tensor(labels))
    assert found.within == pytest.approx(np.mean(within), rel=1e-12)
    assert found.between == pytest.approx(np.mean(between), rel=1e-12)
    assert found.ratio == pytest.approx(np.mean(between) / np.mean(within), rel=1e-12)


def test_classes_of_equal_images_are_infinitely_far_apart():
    d = rdm(torch.tensor([[0.0], [0.0], [2.0]]))
    assert separation(d, torch.tensor([4, 4, 1])) == Separation(0, 4, math.inf)


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1, 2], "expected at least two images of one class and two classes, got 3 images of 3 classes"),
        ([5, 5, 5], "expected at least two images of one class and two classes, got 3 images of 1 classes"),
        ([0, 1], "expected int64 labels of shape (3,), got torch.int64 of shape (2,)"),
        ([0, 1, 10], "expected labels in 0…9, got values from 0 to 10"),
        ([0.0, 1.0, 1.0], "expected int64 labels of shape (3,), got torch.float32 of shape (3,)"),
    ],
)
def test_a_separation_of_other_labels_is_refused(labels, message):
    assert refused(separation, torch.zeros(3, 3), torch.tensor(labels)) == message


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 3, 3)])
def test_what_is_no_rdm_is_refused(shape):
    labels, square, message = torch.tensor([0, 0, 1]), torch.zeros(3, 3), f"of shape (N, N), got {shape}"
    assert message in refused(separation, torch.zeros(shape), labels)
    assert message in refused(class_means, torch.zeros(shape), labels)
    assert message in refused(rsa, torch.zeros(shape), square)
    assert message in refused(rsa, square, torch.zeros(shape))


@settings(deadline=None, max_examples=50)
@given(LABELS, st.integers(0, 2**32))
def test_class_means_are_those_of_pairs_of_two_images(labels, seed):
    d = rdm(gaussian(len(labels), 4, seed))
    pairs = {(row, column): [] for row in range(10) for column in range(10)}
    for a, b in itertools.permutations(range(len(labels)), 2):
        pairs[labels[a], labels[b]].append(d[a, b].item())
    expected = [
        [np.mean(pairs[row, column]) if pairs[row, column] else math.nan for column in range(10)] for row in range(10)
    ]
    found = class_means(d, torch.tensor(labels))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=0)


def test_class_means_and_the_separation_agree():
    labels = torch.arange(200) % 10
    d = rdm(gaussian(200, 5))
    means, found = class_means(d, labels), separation(d, labels)
    assert found.within == pytest.approx(means.diagonal().mean().item(), rel=1e-12)
    assert found.between == pytest.approx(means[~torch.eye(10, dtype=bool)].mean().item(), rel=1e-12)


def test_class_means_of_other_labels_are_refused():
    message = refused(class_means, torch.zeros(3, 3), torch.tensor([0, 1]))
    assert message == "expected int64 labels of shape (3,), got torch.int64 of shape (2,)"


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 12), st.integers(0, 2**32))
def test_an_rsa_is_the_correlation_of_the_pairs(count, seed):
    one, other = rdm(gaussian(count, 3, seed)), rdm(gaussian(count, 5, seed + 1))
    pairs = list(itertools.combinations(range(count), 2))
    expected = np.corrcoef([one[a, b].item() for a, b in pairs], [other[a, b].item() for a, b in pairs])[0, 1]
    assert rsa(one, other) == pytest.approx(expected, abs=1e-12)
    assert rsa(one, other) == pytest.approx(rsa(other, one), abs=1e-12)
    assert rsa(one, one) == pytest.approx(1, abs=1e-12)
    assert rsa(one, 3 * one) == pytest.approx(1, abs=1e-12)


def test_an_rsa_does_not_count_an_image_with_itself():
    # The diagonal's zeros would by themselves make two unrelated RDMs alike.
    one, other = rdm(gaussian(60, 300, 0)), rdm(gaussian(60, 300, 1))
    assert abs(rsa(one, other)) < 0.2
    assert np.corrcoef(one.flatten().numpy(), other.flatten().numpy())[0, 1] > 0.5


def test_an_rsa_with_a_constant_is_nan():
    assert math.isnan(rsa(1 - torch.eye(5), rdm(gaussian(5, 2))))


def test_an_rsa_of_two_sizes_is_refused():
    assert refused(rsa, torch.zeros(3, 3), torch.zeros(4, 4)) == "expected RDMs of one shape, got (3, 3) and (4, 4)"


def refused(call, *arguments) -> str:
    with pytest.raises(ValueError) as refusal:
        call(*arguments)
    return str(refusal.value)
