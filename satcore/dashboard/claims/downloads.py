"""The verdicts and their figures to take away, and the lines of Python that find them out again."""

from collections.abc import Iterator

from satcore.dashboard.shared.downloads import csv_of
from satcore.dashboard.shared.take_away import TakeAway
from satcore.evaluation.claims import CLAIMS, Findings

HEADER = (
    "claim",
    "where",
    "says",
    "rule",
    "verdict",
    "family",
    "its verdict",
    "control too",
    "of what",
    "at",
    "training",
    "value",
    "paper",
)
CODE = """from satcore.evaluation import claims

for progress in claims.compute():
    print(f"{100 * progress.done:.0f} % {progress.says}")
for claim in claims.CLAIMS:
    finding = progress.found[claim.name]
    print(f"{claim.where}: {claim.says} {finding.verdict.upper()} ({finding.of_what}:)")
    for family, outcome in finding.outcomes.items():
        print("   ", family, outcome.verdict, outcome.says, outcome.control)
"""


def of_claims(found: Findings) -> TakeAway:
    """All of them, and the Python that finds them out again."""
    return TakeAway("claims", CODE, {"claims.csv": lambda: csv_of_claims(found)})


def csv_of_claims(found: Findings) -> str:
    """A row a figure."""
    return csv_of(HEADER, _rows(found))


def _rows(found: Findings) -> Iterator[list]:
    for claim in CLAIMS:
        finding = found[claim.name]
        for bars in finding.bars:
            outcome = finding.outcomes[bars.family]
            control = "" if outcome.control is None else outcome.control
            for training, value in bars.values.items():
                yield [
                    claim.name,
                    claim.where,
                    claim.says,
                    claim.rule,
                    finding.verdict,
                    bars.family,
                    outcome.verdict,
                    control,
                    finding.of_what,
                    bars.label,
                    training,
                    value,
                    bars.paper.get(training, ""),
                ]
