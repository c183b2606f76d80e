"""What an address can ask for that no widget survives."""

import math

import streamlit as st


def forget_infinities() -> None:
    """Take numbers that aren't finite out of the address and begin anew: Streamlit's number inputs fail on them."""
    asked = st.query_params
    kept = {key: [value for value in asked.get_all(key) if not _infinite(value)] for key in asked}
    if any(len(values) < len(asked.get_all(key)) for key, values in kept.items()):
        asked.from_dict({key: values for key, values in kept.items() if values})
        st.rerun()


def _infinite(value: str) -> bool:
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return False
