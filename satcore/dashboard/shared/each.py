"""Something found out about each network of a line-up, one of which may be refused."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import streamlit as st

Found = TypeVar("Found")


def each(names: Iterable[str], find: Callable[[str], Found]) -> dict[str, Found]:
    """What `find` gives for each of the networks `names`, without those that it refuses, which get a sentence.

    Where it refuses all of them the page ends there.
    """
    found = {}
    for name in names:
        try:
            found[name] = find(name)
        except (ValueError, OSError) as error:
            st.error(f"{name}: {error}", icon=":material/error:")
    if not found:
        st.stop()
    return found
