import streamlit as st

from satcore import library
from satcore.dashboard.home import cards, compute, controls, downloads, objected, words
from satcore.dashboard.home.table_1_view import table_1_view
from satcore.dashboard.shared import digits, pictures, stage
from satcore.dashboard.shared.controls import choice_of_example
from satcore.dashboard.shared.guard import one_readable_line, one_sentence
from satcore.dashboard.shared.line_up import MOST, line_up
from satcore.dashboard.shared.style import NEUTRAL
from satcore.dashboard.shared.take_away import figure
from satcore.evaluation.rungs import ONE_WORD, PUBLISHED
from satcore.paper import TABLE_1

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

heading = stage.heading("Saturated networks, seen through")
with one_readable_line():
    catalogue = library.catalogue()
    measured = words.measured(catalogue)
    left = {rung: compute.left(measured, rung) for rung in (PUBLISHED, ONE_WORD, words.WORST)}
    story = words.story(measured, left)

heading.markdown(story)
for sentence in words.damaged(catalogue):
    st.warning(sentence, icon=":material/info:")
if measured:
    numbers = words.numbers(measured, TABLE_1, left[words.WORST])
    objection = stage.objected()
    shown, axis = objected.shown(measured, objection)
    take_away = downloads.of_objection(shown, objection) if objection else downloads.of_table_1(numbers)
    with figure("table 1", take_away):
        table_1_view(shown, TABLE_1, axis, key="table_1")
    stage.ends("Table 1")
    st.caption(words.TABLE_1 if objection is None else words.OBJECTED)
    with st.expander("The numbers"):
        two_digits = st.column_config.NumberColumn(format="%.2f")
        percent = dict.fromkeys((column for column in numbers if column.endswith("(%)")), two_digits)
        st.dataframe(numbers, hide_index=True, key="numbers", column_config=percent, placeholder="–")

st.header("Attack a digit")
with one_readable_line():
    chosen = line_up()
    original, settings = st.columns([1, 4], gap="large")
    with settings:
        epsilon = controls.epsilon()
        how, needs = choice_of_example(chosen)
    index = digits.index_of(how, needs)

caption = f"Test image {index:,}: {digits.with_article(digits.label_of(index))}"
original.image(pictures.digit(digits.image_of(index), NEUTRAL), caption=caption, alt=caption)
st.caption(words.CARDS)
views = {}
with figure("cards", downloads.of_cards(chosen, views, index, epsilon)):
    columns = st.columns(MOST)  # of one width, however many networks there are
for (name, style), column in zip(chosen.items(), columns, strict=False):
    with column, one_sentence():
        views[name] = compute.fgsm_view(name, index, epsilon)
        cards.fgsm_card(style, views[name])
