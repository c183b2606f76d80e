"""What training does to the weights and the pre-activations, and why kurtotic weights resist a linear attack (Eq.
14).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from satcore.data import check_finite, check_images, check_kind, check_number, check_seed, check_whole
from satcore.networks import Network
from satcore.nonlinearities import Nonlinearity

DIMENSION = 20_000  # of the paper's prototypes
BINS = 400
THRESHOLDS = tuple(10.0**-exponent for exponent in range(1, 17))
BATCH = 500
EXACT = 1 << 24  # values at a time: beyond, a float32 can't count one more


@dataclass(frozen=True)
class Histogram:
    """Values by how often they occur.

    edges   (BINS + 1,): of bins of one width
    counts  (BINS,) int64
    """

    edges: np.ndarray
    counts: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """(BINS,): integrates to 1."""
        return self.counts / self.counts.sum() / np.diff(self.edges)


@dataclass(frozen=True)
class Shape:
    """How a layer's weights are distributed: their histogram, mean, standard deviation, excess kurtosis, and the
    quantiles at 0.1 % and 99.9 %.
    """

    histogram: Histogram
    mean: float
    deviation: float
    kurtosis: float
    quantiles: tuple[float, float]


@dataclass(frozen=True)
class Saturation:
    """The pre-activations of one layer over many images.

    histogram  of every unit's hˡ on every image
    saturated  (16,): share of them where φ′(hˡ) is below each of the `THRESHOLDS`; None for the read-out, which has no
               φ
    done       share of the images seen so far; the last record's is 1
    """

    histogram: Histogram
    saturated: np.ndarray | None
    done: float


def excess_kurtosis(values: Tensor) -> float:
    """Population excess kurtosis m₄/m₂² − 3 of all entries of `values`, in float64; 0 for a Gaussian.

    Raises ValueError where the values are fewer than two or all equal, and where they aren't finite real numbers in a
    torch tensor.
    """
    check_finite(values, "values")
    values = values.detach().double().flatten()
    if len(values) < 2 or bool((values == values[0]).all()):
        raise ValueError(f"expected at least two different values, got {len(values)} that don't differ")
    centred = values - values.mean()
    centred = centred / centred.abs().max()  # whose powers neither overflow nor vanish
    return ((centred**4).mean() / (centred**2).mean() ** 2 - 3).item()


def kurtosis_by_layer(network: Network) -> list[float | None]:
    """The excess kurtosis of each layer's weights, from the image up; None where that is none."""
    found = []
    for values in network.weights:
        try:
            found.append(excess_kurtosis(values))
        except ValueError:
            found.append(None)
    return found


def shape(values: Tensor) -> Shape:
    """The shape of all entries of `values`. Raises ValueError as `excess_kurtosis` does."""
    kurtosis = excess_kurtosis(values)
    w = values.detach().double().flatten().cpu().numpy()
    counts, edges = np.histogram(w, BINS)
    low, high = np.quantile(w, (0.001, 0.999))
    return Shape(Histogram(edges, counts), float(w.mean()), float(w.std()), kurtosis, (float(low), float(high)))


def saturation(network: Network, images: Tensor) -> Iterator[list[Saturation]]:
    """The pre-activations of every layer over `images` (N, 1, 28, 28) in [0, 1], a record a layer, growing batch by
    batch.

    Streamed, twice: once for their range, once to count; no more than one batch is in memory. Raises ValueError for
    other shapes or pixels, or no image, for what isn't a network of blocks, and where pre-activations or their range
    aren't finite.
    """
    check_kind(network, Network, "a network of blocks, which has layers")
    check_images(images)
    if len(images) == 0:
        raise ValueError("expected at least one image, got none")
    ranges = _ranges(network, images)
    counts = [np.zeros(BINS, np.int64) for _ in ranges]
    below = [np.zeros(len(THRESHOLDS), np.int64) for _ in ranges[:-1]]
    seen = 0
    for batch in images.split(BATCH):
        seen += len(batch)
        for layer, h in enumerate(_pre_activations(network, batch)):
            for part in h.flatten().split(EXACT):
                counts[layer] += torch.histc(part, BINS, *ranges[layer]).to(torch.int64).cpu().numpy()
            if layer < len(below):
                below[layer] += _saturated(h, network.phi(layer))
        yield [
            Saturation(
                Histogram(np.linspace(*ranges[layer], BINS + 1), counts[layer].copy()),
                below[layer] / counts[layer].sum() if layer < len(below) else None,
                seen / len(images),
            )
            for layer in range(len(ranges))
        ]


def pearson_vii_density(w: np.ndarray, kurtosis: float) -> np.ndarray:
    """Density at `w` of the Pearson type VII distribution of unit variance and excess kurtosis γ₂ = `kurtosis`.

    ∝ [1 + (w/α)²]^(−m) with m = 5/2 + 3/γ₂, α = √(2 + 6/γ₂) (below Eq. 14); at γ₂ = 0 the Gaussian, its limit, and at ∞
    Student's t with four degrees of freedom. Raises ValueError for a negative kurtosis.
    """
    from scipy import special, stats  # which takes a second to import, and no training needs

    if _checked(kurtosis) == 0:
        return stats.norm.pdf(w)
    m, alpha = 5 / 2 + 3 / kurtosis, np.sqrt(2 + 6 / kurtosis)
    return np.exp(-m * np.log1p((np.asarray(w) / alpha) ** 2) - special.betaln(m - 1 / 2, 1 / 2)) / alpha


def pearson_vii(kurtosis: float) -> Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]:
    """A sampler of that distribution: Student's t with ν = 4 + 6/γ₂ degrees of freedom, scaled to unit variance."""
    if _checked(kurtosis) == 0:
        return lambda rng, size: rng.standard_normal(size)
    freedom = 4 + 6 / kurtosis
    return lambda rng, size: rng.standard_t(freedom, size) * np.sqrt((freedom - 2) / freedom)


def resampled(values: Tensor) -> Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]:
    """A sampler of the distribution of all entries of `values`, by inverse transform sampling, as in the paper's
    section 8.

    Raises ValueError where there is none, and where they aren't finite real numbers in a torch tensor.
    """
    check_finite(values, "values")
    w = np.sort(values.detach().double().flatten().cpu().numpy())
    if len(w) == 0:
        raise ValueError("expected at least one value to draw from, got none")
    return lambda rng, size: w[(rng.random(size) * len(w)).astype(np.int64)]


def linear_robustness(w1: Tensor, w2: Tensor) -> float:
    """The least L∞ perturbation that makes x = w₁ misclassified, ε_min = (‖w₁‖₂² − w₁·w₂) / ‖w₂ − w₁‖₁ (n,).

    0 where it is misclassified as it stands. Eq. 14 where the two prototypes are orthogonal, as the paper takes them to
    be; trained ones are not. Raises ValueError where they aren't two different, finite vectors of one length in torch
    tensors.
    """
    check_finite(w1, "vectors")
    check_finite(w2, "vectors")
    if w1.ndim != 1 or w1.shape != w2.shape or bool((w1 == w2).all()):
        raise ValueError(
            f"expected two different, finite vectors of one length, got shapes {tuple(w1.shape)} and {tuple(w2.shape)}"
        )
    w1, w2 = w1.detach().double(), w2.detach().double()
    return max(0.0, float((w1 * (w1 - w2)).sum() / (w2 - w1).abs().sum()))  # Eq. 14


def scaled_ratios(sample: Callable, *, repeats: int, seed: int, dimension: int = DIMENSION) -> np.ndarray:
    """ε_min of Eq. 14 over the mean |component| of w₁, for `repeats` pairs of prototypes: (repeats,).

    Their components are drawn by `sample`, and the prototypes scaled to unit norm: the points of Fig. 6. 1.4 means that
    the perturbation must be 1.4 times as strong as the prototype itself. Components that are zero don't count in the
    mean. Raises ValueError for fewer than one pair or dimension, and for a seed outside 0…2⁶³−1.
    """
    check_whole(repeats, "at least one pair", 1)
    check_whole(dimension, "at least one dimension", 1)
    check_seed(seed)
    rng = np.random.default_rng(seed)
    ratios = np.empty(repeats)
    for pair in range(repeats):
        w = sample(rng, (2, dimension))
        w1, w2 = w / np.linalg.norm(w, axis=1, keepdims=True)
        strength = np.abs(w1[w1 != 0]).mean()
        ratios[pair] = max(0.0, w1 @ (w1 - w2)) / np.abs(w2 - w1).sum() / strength  # Eq. 14, scaled
    return ratios


def limiting_ratio(kurtosis: float) -> float:
    """What `scaled_ratios` of Pearson VII weights of excess kurtosis γ₂ tend to in high dimension: σ²/(E|w₂−w₁|·E|w|).

    E|w₂−w₁| = 4∫₀^∞ F(1−F) dw, F the distribution function; √π/2·√(π/2) for the Gaussian.
    """
    from scipy import integrate, stats

    if _checked(kurtosis) == 0:
        return float(np.sqrt(np.pi) / 2 * np.sqrt(np.pi / 2))
    t = stats.t(4 + 6 / kurtosis)
    difference, _ = integrate.quad(lambda w: 4 * t.cdf(w) * t.sf(w), 0, np.inf)
    size, _ = integrate.quad(lambda w: 2 * t.sf(w), 0, np.inf)  # E|w|
    return float(t.var() / (difference * size))


def _checked(kurtosis: float) -> float:
    check_number(kurtosis, "an excess kurtosis of at least 0", 0, math.inf)
    return kurtosis


@torch.no_grad()
def _pre_activations(network: Network, images: Tensor) -> list[Tensor]:
    return network.pre_activations(images)


def _ranges(network: Network, images: Tensor) -> list[tuple[float, float]]:
    extremes = [[h.aminmax() for h in _pre_activations(network, batch)] for batch in images.split(BATCH)]
    ranges = []
    for layer in zip(*extremes, strict=True):
        lows, highs = map(torch.stack, zip(*layer, strict=True))
        low, high = lows.min(), highs.max()
        if not bool((high - low).isfinite()):
            raise ValueError("expected finite pre-activations and a finite range of them, got NaN or infinity")
        ranges.append((float(low), float(high)))
    return [(low, high) if low < high else (low - 0.5, high + 0.5) for low, high in ranges]


def _saturated(h: Tensor, phi: Nonlinearity) -> np.ndarray:
    """How many entries of h have φ′(h) below each of the `THRESHOLDS`."""
    slope = phi.slope(h)
    if phi.piecewise_linear:  # then it is 0, or no threshold is above it
        return np.full(len(THRESHOLDS), h.numel() - int(torch.count_nonzero(slope)))
    return np.array([int(torch.count_nonzero(slope < threshold)) for threshold in THRESHOLDS])
