"""What the paper's claims are judged by: figures of a network, most of which are stored with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from satcore import data, geometry, library, representations, weights
from satcore.attacks.gradients import WAYS
from satcore.evaluation import grids, reality
from satcore.evaluation.grids import PAIRS, Setting
from satcore.networks import Network

LINES = ((1, 7), (3, 7), (6, 9), (0, 6))  # from digit to digit, in Fig. 4
FLAT = 3  # a unit is saturated where φ′ < 10⁻³
REPEATS = 20  # pairs of prototypes a layer
WITHIN = 0.5  # of the source image in every pixel, what is carried over from the target's digit
CARRIED = 300  # images of each digit
ADAM = Setting(attack="Adam", steps=100_000)
LBFGS = {source: Setting(source) for source in grids.SOURCES}


@dataclass(frozen=True)
class Line:
    """The straight path between two digits (Fig. 4).

    flatness       share of the path, its flattest parts, that carries 1 % of its length
    peak           the largest length element, times the mean one
    apart          how far, in t, that is from the nearest change of the answer
    participation  how many singular values take part there
    inflation      the largest singular value there, times its median along the path
    contrast       the same, times the smaller of those at the two ends
    """

    flatness: float
    peak: float
    apart: float
    participation: float
    inflation: float
    contrast: float


@dataclass(frozen=True)
class Chase:
    """The 90 targeted attacks of a grid, gradients by float32 autograd, as published.

    fooled     on how many pairs
    iterations of those, ascending
    moving     on how many others the image moved and no gradient was exactly zero
    reaches_7  whether the pair 3 → 7 was fooled
    anyhow     on how many pairs an image was found by any attack, those included that don't stumble over the gradient
    anyhow_7   whether the pair 3 → 7 was
    rests, drifts          of the pairs not fooled, up to the paper's 30 million iterations of Adam: how many are proven
                           at rest, and how many others proven not to be fooled
    rests_7, drifts_7      from which iteration on 3 → 7 is at rest; or at most how far it is proven to go; or None
    """

    fooled: int
    iterations: list[int]
    moving: int
    reaches_7: bool
    anyhow: int
    anyhow_7: bool
    rests: int = 0
    drifts: int = 0
    rests_7: int | None = None
    drifts_7: float | None = None

    @property
    def median(self) -> float:
        """Of the iterations that it took."""
        return float(np.median(self.iterations)) if self.iterations else float("inf")


@dataclass(frozen=True)
class Evidence:
    """Of one network. Shares are of the test images; lists go layer by layer, from the image up.

    accuracy, fgsm   right, and after FGSM as published
    unmoved          of those right after FGSM, by a gradient that was exactly zero
    worst            right after all attacks together
    pgd              right after PGD on the cross-entropy by autograd
    stabilised       the same by a gradient that doesn't underflow, exact or softened, whichever leaves less

    And of vanilla, saturated and control networks:
    kurtosis, low, high   of the weights: excess kurtosis, the quantiles at 0.1 % and 99.9 %
    ratios                Eq. 14, scaled, of prototypes drawn from them
    reach, saturated      largest |h| over all test images, a CNN's over 1,000; share of h with φ′ < 10⁻³, hidden layers
    within, between       mean dissimilarities (Eq. 9) of pairs of one class and of two, hidden layers and softmax
    lines, chases         by "3→7", and by the `Setting` of a grid
    """

    accuracy: float
    fgsm: float
    unmoved: float
    worst: float
    pgd: float
    stabilised: float
    kurtosis: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    reach: list[float] = field(default_factory=list)
    saturated: list[float] = field(default_factory=list)
    within: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    lines: Mapping[str, Line] = field(default_factory=dict)
    chases: Mapping[Setting, Chase] = field(default_factory=dict)


def gather(name: str) -> Evidence:
    """All that is needed of the network `name`, one of the paper's or a control; the adversarial ones' first part only.

    Raises ValueError where what ought to be stored with it isn't, or is damaged.
    """
    family, _, training = name.partition("/")
    found = stored(name)
    if training == "adversarial":
        return found
    network = library.load(name)
    shapes = [weights.shape(w) for w in network.weights]
    ratios = [
        float(weights.scaled_ratios(weights.resampled(w), repeats=REPEATS, seed=layer).mean())
        for layer, w in enumerate(network.weights)
    ]
    reach, saturated = inputs(network, data.load("test").images[_looked_at(network)])
    within, between = dissimilarities(network)
    return replace(
        found,
        kurtosis=[shape.kurtosis for shape in shapes],
        low=[shape.quantiles[0] for shape in shapes],
        high=[shape.quantiles[1] for shape in shapes],
        ratios=ratios,
        reach=reach,
        saturated=saturated,
        within=within,
        between=between,
        lines=_lines(network, library.load(f"{family}/saturated")),
        chases=_chases(name, network),
    )


def inputs(network: Network, images: Tensor) -> tuple[list[float], list[float]]:
    """How far the pre-activations reach over the `images`, and what share of the hidden ones is saturated."""
    *_, found = weights.saturation(network, images)
    return (
        [float(np.abs(layer.histogram.edges[[0, -1]]).max()) for layer in found],
        [float(layer.saturated[FLAT - 1]) for layer in found if layer.saturated is not None],
    )


def _looked_at(network: Network) -> Tensor:
    """The indices of the test images whose pre-activations are looked at; a CNN would take a minute for all."""
    return representations.sample("test") if network.convolves else torch.arange(10_000)


def dissimilarities(network: Network) -> tuple[list[float], list[float]]:
    """Within classes and between them, of 1,000 test images, 100 a class, in every layer but the pixels."""
    images, labels = (values[representations.sample("test")] for values in data.load("test"))
    _, *layers = representations.layers(network, images).values()
    found = [representations.separation(representations.rdm(values), labels) for values in layers]
    return [layer.within for layer in found], [layer.between for layer in found]


def line(network: Network, source: Tensor, target: Tensor) -> Line:
    """The straight path from `source` to `target`, each (1, 1, 28, 28)."""
    path = geometry.path(network, source, target, 51 if network.convolves else 101)
    answers = path.probabilities_at_nodes.argmax(1)
    changes = path.nodes[1:][answers.diff() != 0]
    largest = path.singular_values[:, 0]
    return Line(
        flatness=path.flatness,
        peak=float(path.element_at_nodes.max()) / path.length,
        apart=float((changes - path.transition).abs().min()) if len(changes) else 1.0,
        participation=path.participation,
        inflation=float(path.spectrum[0] / largest.median()),
        contrast=float(path.spectrum[0] / largest[[0, -1]].min()),
    )


def _lines(network: Network, judge: Network) -> dict[str, Line]:
    """Those of Fig. 4, between the images that the `judge`, the family's saturated network, is most confident of."""
    ends = {
        digit: data.example("test", data.choose(judge, "test", digit, "most confident", 0)).images
        for digit in {digit for pair in LINES for digit in pair}
    }
    return {f"{source}→{target}": line(network, ends[source], ends[target]) for source, target in LINES}


def stored(name: str) -> Evidence:
    """Its first part, from the card and from what the reality check left of it."""
    measured, found = library.describe(name).measurements, reality.load(name)
    worst = found.left("worst case") if found else None
    if not measured or found is None or worst is None:
        raise ValueError(
            f"expected {name} measured and its reality found out, got one of them missing: "
            f"python -m satcore reality {name}"
        )
    left = {rung: share.share for rung in found.right if (share := found.left(rung)) is not None}
    pgd, *stable = (left[f"PGD, cross-entropy, {way}"] for way in WAYS)
    return Evidence(
        accuracy=measured["accuracy"],
        fgsm=measured["fgsm_accuracy"],
        unmoved=measured["right_unmoved"] / (measured["fgsm_accuracy"] or 1),
        worst=worst.share,
        pgd=pgd,
        stabilised=min(stable),
    )


def _chases(name: str, network: Network) -> dict[Setting, Chase]:
    return {
        setting: _chase(name, network, setting) for setting in grids.shipped(name) if setting in (ADAM, *LBFGS.values())
    }


def _chase(name: str, network: Network, setting: Setting) -> Chase:
    """What the grid of this `setting` found, and all others that start from the same images."""
    kept = {other: grids.load(name, other) for other in grids.shipped(name) if other.source == setting.source}
    grid = kept[setting]
    if grid is None:
        raise ValueError(f"expected the grids of {name}, got none: python -m satcore grids {name}")
    others = ~np.eye(data.CLASSES, dtype=bool)
    starts = data.load("test").images[torch.from_numpy(grid.sources)]
    moved = (grid.images != starts.numpy()).any((2, 3))
    anyhow = np.logical_or.reduce([there.found for there in kept.values() if there is not None])
    if not anyhow[others].all():
        anyhow = anyhow | carried_over(network, starts)
    return Chase(
        fooled=grid.fooled,
        iterations=sorted(grid.iterations[grid.found & others].tolist()),
        moving=int((others & ~grid.found & moved & ~grid.zero).sum()),
        reaches_7=bool(grid.found[3, 7]),
        anyhow=int(anyhow[others].sum()),
        anyhow_7=bool(anyhow[3, 7]),
        rests=int(grid.rests.sum()),
        drifts=int(grid.drifts.sum()),
        rests_7=int(grid.iterations[3, 7]) if grid.rests[3, 7] else None,
        drifts_7=float(grid.drift[3, 7]) if grid.drifts[3, 7] else None,
    )


@torch.no_grad()
def carried_over(network: Network, starts: Tensor) -> np.ndarray:
    """Which pairs of digits are fooled, (10, 10) bool, by an attack that asks for no gradient at all.

    It tries training images of the target's digit, every pixel clipped to `WITHIN` of the source image's. `starts` are
    the source images, (10, 1, 28, 28).
    """
    images, labels = data.load("train")
    found = np.zeros((data.CLASSES, data.CLASSES), dtype=bool)
    for source, target in PAIRS:
        towards = images[labels == target][:CARRIED]
        clipped = towards.clamp(starts[source] - WITHIN, starts[source] + WITHIN)
        found[source, target] = bool((network(clipped).argmax(1) == target).any())
    return found
