"""What training does to the weights themselves."""

from torch import Tensor


def excess_kurtosis(values: Tensor) -> float:
    """Population excess kurtosis m₄/m₂² − 3 of all entries of `values`, in float64; 0 for a Gaussian.

    Raises ValueError where the values are fewer than two or all equal.
    """
    values = values.detach().double().flatten()
    if len(values) < 2 or bool((values == values[0]).all()):
        raise ValueError(f"expected at least two different values, got {len(values)} that don't differ")
    centred = values - values.mean()
    return ((centred**4).mean() / (centred**2).mean() ** 2 - 3).item()
