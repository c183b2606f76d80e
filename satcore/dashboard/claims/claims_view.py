"""Claims, their verdicts and small figures, heading by heading: a component."""

from collections import Counter
from collections.abc import Iterable, Mapping

from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.style import COLOURS, FAMILY_TITLES, NEUTRAL
from satcore.evaluation.claims import AS_PUBLISHED, CLAIMS, FAILED, HELD, Claim, Finding
from satcore.evaluation.claims.over_seeds import Verdicts, in_words

MARKS = {HELD: ("held", "✓"), AS_PUBLISHED: ("published", "◐"), FAILED: ("failed", "✗")}  # a class and an icon
_component = component(__file__)


def claims_view(shown: Iterable[Finding], seeds: Verdicts, *, key: str) -> None:
    """Draw what was found, in the order in which the claims stand, those of one section beneath its heading; and what
    other `seeds` come to.
    """
    by_name = {finding.claim: finding for finding in shown}
    sections: dict[str, list[dict]] = {}
    for claim in CLAIMS:
        if claim.name in by_name:
            sections.setdefault(claim.section, []).append(_drawn(claim, by_name[claim.name], seeds.get(claim.name, {})))
    _component(key=key, data={"sections": [{"title": title, "claims": there} for title, there in sections.items()]})


def _drawn(claim: Claim, finding: Finding, seeds: Mapping[str, Counter[str]]) -> dict:
    kind, icon = MARKS[finding.verdict]
    return {
        "name": claim.name,
        "where": claim.where,
        "says": claim.says,
        "rule": claim.rule,
        "verdict": finding.verdict,
        "kind": kind,
        "icon": icon,
        "of_what": finding.of_what,
        "unit": claim.unit,
        "logarithmic": claim.logarithmic,
        "lines": [
            {
                "family": FAMILY_TITLES.get(family, "see it"),
                "kind": MARKS[outcome.verdict][0],
                "icon": MARKS[outcome.verdict][1],
                "verdict": outcome.verdict,
                "says": outcome.says,
                "seeds": in_words(seeds.get(family, Counter())),
                "control": outcome.control,
                "link": claim.link(family),
                "counts": not claim.about or family in claim.about,
            }
            for family, outcome in finding.outcomes.items()
        ],
        "groups": [
            {
                "family": FAMILY_TITLES.get(bars.family, ""),
                "label": bars.label,
                "bars": [
                    {
                        "series": series,
                        "colour": COLOURS.get(series, NEUTRAL),
                        "value": value,
                        "paper": bars.paper.get(series),
                    }
                    for series, value in bars.values.items()
                ],
            }
            for bars in finding.bars
        ],
    }
