"""What the page of grids says."""

import math
from collections.abc import Sequence

from satcore.evaluation.claims.records import SUPERSCRIPTS
from satcore.evaluation.grids import PAPERS_ADAM, Grid, Setting

INTRODUCTION = (
    "Down the cross-entropy towards each digit: the paper's Fig. 5 and 8. A red X: not found, which isn't *robust* yet."
)
NONE_THERE = "No such grid ships: press Compute."
NOT_YET = "no such grid ships: press Compute."
NOTHING_PASSES = (
    "no gradient passes its step, however it is taken, so this grid says nothing. On the live page *Free pixels* "
    "searches behind the step."
)
SHIPS, ON_SHELF, IN_SESSION = "as it ships", "as it lies on your shelf", "computed in this session"


def lines(shown: dict[str, dict[str, Grid]], missing: list[str], setting: Setting, stepping: Sequence[str] = ()) -> str:
    """On how many pairs each network was fooled, why not on the others, and what the paper found.

    `shown` are its grids, by network and by where they are from; `missing` are networks that have none yet, `stepping`
    those that step pixel by pixel before anything is summed.
    """
    found = [f"- {name}: {NOT_YET}" for name in missing]
    for name, there in shown.items():
        for origin, grid in there.items():
            label = name if len(there) == 1 else f"{name}, {origin}"
            found.append(f"- {label}: {_line(grid, setting)}")
    if there := [name for name in stepping if name in shown]:
        found.append(f"\n{' and '.join(there)}: {NOTHING_PASSES}")
    if _as_in_the_paper(setting) and all(grid.done == 1 for there in shown.values() for grid in there.values()):
        found.append(
            "\nThe paper, of its sigmoid MLPs: vanilla always fooled; saturated "
            + (
                "in only 5 cases from the most confident images."
                if setting.source == "most confident"
                else "not fooled in the majority of cases from the least confident images."
            )
        )
    return "\n".join(found)


def _as_in_the_paper(setting: Setting) -> bool:
    return (setting.attack, setting.gradient) == ("L-BFGS", "autograd")


def _line(grid: Grid, setting: Setting) -> str:
    if grid.done < 1:
        return f"stopped when {100 * grid.done:.0f} % of the pairs were finished; fooled on **{grid.fooled}** so far."
    if not grid.resists.any():
        return f"fooled on **{grid.fooled} of 90** pairs."
    stuck = int((grid.resists & grid.zero).sum())
    others = int(grid.resists.sum())
    why = f"of the {others} others {stuck} met a gradient that was exactly zero"
    if others == 1:
        why = f"the other one {'met a' if stuck else 'never met a'} gradient that was exactly zero"
    if stuck and setting.gradient != "autograd":
        why += ", truly zero: units that are off pass nothing on. Square, on the live page, asks for no gradient"
    return f"fooled on **{grid.fooled} of 90** pairs; {why}.{_to_come(grid, setting)}"


def rest(grid: Grid, setting: Setting, source: int, target: int) -> str:
    """What is proven of the steps of Adam that were not run from the digit `source` to `target`; "" if nothing."""
    if setting.attack != "Adam" or grid.done < 1:
        return ""
    if grid.rests[source, target]:
        return f"at rest from there on, proven: none of {PAPERS_ADAM:,} iterations, or of more, changes a bit"
    if grid.drifts[source, target]:
        most = _at_most(grid.drift[source, target])
        return f"nor, proven, after {PAPERS_ADAM:,}: until then no pixel changes by more than {most}"
    return ""


def _to_come(grid: Grid, setting: Setting) -> str:
    """What is known of the steps of Adam that were not run, up to the paper's 30 million."""
    if setting.attack != "Adam":
        return ""
    found, resting, drifting = [], grid.iterations[grid.rests], grid.drift[grid.drifts]
    if len(resting):
        found.append(f"{len(resting)} proven at rest, the last from iteration {resting.max():,} on")
    if len(drifting):
        found.append(
            f"{len(drifting)} proven not to be fooled, no pixel changing by more than {_at_most(drifting.max())}"
        )
    if unknown := int(grid.resists.sum()) - len(resting) - len(drifting):
        found.append(f"{unknown} open after {setting.steps:,}")
    return f" Up to {PAPERS_ADAM:,} iterations: {'; '.join(found)}."


def _at_most(value: float) -> str:
    """The next power of ten, such as 10⁻⁵ for 0.0000056."""
    return "10" + str(math.ceil(math.log10(value))).translate(SUPERSCRIPTS)
