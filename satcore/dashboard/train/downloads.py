"""A training's epochs to take away, and the lines of Python that train the same network again."""

from collections.abc import Sequence

from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.dashboard.train.records import Epoch
from satcore.runs import Run

COLUMNS = ("epoch", "lam", "loss", "penalty", "accuracy", "fgsm_accuracy", "zero_gradient", "seconds")


def of_training(run: Run, epochs: Sequence[Epoch]) -> TakeAway:
    """A row an epoch of the `run`."""
    data = {"epochs.csv": lambda: csv_of(COLUMNS, ([getattr(epoch, name) for name in COLUMNS] for epoch in epochs))}
    return TakeAway(run.recipe.training or "training", training_code(run), data if epochs else {})


def training_code(run: Run) -> str:
    """Python that trains it again."""
    return f"""from satcore import training
from satcore.recipes import Recipe

recipe = Recipe.from_json({run.recipe.to_json()!r})
for record in training.train(recipe, seed={run.seed}):
    print(record.epoch, record.accuracy, record.fgsm_accuracy, record.zero_gradient)
"""
