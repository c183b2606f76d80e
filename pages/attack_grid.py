import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls

st.title("Every digit into every other")
st.markdown(
    "From one image of each digit, a targeted attack tries to reach each of the nine others: the paper's Fig. 5 and 8. "
    "A red X: not found. Whether that means *robust* depends on how the gradient was taken."
)
with controls.one_readable_line():
    names = controls.two_networks(controls.there(checkpoints.names()))
    first, second, third, fourth = st.columns([30, 22, 44, 30], gap="medium")
    with first:
        source = controls.grid_source()
    with second:
        attack = controls.grid_attack()
    with third:
        gradient, temperature = controls.grid_gradient()
    with fourth:
        steps = controls.grid_steps()

from satcore.grids import Setting

from satcore.dashboard import downloads, grid_run, grid_view, tables  # brings torch: the frame stands by now

with controls.one_readable_line():
    setting = Setting(source, attack, gradient, temperature, steps)
    run = st.session_state.get("grid run")
    if run is None or not run.fills(names, setting):
        st.session_state["grid run"] = grid_run.GridRun(names, setting)
    run = st.session_state["grid run"]


def stop() -> None:
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
    with controls.one_readable_line():
        if run.running:
            run.advance(seconds=0.25)
            if run.finished:
                st.rerun()
            st.progress(run.done, text=run.says)
        if run.shown:
            grid_view.grid_view(run.shown, setting, key="grids")
        else:
            st.info("No such grid ships: press Compute.", icon=":material/grid_on:")
        if run.shown and not run.running:
            st.markdown(tables.of_grids(run.shown, setting))
            downloads.of_grids(run.shown, setting)


grids_as_they_fill()
