"""Why attacks fail: the gradient at one image in each of the ways, and what softening it does."""

import streamlit as st

from satcore.dashboard.reality_check import cards, compute, controls, downloads, figures, words
from satcore.dashboard.shared import digits
from satcore.dashboard.shared.controls import choice_of_example
from satcore.dashboard.shared.guard import one_sentence
from satcore.dashboard.shared.style import Style
from satcore.dashboard.shared.take_away import figure
from satcore.evaluation.reality import Reality


@st.fragment
def gradients(chosen: dict[str, Style], found: dict[str, Reality]) -> None:
    """The gradients of the networks `chosen`; and the curves of those of which something was `found`."""
    with one_sentence():
        left, right = st.columns([3, 2], gap="large")
        with right:
            how, needs = choice_of_example(chosen)
            index = digits.index_of(how, needs)
            loss, temperature = controls.loss(), controls.temperature()
            if found:
                st.markdown(words.softened(found, chosen, loss, temperature))
                drawn = figures.against_temperature(found, chosen, loss, temperature)
                alt = words.alt_temperatures(found, chosen, loss)
                st.plotly_chart(drawn, key="temperatures", config=figures.NO_TOOLS, alt=alt)
                st.caption(words.SOFTENED)
        with left:
            st.markdown(words.gradients(digits.label_of(index), index, loss))
            with figure("gradients", downloads.of_gradients(list(chosen), index, loss, temperature), in_fragment=True):
                places = [column for _ in range(0, len(chosen), 2) for column in st.columns(2)]
            for (name, style), place in zip(chosen.items(), places, strict=False):
                with place, one_sentence():
                    cards.gradient_card(style, compute.gradients(name, index, loss, temperature))
