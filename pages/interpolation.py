import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls, figures

st.title("Between two digits")
st.markdown("On the straight line from one image to another, where does a network's answer change, and how fast? The *length "
            "element* says how far the answer moves for a small step along the line, in the Fisher–Rao metric. A saturated "
            "network holds its answer, and then jumps.")
with controls.one_readable_line():
    family, names = controls.family(checkpoints.names())
    source_digit, target_digit = controls.pair_of_digits()
    how, source_needs, target_needs = controls.choice_of_pair(names)
    scale = st.pills("Length element and singular values", ("log", "linear"), default="log", required=True, key="scale",
                     bind="query-params")
    points = st.pills("Points", controls.POINTS, default=101, required=True, wrap=True, key="points", bind="query-params")

from satcore.dashboard import live, path_view  # brings torch, which takes seconds: the frame stands by now

with controls.one_readable_line():
    if how == "by index":
        source, target = source_needs["index"], target_needs["index"]
    else:
        source = live.chosen(how, source_digit, **source_needs)
        target = live.chosen(how, target_digit, **target_needs)
    paths = {name.partition("/")[2]: live.path(name, source, target, points) for name in names}
    path_view.path_view(paths, source_digit, target_digit, scale=scale, title=family, file=f"{family}-{source}-{target}")
