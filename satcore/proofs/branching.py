"""Branch and bound: what linear bounds leave open is looked at ever more closely, or divided, until all is proven.

Either half of a unit's interval is the box of images with one more thing known: the unit's lines are closer, and a
multiplier holds the bound to that half (β-CROWN, Wang et al. 2021). Only images that are classified wrongly need be
looked for, so the intervals of other units are bounded anew over those alone (INVPROP, Kotha et al. 2023). And many
units are tried before a part is divided at one, as solvers of integer programs do: these two make the search short.
"""

import heapq
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from satcore.data import CLASSES
from satcore.geometry.linear_maps import Product, Scaling
from satcore.proofs.lines import Lines
from satcore.proofs.parts import Parts, joined
from satcore.proofs.relaxation import MOST_ENTRIES, Region, Relaxation, picking
from satcore.proofs.rounding import Interval

CLOSER = 128, 400  # units of a part whose intervals are bounded anew, where there are many parts and where few
STEPS_OF_INTERVALS, STEPS_AT_FIRST = 10, 20  # of Adam
QUICK, THOROUGH = (5, 8), (30, 40)  # of Adam, for units and for margins: at first, and once that raises hardly any
# Of leans, and, by how steep the margins are by the units, of multipliers: where lines turn about corners, and where
# they roll along φ, which takes more care.
RATES_OF_HINGES, RATES_OF_TANGENTS = (0.3, 1.0), (0.15, 0.5)
RATE_OF_WEIGHTS = 0.3
WEIGHT = 0.25  # at first, of the margin in the bounds of intervals, where it is as steep as a unit
RISING = 0.02  # of what is lacking: a part whose bound rose by more isn't divided, but looked at once more
SOME = 16  # units, enough to say how steep such are
TRIED = 64  # units that a part might be divided at
BELOW = 0.3  # to divide a unit is worth so much less a block further down: what is above tightens what is below


@dataclass(order=True)
class Open:
    """One part that isn't proven; the one with the lowest bound comes first."""

    bound: float
    number: int
    part: Parts = field(compare=False)


class Search:
    """The search for a proof that no image of a box is classified as anything but `label`."""

    def __init__(self, relaxation: Relaxation, region: Region, label: int, deadline: float):
        """Of a `region` of one box whose ranges are known; until the `deadline` of `time.monotonic`."""
        self.relaxation, region = relaxation.pruned(region)
        self.label, self.deadline, self.last = label, deadline, relaxation.last
        self.root = self._tightened(region)
        self.units = [low.shape[1] for low, _ in self.root.ranges]
        self.most_rows = MOST_ENTRIES // max(784, *self.units)  # that are bounded at a time, two of a unit
        self.at_a_time = max(4, self.most_rows // (2 * CLOSER[0]))
        self.open: list[Open] = []
        self.numbers = itertools.count()
        self.divided, self.stuck = 0, False  # how many parts, or narrowed; whether some could not be

    @property
    def proven(self) -> bool:
        """Whether `run` has left nothing open; before its end, this says nothing."""
        return not self.open and not self.stuck

    def run(self) -> Iterator[Tensor]:
        """Bound the margins; while there is time, look at what stays open more closely, and divide what still does.

        Yields slopes of bounds, (n, 784), by the pixels: an image where they are least may be one that is classified
        wrongly.
        """
        parts, slopes = self._bounded(self._whole(), STEPS_AT_FIRST)
        self._keep(parts)
        yield slopes
        thorough = False
        while self.open and any(self.units) and time.monotonic() < self.deadline:
            taken = [heapq.heappop(self.open).part for _ in range(min(self.at_a_time, len(self.open)))]
            of_units, of_margins = THOROUGH if thorough else QUICK
            parts, slopes = self._bounded(self._closer(joined(taken), of_units), of_margins)
            yield slopes
            parts = parts[parts.values[:, 0] <= 0]
            rising = (parts.gains > -RISING * parts.values)[:, 0]
            self._keep(parts[rising])
            parts = parts[~rising]
            if not thorough:
                self._keep(parts)
                thorough = bool(len(parts))
            elif len(parts):
                halves, lines, possible = self._halves(parts)
                halves, _ = self._bounded(halves, of_margins, lines)
                self._keep(self._best(parts, halves, possible))

    def _keep(self, parts: Parts) -> None:
        parts = parts[parts.values[:, 0] <= 0]
        for number in range(len(parts)):
            part = parts[number : number + 1]
            heapq.heappush(self.open, Open(float(part.values), next(self.numbers), part))

    def _tightened(self, region: Region) -> Region:
        """The region with the ranges of all blocks that have only dense ones below them, bounded by turned lines."""
        lines: list[Lines] = []
        for depth, interval in enumerate(region.ranges):
            if depth and all(isinstance(part.linear, Product | Scaling) for part in self.relaxation.parts[: depth + 1]):
                units = self.relaxation.loose(depth, interval)[0].nonzero().flatten()
                rows = picking(units, interval[0].shape[1])
                rows = torch.cat((rows, -rows), 1)
                bound, *_ = self.relaxation.raised(
                    region,
                    lines,
                    depth,
                    rows,
                    [there.usual_lean().expand(-1, -1, rows.shape[1], -1) for there in lines],
                    steps=STEPS_OF_INTERVALS,
                    rates=[leans for leans, _ in self._rates_of_blocks()[:depth]],
                    deadline=self.deadline,
                    enough=math.inf,
                )
                interval = _narrowed(interval, units, bound.value)
                region = replace(region, ranges=(*region.ranges[:depth], interval, *region.ranges[depth + 1 :]))
            lines.append(self.relaxation.lines(depth, interval))
        return region

    def _whole(self) -> Parts:
        """The whole box, once for each of nine margins."""
        eye, lines = torch.eye(CLASSES, dtype=torch.float64), self._lines(self.root.ranges)
        rows = (eye[self.label] - eye)[torch.arange(CLASSES) != self.label][:, None]
        bound = self.relaxation.lower_bound(self.root, lines, self.last, rows.transpose(0, 1))
        by_units = (there * line.usual.side(there < 0)[0] for there, line in zip(bound.outputs, lines, strict=True))
        self.scales = [_size(there) for there in by_units]  # of the multipliers
        self.of_units = self._steepness_of_units(lines) / max(_size(bound.pixels), torch.finfo(torch.float32).tiny)
        ranges = [(low.expand(len(rows), -1), high.expand(len(rows), -1)) for low, high in self.root.ranges]
        return Parts(
            rows,
            torch.full((len(rows), 1), -torch.inf, dtype=torch.float64),
            torch.zeros(len(rows), 1, dtype=torch.float64),
            ranges,
            [(torch.zeros_like(low), torch.zeros_like(low)) for low, _ in ranges],
            [there.usual_lean().expand(len(rows), -1, -1, -1) for there in lines],
            [torch.zeros_like(low)[:, None] for low, _ in ranges],
        )

    def _steepness_of_units(self, lines: Sequence[Lines]) -> float:
        """How steep units of the last hidden block are by the pixels."""
        units = torch.linspace(0, self.units[-1] - 1, min(SOME, self.units[-1])).long()
        rows = picking(units, self.units[-1])
        return _size(self.relaxation.lower_bound(self.root, lines, self.last - 1, rows).pixels)

    def _bounded(self, parts: Parts, steps: int, lines: list[Lines] | None = None) -> tuple[Parts, Tensor]:
        """The `parts`, their margins bounded, by infinity if they are empty; and the slopes by the pixels, (B, 784)."""
        bound, leans, multipliers = self.relaxation.raised(
            self._region(parts.ranges),
            lines or self._lines(parts.ranges),
            self.last,
            parts.rows,
            parts.leans,
            parts.multipliers,
            _of_rows(parts.signs),
            steps=steps,
            rates=self._rates(1.0),
            deadline=self.deadline,
        )
        values = bound.value.maximum(parts.values).masked_fill(parts.empty()[:, None], torch.inf)
        parts = replace(parts, values=values, gains=values - parts.values, leans=leans, multipliers=multipliers)
        return parts, bound.pixels[:, 0]

    def _rates(self, steepness: float) -> list[float]:
        """Of leans and multipliers, where what is bounded is so many times as steep as the margins."""
        leans, multipliers = zip(*self._rates_of_blocks(), strict=True)
        return [*leans, *(rate * scale * steepness for rate, scale in zip(multipliers, self.scales, strict=True))]

    def _rates_of_blocks(self) -> list[tuple[float, float]]:
        hidden = self.relaxation.parts[: self.last]
        return [RATES_OF_HINGES if part.phi.piecewise_linear else RATES_OF_TANGENTS for part in hidden]

    def _halves(self, parts: Parts) -> tuple[Parts, list[Lines], Tensor]:
        """Of the `parts` (B), divided at each of those C units that cost their margins most, all lower halves, then all
        upper ones; the lines in these; and which could be divided, (B, C).
        """
        lines = self._lines(parts.ranges)
        cost, gap = self._costs(parts, lines)
        cost = torch.where((cost > 0).any(1, keepdim=True), cost, gap)
        fit = min(TRIED, self.most_rows // (2 * len(parts)), int((cost > 0).sum(1).max()))
        worth, units = cost.topk(max(1, fit))
        index = torch.arange(len(parts)).repeat_interleave(units.shape[1]).repeat(2)
        here = torch.zeros(len(index), cost.shape[1], dtype=torch.bool).scatter(1, units.view(-1, 1).repeat(2, 1), True)
        upper = (torch.arange(len(index)) >= units.numel())[:, None]
        halves, possible, ranges, signs = parts[index], (worth > 0).flatten().repeat(2), [], []
        for depth, divided in enumerate(here.split(self.units, 1)):
            (low, high), (least, most) = halves.ranges[depth], halves.signs[depth]
            begin, end, above = low[divided], high[divided], upper.expand_as(divided)[divided]
            before, after = self.relaxation.parts[depth].phi.divided(begin, end)
            possible[divided.any(1)] &= (before < end) & (after > begin)
            low = low.masked_scatter(divided, torch.where(above, after, begin))
            high = high.masked_scatter(divided, torch.where(above, end, before))
            ranges.append((low, high))
            far = torch.where(divided, torch.inf, 0.0)
            signs.append((torch.where(upper, least, least - far), torch.where(upper, most + far, most)))
            lines[depth] = self.relaxation.relined(depth, lines[depth], index, divided, (low, high))
        return replace(halves, ranges=ranges, signs=signs), lines, possible[: units.numel()].view_as(units)

    def _best(self, parts: Parts, halves: Parts, possible: Tensor) -> Parts:
        """What is left of the `parts` (B): of each the halves at the unit where the lower of the two bounds rises most;
        or, where some half is proven, what lies in all the others of those units.
        """
        index = torch.arange(len(halves)).view(2, *possible.shape)
        values = halves.values[index, 0]
        proven = (values > 0) & possible
        done, narrowed, stuck = proven.all(0).any(1), proven.any(0).any(1), ~possible.any(1)
        self.stuck |= bool(stuck.any())
        whole = ~(narrowed | stuck)
        lower = values.amin(0).clamp_min(torch.finfo(values.dtype).min)
        best = lower.masked_fill(~possible, -torch.inf).argmax(1)
        self.divided += len(parts)
        left = narrowed & ~done
        others = (part[:, left].transpose(0, 1).flatten(1) for part in (index, proven.flip(0)))
        return joined([halves[index[:, whole, best[whole]].flatten()], halves.met(*others)])

    def _closer(self, parts: Parts, steps: int) -> Parts:
        """The parts, with the intervals of those units that cost their margins most bounded anew.

        Of an image that is classified wrongly a margin m is at most 0. So a unit's h is at least the least of h + μm,
        whatever μ ≥ 0 is, and at most the negative of the least of −h + μm.
        """
        lines = self._lines(parts.ranges)
        cost, _ = self._costs(parts, lines)
        fit = max(1, min(CLOSER[1], self.most_rows // (2 * max(1, len(parts)))))
        units = cost.topk(min(fit, int((cost > 0).sum(1).max()) if len(parts) else 0)).indices
        picked = cost.new_zeros(*units.shape, cost.shape[1]).scatter(2, units[..., None], 1.0)
        added = torch.cat((picked, -picked), 1).split(self.units, 2)
        count = 2 * units.shape[1]
        bound, *_ = self.relaxation.raised(
            self._region(parts.ranges),
            lines,
            self.last,
            parts.rows.expand(-1, count, -1),
            [lean.expand(-1, -1, count, -1) for lean in parts.leans],
            [torch.zeros_like(there) for there in added],
            _of_rows(parts.signs),
            added=added,
            weights=parts.rows.new_full((len(parts), count, 1), WEIGHT * self.of_units),
            steps=steps,
            rates=[*self._rates(self.of_units), RATE_OF_WEIGHTS * self.of_units],
            deadline=self.deadline,
            enough=math.inf,
        )
        below, above = bound.value.chunk(2, 1)
        low, high = (torch.cat(ends, 1) for ends in zip(*parts.ranges, strict=True))
        low, high = low.scatter_reduce(1, units, below, "amax"), high.scatter_reduce(1, units, -above, "amin")
        ranges = list(zip(low.split(self.units, 1), high.split(self.units, 1), strict=True))
        return replace(parts, ranges=ranges)

    def _costs(self, parts: Parts, lines: Sequence[Lines]) -> tuple[Tensor, Tensor]:
        """What each unit's lines cost a part's margin, (B, units of all hidden blocks): how far they are from φ, times
        the slope of the bound there. And how far they are.
        """
        bound = self.relaxation.lower_bound(
            self._region(parts.ranges), lines, self.last, parts.rows, parts.leans, parts.multipliers
        )
        costs, gaps = [], []
        for depth, (low, high) in enumerate(parts.ranges):
            below, above, entries = self._gaps(depth, (low, high), lines[depth])
            slope, gap = bound.outputs[depth][:, 0], below + above
            cost = BELOW ** (self.last - 1 - depth) * (slope.clamp_min(0) * below - slope.clamp_max(0) * above)
            if entries is not None:
                cost, gap = (torch.zeros_like(low).scatter_reduce(1, entries, of, "amax") for of in (cost, gap))
            costs.append(cost)
            gaps.append(gap)
        return torch.cat(costs, 1), torch.cat(gaps, 1)

    def _gaps(self, depth: int, interval: Interval, lines: Lines) -> tuple[Tensor, Tensor, Tensor | None]:
        """How far the lines below and above are from φ, at most; 0 where the interval can't be divided. The entries of
        h that would be divided, where maxima are taken.
        """
        entries = None if lines.pooled is None else lines.pooled.highest
        loose, (low, high) = self.relaxation.loose(depth, interval), interval
        if entries is not None:
            loose, low, high = (there.gather(1, entries) for there in (loose, low, high))
        phi, below, above = self.relaxation.parts[depth].phi, torch.zeros_like(low), torch.zeros_like(low)
        for h in (low, (low + high) / 2, high, *(low.clamp_min(bend).minimum(high) for bend in phi.bends())):
            y = phi(h)
            below = below.maximum(y - lines.usual.lower_slope * h - lines.usual.lower_offset)
            above = above.maximum(lines.usual.upper_slope * h + lines.usual.upper_offset - y)
        return torch.where(loose, below, 0).detach(), torch.where(loose, above, 0).detach(), entries

    def _lines(self, ranges: Sequence[Interval]) -> list[Lines]:
        return [self.relaxation.lines(depth, interval) for depth, interval in enumerate(ranges)]

    def _region(self, ranges: Sequence[Interval]) -> Region:
        return Region(self.root.box, tuple(ranges), self.root.errors)


def _size(slopes: Tensor) -> float:
    """Their root mean square; 0 where that is no number."""
    size = float(slopes.square().mean().sqrt()) if slopes.numel() else 0.0
    return size if math.isfinite(size) else 0.0


def _of_rows(signs: list[Interval]) -> list[Interval]:
    return [(least[:, None], most[:, None]) for least, most in signs]


def _narrowed(interval: Interval, units: Tensor, bounds: Tensor) -> Interval:
    """The interval, of the `units` by lower `bounds` (N, 2·units) of themselves and of their negatives."""
    low, high = interval
    below, above = bounds[:, : len(units)], -bounds[:, len(units) :]
    return (
        low.index_copy(1, units, low[:, units].maximum(below)),
        high.index_copy(1, units, high[:, units].minimum(above)),
    )
