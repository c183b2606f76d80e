"""Which claims are shown; each bound to the address bar."""

import streamlit as st

from satcore.evaluation.claims import AS_PUBLISHED, CLAIMS, FAILED, HELD, Finding, Findings

EVERY, ALL = "every", "all of it"
VERDICTS = {"held": HELD, "as published": AS_PUBLISHED, "did not hold": FAILED}  # by what an address says


def filtered(found: Findings) -> list[Finding]:
    """Those about the part of the paper, and of the verdict, that are asked for."""
    left, right = st.columns([4, 3], gap="medium")
    asked = left.pills(
        "Verdict", (EVERY, *VERDICTS), default=EVERY, required=True, wrap=True, key="verdict", bind="query-params"
    )
    parts = [ALL, *dict.fromkeys(claim.section for claim in CLAIMS)]
    part = right.selectbox("Of the paper", parts, key="part", bind="query-params")
    return [
        found[claim.name]
        for claim in CLAIMS
        if part in (ALL, claim.section) and (asked == EVERY or found[claim.name].verdict == VERDICTS[asked])
    ]
