"""The penalty that drives units into the flat part of their nonlinearity (Eq. 6–8)."""

from torch import Tensor

from satcore import nonlinearities


def penalty(pre_activations: list[Tensor], complementary: tuple[str, ...]) -> Tensor:
    """Σ_l Σ_i φ_c(hˡ_i), the mean over the batch: Eq. 8 without its λ. A scalar.

    `pre_activations` are hˡ (N, …), `complementary` the nonlinearity whose φ_c (Eq. 7) each of them is penalised by.
    Raises ValueError for an unknown one.
    """
    total = pre_activations[0].new_zeros(())
    for h, name in zip(pre_activations, complementary, strict=True):
        total = total + nonlinearities.named(name).complementary(h).sum() / len(h)  # Eq. 8
    return total


def saturated_share(h: Tensor, complementary: str, threshold: float = 1e-3) -> Tensor:
    """Share of the values in `h` that count as saturated, φ_c(h) < `threshold`. A scalar in [0, 1]."""
    return (nonlinearities.named(complementary).complementary(h) < threshold).float().mean()
