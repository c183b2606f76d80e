import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import checkpoints
from satcore.dashboard import controls

st.title("Every digit into every other")
st.markdown("From one image of each digit, a targeted attack tries to reach each of the nine others: the paper's Fig. 5 and 8. "
            "A red X: not found. Whether that means *robust* depends on how the gradient was taken.")
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

from satcore.dashboard import downloads, grid_run, grid_view, tables  # brings torch: the frame stands by now
from satcore.grids import Setting

with controls.one_readable_line():
    setting = Setting(source, attack, gradient, temperature, steps)
    wanted = (names, setting)
    run = st.session_state.get("grid run")
    if run and run[0] != wanted:
        del st.session_state["grid run"]
        run = None
    shown = run[1].shown if run else grid_run.known(names, setting)
    busy = bool(run and st.session_state.get("grid at work") and not run[1].finished)

start, stop, says = st.columns([1, 1, 4], vertical_alignment="center")
if start.button("Compute" if len(shown) < len(set(names)) else "Compute anew", key="compute", disabled=busy, width="stretch"):
    with controls.one_readable_line():
        stopped_before_its_end = run and not run[1].finished
        run = run if stopped_before_its_end else (wanted, grid_run.GridRun(names, setting, anew=bool(shown)))
        st.session_state["grid run"], st.session_state["grid at work"], busy = run, True, True
        st.rerun()
if stop.button("Stop", key="stop", disabled=not busy, width="stretch"):
    st.session_state["grid at work"] = False
    st.rerun()


@st.fragment(run_every=0.3 if busy else None)
def grids_as_they_fill() -> None:
    with controls.one_readable_line():
        if busy:
            run[1].advance(seconds=0.25)
            if run[1].finished:
                st.rerun()
        there = run[1].shown if run else shown
        if there:
            grid_view.grid_view(there, run[1].says if run else {}, setting, key="grids")
        else:
            st.info("No such grid ships: press Compute.", icon=":material/grid_on:")


grids_as_they_fill()
if shown and not busy:
    st.markdown(tables.of_grids(shown, setting))
    downloads.of_grids(shown, setting)
