"""Take it away: a figure's picture, its data, the Python that makes it, and a link to this very screen."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import segno
import streamlit as st

from satcore.dashboard.shared.component import component

Content = str | bytes
PICTURE_OF = "picture of "  # of the session's state: what the browser says of a figure's menu
PICTURE = Path(__file__).with_name("picture.js")
_component = component(__file__, PICTURE)


@dataclass(frozen=True)
class TakeAway:
    """What of a figure can be taken away.

    file  what its picture is called, without an ending
    code  lines of Python that compute it again
    data  files by their names, each made when it is asked for
    """

    file: str
    code: str
    data: Mapping[str, Callable[[], Content]] = field(default_factory=dict)


@contextmanager
def figure(key: str, taken: TakeAway, *, in_fragment: bool = False) -> Iterator[None]:
    """A figure, whatever is drawn within, and below it the one menu by which it is taken away.

    The menu is a fragment of its own, unless the figure stands `in_fragment`: where that runs again, Streamlit takes
    back what it drew before and has not sent yet, but not what a fragment in it drew, and that, with nothing around it,
    leaves the browser with a blank page.
    """
    with st.container(key=f"figure {key}"):
        yield
    with st.container(key=f"menu of {key}"):
        (_menu if in_fragment else st.fragment(_menu))(key, taken)


def _menu(key: str, taken: TakeAway) -> None:
    with st.popover("Take it away", icon=":material/download:", type="tertiary", key=f"take away {key}"):
        _component(
            key=PICTURE_OF + key,
            data={"picture": f".st-key-figure-{key.replace(' ', '-')}", "file": taken.file, **_asked(key)},
            on_address_change=lambda: None,
        )
        with st.container(horizontal=True, gap="small"):
            for file, content in taken.data.items():
                st.download_button(file, content, file, on_click="ignore", key=f"download {key} {file}")
        st.caption("In the repository's folder, or anywhere once `pip install .` has been run there:")
        st.code(taken.code, language="python", wrap_lines=True)


def _asked(key: str) -> dict[str, str]:
    """The address whose QR code has just been asked for, and that code as an image."""
    address = (st.session_state.get(PICTURE_OF + key) or {}).get("address") or ""
    return {"address": address, "code": segno.make_qr(address).svg_data_uri(light="white") if address else ""}
