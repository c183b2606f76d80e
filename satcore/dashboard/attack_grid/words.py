"""What the page of grids says."""

import numpy as np

from satcore.evaluation.grids import Grid, Setting

INTRODUCTION = (
    "From one image of each digit, a targeted attack tries to reach each of the nine others: the paper's Fig. 5 and 8. "
    "A red X: not found. Whether that means *robust* depends on how the gradient was taken."
)
NONE_THERE = "No such grid ships: press Compute."
NOT_YET = "no such grid ships: press Compute."
SHIPS, ON_SHELF, IN_SESSION = "as it ships", "as it lies on your shelf", "computed in this session"


def lines(shown: dict[str, dict[str, Grid]], missing: list[str], setting: Setting) -> str:
    """On how many pairs each network was fooled, why not on the others, and what the paper found.

    `shown` are its grids, by network and by where they are from; `missing` are networks that have none yet.
    """
    found = [f"- {name}: {NOT_YET}" for name in missing]
    for name, there in shown.items():
        for origin, grid in there.items():
            label = name if len(there) == 1 else f"{name}, {origin}"
            found.append(f"- {label}: {_line(grid, setting)}")
    if _as_in_the_paper(setting) and all(grid.done == 1 for there in shown.values() for grid in there.values()):
        found.append(
            "\nThe paper: vanilla always fooled; saturated "
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
    unfooled = ~grid.found & ~np.eye(10, dtype=bool)
    if not unfooled.any():
        return f"fooled on **{grid.fooled} of 90** pairs."
    stuck = int((unfooled & grid.zero).sum())
    why = f"of the {int(unfooled.sum())} others {stuck} met a gradient that was exactly zero"
    if stuck and setting.gradient != "autograd":
        why += ", truly zero: units that are off pass nothing on. Square, on the live page, asks for no gradient"
    return f"fooled on **{grid.fooled} of 90** pairs; {why}."
