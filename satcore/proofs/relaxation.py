"""Linear bounds of a network's units over boxes of images, in float64.

Every unit's output is enclosed, over all images of a box, between two lines in its pre-activation; the lines are
substituted block by block down to the pixels, where the extremes of a linear function are known (CROWN, Zhang et al.
2018). Lines that are free to turn about a corner or to roll along φ are turned by gradient (α-CROWN, Xu et al. 2021),
and what is known of a unit's interval comes in by a multiplier (β-CROWN, Wang et al. 2021).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from satcore.geometry.linear_maps import LinearMap, Product
from satcore.moments import Moments
from satcore.networks import Network, Shape
from satcore.nonlinearities import Enclosure, Nonlinearity
from satcore.proofs.lines import Lines, Pooled, Tangents, hinges, mapped
from satcore.proofs.rounding import SLACK, Arithmetic, Interval, in_windows

MOST_ENTRIES = 2**22  # of a batch of rows over one layer
DECAY = 0.95  # of the rate of turning, by step
NEGLIGIBLE = 1e-9  # between the least and the most of an output that is as good as constant


@dataclass(frozen=True)
class Region:
    """N boxes of images, and what is known of the units in them.

    box     lowest and highest pixels, (N, 784) each, or (1, 784) for all
    ranges  between what the pre-activations of each hidden block lie, (N, units) each
    errors  by how much rounding changes each block's pre-activations at most, (N, units), or (1, units) for all
    """

    box: Interval
    ranges: tuple[Interval, ...]
    errors: tuple[Tensor, ...]

    def __getitem__(self, index: Tensor | slice) -> "Region":
        """The boxes at `index` (n,)."""
        low, high, *errors = (each[index] if len(each) > 1 else each for each in (*self.box, *self.errors))
        return Region((low, high), tuple((low[index], high[index]) for low, high in self.ranges), tuple(errors))


@dataclass(frozen=True)
class Bound:
    """Lower bounds of rows·h, linear in the pixels.

    value    (N, K)
    pixels   (N, K, 784): the slopes
    outputs  (N, K, outputs) each: the slopes on the outputs of each hidden block
    """

    value: Tensor
    pixels: Tensor
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Part:
    """One block, as the bounds need it: h = linear(x) + bias, pooled in `windows` if any, then `phi`."""

    linear: LinearMap
    matrix: Tensor | None  # of a linear part that has one
    bias: Tensor
    shape: Shape
    phi: Nonlinearity
    windows: Tensor | None

    def pulled(self, rows: Tensor) -> Tensor:
        """Rows (N, K, units) of the pre-activations as rows of the inputs."""
        if self.matrix is not None:
            return rows @ self.matrix
        return self.linear.transposed(rows.unflatten(2, self.shape)).flatten(2)


class Relaxation:
    """The blocks of a network, in some of its regions perhaps without those units that can't change there."""

    def __init__(self, parts: Sequence[Part], roundoff: float):
        self.parts, self.roundoff, self.last = list(parts), roundoff, len(parts) - 1

    def lines(self, depth: int, interval: Interval) -> Lines:
        """The lines around the outputs of the block at `depth`, its pre-activations lying in `interval`."""
        part, pooled = self.parts[depth], None
        if part.windows is not None:
            pooled, interval = _around_maxima(interval, part.windows)
        low, high = interval
        phi, usual = part.phi, part.phi.enclosure(low, high)
        rolling = phi.rolling(low, high)
        turning = Tangents(phi, *rolling) if rolling else hinges(*(phi.enclosure(low, high, x) for x in (0.0, 1.0)))
        lines = Lines(usual, turning, pooled, torch.zeros_like(low))
        sides = torch.tensor([[False], [True]]).expand(len(low), 2, low.shape[1])
        ends = [lines.taken(sides, lean) for lean in (None, low.new_zeros(1, 2, 1, 1), low.new_ones(1, 2, 1, 1))]
        reach = torch.maximum(low.abs(), high.abs())[:, None]
        largest = torch.stack([slope.abs() * reach + offset.abs() for slope, offset in ends]).amax((0, 2))
        return replace(lines, slack=phi.roundoffs * self.roundoff + SLACK * largest)

    def relined(self, depth: int, lines: Lines, index: Tensor, there: Tensor, interval: Interval) -> Lines:
        """The lines in the `interval` of n boxes, which for all units but those `there`, (n, units) bool, is what the
        boxes at `index` (n,) of the `lines` have.
        """
        if self.parts[depth].windows is not None:
            return self.lines(depth, interval)
        low, high = (end[there][:, None] for end in interval)
        others = self.lines(depth, (low, high))
        return mapped(lambda line, other: line[index].masked_scatter(there, other), lines, others)

    def lower_bound(
        self,
        region: Region,
        lines: Sequence[Lines],
        depth: int,
        rows: Tensor,
        leans: Sequence[Tensor] | None = None,
        multipliers: Sequence[Tensor] | None = None,
        added: Sequence[Tensor] | None = None,
    ) -> Bound:
        """The least that rows·h can be, of h the pre-activations of the block at `depth`; `rows` (N, K, units).

        A positive coefficient takes the line below its unit, a negative one the line above. The `leans` (N, 2, K,
        outputs) turn the lines of each block below. The `multipliers` γ (N, K, units) of each block below take γh out
        of the row and put in the least of γh over the unit's interval: a bound whatever γ is.
        """
        value, rows, outputs = self._substituted(region, lines, depth, rows, leans, multipliers, added)
        offset, pixels = self._pulled(region, 0, rows)
        return Bound(_bounding(value + offset + _least(pixels, region.box)), pixels, outputs)

    def _substituted(
        self,
        region: Region,
        lines: Sequence[Lines],
        depth: int,
        rows: Tensor,
        leans: Sequence[Tensor] | None,
        multipliers: Sequence[Tensor] | None,
        added: Sequence[Tensor] | None,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Of `lower_bound`, with all lines put in: a number (N, K), rows (N, K, units) of the first block's
        pre-activations, and the slopes on the outputs.
        """
        value, outputs = rows.new_zeros(()), []
        for below in range(depth - 1, -1, -1):
            offset, rows = self._pulled(region, below + 1, rows)
            value = value + offset
            outputs.append(rows)
            slope, offset = lines[below].taken(rows < 0, leans[below] if leans else None)
            value = value + _dot(rows, offset) - _dot(rows.abs(), lines[below].slack[:, None])
            if (pooled := lines[below].pooled) is None:
                rows = rows * slope
            else:
                positive, negative = rows.clamp_min(0) * slope, rows.clamp_max(0) * slope
                value = value + _dot(negative, pooled.offset[:, None])
                rows = positive.new_zeros(*rows.shape[:2], len(self.parts[below].bias))
                rows = rows.scatter_add(2, pooled.lowest[:, None].expand_as(positive), positive)
                rows = rows.scatter_add(
                    2, pooled.highest[:, None].expand_as(negative), negative * pooled.slope[:, None]
                )
            if multipliers is not None:
                value = value + _least(multipliers[below], region.ranges[below])
                rows = rows - multipliers[below]
            if added is not None:
                rows = rows + added[below]
        return value, rows, tuple(reversed(outputs))

    def _value(self, region: Region, *given: Any) -> Tensor:
        """That of `lower_bound`; where all are of one box faster, without the slopes by the pixels."""
        part, (low, high) = self.parts[0], region.box
        if part.matrix is None or len(low) > 1:
            return self.lower_bound(region, *given).value
        value, rows, _ = self._substituted(region, *given)
        at_middle = part.bias + part.matrix @ ((low + high) / 2)[0]
        value = value + rows @ at_middle - _dot(rows.abs(), region.errors[0][:, None])
        return value - torch.linalg.vector_norm(rows @ (part.matrix * (high - low) / 2), 1, dim=2)

    def raised(
        self,
        region: Region,
        lines: Sequence[Lines],
        depth: int,
        rows: Tensor,
        leans: Sequence[Tensor],
        multipliers: Sequence[Tensor] | None = None,
        signs: Sequence[Interval] | None = None,
        *,
        steps: int,
        rates: Sequence[float],
        deadline: float,
        enough: float = 0.0,
        added: Sequence[Tensor] | None = None,
        weights: Tensor | None = None,
    ) -> tuple[Bound, list[Tensor], list[Tensor]]:
        """`lower_bound`s (N, K), after Adam has turned the `leans` and found `multipliers` within their `signs`, with
        where these have got to. Any are sound: so they are searched for in float32, where that is possible.

        With `weights` (N, K, 1) of the `rows`, those that are best are searched for as well, of all that are 0 or more.
        The `rates` are those of the leans of each block, of the multipliers, of the weights. The search ends before its
        `steps` are over once every bound is above `enough`, or at the `deadline` (`time.monotonic`).
        """
        searched = self.in_single or self
        given = region, lines, rows, signs, added, leans, multipliers, () if weights is None else (weights,)
        boxes, around, picked, within, more, *start = _in_single(given) if self.in_single else given
        turned, free, shares = ([one.clone().requires_grad_() for one in group or ()] for group in start)
        every = [Moments([one]) for one in (*turned, *free, *shares)]
        for _ in range(steps):
            with torch.enable_grad():
                wanted = picked * shares[0] if shares else picked
                value = searched._value(boxes, around, depth, wanted, turned, free or None, more)
            if not value.requires_grad or bool((value > enough).all()) or time.monotonic() > deadline:
                break  # or nothing is free to turn
            for moments in every:
                moments.forget_gradients()
            value.backward(torch.ones_like(value), inputs=[*turned, *free, *shares])  # and not the weights
            for moments, rate in zip(every, rates, strict=True):
                moments.step(rate, (0.9, 0.99), upwards=True)
            rates = [DECAY * rate for rate in rates]
            with torch.no_grad():
                for lean in turned:
                    lean.clamp_(0, 1)
                for multiplier, (least, most) in zip(free, within or (), strict=True):
                    multiplier.clamp_(least, most)
                for share in shares:
                    share.clamp_min_(0)
        leans, multipliers = ([one.detach().to(rows.dtype) for one in group] for group in (turned, free))
        if shares:
            rows = rows * shares[0].detach().to(rows.dtype)
        return self.lower_bound(region, lines, depth, rows, leans, multipliers or None, added), leans, multipliers

    @cached_property
    def in_single(self) -> "Relaxation | None":
        """The same in float32, which takes half the time and proves nothing; None where not all blocks are dense."""
        if any(part.matrix is None for part in self.parts):
            return None
        return Relaxation(_in_single(self.parts), self.roundoff)

    def interval_bound(self, arithmetic: Arithmetic, region: Region, rows: Tensor) -> Tensor:
        """The least that rows·h can be, of h the logits, by the intervals of what they are summed up of, (N, K)."""
        inputs = arithmetic.outputs(self.last - 1, region.ranges[-1]) if self.last else region.box
        value, rows = self._pulled(region, self.last, rows)
        return _bounding(value + _least(rows, inputs))

    def tightened(self, region: Region, lines: Sequence[Lines], depth: int, interval: Interval) -> Interval:
        """The `interval` of the pre-activations at `depth`, by the usual lines for those units that need them."""
        low, high = (end.clone() for end in interval)
        wanted = self.loose(depth, interval).any(0).nonzero().flatten()
        widest = max(len(part.bias) for part in self.parts[: depth + 1])
        for units in wanted.split(max(1, MOST_ENTRIES // (widest * len(low)))):
            rows = picking(units, low.shape[1]).expand(len(low), -1, -1)
            low[:, units] = low[:, units].maximum(self.lower_bound(region, lines, depth, rows).value)
            high[:, units] = high[:, units].minimum(-self.lower_bound(region, lines, depth, -rows).value)
        return low, high

    def loose(self, depth: int, interval: Interval) -> Tensor:
        """Of which pre-activations at `depth` it matters that only their `interval` is known, (N, units) bool."""
        part = self.parts[depth]
        if part.windows is None:
            return _open(part.phi.enclosure(*interval))
        lows, highs = (in_windows(end, part.windows) for end in interval)
        least, most = lows.amax(2), highs.amax(2)
        lines, rivals = part.phi.enclosure(least, most), highs > least[:, :, None]
        matter = _open(lines) | ((rivals.sum(2) > 1) & (lines.upper_slope != 0))
        entries = part.windows.expand(len(least), -1, -1)[rivals & matter[:, :, None]]
        box = torch.arange(len(least)).view(-1, 1, 1).expand_as(rivals)[rivals & matter[:, :, None]]
        found = torch.zeros(len(least), len(part.bias), dtype=torch.bool)
        found[box, entries] = True
        return found

    def pruned(self, region: Region) -> tuple["Relaxation", Region]:
        """Without those units of dense blocks that hardly give more than a constant in the one box of the `region`."""
        parts, ranges, errors = list(self.parts), list(region.ranges), list(region.errors)
        for depth in range(self.last):
            part, above, (low, high) = parts[depth], parts[depth + 1], ranges[depth]
            if part.matrix is None or above.matrix is None or part.windows is not None:
                continue
            lines = self.lines(depth, (low, high))
            around = lines.usual
            least = torch.minimum(around.lower_slope * low, around.lower_slope * high) + around.lower_offset
            most = torch.maximum(around.upper_slope * low, around.upper_slope * high) + around.upper_offset
            kept = (most - least > NEGLIGIBLE)[0]
            gone, constant = above.matrix[:, ~kept], ((least + most) / 2)[0, ~kept]
            parts[depth] = replace(part, matrix=part.matrix[kept], bias=part.bias[kept])
            parts[depth + 1] = replace(above, matrix=above.matrix[:, kept], bias=above.bias + gone @ constant)
            ranges[depth], errors[depth] = (low[:, kept], high[:, kept]), errors[depth][:, kept]
            off = ((most - least) / 2 + lines.slack)[:, ~kept]
            errors[depth + 1] = errors[depth + 1] + off @ gone.abs().mT
        return Relaxation(parts, self.roundoff), Region(region.box, tuple(ranges), tuple(errors))

    def _pulled(self, region: Region, depth: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What rows·h is: a number (N, K), at least, and rows of the inputs (N, K, inputs)."""
        part = self.parts[depth]
        return rows @ part.bias - _dot(rows.abs(), region.errors[depth][:, None]), part.pulled(rows)


def relaxed(arithmetic: Arithmetic) -> Relaxation:
    """The whole network."""
    network: Network = arithmetic.network
    parts = [
        Part(linear, linear.weight if isinstance(linear, Product) else None, bias, h, network.phi(depth), windows)
        for depth, (linear, bias, (h, _), windows) in enumerate(
            zip(arithmetic.linear_parts, arithmetic.biases, arithmetic.shapes, arithmetic.windows, strict=True)
        )
    ]
    return Relaxation(parts, arithmetic.roundoff)


def known(
    arithmetic: Arithmetic, relaxation: Relaxation, low: Tensor, high: Tensor, *, tighten: bool = True
) -> tuple[Region, list[Lines]]:
    """What is known of the boxes from `low` to `high` (N, 784), by intervals, and, where it `tighten`s them, lines."""
    inputs = low - SLACK * low.abs(), high + SLACK * high.abs()
    region, lines = Region(inputs, (), ()), []
    for depth in range(relaxation.last + 1):
        errors = arithmetic.errors(depth, inputs)
        region = replace(region, errors=(*region.errors, errors))
        if depth < relaxation.last:
            interval = arithmetic.pre_activations(depth, inputs, errors)
            if depth and tighten:  # of the first block, intervals know everything
                interval = relaxation.tightened(region, lines, depth, interval)
            lines.append(relaxation.lines(depth, interval))
            region = replace(region, ranges=(*region.ranges, interval))
            inputs = arithmetic.outputs(depth, interval)
    return region, lines


def picking(units: Tensor, count: int) -> Tensor:
    """Rows that each pick one of the `units` (K,) among `count`, (1, K, count)."""
    rows = torch.zeros(1, len(units), count, dtype=torch.float64, device=units.device)
    return rows.index_put((torch.zeros_like(units), torch.arange(len(units)), units), torch.ones((), dtype=rows.dtype))


def _in_single(value: Any) -> Any:
    """With all float64 in it as float32."""
    return mapped(lambda there: there.float() if there.is_floating_point() else there, value)


def _around_maxima(interval: Interval, windows: Tensor) -> tuple[Pooled, Interval]:
    """Lines around the largest entry of each window, and between what it lies.

    It is at least the entry with the greatest lower end. Of the j-th, with the greatest upper end, and c no less than
    any other, max h ≤ c + max(0, h_j − c), which a chord bounds: h_j itself where it is always the largest.
    """
    lows, highs = (in_windows(end, windows) for end in interval)
    low, lowest = lows.max(2)
    high, highest = highs.max(2)
    others = highs.scatter(2, highest[:, :, None], -torch.inf).amax(2)
    corner, start = low.maximum(others), lows.gather(2, highest[:, :, None])[:, :, 0]
    slope = ((high - corner) / (high - start).clamp_min(torch.finfo(low.dtype).tiny)).clamp(0, 1)
    offset = corner - slope * start
    offset = offset + SLACK * (corner.abs() + (slope * start).abs() + (slope * high).abs())
    entries = windows.expand(len(low), -1, -1)
    lowest, highest = (entries.gather(2, place[:, :, None])[:, :, 0] for place in (lowest, highest))
    return Pooled(lowest, highest, slope, offset), (low, high)


def _open(lines: Enclosure) -> Tensor:
    """Where there is room between two lines."""
    return (lines.lower_slope != lines.upper_slope) | (lines.lower_offset != lines.upper_offset)


def _bounding(value: Tensor) -> Tensor:
    """The `value` as a bound; none where float64 doesn't hold what it is summed up of."""
    return torch.where(value.isfinite(), value, -torch.inf)


def _least(rows: Tensor, interval: Interval) -> Tensor:
    """The least of rows·x (N, K) for x in the `interval`."""
    low, high = interval[0][:, None], interval[1][:, None]
    return _dot(rows, (low + high) / 2) - _dot(rows.abs(), (high - low) / 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Σ a·b over the last dimension of `a` (N, K, units) and `b` (N, K or 1, units), (N, K)."""
    return (a @ b.mT).squeeze(2) if b.shape[1] == 1 else (a * b).sum(2)
