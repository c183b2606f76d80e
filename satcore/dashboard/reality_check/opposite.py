"""Same symptom, opposite truth: two networks without a gradient, one an illusion and one a theorem."""

import streamlit as st

from satcore import library
from satcore.dashboard.reality_check import controls, downloads, figures, truths, words
from satcore.dashboard.reality_check.opposite_view import opposite_view
from satcore.dashboard.shared import digits, stage
from satcore.dashboard.shared.guard import one_sentence
from satcore.dashboard.shared.style import Style, styles
from satcore.dashboard.shared.take_away import figure
from satcore.evaluation import beyond, certificates


def section(chosen: dict[str, Style]) -> None:
    """The section, of a saturated network and one that steps first, those `chosen` before others; nothing where no
    network steps first.
    """
    pair = truths.pair(chosen)
    if pair is None:
        return
    if not stage.on_stage():
        st.header("Same symptom, opposite truth")
    cards = library.catalogue().cards
    with one_sentence():
        _one_digit(styles(cards[name] for name in pair))
    stage.ends("proof")
    with one_sentence():
        _all_images(pair[1], styles([cards[pair[1]]])[pair[1]])
    with st.expander("What a careful reviewer asks"):
        st.markdown(words.REVIEWER)
        with one_sentence():
            if known := beyond.load(pair[1]):
                st.dataframe(words.beyond_the_ball(known), hide_index=True, key="beyond")


@st.fragment
def _one_digit(looks: dict[str, Style]) -> None:
    with one_sentence():
        with stage.controls("one digit"):
            digit, number, epsilon = controls.one_of_a_digit()
        index = truths.index_of(looks, digit, number)
        found = {name: (truths.symptom(name, index, epsilon), truths.truth(name, index, epsilon)) for name in looks}
        st.markdown(words.opposite(found, looks))
        with figure("opposite", downloads.of_symptoms(list(looks), index, epsilon), in_fragment=True):
            opposite_view(digits.image_of(index), found, looks, digit, key="opposite")


def _all_images(name: str, style: Style) -> None:
    if known := certificates.load(name):
        drawn, alt = figures.certified(known, style), words.alt_certified(style.label, known)
        with figure("certified", downloads.of_certificates(name, known)):
            st.plotly_chart(drawn, key="certified", config=figures.NO_TOOLS, alt=alt)
        st.caption(words.certified(known))
