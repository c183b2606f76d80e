import streamlit as st

from satcore.dashboard.attack_grid import controls, downloads, words
from satcore.dashboard.attack_grid.grid_view import grid_view
from satcore.dashboard.attack_grid.run import run_of
from satcore.dashboard.shared import digits, stage
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.guard import one_readable_line
from satcore.dashboard.shared.line_up import line_up
from satcore.dashboard.shared.take_away import figure

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

stage.heading("Every digit into every other", words.INTRODUCTION)
with one_readable_line(), stage.controls():
    chosen = line_up()
    setting = controls.setting()
    computed = st.session_state.setdefault("grids computed", {})
    run = st.session_state["grid run"] = run_of(chosen, setting, computed, st.session_state.get("grid run"))


def stop() -> None:
    """Stop where it is; it can go on."""
    run.running = False


press, halt, _ = st.columns([1, 1, 4])
press.button(
    "Compute anew" if run.finished else "Compute",
    key="compute",
    disabled=run.running,
    width="stretch",
    on_click=run.start,
)
halt.button("Stop", key="stop", disabled=not run.running, width="stretch", on_click=stop)


@st.fragment(run_every=0.3 if run.running else None)
def grids_as_they_fill() -> None:
    """The grids, again and again while they fill."""
    with one_readable_line():
        if run.running:
            run.advance(seconds=0.25)
            if run.finished:
                st.rerun()
            st.progress(run.done, text=run.says)
        for name, why in run.refused.items():
            st.error(f"{name}: {why}", icon=":material/error:")
        if run.shown:
            with figure("grids", downloads.of_grids(run.shown, setting), in_fragment=True):
                grid_view(run.shown, chosen, setting, key="grids")
        else:
            st.info(words.NONE_THERE, icon=":material/grid_on:")
        if run.shown and not run.running:
            st.markdown(words.lines(run.shown, run.missing, setting, digits.stepping(chosen)))
            st.caption(about_the_control(chosen))


grids_as_they_fill()
