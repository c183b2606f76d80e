"""Parts of a box: whatever its lines, multipliers and halves are, no image of a part contradicts its bounds."""

import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from satcore import data, library
from satcore.intervals import box
from satcore.networks import Block, Dense, Network, build, mlp
from satcore.proofs.branching import Search
from satcore.proofs.parts import Parts
from satcore.proofs.relaxation import Region, Relaxation, known, relaxed
from satcore.proofs.rounding import Arithmetic
from tests.examples import EVERY, first_examples, small

RADIUS = 0.05


def within(image: Tensor, count: int) -> Tensor:
    """Random images and corners of the ball around `image` (1, 1, 28, 28), (2·count, 1, 28, 28)."""
    draws = 2 * torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(5), dtype=torch.float64) - 1
    return (image + RADIUS * torch.cat((draws, draws.sign()))).clamp(0, 1)


def of_ball(network: Network, image: Tensor) -> tuple[Relaxation, Region]:
    arithmetic, x = Arithmetic(network), image.flatten(1)
    relaxation = relaxed(arithmetic)
    with torch.no_grad():
        return relaxation, known(arithmetic, relaxation, (x - RADIUS).clamp(0, 1), (x + RADIUS).clamp(0, 1))[0]


@pytest.mark.parametrize("kind", ["dense", "pixel by pixel", "strides and means"])
@pytest.mark.parametrize("phi", EVERY)
def test_a_bound_holds_by_any_lines_and_any_multipliers(phi, kind):
    network, image = small(kind, phi, seed=3, scale=3.0), first_examples(1).images.double()
    relaxation, region = of_ball(network, image)
    lines = [relaxation.lines(depth, interval) for depth, interval in enumerate(region.ranges)]
    pre_activations = [h.flatten(1) for h in network.pre_activations(within(image, 100))]
    generator = torch.Generator().manual_seed(1)
    for depth in range(1, relaxation.last + 1):
        rows = torch.randn(1, 6, len(relaxation.parts[depth].bias), generator=generator, dtype=torch.float64)
        outputs = relaxation.lower_bound(region, lines, depth, rows).outputs
        leans = [
            torch.rand(1, 2, 6, there.shape[2], generator=generator, dtype=torch.float64).round(decimals=0)
            for there in outputs
        ]
        multipliers = [
            there.abs().mean()
            * torch.randn(1, 6, len(part.bias), generator=generator, dtype=torch.float64)
            * (torch.rand(1, 6, len(part.bias), generator=generator) < 0.3)
            for part, there in zip(relaxation.parts, outputs, strict=False)
        ]
        least = (pre_activations[depth] @ rows[0].mT).amin(0)
        for settings in ((None, None), (leans, None), (leans, multipliers)):
            bound = relaxation.lower_bound(region, lines, depth, rows, *settings)
            assert (bound.value[0] <= least + 1e-9).all()


@pytest.mark.parametrize("phi", EVERY)
def test_units_that_give_a_constant_can_be_left_out(phi):
    network, image = small("dense", phi, seed=3, scale=3.0), first_examples(1).images.double()
    for layer, far in zip(network.layers, (50.0, 80.0), strict=False):
        layer.get_parameter("bias")[::3] += far  # beyond any knee, and to the left of 0
        layer.get_parameter("bias")[1::3] -= far
    relaxation, region = of_ball(network, image)
    fewer, there = relaxation.pruned(region)
    rows = torch.eye(10, dtype=torch.float64)[None]
    values = [
        one.lower_bound(around, [one.lines(d, interval) for d, interval in enumerate(around.ranges)], 2, rows).value
        for one, around in ((relaxation, region), (fewer, there))
    ]
    assert torch.allclose(*values, rtol=1e-6, atol=1e-6)
    assert phi not in ("relu", "ramp", "step") or len(fewer.parts[0].bias) < len(relaxation.parts[0].bias)


@pytest.mark.parametrize("kind", ["dense", "pixel by pixel", "strides and means"])
@pytest.mark.parametrize("phi", [phi for phi in EVERY if phi != "identity"])
@torch.no_grad()
def test_every_image_that_contradicts_lies_in_a_part_and_within_what_is_known_of_it(phi, kind, monkeypatch):
    """Twice over: intervals bounded anew, margins bounded, and what stays open divided or narrowed."""
    monkeypatch.setattr("satcore.proofs.branching.CLOSER", (6, 6))
    monkeypatch.setattr("satcore.proofs.branching.TRIED", 6)
    network, image = small(kind, phi, seed=3, scale=3.0), first_examples(1).images.double()
    images, label = within(image, 100), 4
    logits = network(images)
    network.layers[-1].get_parameter("bias").add_((logits[:, label, None] - logits).median(0).values)
    relaxation, region = of_ball(network, image)
    relaxation.pruned = lambda region: (relaxation, region)  # so that units are the network's own
    search = Search(relaxation, region, label, time.monotonic() + 60)
    h = [there.flatten(1) for there in network.pre_activations(images)]
    logits, margins = h.pop(), search._whole().rows[:, 0]
    contradicting = logits @ margins.mT <= 0  # of each margin half of the images, or more where many are alike
    assert contradicting.any(0).all() and not contradicting.all(0).any() and len(margins) == 9

    def lying(parts: Parts) -> Tensor:
        """Which of the images that contradict its margin lies in which of the parts: (parts, images)."""
        inside = contradicting.mT[(parts.rows == margins).all(2).int().argmax(1)]
        for there, (low, high), (least, most) in zip(h, parts.ranges, parts.signs, strict=True):
            below = (there[None] >= low[:, None]) | (most[:, None] == 0)
            above = (there[None] <= high[:, None]) | (least[:, None] == 0)
            inside = inside & (below & above).all(2)
        return inside

    def check(parts: Parts) -> None:
        there = lying(parts)
        for row, wrong in zip(margins, contradicting.mT, strict=True):
            assert torch.equal(there[(parts.rows[:, 0] == row).all(1)].any(0), wrong)
        for part, mine in enumerate(there):
            for values, (low, high) in zip(h, parts.ranges, strict=True):
                assert (values[mine] >= low[part]).all() and (values[mine] <= high[part]).all()
            found = logits[mine] @ parts.rows[part, 0]
            assert (parts.values[part] <= found).all()

    def narrower(parts: Parts, than: Parts) -> None:
        origin = parts.values[:, 0].long()
        for (low, high), (lowest, highest) in zip(parts.ranges, than.ranges, strict=True):
            assert (low >= lowest[origin]).all() and (high <= highest[origin]).all()

    def marked(parts: Parts) -> Parts:
        return replace(parts, values=torch.arange(len(parts))[:, None].double())

    def fresh(parts: Parts) -> Parts:
        return replace(parts, values=torch.full_like(parts.values, -torch.inf))

    parts, divided = search._whole(), 0
    for _ in range(2):
        closer = search._closer(marked(parts), 5)
        narrower(closer, parts)
        check(fresh(closer))
        parts, _ = search._bounded(fresh(closer), 5)
        check(parts)
        halves, lines, possible = search._halves(marked(parts))
        narrower(halves[possible.flatten().repeat(2)], parts)
        for pair, there in zip(torch.arange(len(halves)).view(2, len(parts), -1).unbind(2), possible.mT, strict=True):
            if there.all():
                check(fresh(halves[pair.flatten()]))
        parts = search._best(parts, search._bounded(fresh(halves), 5, lines)[0], possible)
        if search.stuck:
            break  # nothing is left that could be divided
        check(parts)
        divided += 1
    assert divided


@torch.no_grad()
def test_of_a_unit_that_decides_alone_little_more_is_left_than_where_it_contradicts():
    """relu(h) against ½, h from −1 to 1: only where h is at most ½ the image is classified wrongly."""
    network = build((Block(Dense(784, 1), "relu"), Block(Dense(1, 10)))).double().requires_grad_(False)
    for layer in network.layers:
        layer.get_parameter("weight").zero_()
        layer.get_parameter("bias").fill_(-9)
    network.layers[0].get_parameter("weight")[0, 0], network.layers[0].get_parameter("bias")[0] = 2, -1
    network.layers[1].get_parameter("weight")[3, 0] = 1
    network.layers[1].get_parameter("bias")[3:5] = torch.tensor([0.0, 0.5])
    arithmetic, ends = Arithmetic(network), torch.zeros(2, 1, 784, dtype=torch.float64)
    ends[1, 0, 0] = 1
    relaxation = relaxed(arithmetic)
    search = Search(relaxation, known(arithmetic, relaxation, *ends)[0], 3, time.monotonic() + 60)
    ((low, high),) = search._closer(search._whole()[3:4], 5).ranges
    assert -1 - 1e-6 < low <= -1 and 0.5 <= high < 0.75
    list(search.run())
    assert not search.proven


@torch.no_grad()
def test_where_looking_again_raises_the_bound_nothing_need_be_divided():
    network, (images, labels) = library.load("sigmoid-mlp/vanilla"), data.sample("test", 60)
    arithmetic, (low, high) = Arithmetic(network), box(images[59:].double().flatten(1), 0.02)
    relaxation = relaxed(arithmetic)
    region, lines = known(arithmetic, relaxation, low, high)
    rows = torch.eye(10, dtype=torch.float64)[labels[59]] - torch.eye(10, dtype=torch.float64)
    usual = relaxation.lower_bound(region, lines, relaxation.last, rows[None]).value
    search = Search(relaxation, region, int(labels[59]), time.monotonic() + 600)
    rounds = len(list(search.run()))
    assert usual.min() < 0 and search.proven and search.divided == 0 and rounds > 3


@torch.no_grad()
def test_what_float32_does_not_hold_in_the_search_is_no_proof():
    """At its upper end the image is classified wrongly; the slopes of some lines are beyond 10³⁸, and no logit is."""
    network, high = build(mlp("relu", (2, 1))).requires_grad_(False), torch.zeros(1, 784, dtype=torch.float64)
    for layer in network.layers:
        layer.weight.zero_()
        layer.bias.zero_()
    first, second, third = network.layers
    first.weight[:, 0], first.bias[:] = 1, torch.tensor([-0.5e-5, -0.8e-5])
    second.weight[0] = torch.tensor([1e20, -1e19])
    third.weight[2, 0], third.bias[:] = 1e20, torch.tensor([-5e34, 1e34, 0, *[-5e34] * 7])
    high[0, 0] = 1e-5
    assert network(high.float().view(1, 1, 28, 28)).argmax() == 2
    arithmetic = Arithmetic(network)
    relaxation = relaxed(arithmetic)
    region, _ = known(arithmetic, relaxation, torch.zeros_like(high), high)
    search = Search(relaxation, region, 1, time.monotonic() + 60)
    list(search.run())
    assert not search.proven


@torch.no_grad()
def test_where_no_unit_is_left_there_is_nothing_to_divide():
    network = build(mlp("relu", (3, 3))).requires_grad_(False)
    for weight in network.parameters():
        weight.zero_()
    search = Search(*of_ball(network.double(), first_examples(1).images.double()), 0, time.monotonic() + 60)
    assert not any(search.units) and len(list(search.run())) == 1 and not search.proven


@torch.no_grad()
def test_the_search_leaves_the_gradients_of_a_network_that_is_being_learned_alone():
    network = small("strides and means", "relu", seed=3, scale=3.0).requires_grad_()
    search = Search(*of_ball(network, first_examples(1).images.double()), 4, time.monotonic() + 600)
    next(search.run())
    assert search.open and all(weight.grad is None for weight in network.parameters())
