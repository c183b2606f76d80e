"""satcore: what saturation does to a network. Open it with `streamlit run app.py`."""

import streamlit as st


def main() -> None:
    st.set_page_config(page_title="satcore", page_icon=":material/biotech:", layout="wide")
    page = st.navigation([st.Page("pages/home.py", title="Table 1", icon=":material/home:", default=True)])
    st.session_state["through_app"] = True
    page.run()


if __name__ == "__main__":
    main()
