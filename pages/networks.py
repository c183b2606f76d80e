import streamlit as st

from satcore import library
from satcore.dashboard.networks import cards, controls, downloads, words
from satcore.dashboard.networks.run import Measuring
from satcore.dashboard.networks.upload import upload
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("Networks", words.INTRODUCTION)
measuring: Measuring = st.session_state.setdefault("measuring", Measuring())

st.header("Bring your own")
left, right = st.columns([3, 2], gap="large")
with left:
    brought = upload(measuring)
right.markdown(words.UPLOAD)
right.markdown(words.SHARED)
if brought and brought.name:
    st.success(brought.said, icon=":material/check:")
    cards.links(brought.name)
elif brought:
    st.error(brought.said, icon=":material/error:")
with st.expander("The same in Python"):
    st.code(words.CODE, language="python")


@st.fragment(run_every=0.3 if measuring.waiting else None)
def measured_while_one_looks() -> None:
    """How far the measurements have got, again and again until they are done."""
    if measuring.waiting:
        name, waiting = measuring.waiting[0], len(measuring.waiting)
        measuring.advance(seconds=0.25)
        if len(measuring.waiting) < waiting:
            st.rerun()
        st.progress(measuring.done, text=f"{name} is being measured")
    for name, why in measuring.refused.items():
        st.error(f"{name}: {why}", icon=":material/error:")


progress = st.container()
st.header("On the shelves")
with one_readable_line():
    catalogue = library.catalogue()
    shown = controls.filtered(catalogue.cards)
    st.caption(words.MEASURED)
    for name, why in catalogue.damaged.items():
        cards.damaged(name, why, measuring)
    with figure("shelves", downloads.of_cards(shown.values())):
        cards.in_rows(list(shown.values()), measuring)

with progress:  # last: a part of the images takes up to some seconds
    measured_while_one_looks()
