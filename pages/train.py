import streamlit as st

from satcore.dashboard.shared.guard import one_readable_line, one_sentence
from satcore.dashboard.train import controls, live, words
from satcore.dashboard.train.records import beside, seconds_an_epoch, trainings

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

with one_readable_line():
    known, run = trainings(), None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="heading with starts"):
        st.title("Train", width="content")
        recipe = controls.start()
        begin = st.container(horizontal=True, width="content")
    with one_sentence():
        asked = controls.run(recipe)
        with begin:
            run = controls.phase_by_phase(asked)
            live.start(run, known)
    if run and run.key not in known:
        st.caption(words.will_be(run, seconds_an_epoch(run.recipe, known)))
    training = live.shown(run, known)
    if training:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(words.heading(training), width="content")
            if not training.name:
                live.controls(training)
        if training.name:
            with st.container(horizontal=True, vertical_alignment="center", gap=None):
                st.markdown(words.done(training), width="content")
                live.links(training)
        live.follow(training, beside(training.run, known))
    elif run:
        st.markdown(words.INTRODUCTION)
        live.before(run, beside(run, known))
    live.others(known)
