"""A training, epoch by epoch: a component in which one looks back, in the browser alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from satcore import nonlinearities, runs
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.component import component, float32
from satcore.dashboard.train.records import Beside, Counts, Epoch, layers_of
from satcore.evaluation.seeds import Stage
from satcore.runs import Run

FLAT = 1e-3  # φ is called flat where φ′ is below
MIDDLE = 0.99  # share of the inputs that a curve of φ shows
SHARES = ("accuracy", "fgsm_accuracy", "zero_gradient")

_component = component(__file__)


def training_view(run: Run, epochs: Sequence[Epoch], beside: Beside | None, colour: str, caption: str) -> None:
    """Draw what the `epochs` of a run came to, in a `colour`, and `beside` in grey, with a `caption`; without epochs,
    the course of what is beside alone.

    One looks back at a stop, an epoch of which all is drawn that can be seen of a network; the last one is the latest.
    In a scene the first row fills the screen, and plays as soon as it is there.
    """
    told = _told(run, epochs, beside, colour) | {"caption": caption, "scene": stage.on_stage()}
    _component(key=f"training {run.key}", data=told)


def _told(run: Run, epochs: Sequence[Epoch], beside: Beside | None, colour: str) -> dict[str, Any]:
    comparable = beside is not None and beside.on_the_axis_of(run.recipe)
    stops = runs.stops(len(epochs))
    return {
        "colour": colour,
        "epochs": run.recipe.epochs,
        "reach": _reach(epochs, beside, run.recipe.epochs),
        "most": max(run.recipe.lambda_max, beside.lambda_max if beside and comparable else 0.0),
        "course": _course(epochs),
        "beside": _course(beside.stages) | {"called": beside.called, "drawsLambda": comparable} if beside else None,
        "losses": {name: float32([getattr(epoch, name) for epoch in epochs]) for name in ("loss", "penalty")},
        "layers": layers_of(run.recipe),
        "saturation": [float32(100 * share) for share in _by_layer(epochs, "saturation")],
        "kurtosis": [float32(values) for values in _by_layer(epochs, "kurtosis")],
        "stops": stops,
        "curves": _curves(run, [epochs[stop] for stop in stops]),
        "weights": _counted([epochs[stop].weights for stop in stops]),
        "element": float32([epochs[stop].element for stop in stops]),
    }


def _course(stages: Sequence[Epoch | Stage]) -> dict[str, str]:
    """Epoch by epoch λ, and in percent of the images what is right, right after FGSM, and met by no gradient."""
    shares = {name: float32([100 * getattr(stage, name) for stage in stages]) for name in SHARES}
    return {"at": float32([stage.epoch for stage in stages]), "lam": float32([stage.lam for stage in stages])} | shares


def _by_layer(epochs: Sequence[Epoch], field: str) -> np.ndarray:
    """(layers, epochs), NaN where nothing is known."""
    return np.array([getattr(epoch, field) for epoch in epochs], float).T


def _curves(run: Run, stops: Sequence[Epoch]) -> list[dict[str, Any]]:
    """By layer that has one to saturate on: its nonlinearity, and where its units' inputs lie on it at each stop.

    All stops are shown between the same ends.
    """
    found = []
    counted = _counted([stop.inputs for stop in stops])
    for layer, block in enumerate(run.recipe.architecture if stops else ()):
        if block.nonlinearity in ("identity", "step"):
            continue
        ends = [stop.inputs[layer].within(MIDDLE) for stop in (stops[0], stops[-1])]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        phi, h = nonlinearities.named(block.nonlinearity), torch.linspace(low, high, 401, dtype=torch.float64)
        with torch.no_grad():
            values, flat = phi(h).numpy(), (phi.slope(h) < FLAT).numpy()
        found.append(
            {"layer": layer, "phi": block.nonlinearity, "ends": [low, high], "inputs": counted[layer]}
            | {"values": float32(values), "flat": float32(flat)}
        )
    return found


def _counted(stops: Sequence[Sequence[Counts]]) -> list[dict[str, str]]:
    """By layer, how many values lie in each bin at each stop, and between which ends (stops, 2) the bins are."""
    return [
        {
            "ends": float32([counts.edges[[0, -1]] for counts in layer]),
            "counts": float32([counts.counts for counts in layer]),
        }
        for layer in zip(*stops, strict=True)
    ]


def _reach(epochs: Sequence[Epoch], beside: Beside | None, last: int) -> float:
    """How far an axis of epochs reaches: to the end of a short training, of a long one some way ahead of it."""
    if not epochs:
        return beside.stages[-1].epoch if beside else last
    return min(last, max(60.0, 1.25 * epochs[-1].epoch))
