import streamlit as st

from satcore import library
from satcore.dashboard.reality_check import anew, compute, controls, downloads, figures, opposite, why, words
from satcore.dashboard.reality_check.checks_view import checks_view
from satcore.dashboard.reality_check.ladder_view import ATTACKS, ladder_view
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.take_away import figure
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
    objection = stage.objected()
    in_table = compute.before_the_proof(found, cards) if stage.shows("ladder") else found
    with figure("ladder", downloads.of_reality(in_table, epsilon)):
        ladder_view(
            in_table,
            cards,
            TABLE_1,
            epsilon,
            lambda name, rung: anew.begin_as_in_table(name, rung, found[name], epsilon),
            objection,
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
    if shown:
        with figure("curves", downloads.of_reality(there)):
            figures.draw_against_epsilon(there, chosen, shown)
        st.caption(words.CURVES)
    if there:
        st.subheader("Between attack and proof")
        with figure("between", downloads.of_reality(there)):
            figures.draw_between_attack_and_proof(there, chosen)
        st.caption(words.BETWEEN)

opposite.section(chosen)

st.header("Why")
why.gradients(chosen, there)
if there:
    st.subheader("Where the gradient dies")
    with figure("dying", downloads.of_dying(there)):
        alt = words.alt_dying(there, chosen)
        st.plotly_chart(figures.dying(there, chosen), key="dying", config=figures.NO_TOOLS, alt=alt)
    st.caption(words.DYING)
    st.dataframe(words.dying(there, compute.layers(there.values())), hide_index=True, key="zeros")

    st.header("Would you believe this attack?")
    st.markdown(words.CHECKS)
    with figure("checks", downloads.of_checks(there)):
        checks_view(there, chosen, words.meanings(), key="checks")
