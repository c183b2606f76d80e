"""Speed of the dissimilarity matrix: against scipy and rsatoolbox, in one process, on the same activations.

Run `python -m benchmarks.representations` from the repository root. rsatoolbox is optional: `pip install rsatoolbox`.
It prints seconds and ratios, and fails where the matrices disagree. Activations are float64, as both peers want them:
uniform random numbers, since the time depends on their shape alone. The contenders take turns; medians of nine turns,
after one that isn't counted. "The product" is that of the activations with their own transpose alone, which ours can't
do without. The last figures are the page's work: all layers of two networks, from images to matrices.
"""

import importlib
import itertools
import statistics
from collections.abc import Iterator

import torch
from scipy.spatial.distance import pdist, squareform

from benchmarks import seconds, table
from satcore import checkpoints, data, representations

TURNS = 9
SHAPES = ((1000, 784), (1000, 6272))
PAIRS = (("sigmoid-mlp/vanilla", "sigmoid-mlp/saturated"), ("cnn/vanilla", "cnn/saturated"))
AGREEMENT = 1e-9


def contenders(activations: torch.Tensor) -> dict:
    """What is timed, by name: each gives the dissimilarities (N, N), or their upper triangle."""
    x = activations.numpy()
    found = {
        "ours": lambda: representations.rdm(activations).numpy(),
        "scipy pdist": lambda: pdist(x, "sqeuclidean") / x.shape[1],
    }
    try:
        peer = importlib.import_module("rsatoolbox")
    except ImportError:
        return found
    dataset = peer.data.Dataset(x)
    return found | {
        "rsatoolbox": lambda: peer.rdm.calc_rdm(dataset, method="euclidean", descriptor=None).dissimilarities[0]
    }


def compare(shape: tuple[int, int]) -> Iterator[list[str]]:
    """Time all contenders on activations of `shape`, and hold them against each other; a row each."""
    activations = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    functions = contenders(activations)
    ours = squareform(functions["ours"](), checks=False)
    for name, function in functions.items():
        if name != "ours":
            apart = abs(function() - ours).max()
            assert apart <= AGREEMENT, f"{name} and ours are {apart:.1e} apart"
    x = activations.numpy()
    functions["the product"] = lambda: x @ x.T  # without which none of them comes to distances of this exactness
    turns = {name: [] for name in functions}
    for _ in range(TURNS + 1):
        for name, function in functions.items():
            turns[name].append(seconds(function))
    medians = {name: statistics.median(times[1:]) for name, times in turns.items()}
    for name, median in medians.items():
        yield [f"{shape[0]} × {shape[1]}, {name}", f"{1e3 * median:.1f}", f"{median / medians['ours']:.2f}"]


def page(pair: tuple[str, str]) -> list[str]:
    """Time all layers' activations and matrices of two networks, the networks loaded."""
    images = data.load("test").images[representations.sample("test")]
    networks = [checkpoints.load(name) for name in pair]

    def work() -> None:
        for network in networks:
            for activations in representations.layers(network, images).values():
                representations.rdm(activations)

    return [" and ".join(pair), f"{1e3 * statistics.median(seconds(work) for _ in range(5)):.0f}"]


def main() -> None:
    """Print the figures, and keep them."""
    matrices = itertools.chain.from_iterable(map(compare, SHAPES))
    table("representations", ("activations", "ms", "times ours"), matrices)
    table("representations-page", ("all layers of", "ms"), map(page, PAIRS))


if __name__ == "__main__":
    main()
