import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls

st.title("Watch an attack try")
st.markdown(
    "One image, one attack, the four networks of a family. An attack that follows a gradient stops where the gradient is zero: "
    "take the same gradient *exactly*, or *softened*, and see what was only underflow."
)
with controls.one_readable_line():
    first, second, third = st.columns([30, 40, 38], gap="medium")
    with first:
        family, names = controls.family(checkpoints.names())
        aim = controls.goal()
    with second:
        how, needs = controls.choice_of_example(names, more=("draw one",))
    with third:
        attack, parameters = controls.attack()
        parameters |= controls.gradient(attack)

from satcore.dashboard.attack_run import Run, Settings

from satcore.dashboard import attack_view, downloads, draw_pad, live  # brings torch: the frame stands by now

with controls.one_readable_line():
    if how == "draw one":
        with second:
            image, source = draw_pad.draw_pad(key="pad"), needs["digit"]
        if image is None:
            draw_pad.ask_for_one()
            st.stop()
    else:
        index = live.index_of(how, needs)
        image, source = live.example(index), live.label_of(index)
    if aim == source:
        raise ValueError(f"expected a digit to go to other than the image's own, got {aim} for a {source}")
    settings = Settings(tuple(names), source, aim, attack, tuple(sorted(parameters.items())))
    run = st.session_state.get("run")
    if run is None or run.settings != settings or not bool((run.image == image).all()):
        st.session_state["run"] = Run(settings, image)
    run = st.session_state["run"]


def play_or_pause() -> None:
    run.running = not run.running


with st.container(horizontal=True):
    st.button(
        "❚❚ Pause" if run.running else "▶ Play",
        key="play",
        disabled=run.finished,
        type="primary",
        on_click=play_or_pause,
    )
    st.button("Step", key="step", disabled=run.running or run.finished, on_click=run.step)
    st.button("Reset", key="reset", on_click=run.reset)


@st.fragment(run_every=0.1 if run.running else None)
def attack_as_it_runs() -> None:
    if run.running:
        run.advance(seconds=0.08)
        if run.finished:
            st.rerun()
    attack_view.attack_view(run, key="attack_view")
    if not run.running:
        downloads.of_run(run)


attack_as_it_runs()
