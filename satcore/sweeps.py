"""Recipes of the library over many seeds and settings, on an engine that others keep: joblib's processes, or Dask's."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, cast

import joblib
import torch

from satcore import library, memory, runs
from satcore.evaluation import seeds
from satcore.evaluation.seeds import Trained
from satcore.recipes import RECIPES, SETTINGS, changed
from satcore.runs import Finished, Run
from satcore.training import EpochRecord

DASK = "dask://"
LOCAL = "local"
MOST = 10_000  # seeds
EXAMPLES = {"step": "yes or no", "widths": "400x400", "epochs": "100", "batch_size": "600"}


@dataclass(frozen=True)
class Variation:
    """The recipe `name` of the library with other `settings`, as `satcore.recipes.changed` has them, and a seed."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    seed: int

    @property
    def run(self) -> Run:
        """What it is. Raises ValueError for a recipe that isn't in the library, and as `changed` does."""
        if self.name not in RECIPES:
            raise ValueError(f"expected a network out of {', '.join(RECIPES)}, got {self.name!r}")
        return Run(changed(RECIPES[self.name], dict(self.settings)), self.seed)


def variations(names: Sequence[str], over: Sequence[int], settings: dict[str, list[Any]]) -> list[Variation]:
    """Each recipe of `names` with every combination of the `settings` and each seed of `over`, none of them twice.

    Raises ValueError, before anything is begun, for one that can't be trained.
    """
    choices = [[(name, value) for value in values] for name, values in settings.items()]
    found = {}
    for seed, name, combination in itertools.product(over, names, itertools.product(*choices)):
        variation = Variation(name, combination, seed)
        found.setdefault(variation.run.key, variation)
    return list(found.values())


def seeds_in(text: str) -> list[int]:
    """The seeds that a text such as "0-4" or "1,3,7-9" names. Raises ValueError for another text."""
    found = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise ValueError(f'expected seeds such as "0-4" or "1,3,5", got {text[:40]!r}')
        least, greatest = int(first), int(last or first)
        if not 0 <= greatest - least < MOST - len(found):  # before so many numbers are written down
            raise ValueError(f"expected from 1 to {MOST:,} seeds, counted upwards, got {text[:40]!r}")
        found += range(least, greatest + 1)
    return list(dict.fromkeys(found))


def settings_in(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The settings that the `texts` name, with their values. Raises ValueError for another text, and two of one."""
    found: dict[str, list[Any]] = {}
    for name, values in map(setting_in, texts):
        if name in found:
            raise ValueError(f"expected all values of {name} in one list, such as {name}=A,B, got two lists")
        found[name] = values
    return found


def setting_in(text: str) -> tuple[str, list[Any]]:
    """The setting that a text such as "lambda_max=0,1e-9" or "widths=400x400,200" names, and its values.

    Raises ValueError for another text.
    """
    name, equals, values = text.partition("=")
    if name not in SETTINGS or not equals or not values:
        raise ValueError(f"expected NAME=VALUE,… with a NAME out of {', '.join(SETTINGS)}, got {text[:60]!r}")
    return name, [_value(name, value) for value in values.split(",")]


def _value(name: str, text: str) -> Any:
    try:
        match name:
            case "nonlinearity":
                return text
            case "step":
                return {"yes": True, "no": False}[text]
            case "widths":
                return tuple(int(width) for width in text.split("x"))
            case "epochs" | "batch_size":
                return int(text)
            case _:
                return float(text)
    except (ValueError, KeyError):
        raise ValueError(
            f"expected a value such as {EXAMPLES.get(name, '0.5')} for {name}, got {text[:40]!r}"
        ) from None


def sweep(wanted: Sequence[Variation], *, on: str = LOCAL, keep: bool = False) -> Iterator[Trained]:
    """Train and measure all that is `wanted` and not there yet, as many at a time as there are cores or workers.

    A record as soon as each is done, kept among `seeds.load()` by then; with `keep` its network is on the user's shelf,
    for which it is trained again where only its record is there. `on`: "local", or "dask://ADDRESS" of a scheduler.
    What was begun on a machine goes on there where it was. Raises ValueError for another engine, and OSError where it
    can't be reached or ends before the work does.
    """
    there = _on_record()
    left = [
        variation
        for variation, run in ((each, each.run) for each in wanted)
        if (run.recipe.identity, run.seed) not in there or (keep and not runs.trained(run))
    ]
    with _engine(on):
        parallel = joblib.Parallel(n_jobs=-1, return_as="generator_unordered")
        done = parallel(joblib.delayed(_measured)(variation, keep) for variation in left)
        try:
            for trained, finished in cast("Iterator[tuple[Trained, Finished | None]]", done):
                if finished is not None:  # whoever is interrupted before has it trained again: it isn't on the shelf
                    finished.keep()
                _record(trained)
                yield trained
        except BrokenProcessPool as error:
            raise OSError(
                "expected every process of the sweep to come to its end, but one was killed (perhaps the memory ran "
                "out); the same command goes on where it was"
            ) from error


def _measured(variation: Variation, keep: bool) -> tuple[Trained, Finished | None]:
    """In a process of the engine: the figures of one network, which is trained here unless it is on a shelf here."""
    torch.set_num_threads(1)
    memory.hold()
    run, finished = variation.run, None
    if name := runs.trained(run):
        network, lines = library.load(name), runs.records(library.kept(name, library.RECORDS))
    else:
        finished = runs.carry_out(run)
        if finished is None:
            raise OSError(f"expected {run} to end, but it was told to stop")
        network, lines = finished.network, runs.parsed(finished.lines)
    trained = Trained(
        recipe=variation.name,
        settings=dict(variation.settings),
        identity=run.recipe.identity,
        seed=run.seed,
        figures=seeds.measured(network),
        history=seeds.history([EpochRecord(**line) for line in lines]),
    )
    _record(trained)  # where it was measured as well: what was trained goes before anybody has taken the figures
    runs.forget(run)
    return trained, finished if keep else None


def _on_record() -> set[tuple[str, int]]:
    """The recipes' identities and the seeds of what is on record."""
    return {(trained.identity, trained.seed) for trained in seeds.load()[0]}


def _record(trained: Trained) -> None:
    if (trained.identity, trained.seed) not in _on_record():
        seeds.append(trained)


@contextlib.contextmanager
def _engine(on: str) -> Iterator[None]:
    """While the sweep goes on: joblib's own processes, or those of the Dask cluster at an address."""
    if on == LOCAL:
        with joblib.parallel_config("loky"):
            yield
        return
    if not on.startswith(DASK):
        raise ValueError(f'expected "{LOCAL}" or "{DASK}ADDRESS" to sweep on, got {on!r}')
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError(
            f"expected the package distributed, which reaches a Dask cluster, got none ({error}): "
            "pip install -r requirements-dask.txt"
        ) from error
    with Client(on.removeprefix(DASK)) as client, joblib.parallel_config("dask", client=client):
        yield
