import streamlit as st

if not st.session_state.pop("through the front door", False):  # a first deep link, past app.py
    import app

    app.main()
    st.stop()

from satcore import reality
from satcore.dashboard import controls, ladder_view, reality_figures, tables
from satcore.paper import TABLE_1

st.title("How much of it is real")
with controls.one_readable_line():
    found = reality.shipped()
    if not found:
        raise ValueError(
            f"expected what was found out about the networks in {reality.FOLDER}, got nothing: "
            "find it out with `python -m satcore reality`"
        )
    st.markdown(tables.reality(found, TABLE_1))
    epsilon = controls.tabled_epsilon(reality.common_epsilons(found))
    ladder_view.ladder_view(found, TABLE_1, epsilon, key="ladder")
    st.caption(tables.LADDER)

    run = st.session_state.get("cell run")
    busy = run is not None and run.running


def compute(*cell) -> None:
    from satcore.dashboard.reality_run import CellRun

    st.session_state["cell run"] = CellRun(*cell, epsilon=epsilon)


def stop() -> None:
    run.running = False


@st.fragment(run_every=0.3 if busy else None)
def cell_as_it_fills() -> None:
    with controls.one_readable_line():
        if busy and run.running:
            run.advance(seconds=0.25)
            if not run.running:
                st.rerun()
        if run:
            st.progress(run.done, text=tables.computed(run))


with (
    controls.one_readable_line(),
    st.expander("Compute a figure anew", expanded=run is not None or "cell pressed" in st.session_state),
):
    cell = controls.cell({name: ["clean", *there.right] for name, there in found.items()})
    press, halt, _ = st.columns([1, 1, 4])
    press.button("Compute", key="compute_cell", disabled=busy, width="stretch", on_click=compute, args=cell)
    halt.button("Stop", key="stop_cell", disabled=not busy, width="stretch", on_click=stop)
    cell_as_it_fills()

st.header("Against ε")
with controls.one_readable_line():
    family, names = controls.family(list(found))
    there = {name: found[name] for name in names}
    shown = controls.rungs(ladder_view.ATTACKS)
    for row in (shown[first : first + 3] for first in range(0, len(shown), 3)):
        for rung, column in zip(row, st.columns(3, gap="medium"), strict=False):
            column.plotly_chart(
                reality_figures.against_epsilon(there, rung),
                key=f"curve {rung}",
                config={"displayModeBar": False},
                alt=f"How many images stay right against ε after: {rung}",
            )
    st.caption(tables.CURVES)

st.header("Why")
from satcore.checks import MEANINGS  # brings torch, which takes seconds: the table and the curves stand by now

from satcore.dashboard import cards, checks_view, downloads, live


@st.fragment
def gradients() -> None:
    with controls.one_readable_line():
        left, right = st.columns([3, 2], gap="large")
        with right:
            how, needs = controls.choice_of_example(names)
            index = live.index_of(how, needs)
            temperature = controls.softness([row[0] for row in next(iter(there.values())).softening])
            st.markdown(tables.softened(there, temperature))
            st.plotly_chart(
                reality_figures.against_temperature(there, temperature),
                key="temperatures",
                config={"displayModeBar": False},
                alt="How many images stay right after softened attacks, against the temperature",
            )
            st.caption(tables.SOFTENED)
        with left:
            st.markdown(tables.gradients(live.label_of(index), index))
            for row in (names[:2], names[2:]):
                for name, column in zip(row, st.columns(2), strict=False):
                    with column:
                        cards.gradient_card(name.partition("/")[2], live.gradients(name, index, temperature))


gradients()
st.subheader("Where the gradient dies")
st.plotly_chart(
    reality_figures.dying(there),
    key="dying",
    config={"displayModeBar": False},
    alt="Histograms of the gradient's size at each layer, beside the smallest numbers that float32 and float64 have",
)
st.caption(tables.DYING)
st.dataframe(tables.dying(there), hide_index=True, key="zeros")

st.header("Would you believe this attack?")
st.markdown(tables.CHECKS)
checks_view.checks_view(there, MEANINGS, key="checks")
downloads.of_reality(found)
