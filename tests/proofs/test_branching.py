"""Parts of a box: whatever its lines, multipliers and halves are, no image of a part contradicts its bounds."""

import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from satcore.networks import Network
from satcore.proofs.branching import Parts, Search
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


@pytest.mark.parametrize("kind", ["dense", "pixel by pixel"])
@pytest.mark.parametrize("phi", [phi for phi in EVERY if phi != "identity"])
@torch.no_grad()
def test_every_image_lies_in_a_half_and_within_what_is_known_of_it(phi, kind):
    """Three times over: halves of halves, their intervals bounded anew and their margins bounded."""
    network, image = small(kind, phi, seed=3, scale=3.0), first_examples(1).images.double()
    images = within(image, 100)
    relaxation, region = of_ball(network, image)
    relaxation.pruned = lambda region: (relaxation, region)  # so that units are the network's own
    search = Search(relaxation, region, int(network(image).argmax()), time.monotonic() + 60)
    parts, owners, margins = search._whole()
    h = [there.flatten(1) for there in network.pre_activations(images)]
    logits, divided = h.pop(), 0

    def lying(parts: Parts) -> Tensor:
        """Which image lies in which of the parts, by what is divided: (parts, images)."""
        inside = []
        for there, (low, high), (least, most) in zip(h, parts.ranges, parts.signs, strict=True):
            below = (there[None] >= low[:, None]) | (most[:, None] == 0)
            above = (there[None] <= high[:, None]) | (least[:, None] == 0)
            inside.append((below & above).all(2))
        return torch.stack(inside).all(0)

    for _ in range(3):
        before, marked = parts, replace(margins, values=owners[:, None].double())
        parts, owners, marked = search._halved(parts, owners, marked)
        for (low, high), (lowest, highest) in zip(parts.ranges, before.ranges, strict=True):
            origin = marked.values[:, 0].long()  # each margin is that of the part which its own part is a half of
            assert (low[owners] >= lowest[origin]).all() and (high[owners] <= highest[origin]).all()
        margins = replace(marked, values=torch.full_like(marked.values, -torch.inf))
        if not len(owners):
            break
        there = lying(parts)
        assert there.any(0).all()
        divided += 1
        for part, mine in enumerate(there):
            for values, (low, high) in zip(h, parts.ranges, strict=True):
                assert (values[mine] >= low[part]).all() and (values[mine] <= high[part]).all()
        search.open.clear()
        search._bounded(parts, owners, margins, 5)
        for one in search.open:
            mine = lying(one.part)[0]
            found = (one.margins.rows[:, 0] @ logits[mine].mT).amin(1) if mine.any() else torch.inf
            assert (one.margins.values[:, 0] <= found).all()
    assert divided
