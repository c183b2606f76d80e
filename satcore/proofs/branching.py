"""Branch and bound: what linear bounds leave open is divided at the units that cost them most, until all is proven.

Either half of a unit's interval is the box of images with one more thing known: the unit's lines are closer, the
intervals of the blocks above are bounded anew, and a multiplier holds the bound to that half (β-CROWN, Wang et al.
2021).
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
from satcore.proofs.relaxation import Region, Relaxation, picking
from satcore.proofs.rounding import Interval

AT_A_TIME = 64  # parts that are divided together
AT_ONCE = 8  # of their halves, whose ranges are bounded anew: more leave the processor's cache
STEPS_OF_INTERVALS, STEPS_AT_FIRST, STEPS = 10, 20, 8  # of Adam
RATE = 0.1


@dataclass(frozen=True)
class Margins:
    """P margins of parts of the box that are to be bounded, or have been.

    rows         (P, 1, 10): of the logits
    values       (P, 1): the best bounds so far
    leans        (P, 2, 1, outputs) of each hidden block, and `multipliers` (P, 1, units), as the bounds take them
    """

    rows: Tensor
    values: Tensor
    leans: list[Tensor]
    multipliers: list[Tensor]

    def __getitem__(self, index: Tensor | slice) -> "Margins":
        """Those at `index`."""
        leans, multipliers = ([there[index] for there in parts] for parts in (self.leans, self.multipliers))
        return Margins(self.rows[index], self.values[index], leans, multipliers)


@dataclass(frozen=True)
class Parts:
    """B parts of the box, each by what is known in it.

    ranges  between what the pre-activations of each hidden block lie, (B, units) each
    signs   the least and the most of each unit's multiplier, (B, units) each: 0 and 0 where its interval is undivided
    """

    ranges: list[Interval]
    signs: list[Interval]

    def __getitem__(self, index: Tensor | slice) -> "Parts":
        """Those at `index`."""
        return Parts(*([(low[index], high[index]) for low, high in there] for there in (self.ranges, self.signs)))


@dataclass(order=True)
class Open:
    """One part, and its margins that aren't proven; the one with the lowest bound comes first."""

    bound: float
    number: int
    part: Parts = field(compare=False)
    margins: Margins = field(compare=False)


class Search:
    """The search for a proof that no image of a box is classified as anything but `label`."""

    def __init__(self, relaxation: Relaxation, region: Region, label: int, deadline: float):
        """Of a `region` of one box whose ranges are known; until the `deadline` of `time.monotonic`."""
        self.relaxation, region = relaxation.pruned(region)
        self.label, self.deadline, self.last = label, deadline, relaxation.last
        self.anew: dict[int, tuple[Tensor, list[Tensor]]] = {}  # by block: which units, by which lines
        self.root = self._tightened(region)
        self.open: list[Open] = []
        self.numbers = itertools.count()
        self.divided, self.stuck = 0, False

    @property
    def proven(self) -> bool:
        """Whether nothing is left open; before `run`, nothing says so."""
        return not self.open and not self.stuck

    def run(self) -> Iterator[Tensor]:
        """Bound the margins, and divide what stays open while there is time.

        Yields the slopes of all new bounds, (n, 784), by the pixels: an image where they are least may be one that is
        classified wrongly.
        """
        yield self._bounded(*self._whole(), STEPS_AT_FIRST)
        while self.open and time.monotonic() < self.deadline:
            taken = [heapq.heappop(self.open) for _ in range(min(AT_A_TIME, len(self.open)))]
            self.divided += len(taken)
            parts, owners, margins = _joined(taken)
            parts, owners, margins = self._halved(parts, owners, margins)
            if len(owners):
                yield self._bounded(parts, owners, margins, STEPS)

    def _tightened(self, region: Region) -> Region:
        """The region with the ranges of all blocks that have only dense ones below them, bounded by turned lines."""
        lines: list[Lines] = []
        for depth, interval in enumerate(region.ranges):
            if depth and all(isinstance(part.linear, Product | Scaling) for part in self.relaxation.parts[: depth + 1]):
                units = self.relaxation.loose(depth, interval)[0].nonzero().flatten()
                rows = picking(units, interval[0].shape[1])
                rows = torch.cat((rows, -rows), 1)
                bound, leans, _ = self.relaxation.raised(
                    region,
                    lines,
                    depth,
                    rows,
                    [there.usual_lean().expand(-1, -1, rows.shape[1], -1) for there in lines],
                    steps=STEPS_OF_INTERVALS,
                    rates=[RATE] * depth,
                    deadline=self.deadline,
                    enough=math.inf,
                )
                interval = _narrowed(interval, units, bound.value)
                self.anew[depth] = units, leans
                region = replace(region, ranges=(*region.ranges[:depth], interval, *region.ranges[depth + 1 :]))
            lines.append(self.relaxation.lines(depth, interval))
        return region

    def _whole(self) -> tuple[Parts, Tensor, Margins]:
        """The whole box as one part, and its nine margins."""
        eye, ranges = torch.eye(CLASSES, dtype=torch.float64), list(self.root.ranges)
        rows = (eye[self.label] - eye)[torch.arange(CLASSES) != self.label][:, None]
        lines = self._lines(ranges)
        margins = Margins(
            rows,
            torch.full((len(rows), 1), -torch.inf, dtype=torch.float64),
            [there.usual_lean().expand(len(rows), -1, -1, -1) for there in lines],
            [low.new_zeros(len(rows), 1, low.shape[1]) for low, _ in ranges],
        )
        undivided = [(torch.zeros_like(low), torch.zeros_like(low)) for low, _ in ranges]
        owners = torch.zeros(len(rows), dtype=torch.int64)
        outputs = self.relaxation.lower_bound(self._region(ranges), lines, self.last, rows.transpose(0, 1)).outputs
        self.scales = [float(there.abs().amax()) if there.numel() else 0.0 for there in outputs]  # of the multipliers
        return Parts(ranges, undivided), owners, margins

    def _bounded(self, parts: Parts, owners: Tensor, margins: Margins, steps: int) -> Tensor:
        """Bound the `margins`, each of the part that owns it, and keep what stays open; the slopes by the pixels."""
        of_margins = parts[owners]
        bound, leans, multipliers = self.relaxation.raised(
            self._region(of_margins.ranges),
            [there[owners] for there in self._lines(parts.ranges)],
            self.last,
            margins.rows,
            margins.leans,
            margins.multipliers,
            [(least[:, None], most[:, None]) for least, most in of_margins.signs],
            steps=steps,
            rates=[RATE] * self.last + [RATE * scale for scale in self.scales],
            deadline=self.deadline,
        )
        margins = Margins(margins.rows, bound.value.maximum(margins.values), leans, multipliers)
        for number in range(len(parts.ranges[0][0])):
            mine = margins[((owners == number) & (margins.values[:, 0] <= 0)).nonzero().flatten()]
            if len(mine.rows):
                part = parts[number : number + 1]
                heapq.heappush(self.open, Open(float(mine.values.amin()), next(self.numbers), part, mine))
        return bound.pixels[:, 0]

    def _halved(self, parts: Parts, owners: Tensor, margins: Margins) -> tuple[Parts, Tensor, Margins]:
        """Both halves of each of the `parts`, divided at the unit that costs its margins most."""
        block, unit, possible = self._costliest(parts, owners, margins)
        self.stuck |= not bool(possible.all())
        halves = [self._half(parts, block, unit, upper) for upper in (False, True)]
        ranges, signs = (
            [(torch.cat((one[0], other[0])), torch.cat((one[1], other[1]))) for one, other in zip(*there, strict=True)]
            for there in ([half.ranges for half in halves], [half.signs for half in halves])
        )
        for depth in range(int(block.min()) + 1, self.last):
            if depth in self.anew:
                changed = (block < depth).repeat(2).nonzero().flatten()
                for few in changed.split(AT_ONCE):
                    below = [(low[few], high[few]) for low, high in ranges[: depth + 1]]
                    low, high = self._anew(depth, below, self._lines(below[:depth]))
                    ranges[depth][0][few], ranges[depth][1][few] = low, high
        there = possible.repeat(2) & torch.stack([(low <= high).all(1) for low, high in ranges]).all(0)
        kept = there.nonzero().flatten()
        mine = [(owners == number).nonzero().flatten() for number in range(len(possible))]
        index = [mine[number % len(possible)] for number in kept.tolist()]
        owners = torch.arange(len(kept)).repeat_interleave(torch.tensor([len(one) for one in index], dtype=torch.int64))
        return Parts(ranges, signs)[kept], owners, margins[torch.cat([*index, owners[:0]])]

    def _half(self, parts: Parts, block: Tensor, unit: Tensor, upper: bool) -> Parts:
        ranges, signs = [], []
        for depth, ((low, high), (least, most)) in enumerate(zip(parts.ranges, parts.signs, strict=True)):
            end, beginning = self.relaxation.parts[depth].phi.divided(low, high)
            here = torch.zeros_like(low, dtype=torch.bool).scatter(1, unit.clamp_max(low.shape[1] - 1)[:, None], True)
            here &= (block == depth)[:, None]
            ranges.append((torch.where(here, beginning, low), high) if upper else (low, torch.where(here, end, high)))
            far = torch.where(here, torch.inf, 0.0)
            signs.append((least, most + far) if upper else (least - far, most))
        return Parts(ranges, signs)

    def _costliest(self, parts: Parts, owners: Tensor, margins: Margins) -> tuple[Tensor, Tensor, Tensor]:
        """Where to divide each of the parts: at the block and the unit whose lines cost its bounds most, to first
        order: how far they are from φ, times the bounds' derivative by that, through all intervals above. And whether
        there is any such unit.
        """
        ranges, lines, moves = list(parts.ranges), [], []
        with torch.enable_grad():
            for depth in range(self.last):
                if depth in self.anew:
                    ranges[depth] = self._anew(depth, ranges, lines)
                there = self.relaxation.lines(depth, ranges[depth])
                moves += [torch.zeros_like(there.usual.lower_offset, requires_grad=True) for _ in range(2)]
                lines.append(there.moved(*moves[-2:]))
            region = self._region([(low[owners], high[owners]) for low, high in ranges])
            of_margins = [there[owners] for there in lines]
            bound = self.relaxation.lower_bound(
                region, of_margins, self.last, margins.rows, margins.leans, margins.multipliers
            )
            slopes = torch.autograd.grad(bound.value.sum(), moves, allow_unused=True, materialize_grads=True)
        costs, gaps = [], []
        for depth, (low, high) in enumerate(parts.ranges):
            below, above, entries = self._gaps(depth, (low, high), lines[depth])
            cost = slopes[2 * depth].clamp_min(0) * below - slopes[2 * depth + 1].clamp_max(0) * above
            gap = below + above
            if entries is not None:
                cost, gap = (torch.zeros_like(low).scatter_reduce(1, entries, of, "amax") for of in (cost, gap))
            costs.append(cost)
            gaps.append(gap)
        cost, gap = torch.cat(costs, 1), torch.cat(gaps, 1)
        cost = torch.where(cost.amax(1, keepdim=True) > 0, cost, gap)
        ends = torch.tensor(list(itertools.accumulate(low.shape[1] for low, _ in parts.ranges)))
        most, place = cost.max(1)
        block = torch.bucketize(place, ends, right=True)
        return block, place - torch.cat((ends.new_zeros(1), ends))[block], most > 0

    def _gaps(self, depth: int, interval: Interval, lines: Lines) -> tuple[Tensor, Tensor, Tensor | None]:
        """How far the lines below and above are from φ, at most; 0 where the interval can't be divided. The entries of
        h that would be divided, where maxima are taken.
        """
        entries = None if lines.pooled is None else lines.pooled.highest
        loose, (low, high) = self.relaxation.loose(depth, interval), interval
        if entries is not None:
            loose, low, high = (there.gather(1, entries) for there in (loose, low, high))
        phi = self.relaxation.parts[depth].phi
        end, beginning = phi.divided(low, high)
        inside = loose & (low <= end) & (beginning <= high) & (low < high) & ((end < high) | (low < beginning))
        below = above = torch.zeros_like(low)
        for h in (low, end.clamp(low, high), beginning.clamp(low, high), high):
            y = phi(h)
            below = below.maximum(y - lines.usual.lower_slope * h - lines.usual.lower_offset)
            above = above.maximum(lines.usual.upper_slope * h + lines.usual.upper_offset - y)
        return torch.where(inside, below, 0).detach(), torch.where(inside, above, 0).detach(), entries

    def _anew(self, depth: int, ranges: Sequence[Interval], lines: Sequence[Lines]) -> Interval:
        """The ranges of the block at `depth`, bounded anew by the `lines` below."""
        units, leans = self.anew[depth]
        needed = self.relaxation.loose(depth, ranges[depth]).any(0)[units]
        rows = picking(units[needed], ranges[depth][0].shape[1])
        rows = torch.cat((rows, -rows), 1).expand(len(ranges[depth][0]), -1, -1)
        leans = [lean[:, :, needed.repeat(2)] for lean in leans]
        value = self.relaxation.lower_bound(self._region(ranges), lines, depth, rows, leans).value
        return _narrowed(ranges[depth], units[needed], value)

    def _lines(self, ranges: Sequence[Interval]) -> list[Lines]:
        return [self.relaxation.lines(depth, interval) for depth, interval in enumerate(ranges)]

    def _region(self, ranges: Sequence[Interval]) -> Region:
        low, high = (end.expand(len(ranges[0][0]), -1) for end in self.root.box)
        return Region((low, high), tuple(ranges), self.root.errors)


def _joined(taken: list[Open]) -> tuple[Parts, Tensor, Margins]:
    """All the parts, which of them owns each of all the margins, and these."""
    parts, margins = [one.part for one in taken], [one.margins for one in taken]

    def ends(of: list[list[Interval]]) -> list[Interval]:
        return [
            (torch.cat([low for low, _ in here]), torch.cat([high for _, high in here]))
            for here in zip(*of, strict=True)
        ]

    together = Margins(
        torch.cat([one.rows for one in margins]),
        torch.cat([one.values for one in margins]),
        [torch.cat(here) for here in zip(*(one.leans for one in margins), strict=True)],
        [torch.cat(here) for here in zip(*(one.multipliers for one in margins), strict=True)],
    )
    owners = torch.arange(len(taken)).repeat_interleave(torch.tensor([len(one.rows) for one in margins]))
    return Parts(ends([one.ranges for one in parts]), ends([one.signs for one in parts])), owners, together


def _narrowed(interval: Interval, units: Tensor, bounds: Tensor) -> Interval:
    """The interval, of the `units` by lower `bounds` (N, 2·units) of themselves and of their negatives."""
    low, high = interval
    below, above = bounds[:, : len(units)], -bounds[:, len(units) :]
    return (
        low.index_copy(1, units, low[:, units].maximum(below)),
        high.index_copy(1, units, high[:, units].minimum(above)),
    )
