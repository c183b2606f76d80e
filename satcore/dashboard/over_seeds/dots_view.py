"""Figures of many networks as dots, panel by panel, with a slider for the stage of training where there are several: a
component.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from satcore.dashboard.shared.component import component

_component = component(__file__)


@dataclass(frozen=True)
class Dot:
    """A network's value at each stage, None where it isn't known; `says` whose it is; `ringed`: it is pointed out."""

    says: str
    values: Sequence[float | None]
    ringed: bool = False


@dataclass(frozen=True)
class Lane:
    """Dots above one place, in one colour, their `middle` at each stage, and the `paper`'s value."""

    colour: str
    dots: Sequence[Dot]
    middle: Sequence[float | None]
    paper: float | None = None


@dataclass(frozen=True)
class Column:
    """Lanes side by side above one `label`."""

    label: str
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class Panel:
    """A figure: its `title` and `unit`; what is `below` its labels; the same in words, `alt`.

    joined   whether the columns' middles are joined by a line
    missing  what stands there at a stage at which nothing is known
    """

    title: str
    unit: str
    columns: Sequence[Column]
    alt: str
    below: str = ""
    logarithmic: bool = False
    joined: bool = False
    missing: str = ""


@dataclass(frozen=True)
class Stop:
    """A stage that the slider stops at: its `name` in an address, its `label`, and what it `says`, in Markdown's **."""

    name: str
    label: str
    says: str


def dots_view(panels: Sequence[Panel], stops: Sequence[Stop] = (), *, height: int, key: str) -> None:
    """Draw the `panels`, their axes of a `height` in pixels; with several `stops`, a slider, at first at the last."""
    _component(
        key=key,
        data={
            "panels": [asdict(panel) for panel in panels],
            "stops": [asdict(stop) for stop in stops],
            "height": height,
        },
    )
