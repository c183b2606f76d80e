"""A committee's logits are the mean of its members'."""

import pytest
import torch

from satcore.committees import committee
from satcore.networks import Block, Convolution, Dense, Elementwise, MaxPooling, Network, build, mlp
from tests.examples import random_images

LOOKS = {
    "dense": mlp("sigmoid", (12, 9)),
    "ramps behind a step": (
        Block(Elementwise((1, 28, 28)), "step"),
        Block(Convolution(1, 6, (14, 14), (7, 7)), "ramp"),
        Block(Dense(6 * 3 * 3, 8), "ramp"),
        Block(Dense(8, 10)),
    ),
    "behind a step that flattens": (Block(Elementwise((784,)), "step"), *mlp("relu", (9, 7))),
    "groups, pooled": (
        Block(Convolution(1, 4, (4, 4), (2, 2), (1, 0, 0, 1)), "relu", MaxPooling((2, 2), (2, 2))),
        Block(Convolution(4, 6, (3, 3), groups=2), "tanh"),
        Block(Dense(6 * 4 * 4, 10)),
    ),
}


def members(architecture, count: int) -> list[Network]:
    """With knees of their own."""
    found = [build(architecture, seed, 4.0) for seed in range(count)]
    for number, member in enumerate(found):
        for name, parameter in member.named_parameters():
            if name.endswith("knee"):
                parameter.data.fill_(0.3 + 0.2 * number)
    return found


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("architecture", LOOKS.values(), ids=LOOKS)
def test_the_logits_are_the_mean_of_the_members(architecture, count):
    images, some = random_images(50, seed=1), members(architecture, count)
    expected = torch.stack([member.double()(images) for member in some]).mean(0)
    found = committee([member.float() for member in some]).double()(images)
    assert (found - expected).abs().max() <= 2e-5 * expected.abs().max() and expected.std() > 0.05


def test_a_committee_keeps_the_dtype_of_its_members():
    images, some = random_images(20, seed=1), [member.double() for member in members(LOOKS["ramps behind a step"], 2)]
    found, expected = committee(some)(images), torch.stack([member(images) for member in some]).mean(0)
    assert found.dtype == torch.float64 and (found - expected).abs().max() <= 1e-12


def test_members_that_do_not_fit_are_refused():
    one, other = members(mlp("relu", (5,)), 2)
    for few in ([], [one], [one, build(mlp("relu", (6,)))]):
        with pytest.raises(ValueError, match="expected two members or more, of one architecture, got"):
            committee(few)
    with pytest.raises(ValueError, match="expected dense or convolutional blocks"):
        committee([build(mlp("relu", ()), seed) for seed in (0, 1)])
    ends_elementwise = (Block(Convolution(1, 10, (28, 28)), "relu"), Block(Elementwise((10,))))
    with pytest.raises(ValueError, match="and a dense one at the end, got others"):
        committee([build(ends_elementwise, seed) for seed in (0, 1)])
    one, other = members(LOOKS["ramps behind a step"], 2)
    other.get_parameter("layers.0.bias").data[0, 3, 3] = 0
    with pytest.raises(ValueError, match="expected the same elementwise block in all members"):
        committee([one, other])


@pytest.mark.parametrize("knee", [0.0, -0.1])
def test_a_knee_that_is_no_knee_is_refused(knee):
    some = members(mlp("ramp", (6,)), 2)
    some[1].nonlinearities[0].knee.data.fill_(knee)
    with pytest.raises(ValueError, match=f"expected ramps with knees above 0, got one at {knee:g}"):
        committee(some)
