"""The penalty that drives units into the flat part of their nonlinearity, and its annealing (Eq. 6–8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the stored results are shown before torch is there, and a recipe holds an Annealing
    from torch import Tensor

# Eq. 7, φ_c: the distance from z to the nearest point where φ′ = 0. The sigmoid, which has no such
# point, takes σ′ instead, written so that it stays right where σ(z) rounds to 1; "linear" is the
# stronger f(z) = z that the paper puts on the read-out of the CNN.
COMPLEMENTARY = {
    "relu": lambda z: z.clamp(min=0),
    "sigmoid": lambda z: z.sigmoid() * (-z).sigmoid(),
    "linear": lambda z: z,
}


def penalty(pre_activations: list[Tensor], complementary: tuple[str, ...]) -> Tensor:
    """Σ_l Σ_i φ_c(hˡ_i), the mean over the batch: Eq. 8 without its λ. A scalar.

    `pre_activations` are hˡ (N, …), `complementary` names φ_c for each of them: "relu", "sigmoid"
    or "linear".
    """
    return sum(COMPLEMENTARY[name](h).sum() / len(h)
               for h, name in zip(pre_activations, complementary, strict=True))  # Eq. 8


def saturated_share(h: Tensor, complementary: str, threshold: float = 1e-3) -> Tensor:
    """Share of the values in `h` that count as saturated, φ_c(h) < `threshold`. A scalar in [0, 1]."""
    return (COMPLEMENTARY[complementary](h) < threshold).float().mean()


@dataclass(frozen=True)
class Annealing:
    """λ rises from `start` by `step` an epoch until it reaches `maximum`; all zero: no penalty."""

    start: float = 0.0
    step: float = 0.0
    maximum: float = 0.0

    def __call__(self, epoch: int) -> float:
        """λ in the given epoch, counted from 0."""
        return min(self.maximum, self.start + self.step * epoch)
