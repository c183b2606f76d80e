"""How far the figures of a network depend on its seed, and on λ: many networks, a line each, measured alike."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import torch
from filelock import FileLock

from satcore import data, geometry, library
from satcore.evaluation import certificates
from satcore.evaluation.claims import evidence
from satcore.evaluation.strongest import worst_case
from satcore.evaluation.table_1 import measure
from satcore.files import read_whole, write_whole, written
from satcore.networks import Architecture, Convolution, Dense, Network
from satcore.recipes import RECIPES, Recipe, changed
from satcore.training import EpochRecord

SHIPPED, OWN, LOCK = "seeds.jsonl", "sweeps.jsonl", ".sweeps.lock"
MOST_BYTES = 64 << 20
FORMAT = 1  # of a line; what was measured in another way is another format
STAGES = 60  # of a training, at most
NAMED = 10  # lines, in a sentence
SEED = 0  # of the sample of test images, and of the pairs of them
DRAWN = 1_000  # pairs, among which those of two digits are looked for


@dataclass(frozen=True)
class Plan:
    """How a network is measured.

    pairs, points   how many straight paths are followed, from how many points each
    epsilon, images within which ε the worst case is looked for, and of how many random test images
    """

    pairs: int
    points: int
    epsilon: float
    images: int


MLP = Plan(pairs=20, points=101, epsilon=0.05, images=200)
CNN = Plan(pairs=8, points=51, epsilon=0.1, images=20)  # it is some thirty times as slow


class Figures(TypedDict):
    """What is measured of a network. Lists go layer by layer, from the image up.

    accuracy, fgsm_accuracy, fgsm_withstood, zero_gradient
                    of all test images; see `satcore.evaluation.Measurements`
    kurtosis        excess kurtosis of the weights; None where they don't differ
    within, between mean dissimilarities (Eq. 9) of pairs of one class and of two, hidden layers and softmax, of 1,000
                    test images
    flatness, participation, length
                    of the straight path between two random test images of different digits: the median over `pairs`;
                    see `satcore.geometry.Path`
    worst_case      the share of `worst_images` random test images that are right after all attacks within
                    `worst_epsilon`, none of them from another network
    proven          of a network that steps first, the share of all test images proven within the paper's ε; see
                    `satcore.evaluation.certificates`
    """

    accuracy: float
    fgsm_accuracy: float
    fgsm_withstood: float
    zero_gradient: float
    kurtosis: Sequence[float | None]
    within: Sequence[float]
    between: Sequence[float]
    flatness: float
    participation: float
    length: float
    pairs: int
    worst_case: float
    worst_epsilon: float
    worst_images: int
    proven: NotRequired[float]


class Stage(NamedTuple):
    """Where a training stood after an `epoch`, counted from 1: fields of `satcore.training.EpochRecord`."""

    epoch: int
    lam: float
    accuracy: float
    fgsm_accuracy: float
    zero_gradient: float
    loss: float


@dataclass(frozen=True)
class Trained:
    """A network that came of a recipe and a seed.

    recipe, settings  it was trained by `recipes.changed(RECIPES[recipe], settings)`
    identity          that recipe's, 16 hexadecimal digits
    seed              of the initial weights and the order of the images
    figures           what was measured of it
    history           stages of its training, ascending; none where nothing is on record
    """

    recipe: str
    settings: Mapping[str, Any]
    identity: str
    seed: int
    figures: Figures
    history: Sequence[Stage] = field(default=())

    @property
    def made_by(self) -> Recipe:
        """What it was trained by. Raises ValueError as `satcore.recipes.changed`, and KeyError for no such recipe."""
        return changed(RECIPES[self.recipe], dict(self.settings))


def measured(network: Network, plan: Plan | None = None) -> Figures:
    """All figures of the `network`, ten seconds on one core for an MLP, a minute for a CNN; where it steps first some
    minutes.

    Without a `plan`, as `MLP` or `CNN`. Raises ValueError where activations aren't finite.
    """
    plan = plan or (CNN if network.convolves else MLP)
    row = measure(network, *data.load("test"))
    within, between = evidence.dissimilarities(network)
    images, _ = data.load("test")
    paths = [geometry.path(network, images[i], images[j], plan.points) for i, j in pairs(plan.pairs)]
    worst = worst_case(network, *data.sample("test", plan.images, SEED), epsilon=plan.epsilon)
    figures = Figures(
        accuracy=row.accuracy,
        fgsm_accuracy=row.fgsm_accuracy,
        fgsm_withstood=row.fgsm_withstood,
        zero_gradient=row.zero_gradient,
        kurtosis=list(row.kurtosis),
        within=within,
        between=between,
        flatness=float(np.median([path.flatness for path in paths])),
        participation=float(np.median([path.participation for path in paths])),
        length=float(np.median([path.length for path in paths])),
        pairs=plan.pairs,
        worst_case=1 - int(worst.broken.sum()) / plan.images,
        worst_epsilon=plan.epsilon,
        worst_images=plan.images,
    )
    if network.steps_first:
        epsilon, seconds = certificates.EPSILONS[0], certificates.SECONDS
        verdicts = "".join(certificates.certify(network, epsilon=epsilon, seconds=seconds))
        figures["proven"] = certificates.Certificate(epsilon, seconds, verdicts, 0.0).proven.share
    return figures


def pairs(count: int) -> list[tuple[int, int]]:
    """The indices of `count` random pairs of test images of different digits; fewer ones are the first of more."""
    labels = data.load("test").labels
    drawn = torch.randint(len(labels), (DRAWN, 2), generator=torch.Generator().manual_seed(SEED))
    source, target = drawn[labels[drawn[:, 0]] != labels[drawn[:, 1]]][:count].T.tolist()
    return list(zip(source, target, strict=True))


def history(records: Sequence[EpochRecord]) -> tuple[Stage, ...]:
    """`STAGES` of the epochs of a training, or all, dense where it begins, the last one among them.

    The same for all trainings of as many epochs; figures to six digits.
    """
    numbers = {math.ceil(len(records) * (stage / STAGES) ** 2) for stage in range(1, STAGES + 1)}
    shown = [record for number in sorted(numbers) for record in records[number - 1 : number]]
    return tuple(
        Stage(record.epoch, *(_short(getattr(record, name)) for name in Stage._fields[1:])) for record in shown
    )


def _short(figure: float) -> float:
    return float(f"{figure:.6g}")


def place(*, ship: bool = False) -> Path:
    """Where the lines are kept: those of the user's own sweeps, or, for maintainers, those that ship."""
    return library.SHIPPED / SHIPPED if ship else library.user_shelf() / OWN


def append(trained: Trained, *, ship: bool = False) -> None:
    """Keep a network's line, unless there is one of the same recipe and seed.

    Raises ValueError for what `load` wouldn't believe, and OSError where it can't be written.
    """
    line = json.dumps({"format": FORMAT} | dataclasses.asdict(trained), allow_nan=False).encode() + b"\n"
    _believed(line)
    path, shelf = place(ship=ship), library.user_shelf()
    with written(shelf):
        shelf.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / LOCK):
        content = read_whole(path, MOST_BYTES) if path.exists() else b""
        there, _ = _read(content)
        if (trained.identity, trained.seed) not in {(one.identity, one.seed) for one in there}:
            write_whole(path, content + b"\n" * (content[-1:] not in (b"", b"\n")) + line)


def load() -> tuple[list[Trained], list[str]]:
    """All networks on record, those that ship first, none of them twice; and a sentence for each file of which
    something can't be believed.
    """
    found: dict[tuple[str, int], Trained] = {}
    complaints = []
    for path in (place(ship=True), place()):
        if not path.exists():
            continue
        try:
            there, wrong = _read(read_whole(path, MOST_BYTES))
        except ValueError as error:
            complaints.append(str(error))
            continue
        for one in there:
            found.setdefault((one.identity, one.seed), one)
        if wrong:
            complaints.append(_complaint(path, wrong))
    return list(found.values()), complaints


def _read(content: bytes) -> tuple[list[Trained], dict[int, str]]:
    """What the lines hold; and what is wrong with others, by their number from 1."""
    found, wrong = [], {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(_believed(line))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
                wrong[number] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return found, wrong


def _complaint(path: Path, wrong: Mapping[int, str]) -> str:
    first, *others = wrong
    named = ", ".join(map(str, [first, *others][:NAMED])) + (", …" if len(wrong) > NAMED else "")
    return (
        f"expected a network of a recipe that there is in each line of {path}, got something else in "
        f"{'lines' if others else 'line'} {named} ({wrong[first]})"
    )


def _believed(line: bytes) -> Trained:
    """The network of a line. Raises ValueError, TypeError, KeyError and the like where it can't be one."""
    fields = json.loads(line)
    form, stages = fields.pop("format"), fields.pop("history")
    if form != FORMAT:
        raise ValueError(f"expected format {FORMAT}, got {str(form)[:40]}")
    trained = Trained(**fields, history=tuple(Stage(*stage) for stage in stages))
    if type(trained.seed) is not int or not 0 <= trained.seed < 2**32:
        raise ValueError("expected a seed from 0 to 2³²−1, got another")
    if trained.recipe not in RECIPES or trained.made_by.identity != trained.identity:
        raise ValueError(f"expected a recipe that there is, got {str(trained.recipe)[:40]} as it isn't now")
    _check_figures(trained.figures, trained.made_by.architecture)
    _check_history(trained.history)
    return trained


def _check_figures(figures: Figures, blocks: Architecture) -> None:
    """Raise ValueError or TypeError unless these are all figures of a network of these `blocks`, each in its range."""
    if set(figures) | {"proven"} != set(Figures.__annotations__):
        raise ValueError("expected all figures and no others, got others")
    for name in ("accuracy", "fgsm_accuracy", "fgsm_withstood", "zero_gradient", "flatness", "worst_case"):
        _check("a share", figures[name], 0, 1)
    _check("a share", figures.get("proven", 0), 0, 1)
    _check("a participation", figures["participation"], 0, data.CLASSES)
    _check("a length", figures["length"], 0)
    _check("an ε", figures["worst_epsilon"], 0, 1)
    for name in ("pairs", "worst_images"):
        if type(figures[name]) is not int or figures[name] < 1:
            raise ValueError("expected a number of images or pairs, got another")
    summing = sum(isinstance(block.affine, Dense | Convolution) for block in blocks)
    for name, layers in (("kurtosis", summing), ("within", len(blocks)), ("between", len(blocks))):
        if not isinstance(figures[name], list) or len(figures[name]) != layers:
            raise ValueError(f"expected {name} of {layers} layers, got others")
    for kurtosis in figures["kurtosis"]:
        if kurtosis is not None:
            _check("an excess kurtosis", kurtosis, -2)
    for dissimilarity in (*figures["within"], *figures["between"]):
        _check("a dissimilarity", dissimilarity, 0)


def _check_history(stages: Sequence[Stage]) -> None:
    """Raise ValueError unless the stages are ascending and each in its range."""
    epochs = [stage.epoch for stage in stages]
    if len(stages) > STAGES or not all(type(epoch) is int and epoch >= 1 for epoch in epochs):
        raise ValueError("expected stages of a training, got others")
    if sorted(set(epochs)) != epochs:
        raise ValueError("expected ascending epochs, got others")
    for stage in stages:
        _check("λ", stage.lam, 0)
        _check("a loss", stage.loss, -math.inf)  # below 0 where the penalty takes the logits themselves
        for share in (stage.accuracy, stage.fgsm_accuracy, stage.zero_gradient):
            _check("a share", share, 0, 1)


def _check(what: str, value: object, least: float, most: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected {what}, got {type(value).__name__}")
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"expected {what} that is one, got {str(value)[:40]}")
