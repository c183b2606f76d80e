import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints, reality
from satcore.dashboard import controls, figures, tables
from satcore.paper import TABLE_1
from satcore.recipes import FAMILIES, TRAININGS

st.title("Saturated networks, seen through")
with controls.one_readable_line():
    measured = {name: checkpoints.describe(name).measurements for name in checkpoints.names()}
    if not measured:
        raise ValueError(
            f"expected trained networks in {checkpoints.FOLDER}, got none: "
            "train them with `python -m satcore train --all`"
        )
    worst_case = {name: there.left("worst case") for name, there in reality.shipped().items()}

st.markdown(tables.story(measured, worst_case))
st.plotly_chart(
    figures.table_1(measured, TABLE_1),
    key="table_1",
    config={"displayModeBar": False},
    alt="Bars: how many test images each network still gets right after FGSM, and for how many of them "
    "only because the gradient was exactly zero",
)
st.caption(
    "FGSM as published: one step of ε = 0.25 along the sign of the gradient that float32 autograd gives, on all "
    "10,000 test images. It is one weak attack; being right after it is not robustness. *Adversarial*: trained on "
    "FGSM images as well. *Saturated*: trained with the penalty (in the CNN on the dense layers, above convolutions "
    "trained without it and then kept). *Control*: the saturated recipe with the penalty's λ at 0, all else equal."
)
with st.expander("The numbers"):
    st.dataframe(tables.table_1(measured, TABLE_1, worst_case), hide_index=True, key="numbers")

st.header("Attack a digit")
original, settings = st.columns([1, 4], gap="large")
with settings:
    epsilon = controls.epsilon()
    how, needs = controls.choice_of_example(list(measured))

from satcore.dashboard import cards, live, pictures  # brings torch, which takes seconds: the table stands by now

with controls.one_readable_line():
    index = live.index_of(how, needs)
    views = {name: live.fgsm_view(name, index, epsilon) for name in measured}

any_view = next(iter(views.values()))
caption = f"Test image {index:,}: a {any_view.label}"
original.image(pictures.digit(any_view.before, figures.NEUTRAL), caption=caption, alt=caption)
st.caption(
    "Each card: the image after FGSM; what was changed, the largest change drawn full (orange: raised, blue: lowered); the prediction "
    "before → after, with its probability."
)
for family in FAMILIES:
    st.subheader(figures.FAMILY_TITLES[family])
    for training, column in zip(TRAININGS, st.columns(len(TRAININGS)), strict=True):
        if f"{family}/{training}" in views:
            with column:
                cards.fgsm_card(training, views[f"{family}/{training}"])
