"""Which networks are listed; bound to the address bar."""

import streamlit as st

from satcore.dashboard.networks import words
from satcore.library import Card


def filtered(cards: dict[str, Card]) -> dict[str, Card]:
    """Those of the `cards` on the shelf and of the group that are asked for."""
    left, right = st.columns([2, 3], gap="medium")
    shelf = left.pills(
        "Shelf",
        (words.EVERY, words.SHIPPED, words.OWN),
        default=words.EVERY,
        required=True,
        key="shelf",
        bind="query-params",
    )
    groups = [words.EVERY, *dict.fromkeys(words.group_of(card) for card in cards.values())]
    group = right.selectbox("Group", groups, key="group", bind="query-params")
    return {
        name: card
        for name, card in cards.items()
        if shelf in (words.EVERY, words.shelf_of(card)) and group in (words.EVERY, words.group_of(card))
    }
