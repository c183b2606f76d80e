"""The penalty that drives units into the flat part of their nonlinearity (Eq. 6–8)."""

from collections.abc import Sequence

from torch import Tensor

from satcore import nonlinearities
from satcore.networks import Network
from satcore.nonlinearities import Nonlinearity


def penalty(pre_activations: list[Tensor], complementary: Sequence[str | Nonlinearity]) -> Tensor:
    """Σ_l Σ_i φ_c(hˡ_i), the mean over the batch: Eq. 8 without its λ. A scalar.

    `pre_activations` are hˡ (N, …), `complementary` the nonlinearity, or its name, whose φ_c (Eq. 7) each of them is
    penalised by. Raises ValueError for an unknown one.
    """
    total = pre_activations[0].new_zeros(())
    for h, phi in zip(pre_activations, complementary, strict=True):
        total = total + _complementary(phi, h).sum() / len(h)  # Eq. 8
    return total


def saturated_share(h: Tensor, complementary: str | Nonlinearity, threshold: float = 1e-3) -> Tensor:
    """Share of the values in `h` that count as saturated, φ_c(h) < `threshold`. A scalar in [0, 1]."""
    return (_complementary(complementary, h) < threshold).float().mean()


def penalised_by(network: Network, names: Sequence[str]) -> list[Nonlinearity]:
    """The nonlinearity of each block that goes by one of the `names`: its own, with the knee it has learned, where that
    is so called; else, as for logits that are to saturate, another one of that name.
    """
    own = map(network.phi, range(len(names)))
    return [phi if phi.name == name else nonlinearities.named(name) for phi, name in zip(own, names, strict=True)]


def _complementary(phi: str | Nonlinearity, h: Tensor) -> Tensor:
    return (nonlinearities.named(phi) if isinstance(phi, str) else phi).complementary(h)
