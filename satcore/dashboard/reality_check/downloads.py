"""What every attack left, to take away, and the lines of Python that find it out again."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from satcore.dashboard.shared.downloads import csv_of, npz
from satcore.dashboard.shared.take_away import TakeAway
from satcore.evaluation.certificates import Certificate
from satcore.evaluation.reality import EDGES, EPSILON, Reality
from satcore.proportions import Proportion

HEADER = ("network", "epsilon", "attack", "temperature", "right", "images", "share", "low", "high")
GRADIENTS = (
    "network",
    "layer",
    "zero in float32",
    "zero in float64",
    "truly zero",
    "log10 of the norm from",
    "to",
    "images",
    "of",
)
CHECKS = ("network", "check", "passed", "figure", "value")


def of_reality(found: dict[str, Reality], epsilon: float | None = None) -> TakeAway:
    """What every attack left of every network at every ε; and the Python that finds it out again, or of one ε alone."""
    code = reality_code({name: there.epsilons if epsilon is None else [epsilon] for name, there in found.items()})
    return TakeAway("reality", code, {"reality.csv": lambda: csv_of_reality(found)})


def of_dying(found: dict[str, Reality]) -> TakeAway:
    """How large the gradients are by layer."""
    return TakeAway(
        "dying", reality_code(dict.fromkeys(found, (EPSILON,))), {"gradients.csv": lambda: csv_of_gradients(found)}
    )


def of_checks(found: dict[str, Reality]) -> TakeAway:
    """What the checks say of the published attack."""
    return TakeAway(
        "checks", reality_code(dict.fromkeys(found, (EPSILON,))), {"checks.csv": lambda: csv_of_checks(found)}
    )


def of_symptoms(names: list[str], index: int, epsilon: float) -> TakeAway:
    """What FGSM and a proof make of the test image at `index` in each of the networks."""
    return TakeAway(f"opposite-{index}", symptoms_code(names, index, epsilon))


def of_gradients(names: list[str], index: int, loss: str, temperature: float) -> TakeAway:
    """The gradients of the networks at the test image at `index`."""
    return TakeAway(f"gradients-{index}", gradients_code(names, index, loss, temperature))


def of_certificates(name: str, found: Sequence[Certificate]) -> TakeAway:
    """What is proven of all test images in the network `name`, image by image."""

    def verdicts() -> bytes:
        return npz({f"{there.epsilon:g}": np.array([*there.verdicts]) for there in found})

    return TakeAway("certified", certificates_code(name), {"certified.npz": verdicts})


def csv_of_reality(found: dict[str, Reality]) -> str:
    """A row a network, ε and attack: how many images are left of how many, and the interval.

    "proven" is a row of its own, and so are, on fewer images, those "decided": proven and not broken.
    """
    return csv_of(HEADER, (row for name, there in found.items() for row in _rows(name, there)))


def csv_of_gradients(found: dict[str, Reality]) -> str:
    """A row a network, layer and bin of the histogram: how many images have a gradient of that size there, of how many.

    Beside it the shares on which it is exactly zero, in float32, in float64 and truly; the last are in no bin.
    """
    bins = list(itertools.pairwise((-math.inf, *EDGES)))
    return csv_of(
        GRADIENTS,
        (
            [name, there.layer, there.zero_single, there.zero_double, there.zero / one.images, *ends, count, one.images]
            for name, one in found.items()
            for there in one.dying
            for ends, count in zip(bins, (there.below, *there.counts), strict=True)
        ),
    )


def csv_of_checks(found: dict[str, Reality]) -> str:
    """A row a network, check and figure that decided it."""
    return csv_of(
        CHECKS,
        (
            [name, check.name, check.passed, figure, value]
            for name, there in found.items()
            for check in there.checks
            for figure, value in check.figures.items()
        ),
    )


def reality_code(epsilons: Mapping[str, Sequence[float]]) -> str:
    """Python that attacks the networks again within each of their `epsilons`, and asks why."""
    return f"""from satcore import data, library
from satcore.evaluation import checks, ladder, reality, worst_case

for name, epsilons in {dict(epsilons)!r}.items():
    network, vanilla = library.load(name), library.vanilla_beside(name)
    source = library.load(vanilla) if vanilla else None
    images, labels = data.sample("test", reality.plan(network).images, reality.SEED)
    for epsilon in epsilons:
        for rung in ladder(network, images, labels, epsilon=epsilon, source=source):
            print(name, epsilon, rung.name, rung.right.double().mean().item(), rung.temperature)
        print(worst_case(network, images, labels, epsilon=epsilon, source=source).by[:10])
    for check in checks(network, images, labels, source=source):
        print(check)
"""


def symptoms_code(names: list[str], index: int, epsilon: float) -> str:
    """Python that attacks one image, and proves it right or breaks it."""
    return f"""from satcore import attacks, data, library, proofs

image, label = data.example("test", {index})
for name in {names!r}:
    network = library.load(name)
    result = attacks.fgsm(network, image, label, epsilon={epsilon})
    print(name, "FGSM moves it by", result.linf.item(), "gradient zero:", result.zero_gradient.item())
    if network.convolves:  # where linear bounds would take minutes
        print(name, "proven by intervals:", proofs.by_intervals(network, image, label, epsilon={epsilon}).item())
    else:
        print(name, *proofs.decide(network, image, label, epsilon={epsilon}, seconds=0.5).verdicts)
"""


def certificates_code(name: str) -> str:
    """Python that proves it again, of the first test images."""
    return f"""from satcore import data, library, proofs

images, labels = (part[:100] for part in data.load("test"))
for epsilon in (0.1, 0.25):
    decided = proofs.decide(library.load({name!r}), images, labels, epsilon=epsilon, seconds=0.05)
    print(epsilon, decided.proven.sum().item(), "proven,", decided.broken.sum().item(), "broken of", len(images))
"""


def gradients_code(names: list[str], index: int, loss: str, temperature: float) -> str:
    """Python that takes the gradient in each of the ways."""
    return f"""from satcore import data, library
from satcore.attacks.gradients import WAYS, Way
from satcore.attacks.objective import Objective

image, label = data.example("test", {index})
for name in {names!r}:
    for way in WAYS:
        gradient = Way(way, {temperature}).gradient(library.load(name), image, Objective(label, loss={loss!r}))
        print(name, way, gradient.log10_norm().item())
"""


def _rows(name: str, found: Reality) -> Iterator[list]:
    yield _row(name, found, 0, "clean", "", found.clean)
    for rung, counts in found.right.items():
        temperatures = found.temperatures.get(rung, [""] * len(counts))
        for epsilon, count, temperature in zip(found.epsilons, counts, temperatures, strict=True):
            yield _row(name, found, epsilon, rung, temperature, count)
    for epsilon, count in zip(found.epsilons, found.proven, strict=True):
        if count is not None:
            yield _row(name, found, epsilon, "proven", "", count)
    for there in found.decided:
        yield _of(name, there.epsilon, "decided: proven", "", Proportion(there.proven, there.images))
        yield _of(name, there.epsilon, "decided: not broken", "", Proportion(there.images - there.broken, there.images))


def _row(name: str, found: Reality, epsilon: float, rung: str, temperature: float | str, count: int) -> list:
    return _of(name, epsilon, rung, temperature, Proportion(count, found.images))


def _of(name: str, epsilon: float, rung: str, temperature: float | str, left: Proportion) -> list:
    return [name, epsilon, rung, temperature, left.count, left.total, left.share, *left.interval]
