import streamlit as st

from satcore.dashboard.live_attack import controls, downloads, drawn, words
from satcore.dashboard.live_attack.attack_view import attack_view
from satcore.dashboard.live_attack.run import Settings, run_of
from satcore.dashboard.shared import digits, stage
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.controls import choice_of_example
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

DRAWN = "draw one"

controls.follow_old_link()
stage.heading("Watch an attack try", words.INTRODUCTION)
with one_readable_line():
    with stage.controls():
        chosen = line_up()
        first, second, third = st.columns([24, 47, 42], gap="medium")
        with second:
            how, needs = choice_of_example(chosen, more=(DRAWN,))
    if how == DRAWN:
        beside, view = st.columns([1, 2 if stage.on_stage() else 4], gap="medium")
        with beside:
            index, source, image = None, needs["digit"], drawn.drawing(needs["digit"], chosen)
    else:
        view = st.container()
        index = digits.index_of(how, needs)
        source, image = digits.label_of(index), digits.example(index)
    with first:
        into = controls.goal(source)
        if index is not None:
            st.caption(words.image(index, source))
    with third:
        attack, parameters = controls.attack(bool(digits.stepping(chosen)))
        parameters |= controls.gradient(attack)
    if image is None:
        with view:
            drawn.wanted(source)
        st.stop()
    settings = Settings(tuple(chosen), index, source, into, attack, tuple(sorted(parameters.items())))
    run = run_of(settings, image, st.session_state.get("run"), playing=stage.on_stage())
    st.session_state["run"] = run


def play() -> None:
    """Go on with all networks, from the start where all are through."""
    if run.finished:
        run.reset()
    run.running = True


def pause() -> None:
    """Stop all networks where they are."""
    run.running = False


with (view if stage.on_stage() else first).container(
    horizontal=True, vertical_alignment="center", gap="xsmall", key="starts and stops"
):
    st.button(
        "❚❚ Pause" if run.running else "▶ Play",
        key="play",
        type="primary",
        on_click=pause if run.running else play,
    )
    st.button("Step", key="step", disabled=run.running or run.finished, on_click=run.step)
    st.button("Reset", key="reset", on_click=run.reset)
    if stage.on_stage():  # there the controls, which say so, are folded away
        st.markdown(words.attacked_by(attack, parameters), width="content")


@st.fragment(run_every=0.08 if run.running else None)
def attack_as_it_runs() -> None:
    """The attack, again and again while it is played."""
    if run.running:
        run.advance(seconds=0.06)
        if run.finished:
            st.rerun()
    with figure("attack", downloads.of_run(run), in_fragment=True):
        attack_view(run, chosen, key="attack_view", brief=how == DRAWN and stage.on_stage())


with view:
    attack_as_it_runs()
    stage.ends("attack")
    st.caption(about_the_control(chosen))
