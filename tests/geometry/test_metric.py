"""Jacobians, length elements, paths and planes are those of Eq. 10–13, however saturated the network is."""

import copy
import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from satcore.linear_maps import SIGNALS, Dense, DirectConvolution, FourierConvolution
from satcore.linearised import ExactNetwork
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from satcore import data, library, geometry
from satcore.networks import Network
from tests import literal

SIGMOIDS = ("sigmoid-mlp/saturated", "sigmoid-mlp/control", "sigmoid-mlp/adversarial", "sigmoid-mlp/vanilla")
RELUS = ("relu-mlp/saturated", "relu-mlp/control", "relu-mlp/adversarial", "relu-mlp/vanilla")
CNNS = ("cnn/saturated", "cnn/control", "cnn/adversarial", "cnn/vanilla")

load = functools.cache(checkpoints.load)  # shared by all tests: don't write to them


def first_images(count: int) -> Tensor:
    return data.load("test").images[:count]


def first(digit: int) -> Tensor:
    """The first image of `digit` among the test images, (1, 28, 28)."""
    images, labels = data.load("test")
    return images[labels == digit][0]


def random_images(count: int, seed: int) -> Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blends(count: int) -> Tensor:
    """Halfway between one test image and another, where few networks are sure."""
    images = first_images(2 * count).double()
    return (images[:count] + images[count:]) / 2


# --- the Jacobian ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, count", [(name, 40 if "saturated" in name else 12) for name in SIGMOIDS + RELUS])
def test_the_jacobian_is_that_of_a_complex_step(name, count):
    network = load(name)
    images = torch.cat((first_images(count // 2), blends(count // 2).float()))
    weights_and_biases = literal.parameters(network)
    rows_of_zeros = 0
    for image, found in zip(images, geometry.jacobian(network, images).numpy(), strict=True):
        expected = literal.complex_step_jacobian(weights_and_biases, image.double().numpy(), network.activation)
        largest = np.abs(expected).max(1)
        assert (np.abs(found - expected).max(1) <= 1e-9 * largest).all()
        assert ((largest == 0) | (largest > 1e-200)).all()  # as small as a step of 1e-30 can show
        rows_of_zeros += (largest == 0).sum()
    # All ReLUs of a layer may be inactive at once; a sigmoid's derivative is small, but not zero.
    assert rows_of_zeros <= (count if network.activation == "relu" else 0)


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
    weights_and_biases = literal.parameters(network)
    for index in [*vanished.nonzero()[:4, 0], *off.argsort(descending=True)[:8]]:
        expected = literal.complex_step_jacobian(weights_and_biases, images[index].double().numpy(), "sigmoid")
        assert np.abs(found[index].numpy() - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("name", CNNS)
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
    weights_and_biases = literal.parameters(network)
    for row, column in [(0, 0), (14, 13), (9, 20), (27, 5)]:
        expected = literal.complex_step_cnn_column(weights_and_biases, image[0, 0].numpy(), row, column)
        np.testing.assert_allclose(found[:, row, column], expected, rtol=0, atol=1e-11 * np.abs(found).max())


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32),
    scale=st.floats(1, 3000),
    activation=st.sampled_from(["sigmoid", "relu"]),
    black_and_white=st.booleans(),
)
def test_the_jacobian_of_any_small_network_is_that_of_a_complex_step(seed, scale, activation, black_and_white):
    network = of_family(f"{activation}-mlp", hidden=5, seed=seed, scale=scale)
    images = random_images(1, seed)
    if black_and_white:
        images = images.round()
    expected = literal.complex_step_jacobian(literal.parameters(network), images[0].numpy(), activation)
    (found,) = geometry.jacobian(network, images).numpy()
    # The step itself underflows where entries are smaller than this.
    np.testing.assert_allclose(found, expected, rtol=0, atol=max(1e-9 * np.abs(expected).max(), 1e-250))


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
    "name, count", [("sigmoid-mlp/saturated", 133), ("relu-mlp/vanilla", 133), ("cnn/saturated", 21)]
)
def test_an_images_result_does_not_depend_on_the_batch(name, count):
    network, images = load(name), first_images(count)
    most = ExactNetwork(network).most
    jacobian, element = geometry.jacobian(network, images), geometry.length_element(network, images, images.flip(0))
    largest = jacobian.abs().amax((1, 2))
    for size in (1, 15, 16, 17, 127, 129):
        if size > count:
            continue
        for part in (slice(0, size), slice(count - size, count)):
            error = geometry.jacobian(network, images[part]) - jacobian[part]
            # σ′(h) multiplies the rounding of h, 1e-13 where h is some thousand, whatever else is summed.
            assert (error.abs().amax((1, 2)) <= 1e-10 * largest[part]).all()
            again = geometry.length_element(network, images[part], images.flip(0)[part])
            np.testing.assert_allclose(again, element[part], rtol=1e-9, atol=0)
    assert most < count  # so that there was more than one part


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
        with pytest.raises(ValueError, match="^expected (images|pixels)"):
            refused()


# --- linear maps and their transposes -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, out, side", [(32, 64, 14), (3, 5, 7), (2, 1, 4)])
def test_the_fourier_convolution_is_pytorchs_and_so_is_its_transpose(channels, out, side):
    generator = torch.Generator().manual_seed(side)
    layer = nn.Conv2d(channels, out, 5, padding=2, bias=False).double().requires_grad_(False)
    layer.weight.normal_(generator=generator)
    convolution = FourierConvolution(layer, side)
    x = torch.randn(SIGNALS + 3, channels, side, side, generator=generator, dtype=torch.float64)
    expected = conv2d(x, layer.weight, padding=2)
    assert convolution(x).shape == expected.shape
    assert (convolution(x) - expected).abs().max() <= 1e-13 * expected.abs().max()

    g = torch.randn(17, 10, out, side, side, generator=generator, dtype=torch.float64)
    assert SIGNALS < 17 * 10
    expected = conv_transpose2d(g.flatten(0, 1), layer.weight, padding=2).unflatten(0, (17, 10))
    assert convolution.transposed(g).shape == expected.shape
    assert (convolution.transposed(g) - expected).abs().max() <= 1e-13 * expected.abs().max()


@pytest.mark.parametrize("kind", ["dense", "direct", "fourier"])
def test_a_linear_map_and_its_transpose_are_adjoint(kind):
    network = of_family("cnn", seed=1).double().requires_grad_(False)
    linear, shape_in, shape_out = {
        "dense": (Dense(network.layers[3]), (1024,), (10,)),
        "direct": (DirectConvolution(network.layers[0]), (1, 28, 28), (32, 28, 28)),
        "fourier": (FourierConvolution(network.layers[1], 14), (32, 14, 14), (64, 14, 14)),
    }[kind]
    generator = torch.Generator().manual_seed(1)
    count = SIGNALS // 10 + 1  # ten cotangents each
    x = torch.randn(10 * count, *shape_in, generator=generator, dtype=torch.float64)
    g = torch.randn(count, 10, *shape_out, generator=generator, dtype=torch.float64)
    wx, wtg = linear(x).flatten(1), linear.transposed(g).flatten(0, 1).flatten(1)
    x, g = x.flatten(1), g.flatten(0, 1).flatten(1)
    difference = (wx * g).sum(1) - (x * wtg).sum(1)  # ⟨Wx, g⟩ − ⟨x, Wᵀg⟩
    assert (difference.abs() <= 1e-13 * wx.norm(dim=1) * g.norm(dim=1)).all()


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


@pytest.mark.parametrize("name", SIGMOIDS + RELUS + ("cnn/saturated", "cnn/vanilla"))
def test_the_short_way_to_the_singular_values_ends_at_those_of_the_jacobian(name):
    network = load(name)
    images = torch.cat((first_images(8), blends(8).float()))
    exact = ExactNetwork(network)
    found = exact.at(exact.first(images)).singular_values()
    expected = torch.linalg.svdvals(geometry.jacobian(network, images))
    assert (found - expected).abs().amax(1).le(1e-13 * expected[:, 0]).all()


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


@pytest.mark.parametrize("gap", [0, 3, 40, 700, 2000])
@pytest.mark.parametrize("seed", range(4))
def test_the_length_elements_logarithm_is_that_of_two_thousand_digits(gap, seed):
    generator = torch.Generator().manual_seed(seed)
    logits, v = torch.randn(2, 10, generator=generator, dtype=torch.float64) * 5
    logits[seed] = logits.max() + gap
    v += 1e3  # which adds to every logit alike and makes no difference
    found = geometry._log_length_element(logits[None].log_softmax(1), v[None])
    expected = literal.log_length_element(logits.tolist(), v.tolist())
    assert found.item() == pytest.approx(expected, rel=1e-14, abs=1e-12)


@pytest.mark.parametrize("name", ["sigmoid-mlp/vanilla", "relu-mlp/vanilla"])
def test_the_length_element_is_the_formula_as_it_stands_where_that_is_well_conditioned(name):
    network, images = load(name), blends(40)
    weights_and_biases = literal.parameters(network)
    p = literal.mlp_probabilities(weights_and_biases, images.numpy(), network.activation)
    unsure = p.max(1) < 0.999
    assert unsure.sum() >= 20
    direction = random_images(40, seed=1) - 0.5
    found = geometry.length_element(network, images, direction)
    for index in unsure.nonzero()[0][:20]:
        jacobian = literal.complex_step_jacobian(weights_and_biases, images[index].numpy(), network.activation)
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
    with pytest.raises(ValueError, match="^expected a finite direction of the images' shape"):
        geometry.length_element(tiny, first_images(2), direction)


# --- the path -------------------------------------------------------------------------------------------------------


@functools.cache
def path_of(name: str, source: int = 0, target: int = 6, points: int = 11) -> geometry.Path:
    """Between the first image of one digit and of another."""
    return geometry.path(load(name), first(source), first(target), points=points)


@pytest.mark.parametrize("name", SIGMOIDS + RELUS + CNNS)
def test_both_ways_of_measuring_a_path_agree(name):
    path = path_of(name)
    assert path.length > 0 and len(path.nodes) > 11
    # Between each two nodes, so that no disagreement makes up for another; on the sphere 2√p, by the chords.
    chords = np.linalg.norm(np.diff(2 * np.sqrt(path.probabilities_at_nodes.numpy()), axis=0), axis=1)
    arcs = 4 * np.arcsin(chords / 4)
    assert np.abs(np.diff(path.length_so_far) - arcs).sum() <= 1e-3 * arcs.sum()
    assert path.arc_length == pytest.approx(arcs.sum(), rel=1e-9)
    if name.endswith("saturated"):  # it is spiky: the eleven points wouldn't have done
        assert abs(float(torch.trapezoid(path.length_element, path.t)) - path.length) > 0.5 * path.length


@pytest.mark.parametrize("name", SIGMOIDS + RELUS + CNNS)
def test_a_path_is_no_shorter_than_the_geodesic(name):
    path = path_of(name)
    assert path.geodesic <= path.arc_length * (1 + 1e-12)
    p, q = path.probabilities[[0, -1]].numpy()
    assert path.geodesic == pytest.approx(2 * np.arccos(np.sqrt(p * q).sum()), rel=1e-12)
    assert 0 < path.geodesic <= math.pi * (1 + 1e-15)
    inner = np.sqrt(path.probabilities_at_nodes[1:].numpy() * path.probabilities_at_nodes[:-1].numpy()).sum(1)
    # 1 − cos of a short arc has no more digits than this.
    assert path.arc_length == pytest.approx(2 * np.arccos(inner.clip(max=1)).sum(), abs=1e-7 * len(inner))


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla"])
def test_a_path_has_what_it_promises_at_its_points_and_nodes(name):
    network, path = load(name), path_of(name)
    source, target = first(0).double(), first(6).double()
    count = len(path.nodes)
    shapes = {
        "t": (11,),
        "images": (11, 1, 28, 28),
        "probabilities": (11, 10),
        "length_element": (11,),
        "singular_values": (11, 10),
        "nodes": (count,),
        "probabilities_at_nodes": (count, 10),
        "element_at_nodes": (count,),
        "length_so_far": (count,),
        "spectrum": (10,),
    }
    for field, shape in shapes.items():
        assert getattr(path, field).shape == shape and getattr(path, field).dtype == torch.float64, field
    for field in ("length", "arc_length", "geodesic", "flatness", "transition", "participation"):
        assert type(getattr(path, field)) is float, field

    np.testing.assert_allclose(path.t, np.arange(11) / 10, rtol=1e-15)
    assert path.t[0] == 0 and path.t[-1] == 1
    assert torch.equal(path.images[0], source) and torch.equal(path.images[-1], target)
    for t, image in zip(path.t, path.images, strict=True):
        np.testing.assert_allclose(image, (1 - t) * source + t * target, rtol=1e-15, atol=1e-16)

    with torch.no_grad():
        expected = copy.deepcopy(network).double()(path.images).softmax(1)
    np.testing.assert_allclose(path.probabilities, expected, rtol=1e-10)
    expected = geometry.length_element(network, path.images, (target - source).expand(11, 1, 28, 28))
    np.testing.assert_allclose(path.length_element, expected, rtol=1e-9, atol=0)
    expected = geometry.singular_values(geometry.jacobian(network, path.images))
    assert ((path.singular_values - expected).abs().amax(1) <= 1e-10 * expected[:, 0]).all()

    assert (path.nodes.diff() > 0).all() and path.nodes[0] == 0 and path.nodes[-1] == 1
    among = torch.isin(path.nodes, path.t)
    assert torch.equal(path.nodes[among], path.t)
    assert torch.equal(path.probabilities_at_nodes[among], path.probabilities)
    assert torch.equal(path.element_at_nodes[among], path.length_element)
    some = slice(1, -1, max(1, count // 20))
    between = torch.stack([(1 - t) * source + t * target for t in path.nodes[some]])
    expected = geometry.length_element(network, between, (target - source).expand_as(between))
    np.testing.assert_allclose(path.element_at_nodes[some], expected, rtol=1e-8, atol=0)

    trapezoids = np.diff(path.nodes) * (path.element_at_nodes[1:] + path.element_at_nodes[:-1]).numpy() / 2
    np.testing.assert_allclose(path.length_so_far, np.append(0, np.cumsum(trapezoids)), rtol=1e-12)
    assert path.length == path.length_so_far[-1] and (path.length_so_far.diff() >= 0).all()
    assert path.flatness == pytest.approx(literal.flatness(path.nodes.diff().tolist(), trapezoids.tolist()), rel=1e-9)

    assert path.element_at_nodes[path.nodes == path.transition] == path.element_at_nodes.max()
    there = (1 - path.transition) * source + path.transition * target
    (expected,) = geometry.singular_values(geometry.jacobian(network, there[None]))
    assert ((path.spectrum - expected).abs() <= 1e-9 * expected[0]).all()
    squares = [value**2 for value in path.spectrum.tolist()]
    assert path.participation == pytest.approx(sum(squares) ** 2 / sum(s * s for s in squares), rel=1e-12)
    assert 1 <= path.participation <= 10


@pytest.mark.parametrize("name, source, target", [("sigmoid-mlp/saturated", 3, 7), ("relu-mlp/saturated", 3, 7)])
def test_the_length_is_that_of_a_polygon_of_very_many_sides(name, source, target):
    network = load(name)
    expected = literal.chord_length(
        literal.parameters(network),
        first(source).double().numpy(),
        first(target).double().numpy(),
        network.activation,
        steps=2**16,
    )
    found = path_of(name, source, target, points=201)
    assert expected > 5  # through several classes
    assert found.length == pytest.approx(expected, rel=2e-3)


def test_half_the_squared_length_element_is_the_divergence_of_a_small_step():
    network = load("sigmoid-mlp/vanilla")
    path = path_of("sigmoid-mlp/vanilla", 3, 7, points=201)
    weights_and_biases = literal.parameters(network)
    source, target = first(3).double().numpy(), first(7).double().numpy()
    half = 5e-5
    checked = 0
    for t, element in zip(path.t.tolist(), path.length_element.tolist(), strict=True):
        if element < 0.1 or not half <= t <= 1 - half:
            continue
        around = np.stack([(1 - t_) * source + t_ * target for t_ in (t - half, t + half)])
        p, q = literal.mlp_probabilities(weights_and_biases, around, "sigmoid")
        # The mean of both directions, so that the terms of third order cancel.
        divergence = (literal.kl(p, q) + literal.kl(q, p)) / 2
        assert divergence == pytest.approx(element**2 * (2 * half) ** 2 / 2, rel=1e-3)
        checked += 1
    assert checked > 50


@pytest.mark.parametrize("name", ["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated", "relu-mlp/saturated"])
def test_lengths_add_up_and_are_the_same_backwards(name):
    network, source, target = load(name), first(3).double(), first(7).double()
    whole = path_of(name, 3, 7, points=201)
    for t in (0.25, 0.37, whole.transition):
        between = (1 - t) * source + t * target
        parts = geometry.path(network, source, between), geometry.path(network, between, target)
        assert parts[0].length + parts[1].length == pytest.approx(whole.length, rel=2e-3)
    back = geometry.path(network, target, source)
    assert back.length == pytest.approx(whole.length, rel=1e-9)
    assert back.transition == pytest.approx(1 - whole.transition, abs=1e-9)
    assert back.participation == pytest.approx(whole.participation, rel=1e-6)
    np.testing.assert_allclose(back.probabilities.flip(0), whole.probabilities, rtol=1e-7)


@pytest.mark.parametrize("name", ["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated", "cnn/vanilla"])
def test_a_path_that_stays_where_it_is_has_no_length(name):
    path = geometry.path(load(name), first(3), first(3), points=5)
    assert path.length == 0 and path.flatness == 1
    # The same image gives logits that differ in their last digits, depending on where in the batch it is.
    assert 0 <= path.arc_length < 1e-12 and 0 <= path.geodesic < 1e-12
    for field, value in vars(path).items():
        assert torch.as_tensor(value).isfinite().all(), field
    assert 1 <= path.participation <= 10


@pytest.fixture
def patience(monkeypatch):
    """A path that asks for 10,000 points would never come to an end."""
    measured, asked = geometry._Affine.measured, []

    def counted(line, weights: Tensor, **options):
        asked.append(len(weights))
        assert sum(asked) < 10_000
        return measured(line, weights, **options)

    monkeypatch.setattr(geometry._Affine, "measured", counted)


@pytest.mark.parametrize(
    "name, source, target", [("sigmoid-mlp/saturated", 5105, 4401), ("relu-mlp/saturated", 3179, 5087)]
)
def test_a_path_that_the_network_does_not_notice_comes_to_an_end(name, source, target, patience):
    images = data.load("test").images
    path = geometry.path(load(name), images[source], images[target], points=11)
    assert 0 <= path.length < 1e-9 and 0 <= path.arc_length < 1e-9
    assert len(path.nodes) < 100


def test_an_image_may_come_alone_or_as_a_batch_of_one():
    network = load("sigmoid-mlp/vanilla")
    alone = geometry.path(network, first(3), first(7), points=3)
    batch = geometry.path(network, first(3)[None], first(7)[None].double(), points=3)
    assert alone.length == batch.length and torch.equal(alone.images, batch.images)
    assert alone.images.shape == (3, 1, 28, 28)
    *_, from_alone = geometry.plane(network, first(3), first(7), first(0), side=3)
    *_, from_batch = geometry.plane(network, first(3)[None], first(7)[None], first(0)[None], side=3)
    assert torch.equal(from_alone.predicted, from_batch.predicted)


@pytest.mark.parametrize("points", [1, 0, -3])
def test_a_path_of_fewer_than_two_points_is_refused(tiny, points):
    with pytest.raises(ValueError, match=f"^expected at least two points, got {points}$"):
        geometry.path(tiny, first(3), first(7), points=points)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 1, 28, 28),
        torch.zeros(0, 1, 28, 28),
        torch.zeros(28, 28),
        torch.zeros(2, 28, 28),
        torch.zeros(1, 1, 28, 29),
    ],
    ids=lambda image: str(tuple(image.shape)),
)
def test_anything_but_one_image_is_refused(tiny, wrong):
    for refused in (
        lambda: geometry.path(tiny, wrong, first(7)),
        lambda: geometry.path(tiny, first(7), wrong),
        lambda: next(geometry.plane(tiny, wrong, first(7), first(3))),
    ):
        with pytest.raises(ValueError, match="^expected (one image|images of shape)"):
            refused()


@pytest.mark.parametrize("parts", [1, 7, 200])
def test_a_path_alike_everywhere_is_as_flat_as_its_hundredth_part(parts):
    widths = torch.arange(1, parts + 1, dtype=torch.float64)
    widths /= widths.sum()
    assert geometry._flatness(widths, 5 * widths) == pytest.approx(0.01, rel=1e-12)


@pytest.mark.parametrize("parts, width", [(2, 0.5), (10, 0.1), (1000, 0.001)])
def test_a_path_of_one_spike_is_flat_but_for_the_spike(parts, width):
    lengths = torch.zeros(parts, dtype=torch.float64)
    lengths[parts // 2] = 3.0
    widths = torch.full((parts,), width, dtype=torch.float64)
    assert geometry._flatness(widths, lengths) == pytest.approx(1 - width + 0.01 * width, rel=1e-12)


def test_a_path_of_two_even_parts_is_flat_in_proportion():
    widths = torch.tensor([0.2, 0.8], dtype=torch.float64)
    # The wide part carries 0.4 %; of the narrow one's 99.6 %, 0.6 % are missing.
    found = geometry._flatness(widths, torch.tensor([99.6, 0.4], dtype=torch.float64))
    assert found == pytest.approx(0.8 + 0.2 * 0.6 / 99.6, rel=1e-12)


@settings(deadline=None, max_examples=100)
@given(parts=st.lists(st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1e6) | st.just(0.0)), min_size=1, max_size=30))
def test_flatness_is_the_literal_one(parts):
    widths, slopes = (torch.tensor(values, dtype=torch.float64) for values in zip(*parts, strict=True))
    assume(slopes.any())
    widths = widths / widths.sum()
    lengths = widths * slopes
    found = geometry._flatness(widths, lengths)
    assert found == pytest.approx(literal.flatness(widths.tolist(), lengths.tolist()), rel=1e-9)
    # Its flattest parts: no more than their share of the width carries less than their share of the length.
    assert 0.01 * (1 - 1e-9) <= found <= 1


@pytest.mark.parametrize(
    "spectrum, expected",
    [
        ([1.0] * 10, 10),
        ([1.0] + [0.0] * 9, 1),
        ([3.0, 3.0] + [0.0] * 8, 2),
        ([2.0, 1.0] + [0.0] * 8, 25 / 17),
        ([1e-200] * 5 + [0.0] * 5, 5),
        ([1e200] * 10, 10),
        ([0.0] * 10, 0),
    ],
)
def test_participation_counts_the_singular_values_that_take_part(spectrum, expected):
    assert geometry._participation(torch.tensor(spectrum, dtype=torch.float64)) == pytest.approx(expected, rel=1e-14)


# --- the plane ------------------------------------------------------------------------------------------------------


def triangle() -> tuple[Tensor, Tensor, Tensor]:
    return first(3).double(), first(7).double(), first(0).double()


def last_plane(network: Network, side: int, corners: tuple[Tensor, Tensor, Tensor] | None = None) -> geometry.Plane:
    *_, last = geometry.plane(network, *(corners or triangle()), side=side)
    return last


def test_a_planes_corners_are_as_far_apart_as_the_images(tiny):
    images = triangle()
    plane = last_plane(tiny, side=5)
    assert plane.corners.shape == (3, 2) and plane.corners.dtype == torch.float64
    for i in range(3):
        for j in range(3):
            expected = (images[i] - images[j]).square().sum().sqrt()
            assert (plane.corners[i] - plane.corners[j]).norm().item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.equal(plane.corners[0], torch.zeros(2, dtype=torch.float64))
    assert plane.corners[1, 0] > 0 and plane.corners[1, 1] == 0 and plane.corners[2, 1] > 0
    for grid, along in ((plane.x, plane.corners[:, 0]), (plane.y, plane.corners[:, 1])):
        np.testing.assert_allclose(grid, np.linspace(along.min().item(), along.max().item(), 5), rtol=1e-12, atol=1e-12)


def coordinates(plane: geometry.Plane, row: int, column: int) -> np.ndarray:
    """The barycentric coordinates, (3,), of a point of the grid."""
    corners = np.vstack((plane.corners.numpy().T, np.ones(3)))
    return np.linalg.solve(corners, [plane.x[column], plane.y[row], 1])


@pytest.mark.parametrize("angle", ["acute", "obtuse at the first corner", "obtuse at the second"])
def test_a_plane_has_values_inside_the_triangle_and_none_outside(tiny, angle):
    corners = {
        "acute": triangle(),
        "obtuse at the first corner": ((first(1) + first(8)) / 2, first(8), (first(1) + first(7)) / 2),
        "obtuse at the second": (first(8), (first(1) + first(8)) / 2, (first(1) + first(7)) / 2),
    }[angle]
    plane = last_plane(tiny, side=23, corners=corners)
    (width, _), (along, _) = plane.corners[1:]
    found = "obtuse at the first corner" if along < 0 else "obtuse at the second" if along > width else "acute"
    assert found == angle
    assert plane.predicted.shape == plane.confidence.shape == plane.log_length_element.shape == (23, 23)
    assert plane.predicted.dtype == torch.int64 and plane.confidence.dtype == torch.float64
    counts = [0, 0]
    for row in range(23):
        for column in range(23):
            least = coordinates(plane, row, column).min()
            if abs(least) < 1e-9:
                continue  # on the edge
            filled = plane.predicted[row, column].item() >= 0
            assert filled == (least > 0)
            for values in (plane.confidence, plane.log_length_element):
                assert values[row, column].isfinite() == filled and values[row, column].isnan() != filled
            counts[filled] += 1
    assert min(counts) > 100
    # The triangle's first edge is the grid's first row, where the corners belong to it.
    assert (plane.predicted[0][(plane.x >= 0) & (plane.x <= plane.corners[1, 0])] >= 0).all()


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "sigmoid-mlp/vanilla", "relu-mlp/saturated", "cnn/vanilla"])
def test_at_each_point_of_a_plane_it_is_what_the_network_makes_of_the_image_there(name):
    network, images = load(name), triangle()
    plane = last_plane(network, side=9)
    rows, columns = (plane.predicted >= 0).nonzero(as_tuple=True)
    assert 30 < len(rows) < 81
    shares = np.array([coordinates(plane, *place) for place in zip(rows.tolist(), columns.tolist(), strict=True)])
    mixed = torch.tensordot(torch.from_numpy(shares), torch.stack(images), dims=1).clamp(0, 1)  # rounding at the edges
    with torch.no_grad():
        p = copy.deepcopy(network).double()(mixed).softmax(1)
    assert torch.equal(plane.predicted[rows, columns], p.argmax(1))
    assert len(p.argmax(1).unique()) >= 3
    np.testing.assert_allclose(plane.confidence[rows, columns], p.amax(1), rtol=1e-9)

    # Any two orthonormal directions of the plane will do: these are not the plane's own axes.
    one = images[1] + images[2] - 2 * images[0]
    one = one / one.norm()
    other = images[1] - images[2]
    other = other - (other * one).sum() * one
    other = other / other.norm()
    assert abs((one * (images[1] - images[0])).sum() / (images[1] - images[0]).norm()) < 0.99
    squares = [geometry.length_element(network, mixed, direction.expand_as(mixed)) ** 2 for direction in (one, other)]
    expected = ((squares[0] + squares[1]) / 2).sqrt().log10()
    # On the edges what is black in two of the images begins, and ties in max-pooling are decided by rounding.
    smooth = shares.min(1) > 1e-9 if name.startswith("cnn") else shares.min(1) > -1
    assert smooth.sum() > 20
    np.testing.assert_allclose(plane.log_length_element[rows, columns][smooth], expected[smooth], rtol=0, atol=1e-8)


def test_a_plane_fills_up_from_record_to_record():
    network = of_family("sigmoid-mlp", hidden=5)
    records = list(geometry.plane(network, *triangle(), side=110))
    *_, last = records
    inside = last.predicted >= 0
    assert len(records) >= 3 and last.done == 1
    assert inside.sum() > geometry.PART
    done = [record.done for record in records]
    assert done == sorted(set(done)) and done[0] > 0
    filled_before = torch.zeros_like(inside)
    for record in records:
        filled = record.predicted >= 0
        assert record.done == pytest.approx(filled.sum().item() / inside.sum().item())
        assert (filled | ~filled_before).all()  # what was filled stays so
        assert torch.equal(record.predicted[filled], last.predicted[filled])
        for field in ("confidence", "log_length_element"):
            values = getattr(record, field)
            assert torch.equal(values.isfinite(), filled)
            assert torch.equal(values[filled], getattr(last, field)[filled])
        assert torch.equal(record.x, last.x) and torch.equal(record.y, last.y)
        assert torch.equal(record.corners, last.corners)
        filled_before = filled


def test_three_images_on_one_line_are_refused(tiny):
    source, target, other = triangle()
    for images in (
        (source, target, (source + target) / 2),
        (source, source, target),
        (source, target, source),
        (source, target, target),
        (source, source, source),
    ):
        with pytest.raises(ValueError, match="on one line$"):
            next(geometry.plane(tiny, *images))
    almost = (source + target) / 2 + 1e-3 * (other - source)
    assert last_plane(tiny, side=3, corners=(source, target, almost.clamp(0, 1))).done == 1


@pytest.mark.parametrize("side", [1, 0, -1])
def test_a_plane_of_fewer_than_two_points_a_side_is_refused(tiny, side):
    with pytest.raises(ValueError, match=f"^expected at least two points a side, got {side}$"):
        next(geometry.plane(tiny, *triangle(), side=side))


def test_a_plane_may_have_but_two_points_a_side(tiny):
    assert (last_plane(tiny, side=2).predicted >= 0).any()


# --- what the paper's Fig. 4 shows ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contrasts() -> dict[str, list[geometry.Path]]:
    """By training: 200 paths, the same for both, between images of different classes that both get right."""
    images, labels = data.load("test")
    networks = {training: load(f"sigmoid-mlp/{training}") for training in ("vanilla", "saturated")}
    right = torch.stack([network(images).argmax(1) == labels for network in networks.values()]).all(0).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(4)
    pairs = right[torch.randint(len(right), (300, 2), generator=generator)]
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]][:200]
    assert len(pairs) == 200
    return {
        training: [geometry.path(network, images[source], images[target], points=21) for source, target in pairs]
        for training, network in networks.items()
    }


def both(contrasts: dict[str, list[geometry.Path]], figure: Callable[[geometry.Path], float]) -> list[np.ndarray]:
    return [np.array([figure(path) for path in contrasts[training]]) for training in ("vanilla", "saturated")]


def test_saturated_paths_are_flatter(contrasts):
    vanilla, saturated = both(contrasts, lambda path: path.flatness)
    # Measured on 400 pairs: medians 0.45 and 0.99, and saturated the flatter on every one.
    assert np.median(vanilla) < 0.6 and np.median(saturated) > 0.95
    assert (saturated > vanilla).mean() >= 0.98


def test_at_a_saturated_transition_one_singular_value_stands_out(contrasts):
    vanilla, saturated = both(contrasts, lambda path: path.participation)
    # Measured on 400 pairs: medians 3.5 and 1.0, and saturated the smaller on every one.
    assert np.median(vanilla) > 2.5 and np.median(saturated) < 1.2
    assert (saturated < vanilla).mean() >= 0.98


@pytest.mark.parametrize("name", ["cnn/vanilla", "cnn/saturated", "relu-mlp/vanilla"])
def test_at_its_ends_a_paths_spectrum_is_that_of_the_images_themselves(name):
    # A background rounded unevenly would break the ties of max-pooling there.
    network, images = load(name), data.load("test").images
    path = geometry.path(network, images[0], images[1], points=3)
    expected = geometry.singular_values(geometry.jacobian(network, images[:2]))
    assert torch.allclose(path.singular_values[[0, -1]], expected, rtol=1e-9, atol=1e-12 * float(expected.max()))


def test_a_path_between_images_that_hardly_differ_comes_to_an_end(patience):
    source = data.load("test").images[447].double()
    noise = torch.randn(source.shape, generator=torch.Generator().manual_seed(447), dtype=torch.float64)
    path = geometry.path(load("sigmoid-mlp/control"), source, (source + 1e-15 * noise).clamp(0, 1), points=51)
    assert 0 <= path.length < 1e-9
