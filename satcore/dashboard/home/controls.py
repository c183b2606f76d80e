"""What is to be attacked on the first page, and how far."""

import streamlit as st


def epsilon() -> float:
    """The size ε of an L∞ perturbation."""
    return st.slider(
        "ε, the largest change of a pixel (the paper: 0.25)", 0.0, 0.5, 0.25, 0.01, key="epsilon", bind="query-params"
    )
