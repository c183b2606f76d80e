"""What is proven of Adam's steps to come holds of those that are taken, and what autograd computes is within bounds."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from satcore import attacks, data
from satcore.networks import build, mlp
from satcore.proofs.standstill import _Plateau, drift
from tests.examples import load, of_family

RATE = 0.01


def gradients(network, images, targets) -> torch.Tensor:
    """The largest entry of each image's gradient, (N,)."""
    x = images.clone().requires_grad_()
    (g,) = torch.autograd.grad(cross_entropy(network(x), targets, reduction="sum"), x)
    return g.abs().flatten(1).amax(1)


def test_no_gradient_around_an_image_is_larger_than_the_bound():
    torch.manual_seed(0)
    images = data.load("test").images[:20]
    for network in (load("sigmoid-mlp/saturated"), load("sigmoid-mlp/vanilla"), of_family("sigmoid-mlp", 16)):
        seen = network(images).argmax(1)
        for radius in (0.0, 1e-6, 1e-3, 0.03):
            targets = (seen + 1) % 10
            bound, misses = _Plateau(network).around(images.flatten(1).double(), targets, radius)
            for _ in range(5):
                near = (images + radius * (2 * torch.rand_like(images) - 1).sign()).clamp(0, 1)
                assert (gradients(network, near, targets) <= bound).all()
                assert not (misses & (network(near).argmax(1) == targets)).any()
            if radius <= 1e-6:
                assert misses.float().mean() > 0.9
    bound, _ = _Plateau(load("sigmoid-mlp/saturated")).around(images.flatten(1).double(), seen, 0.0)
    assert bound.min() < 1e-6  # far below the roundoff of y in y(1 − y)


@pytest.mark.parametrize("dtype, to", [(torch.float32, 100), (torch.float64, 800)])
def test_no_slope_that_autograd_takes_is_larger_than_the_bound(dtype, to):
    plateau = _Plateau(build(mlp("sigmoid", (4, 4))).to(dtype))
    fine = torch.linspace(-to, to, 400_001, dtype=dtype)
    knee = torch.linspace(10, 45, 200_001, dtype=dtype)
    h = torch.cat([fine, knee, -knee, torch.zeros(1, dtype=dtype)]).requires_grad_()
    (slope,) = torch.autograd.grad(torch.sigmoid(h).sum(), h)
    exactly = h.detach().double()
    bound = plateau._steepest((exactly, exactly))
    assert (slope <= bound).all() and bool((bound[: len(fine)][fine > 40] == 0).all())
    wide = plateau._steepest((exactly - 1, exactly + 1))
    assert (wide >= bound).all()


@pytest.mark.slow
def test_adam_stays_where_it_is_proven_to():
    network, pairs = load("sigmoid-mlp/saturated"), [(8, 2), (8, 3), (8, 4)]
    starts = data.load("test").images[[data.choose(network, "test", source, "most confident") for source, _ in pairs]]
    targets, taken, means = torch.tensor([target for _, target in pairs]), 400, torch.zeros(3)
    seen = []
    for step in attacks.adam_steps(network, starts, targets, steps=2000):
        if step.iteration <= taken and step.gradient is not None:
            means = 0.9 * means + 0.1 * step.gradient.direction.abs().flatten(1).amax(1)
        if step.iteration >= taken:
            seen.append(step.images)
    proven = [
        drift(network, seen[0], targets, means, taken=taken, left=left, learning_rate=RATE)
        for left in (len(seen) - 1, 30_000_000)
    ]
    moved = torch.stack([(there - seen[0]).double().abs().flatten(1).amax(1) for there in seen]).amax(0)
    assert (moved > 0).all() and (moved <= proven[0]).all() and (proven[0] < proven[1]).all()
    assert (proven[1] < 1e-3).all()


def test_nothing_is_proven_where_gradients_are_large_or_a_network_is_no_mlp_of_sigmoids():
    images, targets = data.load("test").images[:5], torch.arange(5)
    others = load("relu-mlp/saturated"), load("cnn/saturated"), torch.nn.Sequential(load("sigmoid-mlp/saturated"))
    for network in (load("sigmoid-mlp/vanilla"), *others):
        found = drift(network, images, targets, torch.ones(5), taken=1, left=100, learning_rate=RATE)
        assert found.dtype == torch.float64 and np.isinf(found.numpy()).all()
    quiet = load("sigmoid-mlp/saturated")
    assert drift(quiet, images[:0], targets[:0], torch.ones(0), taken=1, left=1, learning_rate=RATE).shape == (0,)
