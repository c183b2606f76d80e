"""The attacks do what they say, and say what they did."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satcore import data
from satcore.attacks import AttackResult, fgsm
from satcore.networks import Network
from tests import literal
from tests.examples import of_family


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:200], labels[:200])


def scaled(network: Network, factor: float) -> Network:
    """A copy whose weights and biases are `factor` times as large."""
    larger = copy.deepcopy(network)
    for parameter in larger.parameters():
        parameter.data.mul_(factor)
    return larger


@pytest.mark.parametrize("family, count", [("sigmoid-mlp", 30), ("relu-mlp", 30), ("cnn", 4)])
@pytest.mark.parametrize("epsilon", [0.25, 0.07])
def test_fgsm_of_one_image_is_the_literal_one_bit_for_bit(examples, family, count, epsilon):
    network = of_family(family, hidden=16)
    for image, label in list(zip(*examples, strict=True))[:count]:
        expected, gradient = literal.fgsm(network, image, label.item(), epsilon)
        found = fgsm(network, image.unsqueeze(0), label.unsqueeze(0), epsilon=epsilon)
        assert torch.equal(found.images[0], expected)
        assert found.zero_gradient.item() == (not gradient.any())


def test_an_image_is_attacked_alike_alone_and_in_a_batch(tiny, examples):
    images, labels = examples
    together = fgsm(tiny, images, labels)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        alone = fgsm(tiny, image.unsqueeze(0), label.unsqueeze(0))
        _, gradient = literal.fgsm(tiny, image, label.item(), 0.25)
        # Sums over 16 units taken in another order differ by some 1e-6 of the largest entry, so a smaller one's
        # sign is a matter of rounding. The others' is not.
        decided = gradient.abs() > 1e-5 * gradient.abs().max()
        assert decided.float().mean() > 0.99
        assert torch.equal(together.images[index][decided], alone.images[0][decided])
        assert together.correct_before[index] == alone.correct_before[0]


@settings(deadline=None, max_examples=40)
@given(
    epsilon=st.floats(0, 1),
    seed=st.integers(0, 2**32),
    extremes=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_pixels_stay_in_range_and_move_by_epsilon_at_most(epsilon, seed, extremes, dtype):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 1, 28, 28, generator=generator, dtype=dtype)
    if extremes:
        images = images.round()
    labels = torch.randint(10, (4,), generator=generator)
    result = fgsm(NETWORKS[dtype], images, labels, epsilon=epsilon)
    assert result.images.dtype == dtype
    assert result.images.min() >= 0 and result.images.max() <= 1
    # Rounding of x + ε, of ε itself and of the difference: half a unit in the last place below 1 each.
    assert result.linf.max() <= epsilon + 1.5 * torch.finfo(dtype).eps


NETWORKS = {torch.float32: of_family("relu-mlp", 16), torch.float64: of_family("relu-mlp", 16).double()}


def test_each_pixel_moves_by_epsilon_up_the_loss_unless_the_range_ends(tiny, examples):
    images, labels = examples
    result = fgsm(tiny, images, labels, epsilon=0.25)
    for image, label, attacked in zip(images[:20], labels, result.images, strict=False):
        _, gradient = literal.fgsm(tiny, image, label.item(), 0.25)
        free = (image >= 0.25) & (image <= 0.75) & (gradient.abs() > 1e-5 * gradient.abs().max())
        assert free.any()
        np.testing.assert_allclose((attacked - image)[free].numpy(), 0.25 * gradient[free].sign().numpy(), atol=1e-7)


def test_the_loss_rises(tiny, examples):
    images, labels = examples
    result = fgsm(tiny, images, labels, epsilon=0.01)
    loss = torch.nn.CrossEntropyLoss()
    assert loss(tiny(result.images), labels) > 1.2 * loss(tiny(images), labels)


def test_where_every_unit_is_saturated_the_gradient_is_zero_and_nothing_moves(examples):
    saturated = scaled(of_family("sigmoid-mlp", 16), 1e5)
    result = fgsm(saturated, *examples)
    assert result.zero_gradient.all()
    assert torch.equal(result.images, examples.images)
    assert not result.linf.any() and not result.l2.any()
    assert torch.equal(result.success, ~result.correct_before)


def test_an_ordinary_network_has_a_gradient(tiny, examples):
    result = fgsm(tiny, *examples)
    assert not result.zero_gradient.any()
    assert (result.linf > 0).all()


def test_zero_gradients_are_flagged_image_by_image(tiny, examples):
    # Logits some 27 times as far apart: the softmax is exactly one-hot for sure images, and not for unsure ones.
    torn = scaled(tiny, 3.0)
    images, labels = examples
    result = fgsm(torn, images, labels)
    gradients = [literal.fgsm(torn, image, label.item(), 0.25)[1] for image, label in zip(images, labels, strict=True)]
    assert result.zero_gradient.tolist() == [not gradient.any() for gradient in gradients]
    assert 0 < result.zero_gradient.sum() < len(labels)
    assert torch.equal(result.images[result.zero_gradient], images[result.zero_gradient])
    assert result.correct_before[result.zero_gradient].all() and not result.success[result.zero_gradient].any()
    assert (result.linf > 0).tolist() == (~result.zero_gradient).tolist()


def test_l2_and_linf_measure_the_perturbation(tiny, examples):
    result = fgsm(tiny, *examples, epsilon=0.1)
    moved = (result.images - examples.images).flatten(1).double().numpy()
    assert result.l2.shape == result.linf.shape == (200,)
    np.testing.assert_array_equal(result.linf.double().numpy(), np.abs(moved).max(1))
    # A float32 sum of 784 squares.
    np.testing.assert_allclose(result.l2.numpy(), np.sqrt((moved**2).sum(1)), rtol=1e-5)


def test_success_is_a_wrong_answer_after_and_correct_before_a_right_one_before(tiny, examples):
    images, labels = examples
    result = fgsm(tiny, images, labels)
    with torch.no_grad():
        before, after = tiny(images).argmax(1), tiny(result.images).argmax(1)
    assert torch.equal(result.correct_before, before == labels)
    assert torch.equal(result.success, after != labels)
    assert result.correct_before.any() and not result.correct_before.all()


def test_an_image_that_was_wrong_before_counts_as_a_success_though_unmoved(tiny, examples):
    images, labels = examples
    result = fgsm(tiny, images, labels, epsilon=0.0)
    assert torch.equal(result.images, images)
    assert torch.equal(result.success, ~result.correct_before)
    assert not result.zero_gradient.any() and not result.linf.any()


def test_an_attack_on_n_images_has_n_of_everything(tiny, examples):
    for count in (0, 1, 7):
        result = fgsm(tiny, examples.images[:count], examples.labels[:count])
        assert isinstance(result, AttackResult)
        assert result.images.shape == (count, 1, 28, 28)
        types = {
            "success": torch.bool,
            "correct_before": torch.bool,
            "zero_gradient": torch.bool,
            "iterations": torch.int64,
            "linf": torch.float32,
            "l2": torch.float32,
        }
        for field, dtype in types.items():
            assert getattr(result, field).shape == (count,) and getattr(result, field).dtype == dtype, field
        assert (result.iterations == 1).all()


def test_an_attack_leaves_the_images_and_the_network_as_they_were(examples):
    network = of_family("relu-mlp", 16)
    before = [parameter.clone() for parameter in network.parameters()]
    images = examples.images.clone()
    result = fgsm(network, images, examples.labels)
    assert torch.equal(images, examples.images) and not images.requires_grad
    assert not result.images.requires_grad
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, old) and parameter.grad is None and parameter.requires_grad


def test_an_attack_works_where_gradients_are_switched_off(tiny, examples):
    expected = fgsm(tiny, *examples).images
    with torch.no_grad():
        assert torch.equal(fgsm(tiny, *examples).images, expected)


def test_a_result_cannot_be_changed(tiny, examples):
    with pytest.raises(dataclasses.FrozenInstanceError):
        fgsm(tiny, *examples).success = None


BLACK, ZEROS = torch.zeros(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64)


def with_pixel(value: float) -> torch.Tensor:
    images = BLACK.clone()
    images[1, 0, 3, 4] = value
    return images


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 784), (2, 3, 28, 28), (2, 1, 28, 29), (0,)])
def test_images_of_another_shape_are_refused(tiny, shape):
    message = refused(tiny, torch.zeros(shape), ZEROS)
    assert message == f"expected images of shape (N, 1, 28, 28), got {shape}"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_images_that_are_no_floats_are_refused(tiny, dtype):
    assert refused(tiny, BLACK.to(dtype), ZEROS) == f"expected images of a floating-point dtype, got {dtype}"


@pytest.mark.parametrize(
    "value, came",
    [
        (1.5, "0 to 1.5"),
        (-0.25, "-0.25 to 0"),
        (255, "0 to 255"),
        (math.nan, "nan to nan"),
        (math.inf, "0 to inf"),
        (-math.inf, "-inf to 0"),
    ],
)
def test_pixels_outside_the_range_are_refused(tiny, value, came):
    assert refused(tiny, with_pixel(value), ZEROS) == f"expected pixels in [0, 1], got values from {came}"


def test_the_ends_of_the_range_belong_to_it(tiny):
    assert len(fgsm(tiny, with_pixel(1.0), ZEROS, epsilon=1.0).success) == 2


@pytest.mark.parametrize(
    "labels, came",
    [
        (torch.zeros(3, dtype=torch.int64), "torch.int64 of shape (3,)"),
        (torch.zeros(2, 1, dtype=torch.int64), "torch.int64 of shape (2, 1)"),
        (torch.tensor(0), "torch.int64 of shape ()"),
        (torch.zeros(2, dtype=torch.int32), "torch.int32 of shape (2,)"),
        (torch.zeros(2), "torch.float32 of shape (2,)"),
        (torch.zeros(2, 10), "torch.float32 of shape (2, 10)"),
    ],
)
def test_labels_of_another_kind_are_refused(tiny, labels, came):
    assert refused(tiny, BLACK, labels) == f"expected int64 labels of shape (2,), got {came}"


@pytest.mark.parametrize("label, came", [(10, "0 to 10"), (-1, "-1 to 0"), (-100, "-100 to 0")])
def test_labels_that_are_no_digit_are_refused(tiny, label, came):
    assert refused(tiny, BLACK, torch.tensor([0, label])) == f"expected labels in 0…9, got values from {came}"


@pytest.mark.parametrize("epsilon", [-0.01, 1.01, 64, math.nan, math.inf, -math.inf])
def test_an_epsilon_outside_the_range_is_refused(tiny, epsilon):
    assert refused(tiny, BLACK, ZEROS, epsilon=epsilon) == f"expected an epsilon in [0, 1], got {epsilon!r}"


def refused(network: Network, images: torch.Tensor, labels: torch.Tensor, **options) -> str:
    with pytest.raises(ValueError) as refusal:
        fgsm(network, images, labels, **options)
    return str(refusal.value)


@pytest.mark.parametrize("gradient", ["autograd", "exact"])
def test_many_images_are_attacked_a_thousand_at_a_time_as_by_themselves(tiny, gradient, monkeypatch):
    images, labels = (part[:2300] for part in data.load("test"))
    seen = []
    affine = Network.affine
    monkeypatch.setattr(Network, "affine", lambda self, index, x: seen.append(len(x)) or affine(self, index, x))
    found = fgsm(tiny, images, labels, gradient=gradient)
    assert set(seen) == {1000, 300}
    parts = [fgsm(tiny, *part, gradient=gradient) for part in zip(images.split(1000), labels.split(1000), strict=True)]
    for field in dataclasses.fields(AttackResult):
        assert torch.equal(getattr(found, field.name), torch.cat([getattr(part, field.name) for part in parts]))
