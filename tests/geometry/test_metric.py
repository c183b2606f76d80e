"""Jacobians, singular values and length elements are those of Eq. 10–12, however saturated the network is."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from satcore import geometry
from satcore.geometry.linearised import ExactNetwork
from satcore.geometry.metric import log_length_element
from satcore.networks import Network, build, mlp
from tests import literal
from tests.examples import (
    EVERY,
    KINDS,
    SMOOTH,
    blends,
    first,
    first_images,
    load,
    of_family,
    random_images,
    slowly,
    small,
)

SIGMOIDS = ("sigmoid-mlp/saturated", "sigmoid-mlp/control", "sigmoid-mlp/adversarial", "sigmoid-mlp/vanilla")
RELUS = ("relu-mlp/saturated", "relu-mlp/control", "relu-mlp/adversarial", "relu-mlp/vanilla")


# --- the Jacobian ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, count",
    slowly(((name, 8 if "saturated" in name else 4) for name in SIGMOIDS + RELUS), lambda there: there[1] == 8),
)
def test_the_jacobian_is_that_of_a_complex_step(name, count):
    network = load(name)
    images = torch.cat((first_images(count // 2), blends(count // 2).float()))
    rows_of_zeros = 0
    for image, found in zip(images, geometry.jacobian(network, images).numpy(), strict=True):
        expected = literal.complex_step(network, image.double().numpy())
        largest = np.abs(expected).max(1)
        assert (np.abs(found - expected).max(1) <= 1e-9 * largest).all()
        assert ((largest == 0) | (largest > 1e-200)).all()  # as small as a step of 1e-30 can show
        rows_of_zeros += (largest == 0).sum()
    # All ReLUs of a layer may be inactive at once; a sigmoid's derivative is small, but not zero.
    assert rows_of_zeros <= (count if name.startswith("relu") else 0)


@pytest.mark.slow
def test_on_the_saturated_network_the_jacobian_is_right_where_autograd_is_not():
    network = load("sigmoid-mlp/saturated")
    images = first_images(500)
    found = geometry.jacobian(network, images)
    largest = found.abs().amax((1, 2))
    in_float32 = literal.autograd_jacobian(network, images)
    in_float64 = literal.autograd_jacobian(copy.deepcopy(network).double(), images.double())
    vanished = ~in_float32.flatten(1).any(1)
    off = (in_float64 - found).abs().amax((1, 2)) / largest
    # Measured: autograd in float32 finds nothing at all for 7 of the images, in float64 it is wrong for 15 % of them.
    assert vanished.sum() >= 4 and (off > 1e-6).float().mean() > 0.1
    assert (largest > 0).all()
    for index in [*vanished.nonzero()[:4, 0], *off.argsort(descending=True)[:8]]:
        expected = literal.complex_step(network, images[index].double().numpy())
        assert np.abs(found[index].numpy() - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("name", ("cnn/saturated", "cnn/vanilla"))
def test_the_cnns_jacobian_is_autograds_which_is_exact_for_relus(name):
    network = load(name)
    images = torch.cat((first_images(3), blends(3).float()))
    expected = literal.autograd_jacobian(copy.deepcopy(network).double(), images.double())
    error = (geometry.jacobian(network, images) - expected).abs().amax(2)
    assert (error <= 1e-12 * expected.abs().amax(2)).all()


@pytest.mark.parametrize("name", ["cnn/saturated", "cnn/vanilla"])
def test_the_cnns_jacobian_is_that_of_a_complex_step(name):
    network = load(name)
    image = blends(1)
    (found,) = geometry.jacobian(network, image).unflatten(2, (28, 28)).numpy()
    pixels = [0, 14 * 28 + 13, 9 * 28 + 20, 27 * 28 + 5]
    expected = literal.complex_step(network, image.numpy(), pixels)
    np.testing.assert_allclose(found.reshape(10, 784)[:, pixels], expected, rtol=0, atol=1e-11 * np.abs(found).max())


PIXELS = list(range(3, 784, 47))


def check_jacobian(network: Network, images: Tensor) -> Tensor:
    """That J is the complex step's, at each of the `images` by each of the `PIXELS`; J is returned."""
    jacobians = geometry.jacobian(network, images)
    for image, found in zip(images.numpy(), jacobians[:, :, PIXELS].numpy(), strict=True):
        expected = literal.complex_step(network, image, PIXELS, literal.WIDEST)
        # φ′(h) multiplies the rounding of h, some 1e-13 where h is a thousand; nothing is below float64's numbers.
        largest = np.abs(expected).max(1, keepdims=True)
        assert (np.abs(found - expected) <= np.maximum(1e-9 * largest, 1e-300)).all()
    return jacobians


@pytest.mark.parametrize("scale", slowly((1.0, 60.0), lambda scale: scale == 1))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", EVERY)
def test_the_jacobian_through_any_block_is_that_of_a_complex_step(phi, kind, scale):
    """Strides, uneven padding, maxima that overlap, means, a scale for each pixel; hardly and very saturated."""
    network = small(kind, phi, seed=1, scale=scale)
    images = torch.cat((random_images(4, seed=2), first_images(1).double()))
    found = check_jacobian(network, images)
    if phi == "step":
        assert not found.any()  # no gradient can pass it
    elif (phi, scale) != ("ramp", 60.0):  # where each unit may lie flat, below or above
        assert found.any()


@pytest.mark.parametrize("kind", slowly(KINDS, lambda kind: kind != "overlapping maxima"))
@pytest.mark.parametrize("phi", SMOOTH)
def test_the_jacobian_is_right_where_autograd_is_zero_in_every_entry(phi, kind):
    """Weights so large that double precision leaves nothing at all."""
    compared = 0
    for scale in (400.0, 2500.0):
        network, images = small(kind, phi, seed=4, scale=scale), random_images(60, seed=5)
        gone = ~literal.autograd_jacobian(network, images).flatten(1).any(1)
        left = geometry.jacobian(network, images).flatten(1).any(1)
        compared += len(check_jacobian(network, images[gone & left][:4]))
    assert compared >= 2


@pytest.mark.parametrize("phi", EVERY)
def test_a_pixel_that_saturates_before_anything_is_summed_passes_its_own_slope_on(phi):
    """J = (∂h/∂x¹) diag φ′(w·x + b) diag w, by hand."""
    network, images = small("pixel by pixel", phi, seed=6, scale=40.0), random_images(3, seed=6)
    scale, nonlinearity = network.layers[0], network.nonlinearities[0]
    h = scale(images)
    above = Network(network.architecture[1:]).double()
    above.layers.load_state_dict(network.layers[1:].state_dict())
    slope = (nonlinearity.slope(h) * scale.weight).flatten(1)
    expected = torch.stack([torch.from_numpy(literal.complex_step(above, x.detach().numpy())) for x in nonlinearity(h)])
    found = geometry.jacobian(network, images)
    error = (found - expected * slope[:, None].detach()).abs().amax((1, 2))
    assert (error <= 1e-9 * found.abs().amax((1, 2))).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", EVERY)
def test_an_images_jacobian_does_not_depend_on_who_else_is_in_the_batch(phi, kind):
    network, images = small(kind, phi, seed=7, scale=30.0), random_images(35, seed=8)
    directions = random_images(35, seed=9) - 0.5
    order = torch.randperm(35, generator=torch.Generator().manual_seed(0))
    together = (
        geometry.jacobian(network, images[order]),
        geometry.length_element(network, images[order], directions[order]),
    )
    for place in (0, 17, 34):
        one = slice(int(order[place]), int(order[place]) + 1)
        (alone,) = geometry.jacobian(network, images[one])
        assert (alone - together[0][place]).abs().max() <= 1e-10 * alone.abs().max()
        (element,) = geometry.length_element(network, images[one], directions[one])
        assert element.item() == pytest.approx(together[1][place].item(), rel=1e-9, abs=0)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32),
    scale=st.floats(1, 3000),
    phi=st.sampled_from(EVERY),
    black_and_white=st.booleans(),
)
def test_the_jacobian_of_any_small_network_is_that_of_a_complex_step(seed, scale, phi, black_and_white):
    network = build(mlp(phi, (5, 5)), seed, scale)
    images = random_images(1, seed)
    check_jacobian(network, images.round() if black_and_white else images)


@pytest.mark.parametrize("kind", ["overlapping maxima", "strides and means"])
def test_where_a_network_gives_no_number_its_jacobian_is_none_either(kind):
    network = small(kind, "sigmoid", seed=1)
    network.layers[0].bias.fill_(math.nan)
    assert geometry.jacobian(network, random_images(3, seed=2)).isnan().any()


def with_ties() -> Network:
    """An untrained CNN: on a black image all units of a channel are alike, and every pooling has to choose."""
    return of_family("cnn", seed=3).double()


def test_ties_in_max_pooling_are_broken_as_pytorch_does():
    network, black = with_ties(), torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    h1 = network.pre_activations(black)[0].detach()
    assert torch.equal(h1, h1[:, :, :1, :1].expand_as(h1))
    expected = literal.autograd_jacobian(network, black)
    found = geometry.jacobian(network, black)
    assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()
    # The choice matters: the mirrored network, which would choose the other side, has another Jacobian.
    mirrored = copy.deepcopy(network)
    for layer in mirrored.layers[:2]:
        layer.weight.data = layer.weight.data.flip(3)
    first_dense = mirrored.layers[2].weight.data
    first_dense.copy_(first_dense.unflatten(1, (64, 7, 7)).flip(3).flatten(1))
    other = geometry.jacobian(mirrored, black).unflatten(2, (28, 28)).flip(3).flatten(2)
    assert (other - expected).abs().max() > 0.1 * expected.abs().max()


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla"])
def test_a_float32_network_is_taken_as_the_same_one_in_float64(name):
    network, images = load(name), first_images(3)
    found = geometry.jacobian(network, images)
    assert found.shape == (3, 10, 784) and found.dtype == torch.float64
    in_float64 = copy.deepcopy(network).double()
    assert torch.equal(geometry.jacobian(in_float64, images), found)
    assert torch.equal(geometry.jacobian(network, images.double()), found)
    direction = images.flip(0)
    element = geometry.length_element(network, images, direction)
    assert element.shape == (3,) and element.dtype == torch.float64
    assert torch.equal(geometry.length_element(in_float64, images, direction.double()), element)


@pytest.mark.parametrize(
    "name, count",
    slowly(
        (("sigmoid-mlp/saturated", 133), ("relu-mlp/vanilla", 133), ("cnn/saturated", 30)),
        lambda there: not there[0].startswith("cnn"),
    ),
)
def test_an_images_result_does_not_depend_on_the_batch(name, count):
    network, images = load(name), first_images(count)
    assert len(ExactNetwork(network).parts(images, 10)) > 1
    jacobian, element = geometry.jacobian(network, images), geometry.length_element(network, images, images.flip(0))
    largest = jacobian.abs().amax((1, 2))
    for size in (1, 15, 23, 24, 127, 129):
        if size > count:
            continue
        for part in (slice(0, size), slice(count - size, count)):
            error = geometry.jacobian(network, images[part]) - jacobian[part]
            # σ′(h) multiplies the rounding of h, 1e-13 where h is some thousand, whatever else is summed.
            assert (error.abs().amax((1, 2)) <= 1e-10 * largest[part]).all()
            again = geometry.length_element(network, images[part], images.flip(0)[part])
            np.testing.assert_allclose(again, element[part], rtol=1e-9, atol=0)


def test_no_images_have_no_jacobians():
    none = torch.zeros(0, 1, 28, 28)
    for network in (load("sigmoid-mlp/vanilla"), load("relu-mlp/vanilla")):
        check_nothing(network, none)
    assert geometry.singular_values(torch.zeros(0, 10, 784)).shape == (0, 10)


def test_no_images_have_no_jacobians_of_a_cnn_either():
    check_nothing(load("cnn/vanilla"), torch.zeros(0, 1, 28, 28))


def check_nothing(network: Network, none: Tensor):
    assert geometry.jacobian(network, none).shape == (0, 10, 784)
    assert geometry.length_element(network, none, none).shape == (0,)


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp", "cnn"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_and_the_images_stay_as_they_were(family, dtype):
    network = of_family(family, hidden=5).to(dtype)
    network.layers[0].bias.requires_grad_(False)
    network.train()
    before = copy.deepcopy(network)
    images = random_images(3, seed=0).requires_grad_()
    kept = images.detach().clone()
    results = [geometry.jacobian(network, images), geometry.length_element(network, images, images)]
    *_, plane = geometry.plane(network, images[0], images[1], images[2], side=3)
    results += vars(plane).values()
    if family != "cnn":  # whose kinks make for thousands of nodes between two images of noise
        path = geometry.path(network, images[0], images[1], points=3)
        results += [path.images, *vars(path).values()]
    results = [result for result in results if isinstance(result, Tensor)]
    assert len(results) > 7
    assert not any(result.requires_grad for result in results)
    for parameter, old in zip(network.parameters(), before.parameters(), strict=True):
        assert torch.equal(parameter, old) and parameter.dtype == dtype
        assert parameter.grad is None and parameter.requires_grad == old.requires_grad
    assert network.training and images.requires_grad and images.grad is None and torch.equal(images, kept)


def test_following_a_plane_leaves_gradients_switched_on_in_between(tiny):
    records = geometry.plane(tiny, first(3), first(7), first(0), side=2)
    next(records)
    assert torch.is_grad_enabled()


NOT_IMAGES = {
    "a shape": torch.zeros(2, 784),
    "too bright": torch.full((2, 1, 28, 28), 1.01),
    "below black": torch.full((2, 1, 28, 28), -1e-6),
    "integers": torch.zeros(2, 1, 28, 28, dtype=torch.int64),
    "no number": torch.full((2, 1, 28, 28), math.nan),
}


@pytest.mark.parametrize("images", NOT_IMAGES.values(), ids=NOT_IMAGES.keys())
def test_what_is_no_image_is_refused(tiny, images):
    for refused in (
        lambda: geometry.jacobian(tiny, images),
        lambda: geometry.length_element(tiny, images, images),
        lambda: geometry.path(tiny, images[:1], first(7)),
        lambda: geometry.path(tiny, first(7), images[:1]),
        lambda: next(geometry.plane(tiny, first(3), first(7), images[:1])),
    ):
        with pytest.raises(ValueError, match=r"^expected (images|pixels)"):
            refused()


# --- singular values ------------------------------------------------------------------------------------------------


def orthonormal(rows: int, generator: torch.Generator) -> Tensor:
    """(rows, 10), with orthonormal columns."""
    return torch.linalg.qr(torch.randn(rows, 10, generator=generator, dtype=torch.float64)).Q


def test_planted_singular_values_are_found():
    generator = torch.Generator().manual_seed(0)
    planted = torch.logspace(0, -9, 10, dtype=torch.float64)
    jacobians = torch.stack([orthonormal(10, generator) * planted @ orthonormal(784, generator).mT for _ in range(20)])
    found = geometry.singular_values(1e3 * jacobians)
    assert found.shape == (20, 10) and found.dtype == torch.float64
    # The matrix, rounded to float64, has them to 1e-16 of the largest. Through JJᵀ nothing below 1e-8 would be left.
    np.testing.assert_array_less((found / 1e3 / planted - 1).abs().numpy(), (2e-15 / planted).expand(20, 10).numpy())


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), rank=st.integers(0, 10), exponent=st.integers(-100, 100))
def test_singular_values_descend_and_there_are_no_more_of_them_than_the_rank(seed, rank, exponent):
    generator = torch.Generator().manual_seed(seed)
    kept = torch.cat((1 + torch.rand(rank, generator=generator), torch.zeros(10 - rank))).double()
    jacobian = orthonormal(10, generator) * kept @ orthonormal(784, generator).mT * 10.0**exponent
    (found,) = geometry.singular_values(jacobian[None])
    assert (found.diff() <= 0).all() and (found >= 0).all()
    expected = kept.sort(descending=True).values * 10.0**exponent
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * 10.0**exponent)


@pytest.mark.parametrize("shape", [(10, 784), (2, 784, 10), (2, 9, 784), (2, 10, 28, 28), (2, 10, 783)])
def test_jacobians_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError) as refusal:
        geometry.singular_values(torch.zeros(shape))
    assert str(refusal.value) == f"expected Jacobians of shape (N, 10, 784), got {shape}"


@pytest.mark.parametrize(
    "name, hidden",
    [
        *((name, None) for name in ("sigmoid-mlp/saturated", "sigmoid-mlp/vanilla")),
        *((name, None) for name in ("relu-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla")),
        *((family, hidden) for family in ("sigmoid-mlp", "relu-mlp") for hidden in (5, 1000)),
    ],
)
def test_the_short_way_to_the_singular_values_ends_at_those_of_the_jacobian(name, hidden):
    """Whether all units of the first layer pass anything on or few do, and where there are fewer than ten."""
    network = of_family(name, hidden) if hidden else load(name)
    images = torch.cat((first_images(8), blends(8).float()))
    exact = ExactNetwork(network)
    found = exact.at(exact.first(images)).singular_values()
    expected = torch.linalg.svdvals(geometry.jacobian(network, images))
    assert found.shape == (16, 10)
    assert (found - expected).abs().amax(1).le(1e-13 * expected[:, 0]).all()


@pytest.mark.parametrize("change", ["weights in place", "a weight behind autograd's back", "other weights"])
def test_what_is_found_once_a_network_is_found_anew_once_its_weights_change(change):
    network = of_family("sigmoid-mlp", hidden=30)
    weight = network.layers[0].weight

    def found() -> Tensor:
        exact = ExactNetwork(network)
        return exact.at(exact.first(first_images(2))).singular_values()

    before = found()
    with torch.no_grad():
        if change == "weights in place":
            weight.mul_(2)
        elif change == "other weights":
            network.layers[0].weight = torch.nn.Parameter(2 * weight)
        else:
            weight.data[3, 400] += 1
    after, expected = found(), torch.linalg.svdvals(geometry.jacobian(network, first_images(2)))
    assert not torch.allclose(before, after, rtol=1e-3)
    assert (after - expected).abs().amax(1).le(1e-13 * expected[:, 0]).all()


def test_where_nothing_passes_all_singular_values_are_zero():
    network = of_family("relu-mlp", hidden=20).double()
    network.layers[0].bias.data.fill_(-100.0)
    exact = ExactNetwork(network)
    point = exact.at(exact.first(first_images(3)))
    assert torch.equal(point.singular_values(), torch.zeros(3, 10, dtype=torch.float64))
    assert torch.equal(geometry.jacobian(network, first_images(3)), torch.zeros(3, 10, 784, dtype=torch.float64))


@pytest.mark.parametrize("name", ("sigmoid-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla"))
def test_a_direction_is_pushed_up_to_where_the_derivatives_are_pulled_down_from(name):
    exact = ExactNetwork(load(name))
    point, step = exact.at(exact.first(blends(8))), exact.first_tangent(random_images(1, seed=3) - 0.5)
    with torch.no_grad():
        pushed, along = point.push(step), point.along(step)
    assert (pushed - along).abs().amax(1).le(1e-11 * pushed.abs().amax(1)).all()


# --- the length element ---------------------------------------------------------------------------------------------


def affine(offsets: list[float], slopes: list[float]) -> tuple[Network, Tensor]:
    """A network whose logits are `offsets` at the black image, and a direction along which they rise by `slopes`."""
    network = of_family("relu-mlp", hidden=10).double().requires_grad_(False)
    weights = [torch.zeros(10, 784), torch.eye(10), torch.eye(10)]
    weights[0][:, :10] = torch.eye(10)  # one pixel a class
    for layer, weight in zip(network.layers, weights, strict=True):
        layer.weight.copy_(weight)
        layer.bias.zero_()
    network.layers[0].bias.fill_(1.0)  # where all units are active
    network.layers[2].bias.copy_(torch.tensor(offsets, dtype=torch.float64) - 1)
    direction = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    direction.view(-1)[:10] = torch.tensor(slopes, dtype=torch.float64)
    return network, direction


@pytest.mark.parametrize("gap", [0.0, 1.0, 40.0, 700.0, 1300.0])
@pytest.mark.parametrize("one, other", [(0, 1), (7, 2)])
def test_between_two_classes_the_length_element_is_its_closed_form(gap, one, other):
    offsets, slopes = [-1e5] * 10, [float(k * k) for k in range(10)]
    offsets[one], offsets[other] = 0.0, -gap
    network, direction = affine(offsets, slopes)
    (found,) = geometry.length_element(network, torch.zeros(1, 1, 28, 28), direction)
    root = math.exp(-gap / 2) / (1 + math.exp(-gap))  # √(p_i p_j)
    assert found.item() == pytest.approx(abs(slopes[one] - slopes[other]) * root, rel=1e-12, abs=0)


@pytest.mark.parametrize("gap, seed", [(0, 0), (3, 1), (40, 2), (700, 3), (2000, 0)])
def test_the_length_elements_logarithm_is_that_of_two_thousand_digits(gap, seed):
    generator = torch.Generator().manual_seed(seed)
    logits, v = torch.randn(2, 10, generator=generator, dtype=torch.float64) * 5
    logits[seed] = logits.max() + gap
    v += 1e3  # which adds to every logit alike and makes no difference
    found = log_length_element(logits[None].log_softmax(1), v[None])
    expected = literal.log_length_element(logits.tolist(), v.tolist(), digits=200 + gap)
    assert found.item() == pytest.approx(expected, rel=1e-14, abs=1e-12)


@pytest.mark.parametrize("name", slowly(("sigmoid-mlp/vanilla", "relu-mlp/vanilla"), lambda name: name[0] == "s"))
def test_the_length_element_is_the_formula_as_it_stands_where_that_is_well_conditioned(name):
    network, images = load(name), blends(40)
    weights_and_biases = literal.parameters(network)
    p = literal.mlp_probabilities(weights_and_biases, images.numpy(), name.removesuffix("-mlp/vanilla"))
    unsure = p.max(1) < 0.999
    assert unsure.sum() >= 20
    direction = random_images(40, seed=1) - 0.5
    found = geometry.length_element(network, images, direction)
    for index in unsure.nonzero()[0][:8]:
        jacobian = literal.complex_step(network, images[index].numpy())
        expected = literal.length_element(p[index], jacobian @ direction[index].flatten().numpy())
        assert found[index].item() == pytest.approx(expected, rel=1e-11)


def test_the_cnns_length_element_is_the_formula_as_it_stands():
    network, images = copy.deepcopy(load("cnn/vanilla")).double(), blends(8)
    direction = random_images(8, seed=1) - 0.5
    p = network(images).softmax(1).numpy()
    v = (literal.autograd_jacobian(network, images) @ direction.flatten(1)[:, :, None])[:, :, 0].numpy()
    assert (p.max(1) < 0.999).sum() >= 4
    expected = [literal.length_element(*one) for one in zip(p, v, strict=True)]
    # The subtraction in diag p − ppᵀ leaves 1e-16/(1 − p).
    np.testing.assert_allclose(geometry.length_element(network, images, direction), expected, rtol=1e-8)


@settings(deadline=None, max_examples=30)
@given(
    factor=st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3) | st.sampled_from([1e-100, 1e100]),
    name=st.sampled_from(["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated"]),
)
def test_in_a_direction_c_times_as_long_it_is_c_times_as_large(factor, name):
    direction = random_images(3, seed=2) - 0.5
    once = geometry.length_element(load(name), first_images(3), direction)
    assert (once > 0).all()
    found = geometry.length_element(load(name), first_images(3), factor * direction)
    np.testing.assert_allclose(found, abs(factor) * once, rtol=1e-11, atol=0)


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla"])
def test_in_no_direction_it_is_exactly_zero(name):
    assert torch.equal(
        geometry.length_element(load(name), first_images(3), torch.zeros(3, 1, 28, 28)),
        torch.zeros(3, dtype=torch.float64),
    )


@pytest.mark.parametrize(
    "direction",
    [
        torch.zeros(1, 28, 28),
        torch.zeros(1, 1, 28, 28),
        torch.zeros(2, 784),
        torch.full((2, 1, 28, 28), math.nan),
        torch.full((2, 1, 28, 28), math.inf),
    ],
    ids=["one image", "a batch of one", "flat", "nan", "infinite"],
)
def test_a_direction_unlike_the_images_or_not_finite_is_refused(tiny, direction):
    with pytest.raises(ValueError, match=r"^expected (directions of the images' shape|finite directions)"):
        geometry.length_element(tiny, first_images(2), direction)
