"""A training's epochs to take away, and the lines of Python that train the same network again."""

from collections.abc import Sequence

from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.dashboard.train.records import Epoch, layers_of
from satcore.recipes import Recipe
from satcore.runs import Run

COLUMNS = ("epoch", "lam", "loss", "penalty", "accuracy", "fgsm_accuracy", "zero_gradient", "seconds")
BY_LAYER = ("saturation", "kurtosis")


def of_training(run: Run, epochs: Sequence[Epoch]) -> TakeAway:
    """A row an epoch of the `run`."""
    data = {"epochs.csv": lambda: _csv(run.recipe, epochs)}
    return TakeAway(run.recipe.training or "training", training_code(run), data if epochs else {})


def _csv(recipe: Recipe, epochs: Sequence[Epoch]) -> str:
    layers = [layer.removeprefix("layer ") for layer in layers_of(recipe)]
    # A step has no weights: what is known of fewer layers is of the last ones.
    named = {name: layers[len(layers) - len(getattr(epochs[0], name)) :] for name in BY_LAYER}
    header = [*COLUMNS, *(f"{name}_{layer}" for name, there in named.items() for layer in there)]
    return csv_of(header, (_row(epoch) for epoch in epochs))


def _row(epoch: Epoch) -> list[object]:
    by_layer = [value for name in BY_LAYER for value in getattr(epoch, name)]
    return [*(getattr(epoch, name) for name in COLUMNS), *by_layer]


def training_code(run: Run) -> str:
    """Python that trains it again."""
    return f"""from satcore import training
from satcore.recipes import Recipe

recipe = Recipe.from_json({run.recipe.to_json()!r})
for record in training.train(recipe, seed={run.seed}):
    print(record.epoch, record.accuracy, record.fgsm_accuracy, record.zero_gradient)
"""
