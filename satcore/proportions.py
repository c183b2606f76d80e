"""A share of images, and how well so many images determine it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Proportion:
    """`count` of `total` images. Raises ValueError for a total below 1, and a count outside 0…total."""

    count: int
    total: int

    def __post_init__(self):
        if not (self.total >= 1 and 0 <= self.count <= self.total):
            raise ValueError(f"expected a count of 0 to 1 or more images, got {self.count} of {self.total}")

    @property
    def share(self) -> float:
        """Count / total."""
        return self.count / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % score interval of Wilson (1927), which doesn't shrink to nothing at 0 and 1."""
        n, p = self.total, self.share
        centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))  # which rounding would set apart
