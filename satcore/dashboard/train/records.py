"""Which trainings there are on this machine, and what their epochs came to."""

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from satcore import library, runs
from satcore.dashboard.train.presets import PRESETS
from satcore.evaluation import seeds
from satcore.evaluation.seeds import Stage
from satcore.files import read_whole
from satcore.networks import steps_first
from satcore.recipes import RECIPES, Recipe, control
from satcore.runs import Run, Standing

COMPARABLE = 10  # times as large a λ is still drawn on one axis with another


@dataclass(frozen=True)
class Training:
    """A run on this machine: its `standing` while it isn't finished, then the `name` of its network."""

    run: Run
    standing: Standing | None = None
    name: str = ""

    @property
    def path(self) -> Path:
        """Where the epochs' lines are."""
        return library.kept(self.name, library.RECORDS) if self.name else self.run.folder / library.RECORDS


class Counts(NamedTuple):
    """How many values lie in each of some bins of one width, `edges` (bins + 1,) and `counts` (bins,)."""

    edges: np.ndarray
    counts: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """The middle of each bin."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def density(self) -> np.ndarray:
        """Of the values, in each bin; it integrates to 1."""
        return self.counts / (self.counts.sum() * (self.edges[1] - self.edges[0]))

    def within(self, share: float) -> tuple[float, float]:
        """Between which bins' outer edges at least the middle `share` of the values lies."""
        below = self.counts.cumsum() / self.counts.sum()
        first, last = np.searchsorted(below, ((1 - share) / 2, (1 + share) / 2))
        return float(self.edges[first]), float(self.edges[min(last, len(self.counts) - 1) + 1])


class Epoch(NamedTuple):
    """What an epoch came to: see `satcore.training.EpochRecord`, and `satcore.runs.looks` for the last four fields."""

    epoch: int
    lam: float
    loss: float
    penalty: float
    accuracy: float
    fgsm_accuracy: float
    zero_gradient: float
    saturation: tuple[float, ...]
    seconds: float
    kurtosis: tuple[float | None, ...]
    weights: tuple[Counts, ...]
    inputs: tuple[Counts, ...]
    element: np.ndarray


class Record:
    """The epochs of a training as they come: of a file that has grown, only what is new is looked into."""

    def __init__(self, path: Path):
        self._path, self._content = path, b""
        self._epochs: list[Epoch] = []
        self._lock = threading.Lock()

    def epochs(self) -> list[Epoch]:
        """Those so far; none where there is no such file."""
        with self._lock:
            try:
                content = read_whole(self._path, library.MOST_RECORDS)
            except ValueError:
                return []
            if not content.startswith(self._content):  # begun anew, or some epochs are done again
                self._content, self._epochs = b"", []
            whole = content[: content.rfind(b"\n") + 1]
            self._epochs += _believed(runs.parsed(whole[len(self._content) :]))
            self._content = whole
            return list(self._epochs)


@st.cache_resource(max_entries=64, show_spinner=False)
def record(path: Path) -> Record:
    """The record in the file `path`, one for all sessions."""
    return Record(path)


def trainings() -> dict[str, Training]:
    """All trainings on this machine: those that aren't finished, the latest first, and those whose network is on a
    shelf, some of them without a record of their epochs.
    """
    found = {key: Training(standing.run, standing) for key, standing in runs.unfinished().items()}
    for name, card in library.catalogue().cards.items():
        if card.recipe is not None and card.seed is not None:
            training = Training(Run(card.recipe, card.seed), name=name)
            found.setdefault(training.run.key, training)
    return found


class Beside(NamedTuple):
    """Another training to compare one with: what it is `called`, and `stages` of its course."""

    called: str
    stages: Sequence[Stage | Epoch]

    @property
    def lambda_max(self) -> float:
        """The largest λ."""
        return max((stage.lam for stage in self.stages), default=0.0)

    def on_the_axis_of(self, recipe: Recipe) -> bool:
        """Whether its λ can be read on the axis of the `recipe`'s: where one isn't many times the other."""
        low, high = sorted((self.lambda_max, recipe.lambda_max))
        return low == 0 or high <= COMPARABLE * low


def beside(run: Run, known: Mapping[str, Training]) -> Beside | None:
    """What a training is to be compared with: another seed of its recipe, one that ships if its epochs are on record;
    else, where it was trained here, the same recipe with the penalty or without it; else what ships by the recipe whose
    name it goes by, as the paper's beside the quick ones, or another seed of that.
    """
    measured, _ = _on_record()
    staged, recipe = [one for one in measured if one.history], run.recipe
    others = [other for other in known.values() if other.run.key != run.key]
    found = itertools.chain(
        _recorded(other for other in others if other.run.recipe.identity == recipe.identity and _ships(other)),
        (_of_seeds(one) for one in staged if one.identity == recipe.identity and one.seed != run.seed),
        _recorded(_counterparts(run, others)),
        _recorded(other for other in others if other.run.recipe.name == recipe.name and _ships(other)),
        (_of_seeds(one) for one in staged if one.recipe == recipe.name and not one.settings),
    )
    return next(found, None)


def _ships(training: Training) -> bool:
    return bool(training.name) and not training.name.startswith(f"{library.OWN}/")


def _of_seeds(trained: seeds.Trained) -> Beside:
    """A network of those that were trained many times."""
    return Beside(f"{trained.recipe}, seed {trained.seed}", trained.history)


def _counterparts(run: Run, others: Sequence[Training]) -> list[Training]:
    """Trainings that differ in the penalty alone, one of the same seed first."""
    alike = [
        other
        for other in others
        if control(other.run.recipe).identity == control(run.recipe).identity
        and other.run.recipe.identity != run.recipe.identity
    ]
    return sorted(alike, key=lambda other: other.run.seed != run.seed)


def _recorded(trainings: Iterable[Training]) -> Iterator[Beside]:
    """Those of the `trainings` whose epochs are on record."""
    for training in trainings:
        if stages := record(training.path).epochs():
            yield Beside(called(training.run), stages)


@st.cache_data(ttl=60, max_entries=1, show_spinner=False)
def _on_record() -> tuple[list[seeds.Trained], list[str]]:
    return seeds.load()


def layers_of(recipe: Recipe) -> list[str]:
    """What its blocks are called: "step", where each pixel passes one first; then "layer 1", …"""
    steps = ["step"] * steps_first(recipe.architecture)
    return [*steps, *(f"layer {number}" for number in range(1, len(recipe.architecture) - len(steps) + 1))]


def called(run: Run) -> str:
    """What a training is called: as the preset or the recipe that it is by, or that it was made from."""
    known = {recipe.identity: name for name, recipe in (RECIPES | PRESETS).items()}
    return f"{known.get(run.recipe.identity, f'{run.recipe.name}, changed')}, seed {run.seed}"


def seconds_an_epoch(recipe: Recipe, known: Mapping[str, Training]) -> float | None:
    """How long an epoch took, in the mean, of a training on this machine of as many units in batches of one size.

    None where there was none.
    """
    for other in known.values():
        alike = not _ships(other) and other.run.recipe.architecture == recipe.architecture
        if alike and _batch(other.run.recipe) == _batch(recipe) and (epochs := record(other.path).epochs()):
            return epochs[-1].seconds / epochs[-1].epoch
    return None


def _batch(recipe: Recipe) -> int:
    return max(recipe.phases, key=lambda phase: phase.epochs).batch_size


def _believed(lines: Sequence[Mapping[str, Any]]) -> list[Epoch]:
    """The epochs that the lines tell of, without those that are damaged."""
    found = []
    for line in lines:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found.append(_epoch(line, line["seen"]))
    return found


def _epoch(line: Mapping[str, Any], seen: Mapping[str, Any]) -> Epoch:
    return Epoch(
        epoch=line["epoch"],
        lam=float(line["lam"]),
        loss=float(line["loss"]),
        penalty=float(line["penalty"]),
        accuracy=float(line["accuracy"]),
        fgsm_accuracy=float(line["fgsm_accuracy"]),
        zero_gradient=float(line["zero_gradient"]),
        saturation=tuple(map(float, line["saturation"])),
        seconds=float(line["seconds"]),
        kurtosis=tuple(None if value is None else float(value) for value in seen["kurtosis"]),
        weights=tuple(map(_counts, seen["weights"])),
        inputs=tuple(map(_counts, seen["inputs"])),
        element=np.array(seen["element"], float),
    )


def _counts(there: Mapping[str, Any]) -> Counts:
    counts = np.array(there["counts"], np.int32)
    if counts.sum() < 1 or not there["low"] < there["high"]:
        raise ValueError("expected values that were counted, got none")
    return Counts(np.linspace(there["low"], there["high"], len(counts) + 1), counts)
