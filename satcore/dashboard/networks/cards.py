"""A network as a card: what is known of it, and ways on from there."""

import streamlit as st

from satcore import library
from satcore.dashboard.networks import words
from satcore.dashboard.networks.examination import end, examination
from satcore.dashboard.networks.run import Measuring
from satcore.dashboard.networks.upload import forget
from satcore.dashboard.shared.guard import one_sentence
from satcore.dashboard.shared.line_up import KEY
from satcore.library import Card

PAGES = {
    "home": "FGSM",
    "interpolation": "Interpolation",
    "representations": "Representations",
    "weights": "Weights",
    "live_attack": "Live attack",
    "attack_grid": "Attack grid",
    "reality_check": "Reality check",
}


def in_rows(shown: list[Card], measuring: Measuring) -> None:
    """The cards of some networks, two in a row."""
    for index in range(0, len(shown), 2):
        for column, there in zip(st.columns(2, gap="medium"), shown[index : index + 2], strict=False):
            with column:
                card(there, measuring)


def card(card: Card, measuring: Measuring) -> None:
    """What is known of a network, links that open it on every page, and, of your own, the button that removes it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"##### {card.name}", width="stretch")
            if not card.shipped:
                remove(card.name, measuring)
        st.text(words.where_from(card))
        st.text(words.architecture(card))
        if card.measurements:
            st.markdown(words.table(card))
        elif card.shipped:
            st.caption("Not measured.")
        elif card.name in measuring.waiting:
            st.caption("Being measured." if card.name == measuring.waiting[0] else "Waiting to be measured.")
        else:
            st.button("Measure it", key=f"measure {card.name}", on_click=measuring.ask, args=(card.name,))
        on = f"{words.measured_on(card)} · " if card.measurements else ""
        st.caption(f"{on}SHA-256 `{card.sha256[:12]}`")
        examination(card.name)
        links(card.name)


def damaged(name: str, why: str, measuring: Measuring) -> None:
    """Why a network can't be shown; your own can be taken away all the same."""
    st.error(f"{name}: {why}", icon=":material/error:")
    if name.startswith(f"{library.OWN}/"):
        remove(name, measuring)


def links(name: str) -> None:
    """To every page, with the network `name` alone in the line-up."""
    with st.container(horizontal=True, gap=None):
        for page, title in PAGES.items():
            st.page_link(f"pages/{page}.py", label=title, query_params={KEY: name}, width="content")


def remove(name: str, measuring: Measuring) -> None:
    """Two presses that take the network `name` off your own shelf."""
    with st.popover("Remove", key=f"ask about {name}"):
        st.markdown(f"This deletes **{name}**, with all that was computed about it, for every session on this machine.")
        if st.button("Delete it", key=f"delete {name}", type="primary"):
            with one_sentence():
                measuring.forget(name)
                end(name)
                library.remove(name)
                forget(name)
                st.rerun()
