import streamlit as st

from satcore import library
from satcore.dashboard.reality_check import anew, compute, controls, downloads, figures, opposite, why, words
from satcore.dashboard.reality_check.checks_view import checks_view
from satcore.dashboard.reality_check.ladder_view import ATTACKS, ladder_view
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.line_up import line_up
from satcore.evaluation import reality
from satcore.paper import TABLE_1

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

heading = stage.heading("How much of it is real")
with one_readable_line():
    everything, damaged = reality.known()
    found = compute.climbed(everything)
    for sentence in damaged:
        st.error(sentence, icon=":material/error:")
    if not found:
        raise ValueError(words.NOTHING)
    cards = {name: library.describe(name) for name in found}
    heading.markdown(words.headline(found, cards, TABLE_1))
    if stage.shows("proof"):
        with stage.controls("line-up"):
            chosen = line_up()
        opposite.section(chosen)
        st.stop()
    with stage.controls("ladder"):
        epsilon = controls.epsilon(compute.epsilons(found))
    ladder_view(
        found,
        cards,
        TABLE_1,
        epsilon,
        lambda name, rung: anew.begin_as_in_table(name, rung, found[name], epsilon),
        key="ladder",
    )
    stage.ends("ladder")
    st.caption(f"{words.LADDER} {words.about_dendritic(cards)} {words.beside_table_1(found, cards)}")
    anew.panel(found, epsilon)

st.header("Against ε")
with one_readable_line():
    chosen = line_up()
    there = {name: found[name] for name in chosen if name in found}
    for name in chosen:
        if name not in there:
            st.info(words.not_found_out(name), icon=":material/info:")
    st.markdown(words.verdicts(there, chosen))
    shown = controls.rungs(ATTACKS) if there else []
    for row in (shown[first : first + 3] for first in range(0, len(shown), 3)):
        for rung, column in zip(row, st.columns(3, gap="medium"), strict=False):
            figure = figures.against_epsilon(there, chosen, rung)
            column.plotly_chart(figure, key=f"curve {rung}", config=figures.NO_TOOLS, alt=words.alt_curve(rung))
    if shown:
        st.caption(words.CURVES)
    if there:
        st.subheader("Between attack and proof")
        places = [column for _ in range(0, len(there), 2) for column in st.columns(2, gap="medium")]
        for (name, known), place in zip(there.items(), places, strict=False):
            figure, alt = figures.between_attack_and_proof(known, chosen[name]), words.alt_between(chosen[name].label)
            place.plotly_chart(figure, key=f"between {name}", config=figures.NO_TOOLS, alt=alt)
        st.caption(words.BETWEEN)

opposite.section(chosen)

st.header("Why")
why.gradients(chosen, there)
if there:
    st.subheader("Where the gradient dies")
    st.plotly_chart(figures.dying(there, chosen), key="dying", config=figures.NO_TOOLS, alt=words.ALT_DYING)
    st.caption(words.DYING)
    st.dataframe(words.dying(there, compute.layers(there.values())), hide_index=True, key="zeros")

    st.header("Would you believe this attack?")
    st.markdown(words.CHECKS)
    checks_view(there, chosen, words.meanings(), key="checks")
downloads.of_reality(found)
