"""How much of the robustness is real: all that is found out about a trained network, and kept beside its hash."""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from satcore import background, data, library
from satcore.evaluation import rungs
from satcore.evaluation.attack_checks import MEANINGS, Check, Signal, checks, masked, signals
from satcore.evaluation.findings import Findings
from satcore.evaluation.strongest import worst_case, wrong
from satcore.networks import Network
from satcore.proofs import decide, refusal
from satcore.proportions import Proportion

FILE = "reality.json"
EPSILON = 0.25  # the paper's
EDGES = tuple(range(-600, 15, 5))  # of the histograms of log₁₀ |gradient|
SEED = 0  # of the sample of test images


@dataclass(frozen=True)
class Plan:
    """How a network is examined.

    images    how many test images are attacked, a random sample
    epsilons  at which ε, ascending, `EPSILON` among them
    decided   how many of them, the first ones, are decided one by one, for how many `seconds` each at most, within each
              of the `radii`
    """

    images: int
    epsilons: tuple[float, ...]
    decided: int
    seconds: float
    radii: tuple[float, ...]


MLP = Plan(
    images=500,
    epsilons=(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5),
    decided=50,
    seconds=2.0,
    radii=(0.01, 0.02),
)
SHIPPED_MLP = replace(MLP, decided=200, seconds=30.0)  # up to three hours
CNN = Plan(  # some forty times as slow
    images=100,
    epsilons=(0.05, 0.1, 0.25, 0.5),
    decided=20,
    seconds=5.0,
    radii=(0.01, 0.02),
)


@dataclass(frozen=True)
class Dying:
    """At one layer, of how many images the gradient's norm lies where; see `satcore.evaluation.attack_checks.Signal`.

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
    """How many images are right after each softened rung, by its name, at the `temperature` and `EPSILON`."""

    temperature: float
    right: dict[str, int]


@dataclass(frozen=True)
class Decided:
    """Within `epsilon`, of the first `images` of the sample: how many are `proven` right whatever the attack, and how
    many are `broken`, by an attack or on the way to a proof, where each was given so many `seconds`. The rest is open.
    """

    epsilon: float
    images: int
    seconds: float
    proven: int
    broken: int


@dataclass(frozen=True)
class Reality:
    """What was found out about a network. Counts are of images out of `images`, classified correctly.

    images, seed  how many test images, the random sample of this seed
    clean         without any attack
    epsilons      at which the ladder was climbed, ascending
    right         by rung of `satcore.evaluation.RUNGS`: what it left at each ε
    temperatures  by softened rung: its temperature at each ε
    proven        at each ε: proven to be classified correctly whatever the attack, as in `rungs`; None: not tried
    broken_by     at `EPSILON`, by the first attack of `worst_case` that broke them; what none broke is missing
    softening     what softened attacks leave, for each temperature
    checks        what would have to hold if the attacks' failure were to be believed
    dying         where the gradient dies, from the image up
    decided       between the strongest attack and the tightest proof
    What has not been found out yet is empty.
    """

    images: int
    seed: int
    clean: int
    epsilons: list[float] = field(default_factory=list)
    right: dict[str, list[int]] = field(default_factory=dict)
    temperatures: dict[str, list[float]] = field(default_factory=dict)
    proven: list[int | None] = field(default_factory=list)
    broken_by: dict[str, int] = field(default_factory=dict)
    softening: list[Softening] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    dying: list[Dying] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether all has been found out."""
        return all(getattr(self, part) for part, _, _ in _PARTS)

    def left(self, rung: str, epsilon: float = EPSILON) -> Proportion | None:
        """What the `rung` leaves at one of the `epsilons`, "clean" without any attack; None where it wasn't climbed."""
        if rung == "clean":
            return Proportion(self.clean, self.images)
        return Proportion(self.right[rung][self.epsilons.index(epsilon)], self.images) if rung in self.right else None

    def temperature(self, rung: str, epsilon: float = EPSILON) -> float | None:
        """That of a softened `rung` at one of the `epsilons`, chosen on training images; None of any other."""
        return self.temperatures[rung][self.epsilons.index(epsilon)] if rung in self.temperatures else None


@dataclass(frozen=True)
class Progress:
    """How far an examination has got: the share `done`, what is under way, and what was `found` so far."""

    done: float
    says: str
    found: Reality


def plan(network: Network, *, ship: bool = False) -> Plan:
    """How the `network` is examined; one that is to `ship` is waited for longer."""
    if network.convolves:
        return CNN
    return SHIPPED_MLP if ship else MLP


def examine(network: Network, source: Network | None, plan: Plan, so_far: Reality | None = None) -> Iterator[Progress]:
    """Find out all about `network`, attacked also from the network `source`, that was not found out `so_far`.

    Each record holds what was found until then; the last one all. Raises ValueError once all is found but what is
    proven one by one, where no proof is to be had.
    """
    images, labels = data.sample("test", plan.images, SEED)
    found = so_far or Reality(plan.images, SEED, int((~wrong(network, images, labels)).sum()))
    done = 0.0
    for part, share, find in _PARTS:
        if not getattr(found, part):
            for fraction, says, fields in find(network, images, labels, source, plan):
                found = replace(found, **fields)
                yield Progress(done + share * fraction, says, found)
        done += share
    yield Progress(1.0, "done", found)


_Found = Iterator[tuple[float, str, dict[str, Any]]]  # the share done, what is under way, and what has been found


def _checked(network: Network, images: Tensor, labels: Tensor, source: Network | None, plan: Plan) -> _Found:
    yield 0.0, "checks", {}
    yield 1.0, "checks", {"checks": list(checks(network, images, labels, epsilon=EPSILON, source=source))}


def _traced(network: Network, images: Tensor, labels: Tensor, source: Network | None, plan: Plan) -> _Found:
    yield 1.0, "gradients", {"dying": [_dying(signal) for signal in signals(network, images, labels)]}


def _softened(network: Network, images: Tensor, labels: Tensor, source: Network | None, plan: Plan) -> _Found:
    softening = []
    for temperature in rungs.SOFTENINGS:
        yield len(softening) / len(rungs.SOFTENINGS), f"temperature {temperature:g}", {}
        attacked = rungs.accuracy_against_temperature(
            network, images, labels, epsilon=EPSILON, temperatures=(temperature,)
        )
        for there in attacked:
            softening.append(Softening(temperature, {rung.name: int(rung.right.sum()) for rung in there}))
    yield 1.0, "temperatures", {"softening": softening}


def _climbed(network: Network, images: Tensor, labels: Tensor, source: Network | None, plan: Plan) -> _Found:
    right, temperatures, proven = {}, {}, []
    climbing = rungs.accuracy_against_epsilon(network, images, labels, source=source, epsilons=plan.epsilons)
    for index, bracket in enumerate(climbing):
        for rung in bracket.rungs:
            right.setdefault(rung.name, []).append(int(rung.right.sum()))
            if rung.temperature is not None:
                temperatures.setdefault(rung.name, []).append(rung.temperature)
        proven.append(None if bracket.proven is None else int(bracket.proven.sum()))
        yield (index + 1) / (len(plan.epsilons) + 1), f"ε = {bracket.epsilon:g}", {}
    worst = worst_case(network, images, labels, epsilon=EPSILON, source=source)
    fields = {"epsilons": list(plan.epsilons), "right": right, "temperatures": temperatures, "proven": proven}
    yield 1.0, "the worst case", fields | {"broken_by": dict(Counter(name for name in worst.by if name is not None))}


def _decided(network: Network, images: Tensor, labels: Tensor, source: Network | None, plan: Plan) -> _Found:
    """Attacked and proven on the same images: what the worst case has broken needs no proof to be tried."""
    if sentence := refusal(network):
        raise ValueError(sentence)
    decided = []
    for number, epsilon in enumerate(plan.radii):
        yield number / len(plan.radii), f"proofs, ε = {epsilon:g}", {}
        x, y = images[: plan.decided], labels[: plan.decided]
        broken = worst_case(network, x, y, epsilon=epsilon, source=source).broken
        left = (~broken).nonzero().flatten()
        verdicts = decide(network, x[left], y[left], epsilon=epsilon, seconds=plan.seconds)
        count = int(broken.sum()) + int(verdicts.broken.sum())
        decided.append(Decided(epsilon, plan.decided, plan.seconds, int(verdicts.proven.sum()), count))
    yield 1.0, "proofs", {"decided": decided}


_PARTS = (
    ("checks", 0.1, _checked),
    ("dying", 0.02, _traced),
    ("softening", 0.13, _softened),
    ("right", 0.55, _climbed),
    ("decided", 0.2, _decided),
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


def work(name: str) -> str:
    """The key of the examination of the network `name`; see `satcore.background`."""
    return f"examine-{library.describe(name).sha256}"


def end(name: str) -> bool:
    """Stop at once whoever examines the network `name`, which is to go: nobody could see it, or stop it, afterwards.

    False, and nothing is stopped, where it ships, and so stays, and where it is also the examination of another network
    on the shelves, the same one.
    """
    cards = library.catalogue().cards
    if name in cards:
        same = [other for other, card in cards.items() if card.sha256 == cards[name].sha256]
        if cards[name].shipped or same != [name]:
            return False
        background.stop(work(name), at_once=True)
    return True


def save(name: str, found: Reality, *, ship: bool = False) -> None:
    """Keep what was `found` about the network `name` under its hash; `ship`, for maintainers, as `library.place`."""
    KEPT.save(name, dataclasses.asdict(found), ship=ship)


def load(name: str) -> Reality | None:
    """What is kept of the network `name`, as `Findings.load`."""
    return KEPT.load(name)


def known() -> tuple[dict[str, Reality], list[str]]:
    """What is kept of every network there is, by name, and a sentence for each that can't be read."""
    found, damaged = {}, []
    for name in library.catalogue().cards:
        try:
            there = load(name)
        except (ValueError, OSError) as error:
            damaged.append(str(error))
        else:
            if there is not None:
                found[name] = there
    return found, damaged


def verdict(found: Reality) -> str:
    """What is left at `EPSILON`, by the published attack, by all attacks together and by proof, in one sentence."""
    published, worst = found.left(rungs.PUBLISHED), found.left("worst case")
    if published is None or worst is None:
        return "not attacked yet"
    low, high = worst.interval
    proven = found.proven[found.epsilons.index(EPSILON)]
    certain = "no proof was tried" if proven is None else f"proven {100 * proven / found.images:.1f} %"
    hidden = "yes" if masked(found.checks) else "no"
    return (
        f"right under FGSM as published (cross-entropy, float32 autograd) {100 * published.share:.1f} %, under the "
        f"worst of {len(found.right) - 1} attacks and longer ones {100 * worst.share:.1f} % ({100 * low:.1f} to "
        f"{100 * high:.1f} %), {certain}; masked gradients: {hidden} (ε = {EPSILON:g}, {found.images:,} random test "
        "images; one that was wrong before counts as broken)"
    )


def _believed(fields: dict[str, Any]) -> Reality:
    records: dict[str, Any] = {
        part: [kind(**record) for record in fields.pop(part)]
        for part, kind in (("softening", Softening), ("checks", Check), ("dying", Dying), ("decided", Decided))
    }
    found = Reality(**fields, **records)
    _check(found)
    return found


def _check(found: Reality) -> None:
    """Raise ValueError or TypeError unless all counts are of as many images, and all lists as long, as they say."""
    images, count = found.images, len(found.epsilons)
    lists = [*found.right.values(), found.proven]
    softened = [there.right.values() for there in found.softening]
    counts = [found.clean, *found.broken_by.values(), *itertools.chain.from_iterable((*lists, *softened))]
    within = [*found.epsilons, *(there.epsilon for there in found.decided)]
    if not (type(images) is int and images >= 1 and type(found.seed) is int and all(0 <= e <= 1 for e in within)):
        raise ValueError("a number of images, a seed, and epsilons")
    if any(len(there) != count for there in (*lists, *found.temperatures.values())):
        raise ValueError("as many counts as epsilons")
    if not all(there is None or (type(there) is int and 0 <= there <= images) for there in counts):
        raise ValueError("counts of images")
    if not all(there.temperature > 0 for there in found.softening):
        raise ValueError("temperatures above 0")
    for there in found.decided:
        if not (1 <= there.images <= images and there.seconds > 0 and there.proven + there.broken <= there.images):
            raise ValueError("decided images")
        if not all(type(decided) is int and decided >= 0 for decided in (there.images, there.proven, there.broken)):
            raise ValueError("counts of decided images")
    for check in found.checks:
        if check.name not in MEANINGS or not all(math.isfinite(figure) for figure in check.figures.values()):
            raise ValueError("checks and their figures")
    for layer in found.dying:
        if len(layer.counts) != len(EDGES) - 1 or not all(
            0 <= there <= images for there in (*layer.counts, layer.zero)
        ):
            raise ValueError("a histogram of images")


KEPT = Findings(FILE, "what was found out about", 2, 4 << 20, _believed)
