"""The worst case: what it says is broken is, by an image that it shows; on a linear network it breaks all it can."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from satcore import data, outside, proofs
from satcore.attacks import square
from satcore.attacks.gradients import Way
from satcore.attacks.smoothing import Smoothed
from satcore.evaluation import strongest
from satcore.evaluation.strongest import WRONG_BEFORE, Round, attacks_on, falling, worst_case, wrong
from satcore.intervals import box
from satcore.networks import Block, Dense, Elementwise, build, mlp
from satcore.recipes import STEP
from tests.examples import blends, first_examples, load, random_images

STRANGER = Path(__file__).parents[1] / "proofs"


@pytest.fixture
def quick(monkeypatch):
    """A few steps and queries, where it doesn't matter how strong the attacks are."""
    steps = 4 * (Way("exact"),)
    first = Round((Smoothed(1.0), *steps), to_all=True)
    monkeypatch.setattr(
        strongest, "rounds", lambda softens: (first, Round(steps, seed=0, wider=(1.2,)), Round(2 * steps, seed=1))
    )
    monkeypatch.setattr(
        strongest, "square", lambda *there, queries, **settings: square(*there, queries=queries // 20, **settings)
    )


class Logits(nn.Module):
    """What a network says, and nothing else."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images)


def assert_shown(found, network, images, labels, epsilon):
    """Each broken image is wrong where it is shown, alone too, and within ε; the others are as they were."""
    low, high = box(images, epsilon)
    assert ((found.images >= low) & (found.images <= high)).all()
    assert torch.equal(wrong(network, found.images, labels), found.broken)
    for index, name in enumerate(found.by):
        assert (name is not None) == bool(found.broken[index])
        assert (network(found.images[index, None]).argmax(1) != labels[index, None]) == found.broken[index]
    unchanged = ~found.broken | (network(images).argmax(1) != labels)
    assert torch.equal(found.images[unchanged], images[unchanged])


def linear():
    return build((Block(Dense(784, 10)),), 0).double().requires_grad_(False)


def test_of_a_linear_network_it_breaks_what_can_be_broken(quick):
    """The least margin over class j within ε is that at the corner that (w_y − w_j)'s signs choose."""
    network, images = linear(), random_images(60, 0)
    labels = network(images).argmax(1)
    weights, (low, high) = network.weights[0], box(images, 0.002)
    contrast = (weights[labels][:, None] - weights).view(60, 10, 784)
    corners = torch.where(contrast > 0, low.flatten(1)[:, None], high.flatten(1)[:, None])
    bias = next(reversed(list(network.parameters())))
    margins = (contrast * corners).sum(2) + bias[labels][:, None] - bias
    least = margins.scatter(1, labels[:, None], torch.inf).amin(1)
    found = worst_case(network, images, labels, epsilon=0.002)
    assert torch.equal(found.broken, least < 0) and 5 < found.broken.sum() < 55
    assert_shown(found, network, images, labels, 0.002)


@pytest.mark.parametrize("name", ["relu-mlp/control", "sigmoid-mlp/saturated", "cnn/saturated"])
def test_each_broken_image_is_shown(name):
    network, (images, labels) = load(name), first_examples(8 if name.startswith("cnn") else 24)
    epsilon = 0.25 if name.startswith("cnn") else 0.1
    found = worst_case(network, images, labels, epsilon=epsilon)
    assert found.broken.sum() > len(labels) / 2
    assert_shown(found, network, images, labels, epsilon)


def test_an_image_fares_alone_as_among_others(tiny, quick):
    network = copy.deepcopy(tiny).double()
    images, labels = first_examples(24)
    images = images.double()
    together = worst_case(network, images, labels, epsilon=0.05)
    turned = worst_case(network, images.flip(0), labels.flip(0), epsilon=0.05)
    assert torch.equal(together.broken, turned.broken.flip(0)) and together.by == turned.by[::-1]
    for index in range(0, 24, 6):
        alone = worst_case(network, images[index, None], labels[index, None], epsilon=0.05)
        assert alone.by[0] == together.by[index]
        torch.testing.assert_close(alone.images[0], together.images[index])


def test_of_several_rivals_the_nearest_counts_however_many_are_run_at_once(tiny, quick, monkeypatch):
    network, (images, labels) = copy.deepcopy(tiny).double(), first_examples(24)
    images, found = images.double(), []
    for pairs in (250, 7):
        monkeypatch.setattr(strongest, "_PAIRS", pairs)
        search = strongest._Search.of(network, images, labels, 0.15)
        found.append(search.through(strongest.rounds(network.softens)))
        assert search.broken.sum() > 12
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)


def test_what_was_wrong_before_says_so_and_within_nothing_nothing_else_breaks(tiny, quick):
    images, labels = blends(60).float(), first_examples(60).labels
    before = tiny(images).argmax(1) != labels
    found = worst_case(tiny, images.clone().requires_grad_(), labels, epsilon=0.0)
    assert not found.images.requires_grad
    assert torch.equal(found.broken, before) and before.any() and not before.all()
    assert set(found.by) == {WRONG_BEFORE, None} and torch.equal(found.images, images)


def test_it_is_all_of_its_attacks_on_what_still_stands(tiny, quick):
    images, labels = first_examples(20)
    broken = torch.zeros(20, dtype=torch.bool)
    for attack in attacks_on(tiny, 0.05):
        before, broken = broken, attack.on_standing(images, labels, broken)
        assert (broken | ~before).all()
    assert torch.equal(broken, worst_case(tiny, images, labels, epsilon=0.05).broken)


@pytest.mark.slow
def test_it_breaks_nothing_that_is_proven(quick):
    network, (images, labels) = load("relu-mlp/vanilla"), first_examples(30)
    proven = proofs.certified(network, images, labels, epsilon=0.015)
    assert proven.any() and not (worst_case(network, images, labels, epsilon=0.015).broken & proven).any()


def test_who_only_sees_logits_attacks_without_exact_gradients(tiny):
    images, labels = first_examples(6)
    names = [attack.name for attack in attacks_on(Logits(tiny), 0.05, source=tiny)]
    assert names == [WRONG_BEFORE, "APGD", "APGD, each class", "transfer", "Square"]
    found = worst_case(Logits(tiny), images, labels, epsilon=0.15, source=tiny)
    assert found.broken.all()
    assert_shown(found, tiny, images, labels, 0.15)


@pytest.mark.parametrize("wrap", [lambda network: network, Logits])
def test_a_step_that_no_gradient_passes_does_not_save_a_network(wrap, quick):
    network = build((Block(Elementwise((1, 28, 28)), "step"), *mlp("relu", (16,))), 0).requires_grad_(False)
    for parameter, value in zip(network.parameters(), (1.0, -0.5), strict=False):  # x > ½, pixel by pixel
        parameter.fill_(value)
    images, _ = first_examples(8)
    labels = network(images).argmax(1)
    found = worst_case(wrap(network), images, labels, epsilon=0.3)
    assert found.broken.sum() >= 6
    assert_shown(found, network, images, labels, 0.3)


def test_behind_a_step_a_search_over_free_pixels_comes_first(quick):
    network = build((STEP, *mlp("ramp", (16,))), seed=2, for_bounds=True).requires_grad_(False)
    images, _ = first_examples(12)
    labels = network(images).argmax(1)
    names = [attack.name for attack in attacks_on(network, 0.1)]
    assert names == [WRONG_BEFORE, "free pixels", "APGD", "APGD, each class", "Square"]
    found = worst_case(network, images, labels, epsilon=0.1)
    assert set(found.by) <= {"free pixels", None} and "free pixels" in found.by
    assert torch.equal(found.broken, proofs.decide(network, images, labels, epsilon=0.1, seconds=5.0).broken)
    assert_shown(found, network, images, labels, 0.1)


def sequential() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).requires_grad_(False)


@pytest.mark.parametrize("steps", [False, True])
@pytest.mark.parametrize("dtype, other", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_images_of_another_dtype_are_attacked_in_the_wider_one(steps, dtype, other, quick):
    network = build((*[STEP] * steps, *mlp("relu", (16,))), 2, 3.0).to(dtype).requires_grad_(False)
    images = first_examples(12).images.to(other).mT.contiguous().mT
    labels = network(images).argmax(1)
    labels[0] = (labels[0] + 1) % 10
    found = worst_case(network, images, labels, epsilon=0.03)
    assert found.images.dtype == torch.float64 and found.broken.sum() > 1 and found.by[0] == WRONG_BEFORE
    assert_shown(found, network, images.double(), labels, 0.03)


def test_a_module_takes_images_in_the_wider_dtype_or_is_refused_in_a_sentence(quick):
    images, _ = first_examples(4)
    module = sequential().double()
    labels = module(images.double()).argmax(1)
    found = worst_case(module, images, labels, epsilon=0.05)
    assert found.broken.any()
    assert_shown(found, module, images.double(), labels, 0.05)
    refusal = r"^expected a network that takes images in torch\.float64, got [^\n]*dtype[^\n]*$"
    with pytest.raises(ValueError, match=refusal):
        worst_case(sequential(), images.double(), labels)
    with pytest.raises(ValueError, match=refusal):
        worst_case(module, images, labels, source=sequential())
    assert worst_case(Logits(linear().float()), images.double(), labels, epsilon=0.05).broken.any()  # which casts


def test_every_violated_instance_of_the_strangers_network_is_broken():
    network = outside.from_onnx(STRANGER / "mnist-net_256x2.onnx")
    with np.load(STRANGER / "mnist-net_256x2.npz", allow_pickle=False) as arrays:
        instances = {name: arrays[name] for name in arrays}
    for epsilon in np.unique(instances["epsilon"]):
        chosen = (instances["verdict"] == "violated") & (instances["epsilon"] == epsilon)
        lower, upper = (torch.tensor(instances[side][chosen]).view(-1, 1, 28, 28) for side in ("lower", "upper"))
        labels, epsilon = torch.tensor(instances["label"][chosen]), float(epsilon)
        images = torch.where(lower > 0, lower + epsilon, upper - epsilon).clamp(0, 1).float()
        for side, there in zip(box(images, epsilon), (lower, upper), strict=True):
            assert (side - there).abs().max() < 1e-6
        found = worst_case(network, images, labels, epsilon=epsilon)
        assert found.broken.all()
        assert_shown(found, network, images, labels, epsilon)


@pytest.mark.parametrize("name, index", [("sigmoid-mlp/control", 8311), ("sigmoid-mlp/saturated", 3183)])
def test_what_was_broken_from_wider_balls_alone_is_broken(name, index):
    """Both withstood every round within ε, the first of them a hundred random starts, but not AutoAttack."""
    examples, network = data.load("test"), load(name)
    images, labels = (part[index, None] for part in examples)
    found = worst_case(network, images, labels, epsilon=0.02)
    assert found.by == ("APGD, each class",)
    assert_shown(found, network, images, labels, 0.02)


def test_what_falls_falls_by_the_same_share():
    assert falling(8.0, 1.0, 4) == pytest.approx([8, 4, 2, 1])
