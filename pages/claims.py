import streamlit as st

from satcore.dashboard.claims import controls, downloads, words
from satcore.dashboard.claims.claims_view import claims_view
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.legend import legend
from satcore.dashboard.shared.style import COLOURS, Style
from satcore.dashboard.shared.take_away import figure
from satcore.evaluation import claims, seeds
from satcore.evaluation.claims.over_seeds import over_seeds
from satcore.recipes import PAPER_TRAININGS

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

heading = stage.heading("The paper, claim by claim")
with one_readable_line():
    found = claims.load()
    heading.markdown(words.headline(found))
    with stage.controls():
        filters, colours = st.columns([5, 3], gap="medium", vertical_alignment="bottom")
        with filters:
            shown = controls.filtered(found)
        with colours:
            legend({training: Style(COLOURS[training], "solid", training) for training in PAPER_TRAININGS})
    with figure("claims", downloads.of_claims(found)):
        claims_view(shown, over_seeds(seeds.load()[0]), key="claims")
    st.caption(words.HOW)
    st.caption(words.NOT_ON_TRIAL)
