"""The story on the pages: which scene is shown, and the view that leads through them."""

import streamlit as st

from satcore.dashboard.shared.component import component
from satcore.dashboard.shared.stage import PART
from satcore.dashboard.story import live, objection
from satcore.dashboard.story.scenes import Scene, story

NUMBER, FULL = "scene", "full"  # in the address: the scene, from 1; and whether all of its page is shown
SHOWN = "scene shown"  # of the session's state

_component = component(__file__)


def enter(page: str) -> None:
    """Begin the scene that the address asks for on this `page`, if it asks for one; and draw the story's view, which
    leads from scene to scene by their addresses.
    """
    try:
        scenes, complaint = story(), ""
    except (ValueError, OSError) as error:
        scenes, complaint = [], str(error)
    _lead_on(page, scenes)
    number = _number(page, scenes)
    scene = scenes[number - 1] if number else None
    came_from = st.session_state.get(SHOWN, number)
    st.session_state[SHOWN] = number
    full = FULL in st.query_params
    st.session_state[PART] = scene.part if scene and not full else ""
    if scene and (raised := objection.raised(scene, arriving=came_from != number)):
        scenes[number - 1] = objection.objected(scene, raised)
    _view(scenes, complaint, number, full=full)


def _lead_on(page: str, scenes: list[Scene]) -> None:
    """To the page of the scene that is asked for, where a session begins at home with no more than its number."""
    number = _asked(scenes)
    if page or SHOWN in st.session_state or not number or not scenes[number - 1].page:
        return
    st.session_state[SHOWN] = 0
    asked = {key: st.query_params.get_all(key) for key in st.query_params}
    st.switch_page(f"pages/{scenes[number - 1].page}.py", query_params=scenes[number - 1].settings | asked)


def _asked(scenes: list[Scene]) -> int:
    """The number of the scene that the address asks for, from 1; 0: none that there is."""
    asked = st.query_params.get(NUMBER, "")
    number = int(asked) if asked.isdecimal() and len(asked) < 4 else 0
    return number if number <= len(scenes) else 0


def _number(page: str, scenes: list[Scene]) -> int:
    """The number of the scene that is asked for, from 1; 0: none, or one of another page, which was left by a link."""
    number = _asked(scenes)
    if number and scenes[number - 1].page == page:
        return number
    for key in (NUMBER, FULL):
        if key in st.query_params:
            del st.query_params[key]
    return 0


def _view(scenes: list[Scene], complaint: str, number: int, *, full: bool) -> None:
    scene = scenes[number - 1] if number else None
    _component(
        key="stage",
        data={
            "base": f"/{st.get_option('server.baseUrlPath').strip('/')}/".replace("//", "/"),
            "scenes": [
                {text: getattr(scene, text) for text in ("title", "says", "look", "notes")}
                | {"address": scene.address(index)}
                for index, scene in enumerate(scenes, start=1)
            ],
            "complaint": complaint,
            "number": number,
            "full": full,
            "objects": bool(scene) and objection.possible(scene.part),
            "badge": live.badge(scene) if scene else "",
        },
        on_objection_change=lambda: objection.next_way(scene.part) if scene else None,
        on_live_change=lambda: live.compute(scene) if scene else None,
    )
