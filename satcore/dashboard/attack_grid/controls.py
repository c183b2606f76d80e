"""Which grids are shown; each control bound to the address bar."""

import streamlit as st

from satcore.evaluation.grids import Setting


def setting() -> Setting:
    """How the grids are filled."""
    first, second, third, fourth = st.columns([36, 22, 40, 30], gap="medium")
    with first:
        source = _source()
    with second:
        attack = st.pills(
            "Attack", ("L-BFGS", "Adam"), default="L-BFGS", required=True, key="grid_attack", bind="query-params"
        )
    with third:
        gradient, temperature = _gradient()
    with fourth:
        steps = st.select_slider(
            "Iterations, at most",
            (100, 1_000, 10_000, 100_000),
            1_000,
            format_func="{:,}".format,
            key="grid_steps",
            bind="query-params",
        )
    return Setting(source, attack, gradient, temperature, steps)


def _source() -> str:
    """Which image of each digit the attacks start from, in the attacked network's own eyes."""
    return st.pills(
        "From each digit's",
        ("most confident", "least confident"),
        default="most confident",
        required=True,
        key="sources",
        bind="query-params",
        help="Of the images that the network gets right. Fig. 8: most confident; Fig. 5: least.",
    )


def _gradient() -> tuple[str, float]:
    """How gradients are taken, and the temperature."""
    gradient = st.pills(
        "Gradient",
        ("autograd", "exact", "softened"),
        default="autograd",
        required=True,
        key="grid_gradient",
        bind="query-params",
        help="autograd: as published, it may underflow to zero. exact: the true direction, however small. "
        "softened: as exact, with every derivative taken at h/T.",
    )
    if gradient != "softened":
        return gradient, 1.0
    temperature = st.pills(
        "Temperature T", (3, 10, 30, 100), default=30, required=True, key="grid_temperature", bind="query-params"
    )
    return gradient, float(temperature)
