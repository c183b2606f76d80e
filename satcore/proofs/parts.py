"""Parts of a box, each for one margin: what branch and bound knows of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from satcore.proofs.rounding import Interval


@dataclass(frozen=True)
class Parts:
    """B parts of the box, each for one margin that is to be bounded there: what is known of its images that contradict.

    rows         (B, 1, 10): the margins, of the logits
    values       (B, 1): the best bounds so far
    gains        (B, 1): by how much these rose last
    ranges       between what the pre-activations of each hidden block lie, (B, units) each
    signs        the least and the most of each unit's multiplier, (B, units) each: 0 and 0 where undivided
    leans        (B, 2, 1, outputs) of each hidden block, and `multipliers` (B, 1, units), as the bounds take them
    """

    rows: Tensor
    values: Tensor
    gains: Tensor
    ranges: list[Interval]
    signs: list[Interval]
    leans: list[Tensor]
    multipliers: list[Tensor]

    def __getitem__(self, index: Tensor | slice) -> "Parts":
        """Those at `index`."""
        ranges, signs = ([(low[index], high[index]) for low, high in there] for there in (self.ranges, self.signs))
        leans, multipliers = ([there[index] for there in parts] for parts in (self.leans, self.multipliers))
        return Parts(self.rows[index], self.values[index], self.gains[index], ranges, signs, leans, multipliers)

    def __len__(self) -> int:
        return len(self.rows)

    def empty(self) -> Tensor:
        """Which can't have any images, by the ranges of their units, (B,) bool; what is no number says nothing."""
        return torch.stack([(low > high).any(1) for low, high in self.ranges]).any(0)

    def met(self, index: Tensor, counted: Tensor) -> "Parts":
        """Parts (n) of what lies in all those at `index` (n, K) that are `counted` (n, K) bool, at least one each."""

        def ends(intervals: list[Interval], neutral: tuple[float, float]) -> list[Interval]:
            lows, highs = ([end[index] for end in side] for side in zip(*intervals, strict=True))
            ignored, (lowest, highest) = ~counted[:, :, None], neutral
            return [
                (low.masked_fill(ignored, lowest), high.masked_fill(ignored, highest))
                for low, high in zip(lows, highs, strict=True)
            ]

        values = self.values[index, 0].masked_fill(~counted, -torch.inf)
        best = values.argmax(1, keepdim=True)
        ranges, signs = ends(self.ranges, (-torch.inf, torch.inf)), ends(self.signs, (0, 0))
        return replace(
            self[index.gather(1, best)[:, 0]],
            values=values.gather(1, best),  # where all are −∞, the best may be one that doesn't count
            ranges=[(low.amax(1), high.amin(1)) for low, high in ranges],
            signs=[(least.amin(1), most.amax(1)) for least, most in signs],
        )


def joined(parts: Sequence[Parts]) -> Parts:
    """All the parts."""

    def ends(of: Sequence[list[Interval]]) -> list[Interval]:
        return [
            (torch.cat([low for low, _ in here]), torch.cat([high for _, high in here]))
            for here in zip(*of, strict=True)
        ]

    return Parts(
        torch.cat([one.rows for one in parts]),
        torch.cat([one.values for one in parts]),
        torch.cat([one.gains for one in parts]),
        ends([one.ranges for one in parts]),
        ends([one.signs for one in parts]),
        [torch.cat(here) for here in zip(*(one.leans for one in parts), strict=True)],
        [torch.cat(here) for here in zip(*(one.multipliers for one in parts), strict=True)],
    )
