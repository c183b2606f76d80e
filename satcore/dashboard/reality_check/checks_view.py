"""The checks of some networks side by side, red and green: a component."""

from satcore.dashboard.encoded import component
from satcore.dashboard.figures import COLOURS
from satcore.reality import Reality

_component = component("checks_view")


def checks_view(found: dict[str, Reality], meanings: dict[str, str], *, key: str) -> None:
    """Draw each check with the line in `meanings` that explains it, and what it says of each network."""
    _component(
        key=key,
        data={
            "checks": [
                {
                    "name": check,
                    "meaning": meaning,
                    "verdicts": [_verdict(name, check, there) for name, there in found.items()],
                }
                for check, meaning in meanings.items()
            ]
        },
    )


def _verdict(name: str, check: str, found: Reality) -> dict | None:
    """What a check says of the network `name`; None where it wasn't made."""
    training = name.partition("/")[2]
    return next(
        (
            {
                "training": training,
                "colour": COLOURS[training],
                "passed": made["passed"],
                "figures": _figures(made["figures"]),
            }
            for made in found.checks
            if made["name"] == check
        ),
        None,
    )


def _figures(figures: dict[str, float]) -> str:
    """The first and last two at most; shares in percent, other quantities, which say what they are, as they are."""
    shown = list(figures.items()) if len(figures) <= 2 else [list(figures.items())[0], list(figures.items())[-1]]
    return ", ".join(
        f"{name} {value:.3g}" if "output" in name or "logit" in name else f"{name}: {100 * value:.1f} %"
        for name, value in shown
    )
