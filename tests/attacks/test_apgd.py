"""APGD goes down the margin within ε as its paper's algorithm does; smoother networks have gradients everywhere."""

import copy
import math

import pytest
import torch

from satcore.attacks.apgd import Towards, apgd, ranked_rivals
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.smoothing import Smoothed
from satcore.intervals import box
from satcore.networks import Block, Dense, Elementwise, Network, build
from tests.examples import EVERY, first_examples, load, random_images, small

EXACT = (Way("exact"),)


def literally(network, image, label, rival, epsilon, steps):
    """Algorithm 1 of Croce & Hein (2020), line by line, for one image and h_y − h_r, which is minimised: the lowest."""

    def at(x):
        x = x.clone().requires_grad_()
        logits = network(x[None])[0]
        value = logits[label] - logits[rival]
        (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient, int(logits.argmax()) != label

    def projected(x):
        return x.clamp((image - epsilon).clamp(0, 1), (image + epsilon).clamp(0, 1))

    p = [0.0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    looks = [math.ceil(share * steps) for share in p if share < 1]
    x, eta = [image], [2 * epsilon]
    found = [at(image)]
    x.append(projected(image - eta[0] * found[0][1].sign()))
    best_at_look, size_at_look, size = [found[0][0]], [eta[0]], eta[0]
    for k in range(1, steps):
        found.append(at(x[k]))
        values = [value for value, _, _ in found]
        if found[k][2]:
            return values[k]
        here, before, gradient = x[k], x[k - 1], found[k][1]
        if k in looks:
            last = looks[looks.index(k) - 1]
            falls = sum(values[i + 1] < values[i] for i in range(last, k))
            lowest = min(values)
            if falls < 0.75 * (k - last) or (size_at_look[-1] == size and best_at_look[-1] <= lowest and last > 0):
                size, index = size / 2, values.index(lowest)
                here, before, gradient = x[index], x[index], found[index][1]
                values[k], x[k], found[k] = lowest, here, found[index]
            best_at_look, size_at_look = [*best_at_look, lowest], [*size_at_look, size]
        z = projected(here - size * gradient.sign())
        x.append(projected(here + 0.75 * (z - here) + 0.25 * (here - before)))
    return min(*(value for value, _, _ in found), at(x[steps])[0])


def linear(seed: int = 0) -> Network:
    """Ten logits, each a weighted sum of all pixels."""
    return build((Block(Dense(784, 10)),), seed).double().requires_grad_(False)


def test_a_linear_network_is_at_its_corner_after_one_step():
    network, images = linear(), random_images(20, 1)
    labels = network(images).argmax(1)
    rivals = ranked_rivals(network(images), labels)[:, 4]
    weights = network.weights[0]
    for epsilon in (0.001, 0.01, 0.3):
        result = apgd(network, images, labels, ways=EXACT, epsilon=epsilon, rivals=rivals)
        low, high = box(images, epsilon)
        toward = (weights[rivals] - weights[labels]).view(-1, 1, 28, 28)
        corner = torch.where(toward > 0, high, low)
        assert torch.equal(result.images, corner)
        assert torch.equal(result.success, network(corner).argmax(1) != labels)


def test_it_goes_as_the_papers_algorithm_goes():
    network, (images, labels) = small("dense", "tanh", scale=4.0), first_examples(12)
    images, labels = images.double(), network(images.double()).argmax(1)
    rivals = ranked_rivals(network(images), labels)[:, 1]
    result = apgd(network, images, labels, ways=37 * EXACT, epsilon=0.03, rivals=rivals)
    values = Towards(labels, rivals=rivals).values(network(result.images))
    lowest = [literally(network, *there, 0.03, 37) for there in zip(images, labels, rivals, strict=True)]
    torch.testing.assert_close(values, torch.tensor(lowest, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("epsilon", [0.0, 0.02, 0.1])
def test_it_stays_within_epsilon_and_succeeds_where_it_says_so(tiny, epsilon):
    images, labels = first_examples(40)
    start = (images + epsilon / 2).clamp(0, 1)
    result = apgd(tiny, images, labels, ways=20 * EXACT, epsilon=epsilon, starts=start)
    low, high = box(images, epsilon)
    assert ((result.images >= low) & (result.images <= high)).all()
    assert torch.equal(result.success, tiny(result.images).argmax(1) != labels)
    assert (result.iterations <= 20).all() and (result.iterations[~result.correct_before] == 0).all()


def test_two_steps_end_no_higher_than_one_and_an_image_goes_its_way_alone(tiny):
    exact, (images, labels) = copy.deepcopy(tiny).double(), first_examples(16)
    images, objective = images.double(), Objective(labels, loss="margin")
    one, two = (
        objective.values(exact(apgd(exact, images, labels, ways=steps * EXACT, epsilon=0.02).images))
        for steps in (1, 2)
    )
    assert (two <= one).all()
    together = apgd(exact, images, labels, ways=20 * EXACT, epsilon=0.04)
    for index in range(0, 16, 5):
        alone = apgd(exact, images[index, None], labels[index, None], ways=20 * EXACT, epsilon=0.04)
        torch.testing.assert_close(alone.images[0], together.images[index])


def test_rivals_are_the_other_classes_the_likeliest_first():
    logits = torch.tensor([[5.0, 1, 2, 3, 9, 4, 0, -1, -2, -3], [1.0, 0, 0, 0, 0, 0, 0, 0, 0, 2]])
    assert ranked_rivals(logits, torch.tensor([4, 0])).tolist() == [
        [0, 5, 3, 2, 1, 6, 7, 8, 9],
        [9, 1, 2, 3, 4, 5, 6, 7, 8],
    ]


@pytest.mark.parametrize(
    "message, ways, settings",
    [
        ("expected 1 or more ways", (), {}),
        ("expected an epsilon", EXACT, {"epsilon": 2.0}),
        ("expected a start", EXACT, {"epsilon": 0.1, "starts": torch.full((3, 1, 28, 28), 0.5)}),
        ("expected a rival", EXACT, {"rivals": torch.tensor([1, 2])}),
    ],
)
def test_what_does_not_fit_is_refused(message, ways, settings, tiny):
    with pytest.raises(ValueError, match=message):
        apgd(tiny, *first_examples(3), ways=ways, **settings)


def test_only_a_network_of_blocks_is_smoothed_and_by_some_width():
    images, labels = first_examples(3)
    with pytest.raises(ValueError, match="expected a width"):
        Smoothed(0.0)
    with pytest.raises(ValueError, match="expected a network of blocks"):
        Smoothed(1.0).gradient(torch.nn.Flatten(), images, Objective(labels))


@pytest.mark.parametrize("phi", EVERY)
def test_a_chords_slope_is_that_of_the_mean_over_its_window(phi):
    """One hidden unit: the gradient is its weights times the derivative of φ's mean over h ± w, by differences."""
    network = build((Block(Dense(784, 1), phi), Block(Dense(1, 10))), 3).double().requires_grad_(False)
    images = random_images(6, 2)
    labels, rivals = torch.zeros(6, dtype=torch.int64), torch.ones(6, dtype=torch.int64)
    taken = Smoothed(0.5).gradient(network, images, Towards(labels, rivals=rivals))
    h, (first, second) = network.pre_activations(images)[0], network.weights
    w = 0.5 * h.abs()

    def mean(h):
        around = h + w * torch.linspace(-1, 1, 20_001, dtype=torch.float64)
        return torch.trapezoid(network.phi(0)(around), dx=1 / 20_000, dim=1)[:, None]

    slope = (mean(h + w / 100) - mean(h - w / 100)) / (w / 50)
    expected = (second[0] - second[1]) * slope * first
    torch.testing.assert_close(taken.direction.flatten(1), expected, rtol=2e-3, atol=1e-6)
    torch.testing.assert_close(taken.logits, network(images))


def test_behind_a_step_only_the_smoother_network_has_a_gradient():
    network = build((Block(Elementwise((1, 28, 28)), "step"), Block(Dense(784, 10))), 0).requires_grad_(False)
    for parameter, value in zip(network.parameters(), (1.0, -0.5), strict=False):  # x > ½, pixel by pixel
        parameter.fill_(value)
    images = random_images(4, 5).float()
    objective = Objective(network(images).argmax(1), loss="margin")
    assert not Way("exact").gradient(network, images, objective).direction.any()
    direction = Smoothed(1.0).gradient(network, images, objective).direction
    near = (images - 0.5).abs() < (images - 0.5).abs().mean((1, 2, 3), keepdim=True)
    assert torch.equal(direction != 0, near)


def test_smoothing_breaks_what_the_exact_gradient_does_not():
    network, (images, labels) = load("relu-mlp/saturated"), first_examples(150)
    ways = tuple(Smoothed(0.02 ** (k / 29)) for k in range(30))
    exact, smooth = (apgd(network, images, labels, ways=there, epsilon=0.05).success for there in (30 * EXACT, ways))
    assert (smooth & ~exact).sum() > (exact & ~smooth).sum()
