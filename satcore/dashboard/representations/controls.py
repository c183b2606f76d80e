"""What is looked at in a network's layers; each bound to the address bar."""

import streamlit as st


def colour_scale() -> str:
    """That of dissimilarities: "linear", "log", or "automatic", whichever shows more of the matrices."""
    ways = ("automatic", "linear", "log")
    return st.pills("Colour scale", ways, default=ways[0], required=True, key="colours", bind="query-params")


def sample_seed() -> int:
    """The seed that the sample of images is drawn with."""
    return st.number_input("Seed of the sample", 0, 1_000_000, 0, key="sample", bind="query-params")


def layer(layers: list[str]) -> str:
    """One of the `layers`, at first the last but one."""
    return st.pills("Layer", layers, default=layers[-2], required=True, wrap=True, key="layer", bind="query-params")


def method() -> str:
    """How two dimensions are found."""
    ways = ("PCA", "MDS", "t-SNE")
    return st.pills("Two dimensions by", ways, default="PCA", required=True, key="method", bind="query-params")


def attacked_digit() -> int:
    """The digit whose image is attacked."""
    return st.pills(
        "Under attack: a", range(10), default=3, required=True, wrap=True, key="attacked", bind="query-params"
    )
