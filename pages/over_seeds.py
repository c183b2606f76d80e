import streamlit as st

from satcore.dashboard.over_seeds import compute, controls, downloads, figures, words
from satcore.dashboard.over_seeds.dots_view import dots_view
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.legend import legend
from satcore.dashboard.shared.style import COLOURS, Style
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("Over seeds")
with one_readable_line(), stage.controls():
    found, complaints = compute.on_record()
    for sentence in complaints:
        st.error(sentence, icon=":material/error:")
    if not found:
        st.stop()
    families, views, others = st.columns([3, 2, 3], gap="medium", vertical_alignment="center")
    with families:
        family = controls.family(compute.families(found))
    with views:
        view = controls.view()
    with others:
        trainings = controls.trainings() if view == words.VIEWS[0] else words.ALONE
    by_training, by_lambda = compute.by_training(found, family, trainings), compute.by_lambda(found, family)

with one_readable_line():
    if view == words.VIEWS[0] and by_training:
        st.markdown(words.headline(by_training, family))
        with figure("seeds", downloads.of_networks(found)):
            legend({training: Style(COLOURS[training], "solid", training) for training in by_training})
            dots_view(figures.over_seeds(by_training, family), height=134, key="seeds")
        stage.ends("dots")
        st.markdown(words.worst(by_training))
        st.caption(words.how(by_training))
        st.dataframe(words.table(by_training, family), hide_index=True, key="spreads", placeholder="–")
    elif view != words.VIEWS[0] and by_lambda:
        panels, stops = figures.against_lambda(by_lambda, family)
        if len(stops) == 1:
            st.markdown(stops[0].says)
        with figure("lambda", downloads.of_networks(found)):
            dots_view(panels, stops, height=250, key="lambda")
        st.caption(words.about_lambda(by_lambda))
        st.dataframe(words.table_of_lambda(by_lambda, family), hide_index=True, key="medians", placeholder="–")
    else:
        st.info(words.NOTHING.format(family=family), icon=":material/info:")
