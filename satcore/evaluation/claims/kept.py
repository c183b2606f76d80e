"""All verdicts at once: found out, kept with the hashes of the networks that they rest on, and read again."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from satcore import library
from satcore.evaluation.claims import accuracy, inside, iterative, mechanism, paths
from satcore.evaluation.claims.evidence import Evidence, gather
from satcore.evaluation.claims.records import VERDICTS, Bars, Claim, Finding, Outcome
from satcore.files import read_whole, write_whole
from satcore.recipes import FAMILIES, PAPER_TRAININGS

CLAIMS: tuple[Claim, ...] = (
    *accuracy.CLAIMS,
    *inside.CLAIMS,
    *paths.CLAIMS,
    *iterative.CLAIMS,
    *mechanism.CLAIMS,
    *accuracy.REPLIES,
)
NETWORKS = tuple(f"{family}/{training}" for family in FAMILIES for training in PAPER_TRAININGS)
FILE, MOST_BYTES = "claims.json", 1 << 20
AGAIN = "find them out again with `python -m satcore claims`"

Findings = dict[str, Finding]  # by the claim's name


@dataclass(frozen=True)
class Progress:
    """How far it has got: the share `done`, what is under way, and, at the end, what was `found`."""

    done: float
    says: str
    found: Findings | None = None


def compute(networks: Iterable[str] = NETWORKS) -> Iterator[Progress]:
    """Judge every claim; the last record holds what was found. Some three minutes on one core.

    Raises ValueError where a network of the paper isn't there, or what ought to be stored with it.
    """
    there: dict[str, Evidence] = {}
    networks = tuple(networks)
    for done, name in enumerate(networks):
        yield Progress(done / len(networks), name)
        there[name] = gather(name)
    yield Progress(1.0, "judged", {claim.name: claim.judge(there) for claim in CLAIMS})


def tally(found: Iterable[Finding]) -> Counter[str]:
    """How many claims came to each verdict."""
    return Counter({verdict: 0 for verdict in VERDICTS}) + Counter(finding.verdict for finding in found)


def place(*, ship: bool = False) -> Path:
    """Where the verdicts are kept: on the user's shelf, or, for maintainers, with the networks that ship."""
    return (library.SHIPPED if ship else library.user_shelf() / library.ABOUT) / FILE


def save(found: Findings, *, ship: bool = False) -> None:
    """Keep what was `found`, under the hashes of the networks that are there now."""
    content = {
        "rests on": _hashes(),
        "findings": [
            dataclasses.asdict(finding)
            | {
                "outcomes": {family: outcome._asdict() for family, outcome in finding.outcomes.items()},
                "bars": [bars._asdict() for bars in finding.bars],
            }
            for finding in found.values()
        ],
    }
    write_whole(place(ship=ship), json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")


def load() -> Findings:
    """What is kept: the user's own, or else what ships.

    Raises ValueError where nothing is, where it is damaged, and where it was found out about other networks or claims.
    """
    own, shipped = place(), place(ship=True)
    path = own if own.exists() else shipped
    if not path.exists():
        raise ValueError(f"expected the claims' verdicts in {shipped}, got no such file: {AGAIN}")
    try:
        content = json.loads(read_whole(path, MOST_BYTES))
        rests_on, found = content["rests on"], {one["claim"]: _finding(one) for one in content["findings"]}
        if not isinstance(rests_on, dict):
            raise TypeError("hashes that are none")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"expected the claims' verdicts in {path}, got a damaged file ({type(error).__name__}): {AGAIN}"
        ) from error
    if list(found) != [claim.name for claim in CLAIMS]:
        raise ValueError(f"expected verdicts on the {len(CLAIMS)} claims there are in {path}, got others: {AGAIN}")
    changed = [name for name, sha256 in _hashes().items() if rests_on.get(name) != sha256]
    if changed:
        raise ValueError(
            f"expected verdicts on the networks there are in {path}, got some on another {changed[0]}: {AGAIN}"
        )
    return found


def _hashes() -> dict[str, str]:
    return {name: library.describe(name).sha256 for name in NETWORKS}


def _finding(fields: dict) -> Finding:
    outcomes = {family: Outcome(**there) for family, there in fields["outcomes"].items()}
    bars = tuple(Bars(**there) for there in fields["bars"])
    found = Finding(**fields | {"outcomes": outcomes, "bars": bars})
    texts = [found.claim, found.of_what, *(outcome.says for outcome in outcomes.values())]
    texts += [text for bar in bars for text in (bar.family, bar.label, *bar.values, *bar.paper)]
    figures = [value for bar in bars for value in (*bar.values.values(), *bar.paper.values())]
    if not all(isinstance(text, str) and len(text) < 2_000 for text in texts):
        raise TypeError("texts that are none")
    if not all(type(value) in (int, float) and math.isfinite(value) for value in figures):
        raise TypeError("figures that are none")
    if not {found.verdict, *(outcome.verdict for outcome in outcomes.values())} <= set(VERDICTS):
        raise ValueError("verdicts that are none")
    if not set(outcomes) <= {"", *FAMILIES}:
        raise ValueError("families that are none")
    return found
