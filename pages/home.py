import streamlit as st

if not st.session_state.pop("through_app", False):  # a deep link just after a start: Streamlit came here past app.py
    import app
    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls, figures, tables
from satcore.paper import TABLE_1
from satcore.recipes import FAMILIES, TRAININGS

measured = {name: checkpoints.describe(name).measurements for name in checkpoints.names()}

st.title("Saturated networks, seen through")
st.markdown(tables.story(measured))
st.plotly_chart(figures.table_1(measured, TABLE_1), key="table_1", config={"displayModeBar": False},
                alt="Bars: how many test images each network still gets right after FGSM, and for how many of them "
                    "only because the gradient was exactly zero")
st.caption("FGSM as published: one step of ε = 0.25 along the sign of the gradient that float32 autograd gives, on all "
           "10,000 test images. It is one weak attack; being right after it is not robustness.")
with st.expander("The numbers"):
    st.dataframe(tables.table_1(measured, TABLE_1), hide_index=True, key="numbers")

st.header("Attack a digit")
original, settings = st.columns([1, 4], gap="large")
with settings:
    epsilon = controls.epsilon()
    how, needs = controls.choice_of_example(list(measured))

from satcore.dashboard import cards, live, pictures  # brings torch, which takes seconds: the table stands by now

try:
    index = needs["index"] if how == "index" else live.chosen(how, **needs)
    views = {name: live.fgsm_view(name, index, epsilon) for name in measured}
except ValueError as error:
    st.error(str(error))
    st.stop()

a_view = next(iter(views.values()))
original.image(pictures.digit(a_view.before, figures.NEUTRAL), width="stretch", alt=f"Test image {index}: a {a_view.label}",
               caption=f"Test image {index:,}: a {a_view.label}")
st.caption("Each card: the image after FGSM; what was changed, magnified (orange: raised, blue: lowered); the prediction "
           "before → after, with its probability.")
for family in FAMILIES:
    st.subheader(figures.FAMILY_TITLES[family])
    for training, column in zip(TRAININGS, st.columns(len(TRAININGS)), strict=True):
        if f"{family}/{training}" in views:
            with column:
                cards.fgsm_card(training, views[f"{family}/{training}"])
