"""The checks of some networks side by side, red and green: a component."""

from html import escape

from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.style import Style
from satcore.evaluation.reality import Reality

_component = component(__file__)


def checks_view(found: dict[str, Reality], styles: dict[str, Style], meanings: dict[str, str], *, key: str) -> None:
    """Draw each check with the line in `meanings` that explains it, and what it says of each network."""
    _component(
        key=key,
        data={
            "checks": [
                {
                    "name": check,
                    "meaning": meaning,
                    "verdicts": [_verdict(name, styles[name], check, there) for name, there in found.items()],
                }
                for check, meaning in meanings.items()
            ]
        },
    )


def _verdict(name: str, style: Style, check: str, found: Reality) -> dict | None:
    """What a check says of the network `name`; None where it wasn't made."""
    for made in found.checks:
        if made.name == check:
            return {
                "name": name,
                "label": style.label,
                "colour": style.colour,
                "passed": bool(made.passed),
                "figures": escape(_figures(made.figures)),
            }
    return None


def _figures(figures: dict[str, float]) -> str:
    """The first and last two at most; shares in percent, other quantities, which say what they are, as they are."""
    shown = list(figures.items())
    if len(shown) > 2:
        shown = [shown[0], shown[-1]]
    return ", ".join(
        f"{name} {value:.3g}"
        if "output" in name or "logit" in name
        else f"{name}: {100 * value:.1f}\N{NO-BREAK SPACE}%"
        for name, value in shown
    )
