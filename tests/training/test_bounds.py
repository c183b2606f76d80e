"""Bounds in the loss hold for every image of the box, are tight where they can be, and make networks provable."""

import dataclasses
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from satcore import data, nonlinearities, proofs
from satcore.intervals import box, worst_logits
from satcore.networks import (
    AveragePooling,
    Block,
    Convolution,
    Dense,
    Elementwise,
    MaxPooling,
    build,
    cnn,
    mlp,
)
from satcore.recipes import STEP, Annealing, Phase, Recipe
from satcore.training import loop, train

CONVOLVES = (
    Block(Elementwise((1, 1, 1)), "tanh"),
    Block(Convolution(1, 3, (4, 4), (2, 2), (1, 0, 0, 1)), "ramp", MaxPooling((2, 2), (2, 2))),
    Block(AveragePooling((2, 2), (1, 1)), "identity"),
    Block(Dense(3 * 5 * 5, 12), "sigmoid"),
    Block(Dense(12, 10)),
)
ARCHITECTURES = {name: mlp(name, (9, 7)) for name in nonlinearities.BY_NAME} | {
    "convolves": CONVOLVES,
    "steps": (STEP, *mlp("ramp", (9,))),
}


def margins(network, images, labels):
    """h_k − h_y of every class k."""
    logits = network(images)
    return logits - logits.gather(1, labels[:, None])


@given(seed=st.integers(0, 1_000), epsilon=st.floats(0, 1), which=st.sampled_from(sorted(ARCHITECTURES)))
def test_no_image_of_the_box_does_worse(seed, epsilon, which):
    network = build(ARCHITECTURES[which], seed, 2.0).double()
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(3, 1, 28, 28, generator=draw, dtype=torch.float64)
    labels = torch.randint(10, (3,), generator=draw)
    low, high = box(images, epsilon)
    worst = worst_logits(network, low, high, labels)
    assert (worst.gather(1, labels[:, None]) == 0).all()
    for _ in range(20):
        corners = torch.rand(low.shape, generator=draw, dtype=torch.float64).round()
        for there in (corners, torch.rand(low.shape, generator=draw, dtype=torch.float64)):
            assert (margins(network, low + there * (high - low), labels) <= worst + 1e-9).all()


@pytest.mark.parametrize("which", sorted(ARCHITECTURES))
def test_within_nothing_they_are_the_networks_own(which):
    network, images = build(ARCHITECTURES[which], 1).double(), torch.rand(4, 1, 28, 28, dtype=torch.float64)
    labels = torch.arange(4)
    torch.testing.assert_close(worst_logits(network, images, images, labels), margins(network, images, labels))


def test_of_a_linear_network_the_corner_is_met():
    network = build((Block(Dense(784, 10)),), 2).double().requires_grad_(False)
    images, labels = torch.rand(5, 1, 28, 28, dtype=torch.float64), torch.arange(5)
    low, high = box(images, 0.3)
    weight = network.weights[0]
    for n, label in enumerate(labels):
        for k in range(10):
            up = (weight[k] > weight[label]).view(1, 28, 28)
            corner = torch.where(up, high[n], low[n])[None]
            assert margins(network, corner, label[None])[0, k] == pytest.approx(
                worst_logits(network, low, high, labels)[n, k].item(), abs=1e-12
            )


def test_a_literal_interval_network_has_the_same_bounds():
    network = build(mlp("relu", (6, 5)), 3).double().requires_grad_(False)
    (w1, b1), (w2, b2), (w3, b3) = [(layer.weight, layer.bias) for layer in network.layers]
    image, label = torch.rand(1, 1, 28, 28, dtype=torch.float64), 4
    low, high = (bound.flatten() for bound in box(image, 0.1))
    for w, b in ((w1, b1), (w2, b2)):
        down = [sum(float(v * (lo if v > 0 else hi)) for v, lo, hi in zip(row, low, high, strict=True)) for row in w]
        up = [sum(float(v * (hi if v > 0 else lo)) for v, lo, hi in zip(row, low, high, strict=True)) for row in w]
        low, high = (torch.tensor(there, dtype=torch.float64).add(b).relu() for there in (down, up))
    rows = w3 - w3[label]
    expected = (rows.clamp(min=0) * high + rows.clamp(max=0) * low).sum(1) + b3 - b3[label]
    found = worst_logits(network, *box(image, 0.1), torch.tensor([label]))
    torch.testing.assert_close(found[0], expected)


def test_a_network_that_does_not_end_densely_is_refused():
    network = build((Block(Dense(784, 10), "relu"), Block(Elementwise((10,)))))
    images = torch.rand(1, 1, 28, 28)
    with pytest.raises(ValueError, match="expected a network that ends in a dense layer, got ElementwiseModule"):
        worst_logits(network, images, images, torch.zeros(1, dtype=torch.int64))


def test_weights_drawn_for_bounds_are_as_wide_as_shi_et_al_have_them():
    for architecture in (mlp("relu", (400, 400)), cnn()):
        network = build(architecture, 5, for_bounds=True)
        for layer, weight in zip(network.layers, network.weights, strict=True):
            fan_in = weight[0].numel()
            if weight.numel() > 5_000:
                assert weight.std().item() == pytest.approx(math.sqrt(2 * math.pi) / fan_in, rel=0.05)
            assert not layer.bias.any()
    assert torch.equal(network.weights[0], build(cnn(), 5, for_bounds=True).weights[0])


def test_a_share_and_bounds_fit_together_or_are_refused():
    phase = Phase(5, 600, 1e-3, within=Annealing(step=0.1, maximum=0.2), clean_share=1.0, last_clean_share=0.5)
    assert phase.bounded and not phase.attacked
    assert [phase.share(epoch) for epoch in range(5)] == pytest.approx([1, 0.875, 0.75, 0.625, 0.5])
    assert [phase.within(epoch) for epoch in range(5)] == pytest.approx([0, 0.1, 0.2, 0.2, 0.2])
    for change, message in (
        ({"within": Annealing()}, "expected a share that changes only where bounds are trained on"),
        ({"frozen": 1}, "expected frozen layers, or adversarial examples, bounds or moved images, got both"),
        ({"within": Annealing(maximum=2)}, "expected ε of the bounds from 0 to 1, got 2"),
        ({"last_clean_share": 3}, "expected a last clean share κ from 0 to 1, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(phase, **change)


def test_training_on_bounds_makes_a_network_that_is_proven(monkeypatch):
    monkeypatch.setattr(loop, "TRAINING_IMAGES", 6_000)
    recipe = Recipe(
        "relu-mlp",
        "vanilla",
        (STEP, *mlp("ramp", (40,))),
        complementary=("step", "ramp", "ramp"),
        epsilon=0.25,
        for_bounds=True,
        phases=(
            Phase(2, 200, 5e-3),
            Phase(8, 200, 5e-3, within=Annealing(step=0.05, maximum=0.25), clean_share=1.0, last_clean_share=0.5),
        ),
    )
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    first, *_, last = train(recipe, "cpu", seed=1, precision="float32")
    assert first.proven + 0.2 < last.proven < last.accuracy and last.accuracy > 0.85
    images, labels = (tensor[: loop.PROBED] for tensor in data.load("test"))
    worst = worst_logits(last.network, *box(images, 0.25), labels).scatter(1, labels[:, None], -math.inf)
    assert last.proven == pytest.approx((worst.amax(1) < 0).float().mean().item())
    sure = worst.amax(1).argsort()[:4]  # and what intervals prove by far, linear bounds prove, too
    assert proofs.certified(last.network, images[sure], labels[sure], epsilon=0.25).all()


def test_what_has_no_share_in_the_loss_is_left_out_and_changes_no_bit(monkeypatch):
    monkeypatch.setattr(loop, "TRAINING_IMAGES", 2_000)
    phase = Phase(2, 500, 5e-3, within=Annealing(0.1, 0, 0.1), clean_share=0.0)
    recipe = Recipe("mine", "dendritic", mlp("ramp", (20,)), (phase,), ("ramp", "ramp"), for_bounds=True)
    assert phase.only_bounded and not dataclasses.replace(phase, last_clean_share=0.1).only_bounded
    *_, without = train(recipe, "cpu", precision="float32")
    monkeypatch.setattr(Phase, "only_bounded", False)
    *_, with_it = train(recipe, "cpu", precision="float32")
    for one, other in zip(without.network.parameters(), with_it.network.parameters(), strict=True):
        assert torch.equal(one, other)
