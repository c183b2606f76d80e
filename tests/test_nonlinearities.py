"""Every nonlinearity: its value, slope and logarithm to the last digits, φ_c (Eq. 7), and the lines that enclose it.

All but the references at the end is asked of whatever `BY_NAME` holds, so that a new one is tested as it is added.
"""

import itertools
import json
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from satcore.networks import Network, from_data, mlp, to_data
from satcore.nonlinearities import BY_NAME, Nonlinearity, named
from satcore.training import penalty, saturated_share

PHIS: dict[str, Nonlinearity] = {name: named(name) for name in BY_NAME} | {
    f"ramp to {knee:g}": named("ramp", knee=knee) for knee in (0.3, 7.0, 0.0, -0.5)
}
SMOOTH = {name: phi for name, phi in PHIS.items() if not phi.piecewise_linear}
PIECEWISE = {name: phi for name, phi in PHIS.items() if phi.piecewise_linear}
DTYPES = (torch.float32, torch.float64)
FAR = (0.0, 1e-12, 0.1, 0.5, 1.0, 3.0, 10.0, 17.0, 19.5, 37.0, 40.0, 88.0, 100.0, 300.0, 700.0, 800.0)
EVERYWHERE = [sign * h for h in FAR for sign in (1, -1)]


def every(phis: dict[str, Nonlinearity]):
    return pytest.mark.parametrize("phi", phis.values(), ids=phis)


def grid(dtype: torch.dtype = torch.float64) -> Tensor:
    """Quarters from −4 to 4, where corners are, and points between them."""
    return torch.cat((torch.arange(-16, 17) / 4, torch.linspace(-3.9, 3.9, 1001))).to(dtype)


def value(phi: Nonlinearity, h: Tensor) -> Tensor:
    return phi(h).detach()


# --- the slope ------------------------------------------------------------------------------------------------------


@every(PHIS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_slope_and_complement_keep_shape_and_dtype_and_are_finite_far_out(phi, dtype):
    h = torch.tensor(EVERYWHERE, dtype=dtype).view(1, 4, 2, -1)
    for there in (phi(h), phi.slope(h), phi.complementary(h)):
        assert there.shape == h.shape and there.dtype == dtype and there.isfinite().all()
    assert torch.equal(phi(h[..., :2]), phi(h)[..., :2])  # each entry alone


@every(PHIS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_where_nothing_is_saturated_the_slope_is_autograds(phi, dtype):
    h = grid(dtype).requires_grad_()
    (taken,) = torch.autograd.grad(phi(h).sum(), h)
    slope = phi.slope(h.detach())
    if phi.piecewise_linear:  # at its corners too
        assert torch.equal(slope, taken)
    else:
        np.testing.assert_allclose(slope.numpy(), taken.numpy(), rtol=0, atol=4 * torch.finfo(dtype).eps)
        assert (slope > 0).all()


@every(PHIS)
def test_the_slope_is_the_limit_of_differences(phi):
    """By Richardson's extrapolation of central differences; between corners, which lie on no such point."""
    h, width = torch.linspace(-6.01, 6.03, 333, dtype=torch.float64), 2e-3
    one, two = ((value(phi, h + w) - value(phi, h - w)) / (2 * w) for w in (width, 2 * width))
    corners = (one - two).abs() > 1e-3  # within two widths of one
    assert corners.sum() <= 3
    np.testing.assert_allclose(phi.slope(h)[~corners], ((4 * one - two) / 3)[~corners], rtol=0, atol=1e-9)


@every(SMOOTH)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_slopes_logarithm_is_its_logarithm_and_finite_where_that_underflows(phi, dtype):
    h = torch.tensor([*EVERYWHERE, 1e4, -1e4], dtype=dtype)
    slope, log_slope = phi.slope(h), phi.log_slope(h)
    assert log_slope.dtype == dtype and log_slope.isfinite().all()
    there = slope > torch.finfo(dtype).tiny
    assert there.sum() > 10
    # The slope's own rounding, and that of a logarithm of some hundred.
    tolerance = 100 * torch.finfo(dtype).eps
    np.testing.assert_allclose(log_slope[there].numpy(), slope[there].log().numpy(), rtol=0, atol=tolerance)
    for earlier, later in itertools.pairwise(FAR):
        for sign in (1, -1):
            pair = torch.tensor([sign * earlier, sign * later], dtype=dtype)
            assert phi.log_slope(pair).diff() <= 0


@every(PIECEWISE)
def test_where_nothing_underflows_there_is_no_logarithm(phi):
    with pytest.raises(ValueError, match=r"expected a nonlinearity with a logarithm of its slope, got .*, piecewise"):
        phi.log_slope(torch.zeros(1))


@every(PHIS)
def test_softening_changes_the_slope_where_it_says_so(phi):
    h = torch.cat((grid(), torch.tensor(EVERYWHERE, dtype=torch.float64)))
    changed = [not torch.equal(phi.slope(h / temperature), phi.slope(h)) for temperature in (1.5, 10.0, 300.0)]
    constant = len(value(phi, h).unique()) == 1  # a ramp without a slope
    assert set(changed) == {phi.softens and not constant}


@every(PHIS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_monotone_where_it_says_so(phi, dtype):
    h = torch.cat((grid(dtype), torch.tensor(EVERYWHERE, dtype=dtype))).sort().values
    y = value(phi, h)
    rises = bool((y.diff() >= -2 * torch.finfo(dtype).eps * y[1:].abs()).all() and (phi.slope(h) >= 0).all())
    assert rises == phi.monotone


# --- the complement -------------------------------------------------------------------------------------------------


@every(PIECEWISE)
def test_the_complement_is_the_distance_to_the_nearest_point_without_slope(phi):
    h = torch.arange(-800, 801, dtype=torch.float64) / 100 + 1e-3  # on no corner
    flat = h[phi.slope(h) == 0]
    found = phi.complementary(h).detach()
    if not len(flat):
        assert torch.equal(found, h)  # the paper's f(z) = z, unbounded below
        return
    assert torch.equal(found == 0, phi.slope(h) == 0)
    nearest = (h[:, None] - flat).abs().amin(1)
    np.testing.assert_allclose(found, nearest, rtol=0, atol=1e-2)  # a step of the grid


@every(SMOOTH)
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_stands_for_the_complement_is_large_in_the_middle_and_nothing_far_out(phi, dtype):
    for sign in (1, -1):
        found = phi.complementary(sign * torch.tensor(FAR, dtype=dtype))
        assert (found >= 0).all() and found[0] > 0.1
        assert (found.diff() <= 0).all() and found[-1] < 1e-5


# --- the lines ------------------------------------------------------------------------------------------------------

NEAR = st.floats(-1e-6, 1e-6) | st.floats(-3, 3) | st.sampled_from([0.0, 1.0, -1.0, 7.0, 0.3])
PLACES = NEAR | st.floats(-40, 40) | st.floats(-800, 800)
WIDTHS = st.just(0.0) | st.floats(0, 1e-8) | st.floats(0, 1e-3) | st.floats(0, 3) | st.floats(0, 1600)


def points_within(low: Tensor, high: Tensor, phi: Nonlinearity) -> Tensor:
    """(N, units, points): evenly between, near both ends, and around what may be a corner."""
    share = torch.cat((torch.linspace(0, 1, 301, dtype=torch.float64), 10.0 ** -torch.arange(3, 17).double()))
    between = low[..., None] + (high - low)[..., None] * torch.cat((share, 1 - share[301:]))
    corners = [0.0, *(float(parameter.detach()) for parameter in phi.parameters())]
    special = [corner + off for corner in corners for off in (0.0, 1e-300, -1e-300, 1e-9, -1e-9)]
    there = torch.tensor(special, dtype=torch.float64).expand(*low.shape, -1)
    there = torch.cat((between, there), -1)
    return torch.maximum(torch.minimum(there, high[..., None]), low[..., None])


def check_enclosed(phi: Nonlinearity, low: Tensor, high: Tensor) -> None:
    h = points_within(low, high, phi)
    y, rounding = value(phi, h), 1e-12 * (1 + h.abs().amax(-1, keepdim=True))
    for lean in (None, 0.0, 0.3, 0.7, 1.0):
        lines = phi.enclosure(low, high, lean)
        for part in vars(lines).values():
            assert part.shape == low.shape and part.dtype == torch.float64 and part.isfinite().all()
        lower = lines.lower_slope[..., None] * h + lines.lower_offset[..., None]
        upper = lines.upper_slope[..., None] * h + lines.upper_offset[..., None]
        assert (lower <= y + rounding).all() and (y <= upper + rounding).all()


@every(PHIS)
@settings(deadline=None, max_examples=30)
@given(intervals=st.lists(st.tuples(PLACES, WIDTHS), min_size=1, max_size=12))
def test_the_lines_are_never_crossed(phi, intervals):
    low, width = torch.tensor(intervals, dtype=torch.float64).T[:, None]
    check_enclosed(phi, low, low + width)


@every(PHIS)
def test_the_lines_are_never_crossed_between_any_two_of_many_places(phi):
    places = torch.tensor(
        sorted({*EVERYWHERE, 1e-9, -1e-9, 1e-6, 0.3, 0.29, 7.0, 7.1, 0.99999, 1.00001, -1e-3, 2.0, -2.0, 5.0, -5.0}),
        dtype=torch.float64,
    )
    first, second = torch.triu_indices(len(places), len(places))
    check_enclosed(phi, places[first][None], places[second][None])


@every(PHIS)
def test_the_lines_of_an_interval_do_not_depend_on_the_others(phi):
    generator = torch.Generator().manual_seed(0)
    low = 6 * torch.rand(5, 40, generator=generator, dtype=torch.float64) - 4
    high = low + 3 * torch.rand(5, 40, generator=generator, dtype=torch.float64)
    together = phi.enclosure(low, high)
    alone = phi.enclosure(low[3:4, 7:8], high[3:4, 7:8])
    for part, whole in zip(vars(alone).values(), vars(together).values(), strict=True):
        np.testing.assert_allclose(part, whole[3:4, 7:8], rtol=1e-15)


@every(PHIS)
def test_the_lines_are_as_near_as_the_interval_is_short(phi):
    """So that an interval's whole range, or more, wouldn't do."""
    low = torch.tensor([[-20.0, -1.3, -0.4, 0.11, 0.5, 3.0]], dtype=torch.float64)  # and no corner within a thousandth
    lines = phi.enclosure(low, low + 1e-3)
    for slope, offset in ((lines.lower_slope, lines.lower_offset), (lines.upper_slope, lines.upper_offset)):
        np.testing.assert_allclose(slope * low + offset, value(phi, low), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_steepest_line_above_from_just_below_0_is_as_steep_as_from_0(name):
    phi, low = named(name), -torch.logspace(-13, -5, 81, dtype=torch.float64)[None]
    for high in (1.0, 1e20):
        steepest = phi.enclosure(low, torch.full_like(low, high), 1.0).upper_slope
        at_0 = phi.slope(torch.zeros((), dtype=torch.float64))
        np.testing.assert_allclose(steepest, at_0.expand_as(steepest), rtol=1e-2)


@every(PHIS)
def test_the_lines_leave_less_between_them_than_the_range(phi):
    """On average over an interval, which is what they leave in its middle, and over many intervals."""
    generator = torch.Generator().manual_seed(1)
    low = 12 * torch.rand(1, 4000, generator=generator, dtype=torch.float64) - 10
    high = low + 8 * torch.rand(1, 4000, generator=generator, dtype=torch.float64)
    lines, middle = phi.enclosure(low, high), (low + high) / 2
    left = (lines.upper_slope - lines.lower_slope) * middle + lines.upper_offset - lines.lower_offset
    spread = value(phi, high) - value(phi, low)
    assert left.sum() <= 0.75 * spread.sum() + 1e-9
    assert not phi.piecewise_linear or (left <= spread + 1e-9).all()


@every(SMOOTH)
def test_a_line_at_rest_touches_and_its_gradient_is_that_of_differences(phi):
    touch = torch.tensor([1e-6, 0.3, 0.7, 4.0, 15.0, 30.0], dtype=torch.float64)
    for sign in (1, -1):
        slope = phi.slope(sign * touch)
        offset = phi.resting(slope, torch.full_like(touch, sign > 0, dtype=torch.bool))
        np.testing.assert_allclose(slope * sign * touch + offset, value(phi, sign * touch), rtol=1e-14, atol=1e-15)
        inside = slope[1:4].clone().requires_grad_()
        assert torch.autograd.gradcheck(phi.resting, (inside, torch.tensor(sign > 0)))


@every(SMOOTH)
def test_a_flat_line_rests_on_the_limit(phi):
    flat, above = torch.zeros(2, dtype=torch.float64), torch.tensor([True, False])
    np.testing.assert_array_equal(phi.resting(flat, above), value(phi, torch.tensor([800.0, -800.0]).double()))


@every(PHIS)
def test_an_interval_is_divided_inside_where_that_leaves_no_more_than_its_middle_would(phi):
    generator = torch.Generator().manual_seed(2)
    low = 60 * torch.rand(500, generator=generator, dtype=torch.float64) - 40
    high = low + 40 * torch.rand(500, generator=generator, dtype=torch.float64)
    low, high = low[(low < 0) & (high > 0)], high[(low < 0) & (high > 0)]
    end, beginning = phi.divided(low, high)
    assert (low <= end).all() and (end <= beginning).all() and (beginning <= high).all()
    assert (torch.nextafter(end, high) >= beginning).all() and ((end < high) & (low < beginning)).all()

    def between(first: Tensor, last: Tensor) -> Tensor:
        """The area between the lines, by the trapezoidal rule, which is exact for it."""
        lines = phi.enclosure(first, last)
        widths = [
            (lines.upper_slope - lines.lower_slope) * h + lines.upper_offset - lines.lower_offset for h in (first, last)
        ]
        return (last - first) * sum(widths) / 2

    middle = (low + high) / 2
    assert (between(low, end) + between(beginning, high) <= between(low, middle) + between(middle, high) + 1e-9).all()


@every(PHIS)
def test_between_neighbours_nothing_is_divided(phi):
    low = torch.tensor([-2.5, 0.3, 2.0], dtype=torch.float64)
    end, beginning = phi.divided(low, torch.nextafter(low, low + 1))
    assert phi.name == "step" or (torch.equal(end, low) and torch.equal(beginning, low))


# --- an unknown one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", "Sigmoid", "", "softsign-of-nobody"])
def test_an_unknown_one_is_refused_everywhere(name):
    blocks = json.loads(json.dumps(to_data(mlp("relu", (3,)))))
    blocks[0]["nonlinearity"] = name
    for refusing in (
        lambda: named(name),
        lambda: Network(mlp(name, (3,))),
        lambda: from_data(blocks),
        lambda: penalty([torch.zeros(2, 3)], (name,)),
        lambda: saturated_share(torch.zeros(2, 3), name),
    ):
        with pytest.raises(ValueError) as refusal:
            refusing()
        assert str(refusal.value) == f"expected a nonlinearity out of {', '.join(BY_NAME)}, got {name!r}"


# --- references, in sixty digits ------------------------------------------------------------------------------------


def exactly(name: str, h: float) -> tuple[Decimal, Decimal, Decimal | None]:
    """φ(h), φ′(h) and log φ′(h), by their definitions."""
    z, one, k = Decimal(h), Decimal(1), Decimal(1)
    if name == "sigmoid":
        y = 1 / (1 + (-z).exp())
        return y, y / (1 + z.exp()), -(1 + (-z).exp()).ln() - (1 + z.exp()).ln()
    if name == "tanh":
        up, down = z.exp(), (-z).exp()
        return (up - down) / (up + down), 4 / (up + down) ** 2, 2 * (2 / (up + down)).ln()
    return {
        "relu": (max(z, Decimal(0)), one * (z > 0), None),
        "ramp": (min(max(z, Decimal(0)), k), one * (0 < z < k), None),
        "step": (one * (z > 0), 0 * one, None),
        "identity": (z, one, None),
    }[name]


@pytest.mark.parametrize("name", ["relu", "ramp", "step", "identity", "sigmoid", "tanh"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_what_its_name_says_to_the_last_digits(name, dtype):
    phi, h = named(name), torch.tensor([*EVERYWHERE, 0.999, 1.001], dtype=dtype)
    with localcontext() as context:
        context.prec = 60
        values, slopes, logs = zip(*(exactly(name, there) for there in h.tolist()), strict=True)
        eps, least = torch.finfo(dtype).eps, torch.finfo(dtype).tiny
        for found, expected in ((phi(h), values), (phi.slope(h), slopes)):
            # A handful of roundings; numbers below the normal ones may be taken for zero.
            for one, other in zip(found.tolist(), expected, strict=True):
                assert abs(Decimal(one) - other) <= 8 * Decimal(eps) * abs(other) + Decimal(least)
        if not phi.piecewise_linear:
            for one, other in zip(phi.log_slope(h).tolist(), logs, strict=True):
                assert abs(Decimal(one) - other) <= 4 * Decimal(eps) * (1 + abs(other))


def test_a_ramps_knee_is_where_it_is_put_and_can_be_learned():
    phi, h = named("ramp", knee=2.5), torch.tensor([-1.0, 0.5, 2.0, 3.0, 9.0], requires_grad=True)
    assert phi(h).tolist() == [0, 0.5, 2, 2.5, 2.5]
    phi(h).sum().backward()
    assert phi.knee.grad.item() == 2 and h.grad.tolist() == [0, 1, 1, 0, 0]  # two are beyond it
    for knee, at_it in ((0.7, [0, 0, 1]), (-0.5, [1, 1, 1])):  # one learned away is all that is left
        phi = named("ramp", knee=knee)
        for h, learned in zip((-1.0, 0.5, 3.0), at_it, strict=True):
            (found,) = torch.autograd.grad(phi(torch.tensor([h])), phi.knee)
            assert found.item() == learned
    assert [name for name, _ in Network(mlp("ramp", (3,))).named_parameters()][-1] == "nonlinearities.0.knee"
