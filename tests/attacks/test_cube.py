"""Behind a step the ball is a cube of few corners: the search never leaves it, and finds what enumeration finds."""

import itertools
import math

import pytest
import torch

from satcore import data
from satcore.attacks import cube, cube_steps
from satcore.attacks.cube import searched
from satcore.networks import Block, Dense, Elementwise, Network, build, mlp
from satcore.recipes import STEP

EPSILON = 0.25


def of(*widths: int, seed: int = 0, scale: float = 3.0) -> Network:
    return build((STEP, *mlp("relu", widths)), seed, scale).requires_grad_(False)


def with_free(count: int, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The images with so many pixels within ε of ½, all others far from it."""
    draw = torch.Generator().manual_seed(seed)
    images = (images > 0.5).float().flatten(1)
    for image in images:
        free = torch.randperm(784, generator=draw)[:count]
        image[free] = 0.5 + (torch.rand(count, generator=draw) - 0.5) * 0.4
    return images.view(-1, 1, 28, 28)


def corners(image: torch.Tensor) -> torch.Tensor:
    """All images of the cube, by enumeration, as zeros and ones."""
    flat = image.flatten()
    free = ((flat - 0.5).abs() < EPSILON).nonzero().flatten()
    found = (flat > 0.5).float().repeat(2 ** len(free), 1)
    found[:, free] = torch.tensor(list(itertools.product((0.0, 1.0), repeat=len(free))))
    return found.view(-1, 1, 28, 28)


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return data.load("test").images[:40]


@pytest.mark.parametrize("count", [0, 1, 6, 10])
def test_it_finds_what_enumeration_finds(digits, count):
    network, images = of(20, 20, seed=count), with_free(count, digits, count)
    labels = network(images).argmax(1)  # so that all are right before
    breakable = torch.tensor(
        [bool((network(corners(x)).argmax(1) != y).any()) for x, y in zip(images, labels, strict=True)]
    )
    result = cube(network, images, labels, epsilon=EPSILON, steps=40)
    assert torch.equal(result.success, breakable)
    assert count < 6 or int(breakable.sum()) > 0
    low, high = (images - EPSILON).clamp(0, 1), (images + EPSILON).clamp(0, 1)
    found = searched(network, images, low, high, labels, steps=40, deadline=math.inf)
    assert torch.equal(network(found).argmax(1) != labels, breakable)
    assert ((low <= found) & (found <= high)).all()
    assert torch.equal(searched(network, images, low, high, labels, steps=40, deadline=0), images)


def test_of_a_linear_network_it_finds_the_worst_corner(digits):
    network = build((STEP, Block(Dense(784, 10))), 3).requires_grad_(False)
    images, weight, bias = with_free(6, digits), network.weights[0].double(), network.layers[1].bias.double()
    labels = network(images).argmax(1)
    stepped, free = (images > 0.5).double().flatten(1), (images - 0.5).abs().flatten(1) < EPSILON
    worst = torch.full((40,), -torch.inf, dtype=torch.float64)
    for k in range(10):
        towards = weight[k] - weight[labels]
        corner = torch.where(free, (towards > 0).double(), stepped)
        margin = (towards * corner).sum(1) + bias[k] - bias[labels]
        worst = torch.where(labels == k, worst, torch.maximum(worst, margin))
    result = cube(network, images, labels, epsilon=EPSILON, steps=60)
    assert torch.equal(result.success, worst > 0) and 0 < int(result.success.sum()) < 40


def test_it_stays_in_the_ball_and_moves_only_pixels_that_change_their_step(digits):
    network = of(30, seed=1)
    labels = network(digits).argmax(1)
    result = cube(network, digits, labels, epsilon=0.1, steps=10)
    moved = result.images != digits
    assert (result.images - digits).abs().max() <= 0.1 + 1e-7
    assert ((result.images >= 0) & (result.images <= 1)).all()
    assert ((result.images > 0.5) != (digits > 0.5))[moved].all()
    assert torch.equal(network(result.images).argmax(1) != labels, result.success)


def test_what_happens_to_an_image_does_not_depend_on_the_others(digits):
    network = of(30, seed=2)
    labels = network(digits).argmax(1)
    together = cube(network, digits, labels, epsilon=0.1, steps=6)
    for n in (0, 7, 39):
        alone = cube(network, digits[n : n + 1], labels[n : n + 1], epsilon=0.1, steps=6)
        assert alone.success == together.success[n] and torch.equal(alone.images[0], together.images[n])


def test_a_step_that_flattens_the_image_is_searched_alike(digits):
    network = of(20)
    flat = build((Block(Elementwise((784,)), "step"), *mlp("relu", (20,)))).requires_grad_(False)
    there = flat.state_dict()
    flat.load_state_dict({name: value.reshape(there[name].shape) for name, value in network.state_dict().items()})
    labels = network(digits).argmax(1)
    found, expected = (cube(net, digits, labels, epsilon=EPSILON, steps=5) for net in (flat, network))
    assert torch.equal(found.images, expected.images) and torch.equal(found.success, expected.success)


@pytest.mark.parametrize("flat", [False, True])
def test_images_of_another_dtype_or_order_are_searched_alike(digits, flat):
    network, images = of(20, seed=3), with_free(8, digits, 3)
    if flat:
        network = build((Block(Elementwise((784,)), "step"), *mlp("relu", (20,))), 3, 3.0).requires_grad_(False)
    labels = network(images).argmax(1)
    expected = cube(network, images, labels, epsilon=EPSILON, steps=10)
    low, high = (images.double() - EPSILON).clamp(0, 1), (images.double() + EPSILON).clamp(0, 1)
    found = cube(network, images.double(), labels, epsilon=EPSILON, steps=10)
    assert found.images.dtype == torch.float64 and ((low <= found.images) & (found.images <= high)).all()
    assert torch.equal(found.success, expected.success) and 0 < int(found.success.sum()) < 40
    turned = images.mT.contiguous().mT  # the same, its rows no longer one after another
    assert torch.equal(cube(network, turned, labels, epsilon=EPSILON, steps=10).images, expected.images)


def test_targets_are_reached_step_by_step(digits):
    network = of(30, seed=4)
    seen = network(digits).argmax(1)
    *_, end = cube_steps(network, digits, (seen + 1) % 10, steps=15, targeted=True)
    assert torch.equal(network(end.result.images).argmax(1) == (seen + 1) % 10, end.result.success)
    assert end.result.success.any() and not end.running.any()


def test_another_network_and_other_input_are_refused(digits, tiny):
    assert not tiny.steps_first and of(3).steps_first
    labels = torch.zeros(40, dtype=torch.int64)
    with pytest.raises(ValueError, match="expected a network that steps pixel by pixel before anything is summed"):
        cube(tiny, digits, labels)
    with pytest.raises(ValueError, match="expected a network that steps pixel by pixel before anything is summed"):
        cube(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)), digits, labels)
    with pytest.raises(ValueError, match="expected 1 or more steps, got 0"):
        cube(of(3), digits, labels, steps=0)
    with pytest.raises(ValueError, match=r"expected an epsilon in \[0, 1\], got -1"):
        cube(of(3), digits, labels, epsilon=-1)
