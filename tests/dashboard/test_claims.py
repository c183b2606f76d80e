"""The page of claims, run without a browser."""

import csv
import io
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from satcore.dashboard.claims import controls, downloads, words
from satcore.evaluation import claims
from satcore.evaluation.claims import CLAIMS, FAILED, HELD, kept
from tests.dashboard import pages


def opened(first: bool = True, **parameters) -> AppTest:
    return pages.opened("claims", first, **parameters)


def drawn(page: AppTest) -> dict[str, dict]:
    """What the component was told, by claim."""
    return {claim["name"]: claim for section in pages.told(page, "sections") for claim in section["claims"]}


def test_it_opens_with_every_claim_and_a_sentence_that_counts():
    page, found = opened(first=False), kept.load()
    assert not page.exception and not page.error
    assert list(drawn(page)) == [claim.name for claim in CLAIMS]
    counts = claims.tally(found.values())
    assert page.markdown[0].value.startswith(f"Of {len(CLAIMS)} claims, **{counts[HELD]} held**, ")
    assert f"**{counts[FAILED]} did not hold here**" in page.markdown[0].value
    for name, there in drawn(page).items():
        assert there["verdict"] == found[name].verdict and len(there["lines"]) == len(found[name].outcomes)
        assert there["rule"] and there["groups"] and all(group["bars"] for group in there["groups"])


@pytest.mark.parametrize("asked, verdict", controls.VERDICTS.items())
def test_a_link_reproduces_what_was_asked_for(asked, verdict):
    page, found = opened(verdict=asked, part="Table 1: accuracy, and under FGSM"), kept.load()
    assert not page.exception and not page.error
    wanted = [c.name for c in CLAIMS if c.section.startswith("Table 1") and found[c.name].verdict == verdict]
    assert wanted and list(drawn(page)) == wanted


def test_garbage_in_the_address_is_no_catastrophe():
    page = opened(verdict="guilty", part="Fig. 99", networks="nobody")
    assert not page.exception and not page.error and len(drawn(page)) == len(CLAIMS)


@pytest.mark.parametrize("content", [b"{", b'{"rests on": {}, "findings": []}'])
def test_verdicts_that_cannot_be_believed_are_one_sentence(content):
    kept.place().parent.mkdir(parents=True)
    kept.place().write_bytes(content)
    page = opened()
    assert not page.exception and page.title[0].value == "The paper, claim by claim"
    assert len(page.error) == 1 and "python -m satcore claims" in page.error[0].value


def test_the_headline_counts_what_the_control_has_too():
    found = kept.load()
    about = {claim.name: claim.about for claim in CLAIMS}
    asked = [
        {finding.outcomes[family].control for family in about[name]} - {None}
        for name, finding in found.items()
        if finding.verdict != FAILED
    ]
    asked = [there for there in asked if there]
    everywhere, nowhere = asked.count({True}), asked.count({False})
    said = words.headline(found)
    assert f"{len(asked)} of those that stood credit saturation" in said
    assert f"has {everywhere} of them too in every network, {len(asked) - everywhere - nowhere} in some" in said


SCREENS = {(claim.page, *claim.parameters): claim for claim in CLAIMS}  # one of each kind


@pytest.mark.slow
@pytest.mark.parametrize("claim", SCREENS.values(), ids=lambda claim: claim.name)
def test_a_link_leads_to_the_screen_that_it_names(claim):
    family = claim.about[0] if claim.about else ""
    link = urlparse(claim.link(family))
    page = pages.opened({"./": "home"}.get(link.path, link.path), first=True, **parse_qs(link.query))
    assert not page.exception and not page.error
    for key, value in claim.parameters.items():
        assert str(page.session_state[key]) == value.replace(",", "")
    if family:
        assert page.session_state["networks"] == [f"{family}/{training}" for training in claim.lined_up]


def test_every_figure_can_be_taken_away():
    found = kept.load()
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_claims(found))))
    assert len(rows) == sum(len(bars.values) for finding in found.values() for bars in finding.bars)
    first = next(row for row in rows if row["claim"] == "kurtosis")
    assert float(first["value"]) == found["kurtosis"].bars[0].values["vanilla"]
    assert first["verdict"] == found["kurtosis"].verdict and "vanilla" in first["training"]


def test_the_python_that_is_offered_runs(capsys, monkeypatch):
    monkeypatch.setattr(claims, "compute", lambda: iter([claims.Progress(1.0, "judged", kept.load())]))
    exec(downloads.CODE, {})
    assert capsys.readouterr().out.count("HELD") > 5
