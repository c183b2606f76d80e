"""Table 1 and one image's attacks to take away, and the lines of Python that make them again."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from satcore.dashboard.home.compute import FgsmView
from satcore.dashboard.shared.downloads import csv_of, npz
from satcore.dashboard.shared.take_away import TakeAway


def of_table_1(numbers: pd.DataFrame) -> TakeAway:
    """Table 1, a row a network."""
    code = table_1_code(list(numbers["network"]))
    return TakeAway("table-1", code, {"table-1.csv": lambda: numbers.to_csv(index=False)})


def of_objection(shown: Mapping[str, Mapping], objection: tuple[str, str]) -> TakeAway:
    """What the ladder has left by the loss and the way of an `objection`, as `objected.shown`, a row a network."""
    file = "-".join(("table-1", *objection))
    header = ("network", "rung", "right (%)", "images")
    rows = [(name, there["rung"], 100 * there["fgsm_accuracy"], there["images"]) for name, there in shown.items()]
    code = objection_code({name: rung for name, rung, *_ in rows})
    return TakeAway(file, code, {f"{file}.csv": lambda: csv_of(header, rows)})


def of_cards(names: Iterable[str], views: Mapping[str, FgsmView], index: int, epsilon: float) -> TakeAway:
    """What FGSM makes of the test image at `index` in some networks, whose `views` may still come."""
    file = f"fgsm-{index}"
    return TakeAway(file, fgsm_code(list(names), index, epsilon), {f"{file}.npz": lambda: npz(arrays(views))})


def arrays(views: Mapping[str, FgsmView]) -> dict[str, np.ndarray]:
    """The image, and what it is after the attack on each network."""
    return {f"{name}/{when}": getattr(view, when) for name, view in views.items() for when in ("before", "after")}


def table_1_code(names: list[str]) -> str:
    """Python that measures the networks again."""
    return f"""from satcore import data, evaluation, library

images, labels = data.load("test")
for name in {names!r}:
    measured = evaluation.measure(library.load(name), images, labels)
    print(name, measured.accuracy, measured.fgsm_accuracy, measured.zero_gradient)
"""


def objection_code(rungs: Mapping[str, str]) -> str:
    """Python that finds out again what the rung of each network leaves."""
    return f"""from satcore import data, evaluation, library
from satcore.evaluation import reality

for name, rung in {dict(rungs)!r}.items():
    network = library.load(name)
    images, labels = data.sample("test", reality.plan(network).images, reality.SEED)
    *_, left = evaluation.one_rung(rung, network, images, labels)
    print(name, rung, left.share, "of", left.total)
"""


def fgsm_code(names: list[str], index: int, epsilon: float) -> str:
    """Python that attacks the image again."""
    return f"""from satcore import attacks, data, library

image, label = data.example("test", {index})
for name in {names!r}:
    network = library.load(name)
    result = attacks.fgsm(network, image, label, epsilon={epsilon})
    print(name, network(image).argmax().item(), network(result.images).argmax().item(), result.zero_gradient.item())
"""
