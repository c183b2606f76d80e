"""Table 1 as bars, in one colour a training: a component, since a first page that needs no Plotly is there at once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.style import COLOURS, FAMILY_TITLES
from satcore.recipes import FAMILIES, PAPER_TRAININGS

SHARES = "accuracy", "fgsm_accuracy", "right_unmoved"
_component = component(__file__)


@dataclass(frozen=True)
class Row:
    """A network's bar, all of it in percent of the images.

    right, clean    after FGSM and without attack
    unmoved         right after FGSM, since the gradient was exactly zero
    paper           the paper's, without attack and after FGSM; None where it has none
    says            the same in words
    """

    training: str
    colour: str
    right: float
    unmoved: float
    clean: float
    paper: tuple[float, float] | None
    says: str


def table_1_view(
    measured: Mapping[str, Mapping[str, float]], published: Mapping[str, tuple[float, float]], axis: str, *, key: str
) -> None:
    """Draw Table 1: accuracy under FGSM, how much of it is due to zero gradients, and the paper's figures.

    `measured` maps names to `satcore.evaluation.Measurements` as dictionaries (shares), `published` names to the
    paper's clean and FGSM accuracies (percent); `axis` says what is counted.
    """
    families = {family: _rows(family, measured, published) for family in FAMILIES}
    _component(
        key=key,
        data={
            "families": [{"title": FAMILY_TITLES[family], "rows": rows} for family, rows in families.items() if rows],
            "axis": axis,
            "alt": "Bars: how many test images each network still gets right after FGSM, and for how many of them "
            "only because the gradient was exactly zero",
        },
    )


def _rows(
    family: str, measured: Mapping[str, Mapping[str, float]], published: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    rows = []
    for training in PAPER_TRAININGS:
        name = f"{family}/{training}"
        if name in measured:
            clean, right, unmoved = (
                100 * measured[name][key] for key in ("accuracy", "fgsm_accuracy", "right_unmoved")
            )
            paper = published.get(name)
            says = _says(training, clean, right, unmoved, paper)
            rows.append(asdict(Row(training, COLOURS[training], right, unmoved, clean, paper, says)))
    return rows


def _says(training: str, clean: float, right: float, unmoved: float, paper: tuple[float, float] | None) -> str:
    for_want = f", {unmoved:.2f} % with a gradient of exactly zero, unchanged" if unmoved else ""
    theirs = f" (the paper's {paper[1]:g} and {paper[0]:g} %)" if paper else ""
    return f"{training}: {right:.2f} % right after FGSM{for_want}; {clean:.2f} % without attack{theirs}"
