"""Verdicts on images and boxes: against enumeration, strangers' verdicts, and what float32 rounds."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from satcore import outside
from satcore.intervals import box
from satcore.networks import Block, Dense, Elementwise, Network, build, mlp
from satcore.proofs import by_intervals, certified, decide, decide_boxes
from satcore.proofs.counterexamples import _inward
from tests.examples import first_examples, load, of_family

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("phi", ["relu", "ramp", "step", "sigmoid"])
def test_behind_a_step_the_verdict_is_that_of_every_image_there_is(phi):
    """Eight pixels are near the step's threshold; all others are on one side of it whatever is done to them."""
    network = build((Block(Elementwise((1, 1, 1)), "step"), *mlp(phi, (6, 5))), seed=3, scale=4.0)
    network.requires_grad_(False)
    network.layers[0].weight.fill_(1)
    network.layers[0].bias.fill_(-0.5)
    network.layers[1].weight[:, 8:] *= 0.2  # so that the eight matter
    for layer in network.layers[1:]:
        layer.bias.zero_()
    generator, found = torch.Generator().manual_seed(3), set()
    images = (torch.rand(8, 1, 28, 28, generator=generator) > 0.5).float()
    images.flatten(1)[:, :8] = 0.5 + 0.05 * (2 * torch.rand(8, 8, generator=generator) - 1)
    labels = network(images).argmax(1)
    decision = decide(network, images, labels, epsilon=0.1, seconds=20)
    for image, label, verdict, broken in zip(images, labels, decision.verdicts, decision.images, strict=True):
        every = image.repeat(256, 1, 1, 1)
        every.flatten(1)[:, :8] = torch.tensor(list(itertools.product((0.44, 0.56), repeat=8)))
        wrong = bool((network(every).argmax(1) != label).any())
        assert verdict == ("broken" if wrong else "proven")
        if wrong:
            assert int(network(broken[None]).argmax()) != label
            assert (broken.double() - image.double()).abs().max() <= 0.1
        found.add(verdict)
    assert found == {"broken", "proven"}


@pytest.mark.slow
def test_strangers_instances_have_their_verdicts():
    network = outside.from_onnx(HERE / "mnist-net_256x2.onnx")
    instances = np.load(HERE / "mnist-net_256x2.npz")
    some = [number for number in range(30) if number != 1]  # which takes longer than all others: benchmarks/proofs.py
    low, high = (torch.from_numpy(instances[end][some]).view(-1, 1, 28, 28) for end in ("lower", "upper"))
    labels = torch.from_numpy(instances["label"][some])
    decision = decide_boxes(network, low, high, labels, seconds=60)
    known = {"holds": "proven", "violated": "broken"}
    assert decision.verdicts == tuple(known[verdict] for verdict in instances["verdict"][some])
    broken = decision.images[decision.broken].double()
    assert (broken >= low[decision.broken]).all() and (broken <= high[decision.broken]).all()
    assert (network(broken.float()).argmax(1) != labels[decision.broken]).all()


def test_what_float64_classifies_rightly_and_float32_does_not_is_not_proven():
    """Two huge weights of opposite sign, whose difference float32 rounds away."""
    network = build(mlp("sigmoid", (3,))).requires_grad_(False)
    for layer in network.layers:
        layer.weight.zero_()
        layer.bias.zero_()
    network.layers[0].weight[0, :3] = torch.tensor([2.0**30, 1.0, -(2.0**30)])
    network.layers[0].bias[0] = -0.25
    network.layers[1].weight[1, 0], network.layers[1].bias[0] = 1.0, 0.5
    images, labels = torch.full((1, 1, 28, 28), 0.5), torch.tensor([1])  # h¹ = 0.25, in float32 0.25 or less
    double = network.double()
    assert int(double(images.double()).argmax()) == 1 and bool(certified(double, images, labels, epsilon=0.0))
    assert not bool(certified(network.float(), images, labels, epsilon=0.0))
    assert decide(network, images, labels, epsilon=0.0, seconds=1).verdicts != ("proven",)


def linear(seed: int = 3) -> Network:
    return build((Block(Dense(784, 10)),), seed).requires_grad_(False)


def test_a_linear_network_is_broken_at_the_corner_where_its_margin_is_least():
    network, (images, _) = linear(), first_examples(8)
    labels, double = network(images).argmax(1), copy.deepcopy(network).double()
    low, high = (end.flatten(1) for end in box(images.double(), 0.001))
    contrast = (double.weights[0][labels][:, None] - double.weights[0]).view(8, 10, 784)
    corners = torch.where(contrast > 0, low[:, None], high[:, None])
    margins = (contrast * corners).sum(2) + double.layers[0].bias[labels][:, None] - double.layers[0].bias
    broken = margins.scatter(1, labels[:, None], torch.inf).amin(1) < 0
    assert 0 < broken.sum() < 8
    verdicts = tuple("broken" if there else "proven" for there in broken)
    assert decide(network, images, labels, epsilon=0.001, seconds=0.05).verdicts == verdicts
    ends = (end.view(-1, 1, 28, 28) for end in (low, high))
    decision = decide_boxes(network, *ends, labels, seconds=0.05)
    assert decision.verdicts == verdicts
    assert (network(decision.images[broken]).argmax(1) != labels[broken]).all()


@pytest.mark.parametrize("spoil", [lambda layer: layer.weight.zero_(), lambda layer: layer.weight[1:].zero_()])
def test_what_ties_in_a_linear_network_stays_open(spoil):
    network, (images, _) = linear(), first_examples(2)
    spoil(network.layers[0])
    network.layers[0].bias.zero_()
    network.layers[0].weight[0] = network.layers[0].weight[1]
    labels = torch.zeros(2, dtype=torch.int64)  # the first of those that are equal
    assert decide(network, images, labels, epsilon=0.1, seconds=0.05).verdicts == ("open", "open")


def test_a_sum_that_float32_rounds_away_is_no_margin():
    network = build((Block(Dense(784, 10)),)).requires_grad_(False)
    (layer,) = network.layers
    layer.weight.zero_()
    layer.bias.zero_()
    layer.weight[1, :3], layer.bias[0] = torch.tensor([2.0**30, 1.0, -(2.0**30)]), 0.25
    images, labels = torch.full((1, 1, 28, 28), 0.5), torch.tensor([1])  # its logit is 0.5, or 0 in float32
    assert not bool(certified(network, images, labels, epsilon=0.0))
    assert decide(network, images, labels, epsilon=0.0, seconds=1).verdicts != ("proven",)
    assert bool(certified(network.double(), images, labels, epsilon=0.0))


def test_the_ends_of_a_box_in_float32_lie_inside():
    ends = torch.rand(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, high = _inward(ends, ends + 1e-3, torch.float32)
    assert (low.double() >= ends).all() and (high.double() <= ends + 1e-3).all()
    assert (low.double() < ends + 1e-7).all() and (high.double() > ends + 1e-3 - 1e-7).all()


@pytest.mark.slow
def test_what_is_classified_wrongly_is_broken_by_itself_and_more_time_proves_more():
    network, (images, labels) = load("relu-mlp/vanilla"), first_examples(6)
    wrong = (labels + 1) % 10
    for seen in (images, images.double() * 0.999 + 3e-4):  # between float32's numbers, the ball around holds none
        decision = decide(network, seen, wrong, epsilon=0.01 if seen is images else 1e-9, seconds=1)
        assert decision.verdicts == ("broken",) * 6 and torch.equal(decision.images, seen.float())
    plain = certified(network, images, labels, epsilon=0.02)
    searched = decide(network, images, labels, epsilon=0.02, seconds=2)
    assert (searched.proven >= plain).all() and not (searched.proven & searched.broken).any()


def test_boxes_and_seconds_that_are_none_are_refused():
    network, (images, labels) = load("relu-mlp/vanilla"), first_examples(2)
    with pytest.raises(ValueError, match="expected seconds above 0"):
        decide(network, images, labels, epsilon=0.01, seconds=0)
    with pytest.raises(ValueError, match="expected boxes from low to high"):
        decide_boxes(network, images, images / 2, labels, seconds=1)
    assert decide(network, images[:0], labels[:0], epsilon=0.01, seconds=1).verdicts == ()


def test_convolutions_that_round_by_the_whole_image_are_refused():
    """NNPACK's, which PyTorch takes without oneDNN: an output's error grows with pixels that it doesn't depend on."""
    (images, labels), network = first_examples(2), of_family("cnn", 8)
    with torch.backends.mkldnn.flags(enabled=False):
        for prove in (certified, by_intervals):
            with pytest.raises(ValueError, match="expected a PyTorch with oneDNN to certify convolutions"):
                prove(network, images, labels, epsilon=0.1)
        assert certified(network.double(), images, labels, epsilon=0.0).shape == (2,)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_rounds_more_coarsely_than_float32_is_refused(dtype):
    """What bfloat16 loses in a sum of 784 terms can't be bounded at all."""
    network = build(mlp("relu", (4,))).to(dtype)
    images, labels = first_examples(2)
    kind = str(dtype).removeprefix("torch.")
    for prove in (certified, by_intervals):
        with pytest.raises(ValueError, match=f"expected a network in float32 or float64 on the CPU.*got one in {kind}"):
            prove(network, images.to(dtype), labels, epsilon=0.1)


@pytest.mark.parametrize("architecture", [mlp("relu", (6,)), mlp("relu", (6, 5)), mlp("step", (6,))])
def test_layers_that_never_change_within_the_box_are_no_obstacle(architecture):
    network = build(architecture, seed=1).requires_grad_(False)
    network.layers[0].bias.fill_(-1e3)  # every unit is off, wherever in the box
    images, _ = first_examples(3)
    label = int(network(images[:1]).argmax())
    labels = torch.tensor([label, label, (label + 1) % 10])
    assert decide(network, images, labels, epsilon=0.1, seconds=2).verdicts == ("proven", "proven", "broken")
    network.layers[-1].bias.fill_(0)
    network.layers[-1].weight.fill_(0)  # all logits are equal: nobody can say which is largest
    assert "proven" not in decide(network, images, labels, epsilon=0.1, seconds=2).verdicts


@pytest.mark.parametrize("dead", [0, 1])
def test_where_no_unit_can_change_only_what_ties_stays_open(dead):
    network, (images, _) = build(mlp("relu", (20, 15))).requires_grad_(False), first_examples(2)
    network.layers[dead].bias.fill_(-1000)
    network.layers[1].bias.clamp_max_(-1)
    network.layers[2].bias.zero_()
    labels = torch.zeros(2, dtype=torch.int64)  # the first of those that are equal
    assert decide(network, images, labels, epsilon=0.1, seconds=0.05).verdicts == ("open", "open")
    network.layers[2].bias[0] = 1e-3
    assert decide(network, images, labels, epsilon=0.1, seconds=0.05).verdicts == ("proven", "proven")


@pytest.mark.parametrize("phi", ["relu", "step"])
def test_where_the_network_overflows_nothing_is_proven(phi):
    """h¹ is beyond float32, so that a relu's logits are ∞ and what is no number: 0 · ∞."""
    network = build(mlp(phi, (1,))).requires_grad_(False)
    for layer in network.layers:
        layer.weight.zero_()
        layer.bias.zero_()
    network.layers[0].weight[0, :2], network.layers[1].weight[1, 0], network.layers[1].bias[1] = 3e38, 1.0, 2.0
    images, labels = torch.full((1, 1, 28, 28), 0.9), torch.tensor([1])
    assert network.pre_activations(images)[0] == torch.inf
    assert not by_intervals(network, images, labels, epsilon=0.01)
    assert not certified(network, images, labels, epsilon=0.01)
    assert decide(network, images, labels, epsilon=0.01, seconds=5).verdicts == (
        "open" if network(images).argmax() == 1 else "broken",
    )


@torch.no_grad()
def test_what_the_proof_of_a_half_leaves_of_a_part_is_not_proven_by_it():
    """Where x ≤ 0.2 the image is classified wrongly; bounds there are no numbers, and another unit's half is proven."""
    network = build(mlp("sigmoid", (2,))).requires_grad_(False)
    for weight in network.parameters():
        weight.zero_()
    first, last = network.layers
    first.weight[:, 0], first.bias[:] = torch.tensor([-4e9, 10]), torch.tensor([1e9, -5])
    last.weight[2, :], last.bias[:] = torch.tensor([1e30, 1e28]), torch.tensor([-1e30, 0.75e30, 0, *[-1e30] * 7])
    low, images = torch.zeros(1, 1, 28, 28, dtype=torch.float64), torch.zeros(6, 1, 28, 28)
    high = low.clone()
    high[0, 0, 0, 0], images[:, 0, 0, 0] = 1, torch.linspace(0, 1, 6)
    assert network(images).argmax(1).tolist() == [2, 2, 1, 1, 1, 1]
    assert decide_boxes(network, low, high, torch.tensor([1]), seconds=5).verdicts == ("broken",)
