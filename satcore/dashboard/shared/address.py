"""Addresses: what they ask for that no widget survives, and what Streamlit takes out of them on the way."""

import math
from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

NOT_OURS = ("embed", "embed_options")  # which Streamlit keeps to itself
TEXTS = "train_"  # what keys begin with that are no number inputs': what they ask for is read, or refused, as it is
BEGUN_FOR = "begun anew for"  # of the session's state: the address that this run was begun anew for


def restored() -> bool:
    """Whether Back or Forward led here, or the story: all is then to be as the address says, or else by default.

    Begins anew where Streamlit, on the way from another page, has taken out of the address what a widget of that page
    goes by, too, such as the line-up.
    """
    run = get_script_run_ctx()
    if run is None:
        return False
    asked = parse_qs(run.query_string, keep_blank_values=True)
    ours = {key: values for key, values in asked.items() if key.lower() not in NOT_OURS}
    if st.session_state.pop(BEGUN_FOR, None) == ours:
        run.is_history_navigation = True  # else widgets would stand as they did when their page was left
        return True
    if not run.is_history_navigation:
        return False
    if any(key not in st.query_params for key in ours):
        st.query_params.from_dict(ours)
        st.session_state[BEGUN_FOR] = ours
        st.rerun()
    return True


def forget_infinities() -> None:
    """Take numbers that aren't finite out of the address and begin anew: Streamlit's number inputs fail on them."""
    asked = st.query_params
    kept = {
        key: [value for value in asked.get_all(key) if key.startswith(TEXTS) or not _infinite(value)] for key in asked
    }
    if any(len(values) < len(asked.get_all(key)) for key, values in kept.items()):
        asked.from_dict({key: values for key, values in kept.items() if values})
        st.rerun()


def _infinite(value: str) -> bool:
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return False
