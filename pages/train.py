import streamlit as st

from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line, one_sentence
from satcore.dashboard.train import controls, live
from satcore.dashboard.train.records import beside, trainings

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

with one_readable_line():
    known, run = trainings(), None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="heading with starts"):
        if not stage.on_stage():
            st.title("Train", width="content")
        recipe = controls.start()
        begin = st.container(horizontal=True, width="content")
    with one_sentence(), stage.controls("training"):
        asked = controls.run(recipe)
        if stage.on_stage():
            run = asked
        else:
            with begin:
                run = controls.phase_by_phase(asked)
                live.start(run, known)
    training = live.shown(run, known)
    if not stage.on_stage():
        live.heading(run, training, known)
    if training:
        live.follow(training, beside(training.run, known))
    elif run:
        live.before(run, beside(run, known))
    stage.ends("course")
    live.others(known)
