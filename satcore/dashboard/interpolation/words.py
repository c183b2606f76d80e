"""What the page of interpolations says."""

import math
from collections import Counter

from satcore.geometry import Plane

INTRODUCTION = (
    "A straight line from one image to another: the *length element* is how far a network's answer moves for a small "
    "step, in the Fisher–Rao metric. Saturated, it rests, then jumps, often repeatedly; mostly so in the control, too."
)
FIGURES = {
    "length": "The Fisher–Rao length of the path: how far the answer travels from source to target, "
    "every detour that was seen included: more points may find more. From the Jacobian; without it we get "
    "{arc_length:.4g}.",
    "geodesic": "The shortest way between the two answers, 2·arccos Σ√(pq). At most π; no path can be shorter.",
    "flatness": "The share of the path, its flattest parts, on which only 1 % of the length is travelled. "
    "1 % means change everywhere alike, 100 % all of it in jumps; –: there is no length to travel.",
    "participation": "How many singular values of the Jacobian take part where the length element is largest: "
    "(Σσ²)²/Σσ⁴, from 1 to 10; –: all are zero there, and none takes part.",
}

NOT_CONVERGED = (
    " The two ways don't agree here, they are {disagreement:.2g} apart: the network jumps, or is steeper than "
    "float64 resolves."
)


def images(source: int, target: int) -> str:
    """Which test images one walks between."""
    return f"Test images {source:,} and {target:,}."


def plane_alt(name: str, plane: Plane) -> str:
    """The map of a plane in words: where the network `name` sees what, and where its answer moves fastest."""
    inside = plane.predicted >= 0
    seen = Counter(plane.predicted[inside].tolist()).most_common()
    shares = ", ".join(f"{digit} on {100 * count / int(inside.sum()):.1f} %" for digit, count in seen)
    steepest = float(plane.log_length_element[inside].max())
    most = "zero everywhere" if steepest == -math.inf else f"at most 10 to the power of {steepest:.1f}"
    return f"The plane of three images as {name} sees it: {shares} of the triangle; the length element is {most}"


def jumps(names: list[str]) -> str:
    """What is to be known of the networks `names` that step pixel by pixel before they sum; "" where there is none."""
    if not names:
        return ""
    return (
        f"{' and '.join(names)}: behind a step the answer only jumps, each time a pixel crosses it. Between jumps the "
        "Jacobian is truly zero, and so is the length element; the length sums the jumps that were seen, from below."
    )
