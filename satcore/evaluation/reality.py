"""How much of the robustness is real: all that is found out about a trained network, and kept beside its hash."""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from satcore import data, library
from satcore.evaluation import rungs
from satcore.evaluation.checking import MEANINGS, Check, Signal, checks, signals
from satcore.files import read_whole, write_whole
from satcore.networks import Network
from satcore.proportions import Proportion

FILE, MOST_BYTES = "reality.json", 4 << 20
EPSILON = 0.25  # the paper's
EDGES = tuple(range(-600, 15, 5))  # of the histograms of log₁₀ |gradient|


@dataclass(frozen=True)
class Plan:
    """On how many test images, the first ones, and at which ε, ascending, `EPSILON` among them."""

    images: int
    epsilons: tuple[float, ...]


MLP = Plan(500, (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5))
CNN = Plan(100, (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5))  # some forty times as slow


@dataclass(frozen=True)
class Dying:
    """At one layer, of how many images the gradient's norm lies where; see `satcore.evaluation.checking.Signal`.

    counts  of log₁₀ norm between `EDGES`; below: under the first edge; zero: truly zero
    """

    layer: str
    zero_single: float
    zero_double: float
    counts: list[int]
    below: int
    zero: int


@dataclass(frozen=True)
class Softening:
    """How many images are right after FGSM and PGD, softened at the `temperature`, at `EPSILON`."""

    temperature: float
    fgsm: int
    pgd: int


@dataclass(frozen=True)
class Reality:
    """What was found out about a network. Counts are of images out of `images`, classified correctly.

    clean         without any attack
    epsilons      at which the ladder was climbed, ascending
    right         by rung of `satcore.evaluation.RUNGS`: what it left at each ε
    temperatures  by softened rung: its temperature at each ε
    broken_by     at `EPSILON`, by the first attack that broke them; what no attack broke is missing
    proven        at each ε: proven to be classified correctly whatever the attack; None: no proof is to be had
    softening     what softened attacks leave, for each temperature
    checks        what would have to hold if the attacks' failure were to be believed
    dying         where the gradient dies, from the image up
    """

    images: int
    clean: int
    epsilons: list[float]
    right: dict[str, list[int]]
    temperatures: dict[str, list[float]]
    broken_by: dict[str, int]
    proven: list[int | None]
    softening: list[Softening]
    checks: list[Check]
    dying: list[Dying]

    def left(self, rung: str, epsilon: float = EPSILON) -> Proportion | None:
        """What the `rung` leaves at one of the `epsilons`, "clean" without any attack; None where it wasn't climbed."""
        if rung == "clean":
            return Proportion(self.clean, self.images)
        return Proportion(self.right[rung][self.epsilons.index(epsilon)], self.images) if rung in self.right else None


@dataclass(frozen=True)
class Progress:
    """How far an examination has got: the share `done`, what is under way, and, at the end, what was `found`."""

    done: float
    says: str
    found: Reality | None = None


def plan(network: Network) -> Plan:
    """How the `network` is examined."""
    return CNN if network.convolves else MLP


def examine(network: Network, source: Network | None, plan: Plan) -> Iterator[Progress]:
    """Find out all about `network`, attacked also from the network `source`; the last record holds it."""
    images, labels = (tensor[: plan.images] for tensor in data.load("test"))
    right, temperatures, proven = {}, {}, []
    climbing = rungs.accuracy_against_epsilon(network, images, labels, source=source, epsilons=plan.epsilons)
    for index, bracket in enumerate(climbing):
        for rung in bracket.rungs:
            right.setdefault(rung.name, []).append(int(rung.right.sum()))
            if rung.temperature is not None:
                temperatures.setdefault(rung.name, []).append(rung.temperature)
        proven.append(None if bracket.proven is None else int(bracket.proven.sum()))
        yield Progress(0.8 * (index + 1) / len(plan.epsilons), f"ε = {bracket.epsilon:g}")
    found = rungs.worst_case(network, images, labels, epsilon=EPSILON, source=source)
    broken_by = {name: found.by.count(name) for name in dict.fromkeys(found.by) if name is not None}
    yield Progress(0.85, "temperatures")
    softening = [
        Softening(fgsm.temperature or 1.0, int(fgsm.right.sum()), int(pgd.right.sum()))
        for fgsm, pgd in rungs.accuracy_against_temperature(network, images, labels, epsilon=EPSILON)
    ]
    yield Progress(0.95, "checks")
    verdicts = list(checks(network, images, labels, epsilon=EPSILON, source=source))
    dying = [_dying(signal) for signal in signals(network, images, labels)]
    clean = plan.images - broken_by.get(rungs.WRONG_BEFORE, 0)
    yield Progress(
        1.0,
        "done",
        Reality(
            plan.images, clean, list(plan.epsilons), right, temperatures, broken_by, proven, softening, verdicts, dying
        ),
    )


def _dying(signal: Signal) -> Dying:
    norm = signal.log10_norm
    within = norm[norm >= EDGES[0]].clamp_max(EDGES[-1] - 1e-9)
    counts = torch.histogram(within, torch.tensor(EDGES, dtype=torch.float64)).hist
    return Dying(
        signal.layer,
        signal.zero_single,
        signal.zero_double,
        counts.int().tolist(),
        below=int((norm.isfinite() & (norm < EDGES[0])).sum()),
        zero=int(norm.isneginf().sum()),
    )


def save(name: str, found: Reality, *, ship: bool = False) -> None:
    """Keep what was `found` about the network `name` under its hash; `ship`, for maintainers, as `library.place`."""
    softening = [dataclasses.astuple(there) for there in found.softening]
    content = {"sha256": library.describe(name).sha256} | dataclasses.asdict(found) | {"softening": softening}
    write_whole(library.place(name, FILE, ship=ship), json.dumps(content, ensure_ascii=False).encode() + b"\n")


def load(name: str) -> Reality | None:
    """What is kept of the network `name`; None where nothing is, or what was found of other weights.

    Raises ValueError where its file is damaged.
    """
    path = library.kept(name, FILE)
    if not path.exists():
        return None
    try:
        fields = json.loads(read_whole(path, MOST_BYTES))
        kept_of = fields.pop("sha256")
        records = {
            "softening": [Softening(*row) for row in fields.pop("softening")],
            "checks": [Check(**check) for check in fields.pop("checks")],
            "dying": [Dying(**layer) for layer in fields.pop("dying")],
        }
        found = Reality(**fields, **records)
        _check(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"expected what was found out about {name} in {path}, got a damaged file ({type(error).__name__})"
        ) from error
    return found if kept_of == library.describe(name).sha256 else None


def known() -> dict[str, Reality]:
    """What is kept of all the networks there are, as far as it was found out about these very weights."""
    found = {name: load(name) for name in library.catalogue().cards}
    return {name: there for name, there in found.items() if there is not None}


def common_epsilons(found: dict[str, Reality]) -> list[float]:
    """Those ε at which the ladder was climbed on every network, ascending."""
    return sorted(set.intersection(*(set(there.epsilons) for there in found.values())))


def _check(found: Reality) -> None:
    """Raise ValueError or TypeError unless all counts are of as many images, and all lists as long, as they say."""
    images, count = found.images, len(found.epsilons)
    lists = [*found.right.values(), found.proven]
    counts = [found.clean, *found.broken_by.values(), *itertools.chain.from_iterable(lists)]
    if not (type(images) is int and images >= 1 and all(0 <= epsilon <= 1 for epsilon in found.epsilons)):
        raise ValueError("a number of images, and epsilons")
    if any(len(there) != count for there in (*lists, *found.temperatures.values())):
        raise ValueError("as many counts as epsilons")
    if not all(there is None or (type(there) is int and 0 <= there <= images) for there in counts):
        raise ValueError("counts of images")
    for there in found.softening:
        if not (there.temperature > 0 and 0 <= there.fgsm <= images and 0 <= there.pgd <= images):
            raise ValueError("a temperature and two counts")
    for check in found.checks:
        if check.name not in MEANINGS or not all(math.isfinite(figure) for figure in check.figures.values()):
            raise ValueError("checks and their figures")
    for layer in found.dying:
        if len(layer.counts) != len(EDGES) - 1 or not all(
            0 <= there <= images for there in (*layer.counts, layer.zero)
        ):
            raise ValueError("a histogram of images")
