"""Every nonlinearity φ, and all that the rest of the house needs to know of it, in one place.

Training, geometry, exact and softened gradients, saturation and proofs ask a `Nonlinearity`, and know hardly any by
name: another one is one class here. In the paper's symbols: h a pre-activation, φ(h) a unit's output, φ_c Eq. 7.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

threshold_backward = torch.ops.aten.threshold_backward  # the gradient where what is given is above a threshold

NARROW = 1e-9  # an interval so short that the line between its ends is mostly rounding
ROUNDS = 3  # after which a tangent's slope is known to seven digits


@dataclass(frozen=True)
class Enclosure:
    """`lower_slope`·h + `lower_offset` ≤ φ(h) ≤ `upper_slope`·h + `upper_offset` for each unit's h, all (N, units)."""

    lower_slope: Tensor
    lower_offset: Tensor
    upper_slope: Tensor
    upper_offset: Tensor

    def side(self, above: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and offset of the line `above` (N, K, units) bool, else of the one below."""
        return (
            torch.where(above, self.upper_slope[:, None], self.lower_slope[:, None]),
            torch.where(above, self.upper_offset[:, None], self.lower_offset[:, None]),
        )


@dataclass(frozen=True)
class Rolling:
    """Between which slopes, (N, units) each, a line may roll along φ on one side of it: the flattest, the usual, the
    steepest; all the same where the line isn't a tangent that is free to.
    """

    flat: Tensor
    usual: Tensor
    steep: Tensor


class Nonlinearity(nn.Module):
    """φ, applied to each entry of h alone; h has any shape and a floating-point dtype.

    Called, it gives φ(h) with the derivative that PyTorch's autograd takes, as everyone's attack would; at a ramp's
    knee, where PyTorch's own functions differ, it is 0.
    """

    name: ClassVar[str]
    piecewise_linear: ClassVar[bool]  # then no slope underflows, and there is no logarithm of it
    softens: ClassVar[bool]  # whether φ′(h/T) differs from φ′(h)
    monotone: ClassVar[bool] = True  # then pooling the largest commutes with φ
    roundoffs: ClassVar[int] = 0  # PyTorch's φ(h) is off by at most so many unit roundoffs

    def forward(self, h: Tensor) -> Tensor:
        """φ(h)."""
        raise NotImplementedError

    def slope(self, h: Tensor) -> Tensor:
        """φ′(h) to rounding, however saturated h is; at a kink the derivative that autograd takes."""
        raise NotImplementedError

    def log_slope(self, h: Tensor) -> Tensor:
        """Log φ′(h), which never underflows. Raises ValueError where φ is piecewise linear."""
        raise ValueError(f"expected a nonlinearity with a logarithm of its slope, got {self.name}, piecewise linear")

    def complementary(self, h: Tensor) -> Tensor:
        """φ_c(h), the distance from h to the nearest point where φ′ = 0 (Eq. 7), or what stands for it."""
        raise NotImplementedError

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        """Lines below and above φ over the intervals `low`…`high` (N, units), in float64.

        Where a line is free to turn about a corner, or to roll along φ, `lean` says how far, from 0, the flattest, to
        1, the steepest; None: so that the area between the lines is small. What lies between two enclosures is one.
        """
        raise NotImplementedError

    def rolling(self, low: Tensor, high: Tensor) -> tuple[Rolling, Rolling] | None:
        """How the lines of `enclosure` below and above φ may roll along it; None where they turn about corners."""
        return None

    def touching(self, slope: Tensor) -> Tensor:
        """Where φ is as steep as `slope`, of any shape, and h ≥ 0."""
        raise NotImplementedError

    def resting(self, slope: Tensor, above: Tensor) -> Tensor:
        """The offset of the line of this `slope` that touches φ from `above`, bool, where φ is concave, else from below
        where it is convex; both of any shape. Differentiable.
        """
        raise NotImplementedError

    def bends(self) -> tuple[float, ...]:
        """Where φ bends: there the lines around it are farthest from it."""
        raise NotImplementedError

    def divided(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Where to divide the intervals `low`…`high`, of any shape, so that the least area is left between the lines:
        at a bend or in the middle. The end of the lower part and the beginning of the upper one, between which there is
        no floating-point number; `low` both where nothing lies between `low` and `high`.
        """
        best, least = low, torch.full_like(low, math.inf)
        for at in ((low + high) / 2, *(torch.full_like(low, bend) for bend in self.bends())):
            area = _area(self, low, at) + _area(self, at, high)
            better = (low < at) & (at < high) & (area < least)
            best, least = torch.where(better, at, best), torch.where(better, area, least)
        return best, best


class ReLU(Nonlinearity):
    """max(0, h)."""

    name = "relu"
    piecewise_linear = True
    softens = False

    def forward(self, h: Tensor) -> Tensor:
        return torch.relu(h)

    def slope(self, h: Tensor) -> Tensor:
        return (h > 0).to(h.dtype)

    def complementary(self, h: Tensor) -> Tensor:
        return torch.relu(h)  # Eq. 7

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        return _around_hinge(low, high, lean)

    def bends(self) -> tuple[float, ...]:
        return (0.0,)


class _Bent(torch.autograd.Function):
    """min(max(0, h), k), whose gradient takes a third of the time of those that PyTorch puts together.

    At its knee the slope is 0, as a ReLU's is at its own.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(h: Tensor, knee: Tensor) -> Tensor:
        return torch.minimum(torch.relu(h), knee.to(h.dtype))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        h, knee = ctx.saved_tensors
        below = threshold_backward(gradient, knee.to(h.dtype) - torch.relu(h), 0)
        learned = (gradient - below).sum(dtype=knee.dtype) if ctx.needs_input_grad[1] else None
        return threshold_backward(below, h, 0), learned


class Ramp(Nonlinearity):
    """min(max(0, h), k): a ReLU with an upper knee k > 0, one for the layer, which may be learned (Lyu et al. 2021)."""

    name = "ramp"
    piecewise_linear = True
    softens = True

    def __init__(self, knee: float = 1.0):
        super().__init__()
        self.knee = nn.Parameter(torch.tensor(float(knee)))

    def forward(self, h: Tensor) -> Tensor:
        return _Bent.apply(h, self.knee)

    def slope(self, h: Tensor) -> Tensor:
        knee = self.knee.detach().to(h.dtype)
        return ((h > 0) & (h < knee)).to(h.dtype)

    def complementary(self, h: Tensor) -> Tensor:
        knee = self.knee.detach()  # or the penalty would have it sink, and units rest on either side of next to nothing
        return torch.minimum(h, knee - h).clamp(min=0)  # Eq. 7

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        """A hinge at 0 where h stays below the knee, one upside down at the knee where h stays above 0; else a line
        above through the knee's corner and one below through 0, each between the flat one and the one from an end.
        """
        knee = self.knee.detach().to(low)
        up, down = _around_hinge(low, high, lean), _around_hinge(knee - high, knee - low, lean)
        mirrored = Enclosure(  # φ(h) = k − max(0, k − h) above 0
            down.upper_slope,
            knee - down.upper_offset - down.upper_slope * knee,
            down.lower_slope,
            knee - down.lower_offset - down.lower_slope * knee,
        )
        above = _leaning(lean, high - knee < knee - low) * knee / (knee - low)  # at most from (low, 0) to (k, k)
        below = _leaning(lean, -low < high) * knee / high  # at most from (0, 0) to (high, k)
        both = Enclosure(below, torch.zeros_like(low), above, knee - above * knee)
        bent = _where(high <= knee, up, _where(low < 0, both, mirrored))
        zero = torch.zeros_like(low)
        return _where(knee > 0, bent, Enclosure(zero, knee + zero, zero, knee + zero))  # a knee learned away: constant

    def bends(self) -> tuple[float, ...]:
        return 0.0, float(self.knee.detach())


class Step(Nonlinearity):
    """1 where h > 0, else 0; its derivative is 0 everywhere, and no gradient attack can pass it."""

    name = "step"
    piecewise_linear = True
    softens = False

    def forward(self, h: Tensor) -> Tensor:
        return (h > 0).to(h.dtype) + 0 * h  # the second term lets autograd through, with a derivative of zero

    def slope(self, h: Tensor) -> Tensor:
        return torch.zeros_like(h)

    def complementary(self, h: Tensor) -> Tensor:
        return torch.zeros_like(h)  # Eq. 7: φ′ = 0 wherever there is one

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        """0 or 1 where that is certain; else a line through (0, 1) above, at most as steep as through (low, 0), and one
        through (0, 0) below, at most as steep as through (high, 1).
        """
        bottom, top = (low > 0).to(low), (high > 0).to(low)
        undecided = bottom < top
        above = torch.where(undecided, _leaning(lean, -low > high) / (-low).clamp_min(NARROW), 0.0)
        below = torch.where(undecided, _leaning(lean, high > -low) / high.clamp_min(NARROW), 0.0)
        return Enclosure(below, bottom, above, top)

    def bends(self) -> tuple[float, ...]:
        return 0.0, math.ulp(0.0)

    def divided(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(low), torch.full_like(low, math.ulp(0.0))


class Identity(Nonlinearity):
    """h itself: a block that only sums, or the read-out."""

    name = "identity"
    piecewise_linear = True
    softens = False

    def forward(self, h: Tensor) -> Tensor:
        return h

    def slope(self, h: Tensor) -> Tensor:
        return torch.ones_like(h)

    def complementary(self, h: Tensor) -> Tensor:
        return h  # no flat point: the stronger f(z) = z, unbounded below, that the paper puts on the CNN's read-out

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        one, zero = torch.ones_like(low), torch.zeros_like(low)
        return Enclosure(one, zero, one, zero)

    def bends(self) -> tuple[float, ...]:
        return ()


class _Sigma(torch.autograd.Function):
    """σ′(h), which knows its own derivative σ′(1 − 2σ): a penalty is taken of every unit at every step."""

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        up, down = torch.sigmoid(h), torch.sigmoid(-h)
        slope = up * down
        ctx.save_for_backward(down.sub_(up).mul_(slope))
        return slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]


def _touching(slope: Tensor) -> tuple[Tensor, Tensor]:
    """Of a slope s of σ: σ(t) and t ≥ 0 where σ′(t) = s."""
    up = (1 + (1 - 4 * slope).clamp_min_(0).sqrt_()).div_(2)  # of σ(1 − σ) = s
    return up, (up * up).div_(slope.clamp_min(torch.finfo(slope.dtype).tiny)).log_()  # log σ/(1 − σ)


class _Resting(torch.autograd.Function):
    """The offset of the line of a slope s that rests on σ from above, σ(t) − st where σ′(t) = s and t ≥ 0; as t moves,
    that changes by −t ds.
    """

    @staticmethod
    def forward(ctx: Any, slope: Tensor) -> Tensor:
        up, touch = _touching(slope)
        ctx.save_for_backward(touch)
        return torch.addcmul(up, slope, touch, value=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient * ctx.saved_tensors[0]


class Sigmoid(Nonlinearity):
    """1/(1 + e⁻ʰ)."""

    name = "sigmoid"
    piecewise_linear = False
    softens = True
    roundoffs = 8

    def forward(self, h: Tensor) -> Tensor:
        return torch.sigmoid(h)

    def slope(self, h: Tensor) -> Tensor:
        return torch.sigmoid(h) * torch.sigmoid(-h)  # y(1 − y), as autograd has it, is 0 from h ≈ 37 on

    def log_slope(self, h: Tensor) -> Tensor:
        return logsigmoid(h) + logsigmoid(-h)

    def complementary(self, h: Tensor) -> Tensor:
        return _Sigma.apply(h)  # Eq. 7 has no such point: σ′ takes its place

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        return _around_s(self, 1.0, low, high, lean)

    def rolling(self, low: Tensor, high: Tensor) -> tuple[Rolling, Rolling]:
        return _rolling_s(self, low, high)

    def touching(self, slope: Tensor) -> Tensor:
        return _touching(slope)[1]

    def resting(self, slope: Tensor, above: Tensor) -> Tensor:
        offset = _Resting.apply(slope)
        return torch.where(above, offset, 1 - offset)

    def bends(self) -> tuple[float, ...]:
        return -6.0, 0.0, 6.0  # beyond, a four hundredth of the way is left


class Tanh(Nonlinearity):
    """The hyperbolic tangent, 2σ(2h) − 1."""

    name = "tanh"
    piecewise_linear = False
    softens = True
    roundoffs = 8

    def forward(self, h: Tensor) -> Tensor:
        return torch.tanh(h)

    def slope(self, h: Tensor) -> Tensor:
        return 4 * torch.sigmoid(2 * h) * torch.sigmoid(-2 * h)  # 1 − y², as autograd has it, is 0 from h ≈ 19 on

    def log_slope(self, h: Tensor) -> Tensor:
        return logsigmoid(2 * h) + logsigmoid(-2 * h) + torch.tensor(4.0, dtype=h.dtype).log()

    def complementary(self, h: Tensor) -> Tensor:
        return 4 * _Sigma.apply(2 * h)  # as for the sigmoid

    def enclosure(self, low: Tensor, high: Tensor, lean: float | None = None) -> Enclosure:
        return _around_s(self, 0.0, low, high, lean)

    def rolling(self, low: Tensor, high: Tensor) -> tuple[Rolling, Rolling]:
        return _rolling_s(self, low, high)

    def touching(self, slope: Tensor) -> Tensor:
        return _touching(slope / 4)[1] / 2  # 2σ(2h) − 1

    def resting(self, slope: Tensor, above: Tensor) -> Tensor:
        offset = 2 * _Resting.apply(slope / 4) - 1
        return torch.where(above, offset, -offset)

    def bends(self) -> tuple[float, ...]:
        return -3.0, 0.0, 3.0  # as the sigmoid


BY_NAME: dict[str, type[Nonlinearity]] = {kind.name: kind for kind in (ReLU, Ramp, Step, Identity, Sigmoid, Tanh)}


def named(name: str, **parameters: float) -> Nonlinearity:
    """The nonlinearity `name`, with the `parameters` that it has. Raises ValueError for an unknown one."""
    if name not in BY_NAME:
        raise ValueError(f"expected a nonlinearity out of {', '.join(BY_NAME)}, got {name!r}")
    return BY_NAME[name](**parameters)


def _leaning(lean: float | None, steep: Tensor) -> Tensor:
    """How far free lines lean: as they are told, or all the way where `steep` leaves the smaller area."""
    return steep.double() if lean is None else torch.full_like(steep, lean, dtype=torch.float64)


def _around_hinge(low: Tensor, high: Tensor, lean: float | None) -> Enclosure:
    """Lines around max(0, h): the chord above, and below it one through 0, by itself that of the smaller triangle."""
    crossing = (low < 0) & (high > 0)
    slope = torch.where(crossing, high / (high - low).clamp_min(torch.finfo(low.dtype).tiny), (low >= 0).to(low))
    lower = torch.where(crossing, _leaning(lean, high > -low), slope)
    return Enclosure(lower, torch.zeros_like(low), slope, torch.where(crossing, -slope * low, 0.0))


def _area(phi: Nonlinearity, low: Tensor, high: Tensor) -> Tensor:
    """Between the lines around φ."""
    around = phi.enclosure(low, high)
    slope, offset = around.upper_slope - around.lower_slope, around.upper_offset - around.lower_offset
    return (high - low) * (slope * (low + high) / 2 + offset)


def _around_s(phi: Nonlinearity, symmetry: float, low: Tensor, high: Tensor, lean: float | None) -> Enclosure:
    """Lines around an S: convex below 0, concave above it, with φ(−h) = `symmetry` − φ(h)."""
    # The line below is the one above the mirrored interval, mirrored.
    slope, offset = _above_s(phi, torch.stack((low, -high)), torch.stack((high, -low)), lean)
    return Enclosure(slope[1], symmetry - offset[1], slope[0], offset[0])


def _above_s(phi: Nonlinearity, low: Tensor, high: Tensor, lean: float | None) -> tuple[Tensor, Tensor]:
    """Slope and offset of a line above φ on `low`…`high`: a tangent where there is one, else a chord."""
    bottom, top, narrow = phi(low), phi(high), high - low < NARROW
    chord = (top - bottom) / (high - low).clamp_min(NARROW)
    rolling, tangent = _rolling_above_s(phi, low, high)
    slope = rolling.usual if lean is None else torch.lerp(rolling.flat, rolling.steep, lean)
    offset = phi.resting(slope, torch.ones_like(tangent))
    slope, offset = torch.where(tangent, slope, chord), torch.where(tangent, offset, bottom - chord * low)
    return torch.where(narrow, 0.0, slope), torch.where(narrow, top, offset)


def _rolling_s(phi: Nonlinearity, low: Tensor, high: Tensor) -> tuple[Rolling, Rolling]:
    both, _ = _rolling_above_s(phi, torch.stack((low, -high)), torch.stack((high, -low)))
    below, above = (Rolling(*(part[side] for part in vars(both).values())) for side in (1, 0))
    return below, above


def _rolling_above_s(phi: Nonlinearity, low: Tensor, high: Tensor) -> tuple[Rolling, Tensor]:
    """The slopes of tangents of φ that lie above it on `low`…`high`, and whether there are any.

    They touch anywhere where φ is concave; where it is convex nowhere; and else from the tangent through (low, φ(low))
    on.
    """
    steep = torch.where(low >= 0, low, _touching_point(phi, low, high))
    reaches = (low >= 0) | (steep < high) | (phi(high) + phi.slope(high) * (low - high) >= phi(low))
    tangent = (high > 0) & reaches & (high - low >= NARROW)
    usual = torch.where(low >= 0, (low + high) / 2, steep)
    slopes = (torch.where(tangent, phi.slope(touch), 0) for touch in (high, usual, steep))
    return Rolling(*slopes), tangent


def _touching_point(phi: Nonlinearity, low: Tensor, high: Tensor) -> Tensor:
    """Where, between 0 and `high`, the tangent of φ meets (low, φ(low)), low < 0; `high` where none does.

    No line from there to the curve is steeper. So the tangent as steep as any of them touches to the right of it, and
    much closer than that line reached: near 0 it is at −low/2, and with tails like e⁻ʰ hardly beyond log(−low).
    """
    touch = (-low / 2).minimum(1 + torch.log1p(low.abs())).minimum(high).clamp_min(0)
    for _ in range(ROUNDS):
        steepest = (phi(touch) - phi(low)) / (touch - low).clamp_min(torch.finfo(low.dtype).tiny)
        touch = phi.touching(steepest).minimum(high).clamp_min(0)  # of a slope that rounding has made too steep
    return touch


def _where(condition: Tensor, one: Enclosure, other: Enclosure) -> Enclosure:
    parts = zip(vars(one).values(), vars(other).values(), strict=True)
    return Enclosure(*(torch.where(condition, a, b) for a, b in parts))
