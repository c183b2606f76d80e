"""Linear bounds: every margin bound holds against search, and no attack contradicts a proof."""

import itertools

import pytest
import torch
from torch import Tensor

from satcore import data
from satcore.attacks import pgd
from satcore.networks import Block, Dense, Elementwise, Network, build, mlp
from satcore.nonlinearities import named
from satcore.proofs import certified, refusal
from satcore.proofs.relaxation import known, relaxed
from satcore.proofs.rounding import Arithmetic
from tests.examples import EVERY, KINDS, first_examples, load, slowly, small

SLOWEST = "overlapping maxima"
EACH = slowly(
    [(kind, phi) for kind, phi in itertools.product(KINDS, EVERY) if kind != SLOWEST or phi in ("relu", "tanh")],
    lambda pair: pair[0] != SLOWEST,
)


def least_margins(network: Network, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    arithmetic = Arithmetic(network)
    relaxation, x = relaxed(arithmetic), images.double().flatten(1)
    region, lines = known(arithmetic, relaxation, (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1))
    eye = torch.eye(10, dtype=torch.float64)
    others = torch.ones(len(x), 10, dtype=torch.bool).scatter(1, labels[:, None], False)
    contrast = (eye[labels][:, None] - eye)[others].view(-1, 9, 10)
    return relaxation.lower_bound(region, lines, relaxation.last, contrast).value.detach()


def margins(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """h_y − h_j, (N, 9)."""
    logits = network(images.double())
    others = torch.ones_like(logits, dtype=torch.bool).scatter(1, labels[:, None], False)
    return logits.gather(1, labels[:, None]) - logits[others].view(-1, 9)


@pytest.mark.parametrize("kind, phi", EACH)
def test_no_image_in_the_ball_has_a_smaller_margin(kind, phi):
    """Random images and corners of the ball, on random networks with steep units."""
    network = small(kind, phi, seed=3, scale=4.0)
    images, labels = first_examples(4)
    for epsilon in (0.01, 0.1):
        least = least_margins(network, images, labels, epsilon)
        closest = torch.full_like(least, torch.inf)
        for draw in range(30):
            offset = epsilon * (2 * torch.rand(images.shape, dtype=torch.float64) - 1)
            offset = offset.sign() * epsilon if draw % 2 else offset
            closest = closest.minimum(margins(network, (images + offset).clamp(0, 1), labels))
        assert (closest >= least - 1e-9).all()
        assert least.isfinite().all()


@pytest.mark.parametrize("phi", EVERY)
def test_on_a_network_of_three_pixels_no_corner_and_no_point_between_them_contradicts_the_bound(phi):
    """All else is held by weights of zero, so that the whole ball can be walked through."""
    network = build((Block(Elementwise((1, 28, 28)), phi), *mlp(phi, (5, 4))), seed=2, scale=3.0).double()
    network.requires_grad_(False)
    network.layers[0].weight.fill_(6.0)
    network.layers[0].bias.fill_(-2.0)
    network.layers[1].weight[:, 3:] = 0
    images, labels, epsilon = torch.full((1, 1, 28, 28), 0.4, dtype=torch.float64), torch.tensor([4]), 0.15
    steps = torch.linspace(-epsilon, epsilon, 13, dtype=torch.float64).tolist()
    walked = images.repeat(len(steps) ** 3, 1, 1, 1)
    walked.flatten(1)[:, :3] += torch.tensor(list(itertools.product(steps, repeat=3)), dtype=torch.float64)
    smallest = margins(network, walked, labels.expand(len(walked))).amin(0)
    (least,) = least_margins(network, images, labels, epsilon)
    assert (smallest >= least - 1e-12).all()
    # And it is no empty promise: within a hundredth of the ball it is nearly the margin itself, but where φ jumps.
    (near,) = least_margins(network, images, labels, epsilon / 100)
    (here,) = margins(network, images, labels)
    lipschitz = (here - smallest).abs().max()
    assert (here - near).max() <= 0.2 * lipschitz + 1e-9


@pytest.mark.parametrize("kind, phi", EACH)
def test_within_nothing_the_bound_is_the_margin(kind, phi):
    network, (images, labels) = small(kind, phi, seed=1, scale=3.0), first_examples(8)
    assert torch.allclose(
        least_margins(network, images, labels, 0.0), margins(network, images, labels), rtol=1e-6, atol=1e-6
    )


def test_a_linear_network_is_bounded_exactly():
    """All units on: the bound is the least of a linear function over a box, found at one of its corners."""
    network = build(mlp("relu", (3, 3))).double().requires_grad_(False)
    for layer in network.layers[:-1]:
        layer.bias.fill_(100.0)
    network.layers[0].weight[:, 3:] = 0  # so that there are eight corners
    images, labels = torch.full((1, 1, 28, 28), 0.5), torch.tensor([4])
    corners = torch.stack([images[0].double()] * 8)
    for corner, signs in zip(corners, itertools.product((-0.2, 0.2), repeat=3), strict=True):
        corner.view(-1)[:3] += torch.tensor(signs, dtype=torch.float64)
    expected = margins(network, corners, labels.expand(8)).amin(0)
    assert torch.allclose(least_margins(network, images, labels, 0.2)[0], expected, atol=1e-9)


@pytest.mark.parametrize("size", [(784,), (1, 28, 28), (1, 1, 1), (1, 1, 28)])
def test_a_scale_of_any_size_is_bounded_as_the_same_scale_within_the_weights(size):
    """Normalisation as a block of its own, and folded into the first dense layer: one function, one bound."""
    folded = build(mlp("sigmoid", (8,)), seed=5, scale=5.0).double().requires_grad_(False)
    network = Network((Block(Elementwise(size)), *folded.architecture)).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    first, dense = network.layers[0], network.layers[1]
    first.weight.copy_(1 - 2 * torch.rand(size, generator=generator))  # of either sign
    first.bias.copy_(torch.rand(size, generator=generator))
    network.layers[1:].load_state_dict(folded.layers.state_dict())
    w, b = (part.expand(size if len(size) == 1 else (1, 28, 28)).reshape(784) for part in (first.weight, first.bias))
    folded.layers[0].bias.add_(dense.weight @ b)
    folded.layers[0].weight.mul_(w)
    images, labels = first_examples(5)
    assert torch.allclose(network(images.double()), folded(images.double()), rtol=1e-12)
    found, expected = (least_margins(there, images, labels, 0.02) for there in (network, folded))
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("phi", EVERY)
def test_a_proof_does_not_depend_on_who_else_is_in_the_batch(phi):
    network, (images, labels) = small("dense", phi, seed=4, scale=2.0), first_examples(56)
    labels = network(images.double()).argmax(1)  # so that something is to be proven
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    epsilon = 0.003
    together = certified(network, images, labels, epsilon=epsilon)  # in parts of fifty
    assert torch.equal(certified(network, images[order], labels[order], epsilon=epsilon), together[order])
    some = range(0, 56, 5)
    alone = [bool(certified(network, images[k : k + 1], labels[k : k + 1], epsilon=epsilon)) for k in some]
    assert alone == together[::5].tolist()
    assert phi == "step" or sum(alone) > 0


@pytest.mark.parametrize("name, epsilon", [("sigmoid-mlp/saturated", 0.004), ("relu-mlp/adversarial", 0.04)])
def test_no_attack_breaks_what_is_proven(name, epsilon):
    network, (images, labels) = load(name), first_examples(12)
    proven = certified(network, images, labels, epsilon=epsilon)
    broken = network(images).argmax(1) != labels
    for temperature in (1.0, 30.0):
        way = {"gradient": "softened", "temperature": temperature, "loss": "margin", "restarts": 2}
        broken |= pgd(network, images, labels, epsilon=epsilon, **way).success
    assert not (proven & broken).any()
    assert 0 < proven.sum() < 12


def test_a_larger_ball_proves_less(tiny):
    images, labels = first_examples(100)
    shares = [int(certified(tiny, images, labels, epsilon=epsilon).sum()) for epsilon in (0.0, 0.01, 0.02, 0.5)]
    assert shares == sorted(shares, reverse=True) and shares[0] == (tiny(images).argmax(1) == labels).sum()
    assert shares[1] > shares[2] > shares[3] == 0


def test_what_cannot_be_certified_is_refused_in_one_sentence(tiny):
    class Logits(torch.nn.Module):
        def forward(self, images):
            return tiny(images)

    logits, message = Logits(), "expected a network of blocks to certify, got a Logits, which only gives logits"
    assert (
        refusal(tiny) == refusal(small("strides and means", "step")) == refusal(build((Block(Dense(784, 10)),))) == ""
    )
    assert refusal(logits) == message
    with pytest.raises(ValueError) as refused:
        certified(logits, *first_examples(2))
    assert str(refused.value) == message
    for epsilon in (-0.1, 2, float("nan")):
        with pytest.raises(ValueError, match=r"expected an epsilon in \[0, 1\], got"):
            certified(tiny, *first_examples(2), epsilon=epsilon)


def test_other_images_and_labels_are_refused():
    network, (images, labels) = load("relu-mlp/vanilla"), first_examples(3)
    for spoilt, message in (
        ((images * 5, labels), "expected pixels"),
        ((images.flatten(1), labels), "expected images of shape"),
        ((images, labels + 9), "expected labels"),
        ((images, labels[:2]), "expected int64 labels"),
    ):
        with pytest.raises(ValueError, match=message):
            certified(network, *spoilt, epsilon=0.01)


def test_of_no_images_nothing_is_proven(tiny):
    assert certified(tiny, *(tensor[:0] for tensor in data.load("test"))).shape == (0,)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "ramp"])
def test_no_output_is_off_by_more_roundoffs_than_are_counted(name):
    phi, h = named(name), torch.linspace(-110, 110, 400_001)
    assert (phi(h).double() - phi(h.double())).abs().max() <= phi.roundoffs * 2.0**-24
