"""The lines around a block's outputs, and how they turn."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from satcore.nonlinearities import Enclosure, Nonlinearity, Touching


@dataclass(frozen=True)
class Pooled:
    """Lines around a maximum: h of the entry `lowest` below it, `slope`·h + `offset` of the entry `highest` above; all
    (N, outputs).
    """

    lowest: Tensor
    highest: Tensor
    slope: Tensor
    offset: Tensor

    def __getitem__(self, index: Tensor) -> "Pooled":
        """Those of the boxes at `index` (n,)."""
        return Pooled(*(part[index] for part in vars(self).values()))


@dataclass(frozen=True)
class Hinges:
    """Lines that turn about corners, from the `flat` to the `steep` ones."""

    flat: Enclosure
    steep: Enclosure

    def __getitem__(self, index: Tensor) -> "Hinges":
        """Those of the boxes at `index` (n,)."""
        return hinges(_at(self.flat, index), _at(self.steep, index))

    def moved(self, below: Tensor, above: Tensor) -> "Hinges":
        """Moved up by so much."""
        return hinges(moved(self.flat, below, above), moved(self.steep, below, above))

    def ends(self, usual: Enclosure) -> tuple[Enclosure, Enclosure]:
        """The flattest and the steepest lines."""
        return self.flat, self.steep

    def turned(self, usual: Enclosure, below: Tensor, above: Tensor) -> Enclosure:
        """By how far the lines `below` and `above` lean, (N, K, outputs) each."""
        parts = zip(vars(self.flat).values(), vars(self.steep).values(), (below, below, above, above), strict=True)
        return Enclosure(
            *(
                flat[:, None] if steep is flat else flat[:, None] + (steep - flat)[:, None] * share
                for flat, steep, share in parts
            )
        )

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
    """Lines that roll along φ, touching it `below` and `above`, but for so much as `lift` moves them up."""

    phi: Nonlinearity
    below: Touching
    above: Touching
    lift: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, phi: Nonlinearity, below: Touching, above: Touching) -> "Tangents":
        """Not moved."""
        zero = torch.zeros_like(below.flat)
        return cls(phi, below, above, (zero, zero))

    def __getitem__(self, index: Tensor) -> "Tangents":
        """Those of the boxes at `index` (n,)."""
        below, above = (Touching(*(part[index] for part in vars(there).values())) for there in (self.below, self.above))
        return Tangents(self.phi, below, above, (self.lift[0][index], self.lift[1][index]))

    def moved(self, below: Tensor, above: Tensor) -> "Tangents":
        """Moved up by so much."""
        return replace(self, lift=(self.lift[0] + below, self.lift[1] + above))

    def ends(self, usual: Enclosure) -> tuple[Enclosure, Enclosure]:
        """The flattest and the steepest lines."""
        flat = torch.zeros_like(self.above.flat)[:, None]
        turned = (self.turned(usual, lean, lean) for lean in (flat, flat + 1))
        first, last = (Enclosure(*(part[:, 0] for part in vars(lines).values())) for lines in turned)
        return first, last

    def turned(self, usual: Enclosure, below: Tensor, above: Tensor) -> Enclosure:
        """By how far the lines `below` and `above` lean, (N, K, outputs) each; where none is free, the `usual` ones."""
        return Enclosure(
            *self._tangent(self.below, below, self.lift[0], usual.lower_slope, usual.lower_offset),
            *self._tangent(self.above, above, self.lift[1], usual.upper_slope, usual.upper_offset),
        )

    def _tangent(
        self, touching: Touching, lean: Tensor, lift: Tensor, slope: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor]:
        flat, steep = touching.flat[:, None], touching.steep[:, None]
        touch = torch.lerp(flat, steep, lean)
        tangent = self.phi.slope(touch)
        return (
            torch.where(flat == steep, slope[:, None], tangent),
            torch.where(flat == steep, offset[:, None], self.phi(touch) - tangent * touch + lift[:, None]),
        )

    def usual_lean(self, usual: Enclosure) -> tuple[Tensor, Tensor]:
        """How far the `usual` lines below and above lean, (N, outputs) each."""
        below, above = (_lean(there.usual, there.flat, there.steep) for there in (self.below, self.above))
        return below, above


@dataclass(frozen=True)
class Lines:
    """The `usual` lines around a block's outputs, how they are `turning`, and those around the maxima that are taken
    before, if any.
    """

    usual: Enclosure
    turning: Hinges | Tangents
    pooled: Pooled | None

    def __getitem__(self, index: Tensor) -> "Lines":
        """Those of the boxes at `index` (n,)."""
        return Lines(_at(self.usual, index), self.turning[index], self.pooled and self.pooled[index])

    def moved(self, below: Tensor, above: Tensor) -> "Lines":
        """Moved up by so much, (N, outputs) each; maxima stay where they are."""
        return Lines(moved(self.usual, below, above), self.turning.moved(below, above), self.pooled)

    def turned(self, lean: Tensor | None) -> Enclosure:
        """By a `lean` (N, 2, K, outputs), from 0 to 1, of the lines below and above for each of K rows."""
        if lean is None:
            return Enclosure(*(part[:, None] for part in vars(self.usual).values()))
        below, above = lean.unbind(1)
        return self.turning.turned(self.usual, below, above)

    def usual_lean(self) -> Tensor:
        """The lean (N, 2, 1, outputs) of the usual lines."""
        return torch.stack(self.turning.usual_lean(self.usual), 1)[:, :, None]


def moved(lines: Enclosure, below: Tensor, above: Tensor) -> Enclosure:
    """The lines, moved up by so much."""
    return replace(lines, lower_offset=lines.lower_offset + below, upper_offset=lines.upper_offset + above)


def _lean(usual: Tensor, flat: Tensor, steep: Tensor) -> Tensor:
    return torch.where(steep == flat, 0.5, (usual - flat) / torch.where(steep == flat, 1, steep - flat)).clamp(0, 1)


def _at(lines: Enclosure, index: Tensor) -> Enclosure:
    return Enclosure(*(part[index] for part in vars(lines).values()))
