"""Every network on record to take away, and the lines of Python that read and measure them again."""

import json
from collections.abc import Iterator, Sequence

from satcore.dashboard.over_seeds.compute import shipped
from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.evaluation.seeds import Stage, Trained

HEADER = ("recipe", "training", "lambda_max", "settings", "identity", "seed", "ships", "figure", "layer", "value")
STAGES = ("recipe", "training", "lambda_max", "settings", "identity", "seed", *Stage._fields)
CODE = """from satcore import library
from satcore.evaluation import seeds

found, complaints = seeds.load()
for trained in found:
    print(trained.recipe, trained.made_by.lambda_max, trained.seed, trained.figures["fgsm_accuracy"])
print(seeds.measured(library.load("relu-mlp/saturated")))  # some ten seconds
"""


def of_networks(found: Sequence[Trained]) -> TakeAway:
    """All figures and all stages of some networks, and the Python that reads them."""
    data = {"seeds.csv": lambda: csv_of_figures(found), "stages.csv": lambda: csv_of_stages(found)}
    return TakeAway("seeds", CODE, data)


def csv_of_figures(found: Sequence[Trained]) -> str:
    """A row a figure of a network, or a layer of it, counted from 1."""
    ships = shipped()
    rows = (row for one in found for row in _rows(one, ships=(one.identity, one.seed) in ships))
    return csv_of(HEADER, rows)


def csv_of_stages(found: Sequence[Trained]) -> str:
    """A row a stage of a network's training."""
    return csv_of(STAGES, ([*_of(trained), *stage] for trained in found for stage in trained.history))


def _rows(trained: Trained, *, ships: bool) -> Iterator[list]:
    for figure, value in trained.figures.items():
        layers = enumerate(value, start=1) if isinstance(value, list) else [("", value)]
        for layer, there in layers:
            yield [*_of(trained), ships, figure, layer, "" if there is None else there]


def _of(trained: Trained) -> list:
    made = trained.made_by
    settings = json.dumps(dict(trained.settings))
    return [trained.recipe, made.training, made.lambda_max, settings, trained.identity, trained.seed]
