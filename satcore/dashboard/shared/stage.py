"""A page on stage: what of it a scene of the story shows, and what can be folded away.

`stage.css` hides what is folded; whether anything is, the story's view in the browser says.
"""

from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES

PART = "part on stage"  # of the session's state: how far down a scene shows its page; "" where there is no scene
OBJECTION = "objection"  # in the address: a loss and a way of taking the gradient, "margin, exact"
A_FEW_LINES = 400  # characters, beside a title on a wide screen


def on_stage() -> bool:
    """Whether the page is seen as a scene: by its figure alone, which then begins to move by itself."""
    return bool(st.session_state.get(PART))


def objection() -> tuple[str, str] | None:
    """The loss and the way of taking the gradient that a figure of robustness is to show; None: as the page has it."""
    loss, _, way = st.query_params.get(OBJECTION, "").partition(", ")
    return (loss, way) if loss in LOSSES and way in WAYS else None


def objected() -> tuple[str, str] | None:
    """As `objection`; a page that isn't seen as a scene says so, and takes it back at a press."""
    there = objection()
    if there and not on_stage():
        loss, way = there
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(f"Not as published: by the {loss}, its gradient {way}.", icon=":material/info:")
            st.button("As published", on_click=_as_published)
    return there


def _as_published() -> None:
    st.query_params.pop(OBJECTION, None)


def heading(title: str, introduction: str = "") -> DeltaGenerator:
    """The page's title and introduction, and the place below them for more; in a scene, which has its own, neither."""
    place = st.container(key="heading beside" if 0 < len(introduction) < A_FEW_LINES else "heading")
    if not on_stage():
        place.title(title)
        if introduction:
            place.markdown(introduction)
    return place


def controls(of: str = "page") -> DeltaGenerator:
    """A container for the controls of a page, or `of` a view of it, which a key folds away."""
    return st.container(key=f"controls of {of}")


def height() -> Literal["stretch", "content"]:
    """Of a figure of Plotly's: in a scene it fills the screen, on its page it has its own."""
    return "stretch" if on_stage() else "content"


def shows(part: str) -> bool:
    """Whether the page is seen as a scene of this `part` of it alone."""
    return st.session_state.get(PART) == part


def ends(part: str) -> None:
    """End the page here in a scene that shows no more of it than this `part`."""
    if shows(part):
        st.stop()
