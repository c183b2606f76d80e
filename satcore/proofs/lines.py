"""The lines around a block's outputs, and how they turn."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from satcore.nonlinearities import Enclosure, Nonlinearity, Rolling


@dataclass(frozen=True)
class Pooled:
    """Lines around a maximum: h of the entry `lowest` below it, `slope`·h + `offset` of the entry `highest` above; all
    (N, outputs).
    """

    lowest: Tensor
    highest: Tensor
    slope: Tensor
    offset: Tensor


@dataclass(frozen=True)
class Hinges:
    """Lines that turn about corners, from the `flat` to the `steep` ones."""

    flat: Enclosure
    steep: Enclosure

    def taken(self, usual: Enclosure, above: Tensor, lean: Tensor) -> tuple[Tensor, Tensor]:
        """As `Lines.taken`; `above` (N, K, outputs) bool: whether the line above is."""
        of_lower, of_upper = lean.unbind(1)
        leans = of_lower, of_lower, of_upper, of_upper
        lower_slope, lower_offset, upper_slope, upper_offset = (
            flat[:, None] if steep is flat else flat[:, None] + (steep - flat)[:, None] * share
            for flat, steep, share in zip(vars(self.flat).values(), vars(self.steep).values(), leans, strict=True)
        )
        return torch.where(above, upper_slope, lower_slope), torch.where(above, upper_offset, lower_offset)

    def usual_lean(self, usual: Enclosure) -> tuple[Tensor, Tensor]:
        """How far the `usual` lines below and above lean, (N, outputs) each."""
        return (
            _lean(usual.lower_slope, self.flat.lower_slope, self.steep.lower_slope),
            _lean(usual.upper_slope, self.flat.upper_slope, self.steep.upper_slope),
        )


def hinges(flat: Enclosure, steep: Enclosure) -> Hinges:
    """What is the same in both being the very same tensor, which costs no arithmetic."""
    pairs = zip(vars(steep).values(), vars(flat).values(), strict=True)
    return Hinges(flat, Enclosure(*(other if torch.equal(part, other) else part for part, other in pairs)))


@dataclass(frozen=True)
class Tangents:
    """Lines that roll along φ, `below` and `above` it."""

    phi: Nonlinearity
    below: Rolling
    above: Rolling

    def taken(self, usual: Enclosure, above: Tensor, lean: Tensor) -> tuple[Tensor, Tensor]:
        """As `Lines.taken`; where none is free, the `usual` ones."""
        (of_lower, of_upper), low, high = lean.unbind(1), self.below, self.above
        slope = torch.where(
            above,
            torch.lerp(high.flat[:, None], high.steep[:, None], of_upper),
            torch.lerp(low.flat[:, None], low.steep[:, None], of_lower),
        )
        free = torch.where(above, (high.flat != high.steep)[:, None], (low.flat != low.steep)[:, None])
        fixed = usual.side(above)
        return torch.where(free, slope, fixed[0]), torch.where(free, self.phi.resting(slope, above), fixed[1])

    def usual_lean(self, usual: Enclosure) -> tuple[Tensor, Tensor]:
        """How far the `usual` lines below and above lean, (N, outputs) each."""
        below, above = (_lean(there.usual, there.flat, there.steep) for there in (self.below, self.above))
        return below, above


@dataclass(frozen=True)
class Lines:
    """The `usual` lines around a block's outputs, how they are `turning`, those around the maxima that are taken
    before, if any, and by how much rounding lets outputs out of them at most, (N, outputs).
    """

    usual: Enclosure
    turning: Hinges | Tangents
    pooled: Pooled | None
    slack: Tensor

    def __getitem__(self, index: Tensor) -> "Lines":
        """Those of the boxes at `index` (n,)."""
        return mapped(lambda line: line[index], self)

    def taken(self, above: Tensor, lean: Tensor | None) -> tuple[Tensor, Tensor]:
        """Slope and offset of the line `above` (N, K, outputs) bool, else below, turned by a `lean` (N, 2, K, outputs),
        from 0 to 1, of those below and above for each of K rows; without one, of the usual lines.
        """
        return self.usual.side(above) if lean is None else self.turning.taken(self.usual, above, lean)

    def usual_lean(self) -> Tensor:
        """The lean (N, 2, 1, outputs) of the usual lines."""
        return torch.stack(self.turning.usual_lean(self.usual), 1)[:, :, None]


def _lean(usual: Tensor, flat: Tensor, steep: Tensor) -> Tensor:
    return torch.where(steep == flat, 0.5, (usual - flat) / torch.where(steep == flat, 1, steep - flat)).clamp(0, 1)


def mapped(change: Callable[..., Tensor], *alike: Any, seen: dict[tuple[int, ...], Tensor] | None = None) -> Any:
    """The first of some `alike` structures (lists, tuples, dataclasses), with what `change` gives of them all in place
    of each tensor; what is the same tensor twice is so afterwards, too.
    """
    one, seen = alike[0], {} if seen is None else seen
    if isinstance(one, Tensor):
        if (key := tuple(map(id, alike))) not in seen:
            seen[key] = change(*alike)
        return seen[key]
    if isinstance(one, list | tuple):
        return type(one)(mapped(change, *parts, seen=seen) for parts in zip(*alike, strict=True))
    if is_dataclass(one) and not isinstance(one, type):
        names = [field.name for field in fields(one)]
        parts = (mapped(change, *(getattr(each, name) for each in alike), seen=seen) for name in names)
        return replace(one, **dict(zip(names, parts, strict=True)))
    return one
