"""Table 1 and one image's attacks to take away, and the lines of Python that make them again."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from satcore.dashboard.home.compute import FgsmView
from satcore.dashboard.shared.downloads import npz
from satcore.dashboard.shared.take_away import TakeAway


def of_table_1(numbers: pd.DataFrame) -> TakeAway:
    """Table 1, a row a network."""
    code = table_1_code(list(numbers["network"]))
    return TakeAway("table-1", code, {"table-1.csv": lambda: numbers.to_csv(index=False)})


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


def fgsm_code(names: list[str], index: int, epsilon: float) -> str:
    """Python that attacks the image again."""
    return f"""from satcore import attacks, data, library

image, label = data.example("test", {index})
for name in {names!r}:
    network = library.load(name)
    result = attacks.fgsm(network, image, label, epsilon={epsilon})
    print(name, network(image).argmax().item(), network(result.images).argmax().item(), result.zero_gradient.item())
"""
