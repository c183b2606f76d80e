"""satcore: what saturation does to a network. Open it with `streamlit run app.py`."""

import os
from pathlib import Path

import streamlit as st

# Before torch is imported: its threads are to sleep between two products. Spinning, they take the cores away from the browser
# and from other sessions, and a step of an attack takes several times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ICON = Path(__file__).parent / "satcore" / "dashboard" / "icon.png"  # a named icon would be fetched from a server


def main() -> None:
    st.set_page_config(page_title="satcore", page_icon=str(ICON), layout="wide")
    page = st.navigation(
        [
            st.Page("pages/home.py", title="Table 1", icon=":material/home:", default=True),
            st.Page("pages/interpolation.py", title="Interpolation", icon=":material/timeline:"),
            st.Page("pages/representations.py", title="Representations", icon=":material/grid_on:"),
            st.Page("pages/weights.py", title="Weights", icon=":material/bar_chart:"),
            st.Page("pages/live_attack.py", title="Live attack", icon=":material/bolt:"),
            st.Page("pages/attack_grid.py", title="Attack grid", icon=":material/apps:"),
            st.Page("pages/reality_check.py", title="Reality check", icon=":material/fact_check:"),
        ],
        position="top",
    )
    st.session_state["through the front door"] = True  # each page's first lines ask for it
    page.run()


if __name__ == "__main__":
    main()
