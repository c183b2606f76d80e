"""The lines around a block's outputs, however they are turned, and what turning them is good for."""

import time

import pytest
import torch
from torch import Tensor

from satcore.networks import Block, Elementwise, build, mlp
from satcore.nonlinearities import Enclosure, named
from satcore.proofs.lines import Lines
from satcore.proofs.relaxation import Relaxation, known, relaxed
from satcore.proofs.rounding import Arithmetic
from tests.examples import EVERY, SMOOTH, first_images, small


def intervals() -> tuple[Tensor, Tensor]:
    """Two boxes of 784 units each: below 0, above it, across it; short, long, and of no length."""
    generator = torch.Generator().manual_seed(4)
    low = 12 * torch.rand(2, 784, generator=generator, dtype=torch.float64) - 9
    width = 12 * torch.rand(2, 784, generator=generator, dtype=torch.float64) ** 4
    width[:, ::50] = 0
    return low, low + width


def of(phi: str) -> Relaxation:
    return relaxed(Arithmetic(build((Block(Elementwise((1, 28, 28)), phi), *mlp(phi, (3,)))).double()))


def around(phi: str) -> Lines:
    return of(phi).lines(0, intervals())


def turned(lines: Lines, lean: Tensor) -> Enclosure:
    """The lines on either side, each moved out by what rounding takes."""
    below, above = torch.zeros_like(lean[:, 0], dtype=torch.bool), torch.ones_like(lean[:, 0], dtype=torch.bool)
    (lower_slope, lower_offset), (upper_slope, upper_offset) = lines.taken(below, lean), lines.taken(above, lean)
    slack = lines.slack[:, None]
    return Enclosure(lower_slope, lower_offset - slack, upper_slope, upper_offset + slack)


@pytest.mark.parametrize("name", EVERY)
def test_lines_enclose_however_far_they_are_turned(name):
    phi, lines, (low, high) = named(name), around(name), intervals()
    lean = torch.rand(2, 2, 5, 784, dtype=torch.float64)
    lean[:, :, 3], lean[:, :, 4] = 0, 1
    outer = turned(lines[torch.tensor([1, 0])], lean)
    for share in torch.linspace(0, 1, 41, dtype=torch.float64):
        h = torch.lerp(low, high, share)[[1, 0], None]
        y = phi(h).detach()
        assert (outer.lower_slope * h + outer.lower_offset <= y).all()
        assert (y <= outer.upper_slope * h + outer.upper_offset).all()


@pytest.mark.parametrize("name", EVERY)
def test_where_some_intervals_are_others_the_lines_are_as_if_all_were_drawn_anew(name):
    relaxation, index, there = of(name), torch.tensor([1, 0, 1]), torch.rand(3, 784) < 0.1
    low, high = (end[index] for end in intervals())
    narrower = torch.where(there, torch.lerp(low, high, 0.3), low), torch.where(there, torch.lerp(low, high, 0.9), high)
    found, anew = relaxation.relined(0, around(name), index, there, narrower), relaxation.lines(0, narrower)
    for lean in (torch.zeros(3, 2, 1, 784), torch.rand(3, 2, 1, 784)):
        ends = (torch.stack(list(vars(turned(lines, lean.double())).values())) for lines in (found, anew))
        assert torch.allclose(*ends, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_of_two_sides_the_one_asked_for_is_taken(name):
    lines, lean = around(name), torch.rand(2, 2, 3, 784, dtype=torch.float64)
    above = torch.rand(2, 3, 784) < 0.5
    for given in (lean, None):
        slope, offset = lines.taken(above, given)
        below, over = (lines.taken(torch.full_like(above, side), given) for side in (False, True))
        assert torch.equal(slope, torch.where(above, over[0], below[0]))
        assert torch.equal(offset, torch.where(above, over[1], below[1]))


@pytest.mark.parametrize("name", EVERY)
def test_turned_as_usual_they_are_the_usual_ones(name):
    lines = around(name)
    for above in (False, True):
        sides = torch.full((2, 1, 784), above)
        for part, usual in zip(lines.taken(sides, lines.usual_lean()), lines.taken(sides, None), strict=True):
            torch.testing.assert_close(part, usual, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_a_lean_is_a_share_of_the_way_from_the_flattest_slope_to_the_steepest(name):
    """Not of the way between the points that are touched: of a long interval nearly all of that is flat."""
    lines = around(name)
    for above in (False, True):
        sides = torch.full((2, 1, 784), above)
        flat, half, steep = (
            lines.taken(sides, torch.full((2, 2, 1, 784), lean, dtype=torch.float64))[0] for lean in (0.0, 0.5, 1.0)
        )
        torch.testing.assert_close(half, (flat + steep) / 2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_however_they_are_turned_tangents_touch(name):
    phi, lines, (low, high) = named(name), around(name), intervals()
    outer = turned(lines, torch.full((2, 2, 1, 784), 0.3, dtype=torch.float64))
    h = torch.lerp(low, high, torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None, None])
    sides = (outer.lower_slope, outer.lower_offset), (outer.upper_slope, outer.upper_offset)
    for slope, offset in sides:
        nearest = (slope[:, 0] * h + offset[:, 0] - phi(h)).abs().amin(0)
        assert (nearest < 1e-4).all()  # a step of the grid
    assert (outer.upper_slope[:, 0] - lines.usual.upper_slope).abs().amax() > 0.01


@pytest.mark.parametrize("name", SMOOTH)
def test_turning_proves_more(name):
    arithmetic, x = Arithmetic(small("dense", name, seed=3, scale=6.0)), first_images(3).double().flatten(1)
    relaxation = relaxed(arithmetic)
    region, lines = known(arithmetic, relaxation, (x - 0.05).clamp(0, 1), (x + 0.05).clamp(0, 1))
    rows = torch.eye(10, dtype=torch.float64)[None].expand(3, -1, -1)
    usual = relaxation.lower_bound(region, lines, relaxation.last, rows).value
    leans = [there.usual_lean().expand(-1, -1, 10, -1) for there in lines]
    settings = {"steps": 20, "rates": [0.1, 0.1], "deadline": time.monotonic() + 60, "enough": torch.inf}
    bound, *_ = relaxation.raised(region, lines, relaxation.last, rows, leans, **settings)
    best = bound.value
    assert (best >= usual - 1e-9).all() and (best - usual).mean() > 0.02 * usual.abs().mean()
