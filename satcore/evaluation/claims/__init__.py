"""The paper, claim by claim: what it says, what came out here, and a verdict by a rule that is stated.

`CLAIMS` are the claims; `compute` judges them, `load` reads what is kept of that.
"""

from satcore.evaluation.claims.kept import (
    CLAIMS,
    FILE,
    NETWORKS,
    Findings,
    Progress,
    compute,
    load,
    place,
    save,
    tally,
)
from satcore.evaluation.claims.records import (
    AS_PUBLISHED,
    FAILED,
    HELD,
    VERDICTS,
    Bars,
    Claim,
    Finding,
    Outcome,
)

__all__ = [
    "AS_PUBLISHED",
    "CLAIMS",
    "FAILED",
    "FILE",
    "HELD",
    "NETWORKS",
    "VERDICTS",
    "Bars",
    "Claim",
    "Finding",
    "Findings",
    "Outcome",
    "Progress",
    "compute",
    "load",
    "place",
    "save",
    "tally",
]
