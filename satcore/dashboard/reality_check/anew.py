"""A figure of the table computed anew: what is chosen for it, and how far it has got."""

import streamlit as st

from satcore.dashboard.reality_check import controls, words
from satcore.dashboard.reality_check.run import CellRun
from satcore.dashboard.shared import digits
from satcore.dashboard.shared.guard import one_sentence
from satcore.evaluation.reality import Reality

KEY = "cell run"  # of the session's state


def begin(name: str, rung: str, images: int, epsilon: float) -> None:
    """Begin with what the `rung` leaves of the network `name` at `epsilon`, on so many `images`."""
    st.session_state[KEY] = CellRun(name, rung, images, epsilon)


def begin_as_in_table(name: str, rung: str, found: Reality, epsilon: float) -> None:
    """Begin with a figure of the table, on as many images as were `found` to stand or fall there."""
    controls.choose_cell(name, rung, found)
    begin(name, rung, found.images, epsilon)


def panel(found: dict[str, Reality], epsilon: float) -> None:
    """The controls, and the figure as it fills. Its place on the page is called "anew": the table leads there."""
    run: CellRun | None = st.session_state.get(KEY)
    if run is not None and run.hashes != digits.hashes([run.name]):  # another network has been given its name
        run = st.session_state[KEY] = None
    busy = run is not None and run.running
    with st.container(key="anew"), st.expander("Compute a figure anew", expanded=run is not None):
        cell = controls.cell(found)
        press, halt, _ = st.columns([1, 1, 4])
        press.button(
            "Compute", key="compute_cell", disabled=busy, width="stretch", on_click=begin, args=(*cell, epsilon)
        )
        halt.button("Stop", key="stop_cell", disabled=not busy, width="stretch", on_click=_stop)
        st.fragment(_as_it_fills, run_every=0.3 if busy else None)()


def _stop() -> None:
    st.session_state[KEY].running = False


def _as_it_fills() -> None:
    run: CellRun | None = st.session_state.get(KEY)
    if run is None:
        return
    with one_sentence():
        if run.running:
            run.advance(seconds=0.25)
            if not run.running:
                st.rerun()
        if run.refused:
            raise ValueError(run.refused)
        st.progress(run.done, text=words.computed(run))
