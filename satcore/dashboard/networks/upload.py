"""A network that a visitor brings along, from the file to the shelf."""

from dataclasses import dataclass

import streamlit as st

from satcore import library, outside
from satcore.dashboard.networks import words
from satcore.dashboard.networks.run import Measuring

MOST_MEGABYTES = 16
ROUND, BROUGHT, CALLED = "uploads so far", "brought along", "name of the upload"


@dataclass(frozen=True)
class Brought:
    """What became of an upload: the network's `name`, "" where it was refused, and what is `said` of it."""

    name: str
    said: str


def upload(measuring: Measuring) -> Brought | None:
    """The control to upload an ONNX file with; what became of the last upload of this session."""
    key = current()
    st.text_input(
        words.CALL_IT,
        key=CALLED,
        max_chars=library.MOST_LETTERS,
        placeholder=words.AS_THE_FILE,
        on_change="ignore",
        live=True,  # else what is typed counts only once the field is left, which dropping a file doesn't do
        width=360,
    )
    st.file_uploader(
        "An ONNX file",
        type="onnx",
        max_upload_size=MOST_MEGABYTES,
        key=key,
        on_change=_take,
        args=(key, measuring),
    )
    return st.session_state.get(BROUGHT)


def current() -> str:
    """The key of the control: another one after each upload, so that it is empty again."""
    return f"upload {st.session_state.get(ROUND, 0)}"


def keep(file: str, content: bytes, called: str = "") -> Brought:
    """Put the network in the `content` of an ONNX `file` on the user's shelf, unless it is on a shelf already.

    It is `called` as one likes, else as its file is.
    """
    file = words.name_of(file)
    try:
        label = library.slug(called) if called else words.label_of(file)
        network = outside.from_onnx_bytes(content)
        known = library.same_as(network)
        name = known or library.add(network, label, origin=words.origin_of(file))
    except (ValueError, OSError) as error:
        return Brought("", str(error))
    return Brought(name, words.brought(name, f"{library.OWN}/{label}", known is not None))


def forget(name: str) -> None:
    """Say no more that the network `name` was brought along: it is gone."""
    if (brought := st.session_state.get(BROUGHT)) and brought.name == name:
        del st.session_state[BROUGHT]


def _take(key: str, measuring: Measuring) -> None:
    uploaded = st.session_state.get(key)
    if uploaded is not None and key == current():  # the browser may say it twice
        brought = keep(uploaded.name, uploaded.getvalue(), st.session_state[CALLED].strip())
        st.session_state[CALLED] = ""
        st.session_state[BROUGHT] = brought
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
        if brought.name and not library.describe(brought.name).measurements:
            measuring.ask(brought.name)
