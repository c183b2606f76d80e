"""What the page of interpolations says."""

INTRODUCTION = (
    "Walk in a straight line from one image to another: where does a network's answer change, and how fast? The "
    "*length element* is how far the answer moves for a small step, in the Fisher–Rao metric. "
    "A saturated network holds its answer, then jumps; mostly so does the control, trained alike without the penalty."
)
FIGURES = {
    "length": "The Fisher–Rao length of the path: how far the answer travels from source to target, "
    "every detour that was seen included: more points may find more. From the Jacobian; without it we get "
    "{arc_length:.4g}.",
    "geodesic": "The shortest way between the two answers, 2·arccos Σ√(pq). At most π; no path can be shorter.",
    "flatness": "The share of the path, its flattest parts, on which only 1 % of the length is travelled. "
    "1 % means change everywhere alike, 100 % all of it in jumps.",
    "participation": "How many singular values of the Jacobian take part where the length element is largest: "
    "(Σσ²)²/Σσ⁴, from 1 to 10.",
}

NOT_CONVERGED = (
    " The two ways don't agree here, they are {disagreement:.2g} apart: the network jumps, or is steeper than "
    "float64 resolves."
)
