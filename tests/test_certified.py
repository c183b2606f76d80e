"""Linear bounds: every line encloses its function, every margin bound holds against search, and no attack contradicts a proof."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from satcore.certified import certified, enclosure

from satcore import certified as certified_module
from satcore import checkpoints, data
from satcore.evaluation import worst_case
from satcore.networks import build

FUNCTIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}


@pytest.mark.parametrize("activation", FUNCTIONS)
@given(low=some.floats(-800, 800), width=some.floats(0, 1000) | some.floats(0, 1e-6))
def test_the_lines_enclose_the_activation(activation, low, width):
    low, high = torch.tensor([[low]], dtype=torch.float64), torch.tensor([[low + width]], dtype=torch.float64)
    lines, h = enclosure(activation, low, high), low + (high - low) * torch.linspace(0, 1, 201, dtype=torch.float64)
    y = FUNCTIONS[activation](h)
    rounding = 1e-12 * (1 + h.abs().max())
    assert (lines.lower_slope * h + lines.lower_offset <= y + rounding).all()
    assert (y <= lines.upper_slope * h + lines.upper_offset + rounding).all()


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_the_lines_are_near(activation):
    """Where the activation is close to linear both lines are; so a bound that's always the whole range would not do."""
    low = torch.tensor([[-20.0, -1.0, 0.0, 0.5, 3.0]], dtype=torch.float64)
    lines = enclosure(activation, low, low + 1e-3)
    y = FUNCTIONS[activation](low)
    for slope, offset in ((lines.lower_slope, lines.lower_offset), (lines.upper_slope, lines.upper_offset)):
        assert torch.allclose(slope * low + offset, y, atol=1e-6)


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp"])
@pytest.mark.parametrize("epsilon", [0.01, 0.1])
def test_no_image_in_the_ball_has_a_smaller_margin(family, epsilon):
    """Random images and corners of the ball, on random networks with steep units."""
    network = build(family, hidden=12, seed=3, scale=4.0).double()
    images, labels = (tensor[:6] for tensor in data.load("test"))
    least = certified_module._least_margins(network, images.flatten(1).double(), labels, epsilon)
    for _ in range(300):
        offset = epsilon * (2 * torch.rand_like(images) - 1)
        offset = offset.sign() * epsilon if _ % 2 else offset
        logits = network((images + offset).clamp(0, 1).double())
        own = logits.gather(1, labels[:, None])
        others = logits[torch.ones_like(logits, dtype=torch.bool).scatter(1, labels[:, None], False)].view(-1, 9)
        assert (own - others >= least - 1e-9).all()


def test_within_nothing_the_bound_is_the_margin():
    for family in ("sigmoid-mlp", "relu-mlp"):
        network = build(family, hidden=10, seed=1, scale=3.0).double()
        images, labels = (tensor[:20] for tensor in data.load("test"))
        logits = network(images.double())
        least = certified_module._least_margins(network, images.flatten(1).double(), labels, 0.0)
        expected = torch.stack(
            [row[label] - torch.cat((row[:label], row[label + 1 :])) for row, label in zip(logits, labels, strict=True)]
        )
        assert torch.allclose(least, expected, atol=1e-6)


def test_a_linear_network_is_bounded_exactly():
    """All units on: the bound is the least of a linear function over a box, found at one of its corners."""
    network = build("relu-mlp", hidden=3, seed=0).double()
    for layer in network.layers[:-1]:
        layer.bias.data.fill_(100.0)
    network.layers[0].weight.data[:, 3:] = 0  # so that there are eight corners
    images, labels = torch.full((1, 1, 28, 28), 0.5), torch.tensor([4])
    corners = torch.stack([images[0].double()] * 8)
    for corner, signs in zip(corners, itertools.product((-0.2, 0.2), repeat=3), strict=True):
        corner.view(-1)[:3] += torch.tensor(signs, dtype=torch.float64)
    logits = network(corners)
    expected = (logits[:, 4:5] - logits[:, [0, 1, 2, 3, 5, 6, 7, 8, 9]]).min(0).values
    found = certified_module._least_margins(network, images.flatten(1).double(), labels, 0.2)
    assert torch.allclose(found[0], expected, atol=1e-9)


@pytest.mark.parametrize("name, epsilon", [("sigmoid-mlp/saturated", 0.0025), ("relu-mlp/adversarial", 0.02)])
def test_no_attack_breaks_what_is_proven(name, epsilon):
    network, images, labels = checkpoints.load(name), *(tensor[:15] for tensor in data.load("test"))
    proven = certified(network, images, labels, epsilon=epsilon)
    broken = worst_case(network, images, labels, epsilon=epsilon).broken
    assert not (proven & broken).any()
    assert 0 < proven.sum() <= (~broken).sum()


def test_a_larger_ball_proves_less():
    network, images, labels = checkpoints.load("relu-mlp/vanilla"), *(tensor[:30] for tensor in data.load("test"))
    shares = [certified(network, images, labels, epsilon=epsilon).sum() for epsilon in (0.0, 0.02, 0.5)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 25 and shares[-1] == 0


def test_what_cannot_be_certified_is_refused(tiny):
    images, labels = (tensor[:2] for tensor in data.load("test"))
    with pytest.raises(ValueError, match="expected a network of dense layers"):
        certified(build("cnn"), images, labels)
    for epsilon in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="expected an epsilon of 0 or more"):
            certified(tiny, images, labels, epsilon=epsilon)


def test_other_images_and_labels_are_refused():
    network, (images, labels) = checkpoints.load("relu-mlp/vanilla"), (tensor[:3] for tensor in data.load("test"))
    for spoilt, message in (
        ((images * 5, labels), "expected pixels"),
        ((images.flatten(1), labels), "expected images of shape"),
        ((images, labels + 9), "expected labels"),
        ((images, labels[:2]), "expected int64 labels"),
    ):
        with pytest.raises(ValueError, match=message):
            certified(network, *spoilt, epsilon=0.01)
