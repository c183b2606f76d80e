"""satcore: what saturation does to a network. Open it with `streamlit run app.py`."""

import contextlib
import gc
import importlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from satcore import memory, room
from satcore.dashboard.shared.address import forget_infinities, restored

HERE = Path(__file__).parent
SHARED = HERE / "satcore" / "dashboard" / "shared"
ICON = SHARED / "icon.png"  # a named icon would be fetched


def main() -> None:
    """Run the page that is asked for; each page's first lines ask whether it came this way."""
    from satcore.dashboard.story import stage  # not above: torch comes with it, before `lifespan` has said how to wait

    st.set_page_config(page_title="satcore", page_icon=str(ICON), layout="wide")
    st.html(SHARED / "legible.css")
    st.html(SHARED / "stage.css")
    page = st.navigation(
        [
            st.Page("pages/home.py", title="Table 1", default=True),
            st.Page("pages/interpolation.py", title="Interpolation"),
            st.Page("pages/representations.py", title="Representations"),
            st.Page("pages/weights.py", title="Weights"),
            st.Page("pages/live_attack.py", title="Live attack"),
            st.Page("pages/attack_grid.py", title="Attack grid"),
            st.Page("pages/reality_check.py", title="Reality check"),
            st.Page("pages/claims.py", title="Claims"),
            st.Page("pages/over_seeds.py", title="Over seeds"),
            st.Page("pages/train.py", title="Train"),
            st.Page("pages/networks.py", title="Networks"),
        ],
        position="top",
    )
    if "first page" not in st.session_state:  # later its keys are widgets', which alone may write them
        forget_infinities()  # only now: before the navigation, a rerun doesn't know its page and may end at home
    st.session_state.setdefault("first page", page.url_path)  # of the session: there old links are followed
    turned = st.session_state.get("page") not in (None, page.url_path)
    st.session_state["page turned"] = turned and not restored()
    st.session_state["page"] = page.url_path  # only now: a page that is begun anew to be restored is turned to, too
    stage.enter(page.url_path)
    st.session_state["through the front door"] = True
    page.run()


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Import what takes seconds when the server starts, not when the first viewer comes; open a room, if asked to."""
    # Torch's threads are to sleep between two products. Spinning, they take the cores away from the browser and from
    # other sessions, and a step of an attack takes several times as long. It is read when torch is imported: below.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # NumPy's and SciPy's spin whatever they are told: as many computations as cores are at work already, one thread
    # each, and on two busy cores a second one takes ten times as long as it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    memory.share()
    for module in sorted(SHARED.parent.glob("*/*.py")):
        importlib.import_module(".".join(module.relative_to(HERE).with_suffix("").parts))
    importlib.import_module("torch.fx.experimental.symbolic_shapes")  # by torch itself, when it first takes a gradient

    # Streamlit collects garbage after every run of a script or fragment. What is imported by now is none, and going
    # through it takes longer than a step of an attack on four networks.
    gc.freeze()
    with room.as_asked():
        yield


def own_names() -> list[str]:
    """By which names the server may be asked for, "*" for any: on loopback by loopback's own.

    Else another site could have its own name lead here (DNS rebinding), and its pages would count as ours.
    """
    loopback = ["127.0.0.1", "localhost"]
    return loopback if st.get_option("server.address") in loopback else ["*"]


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, lifespan=lifespan, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=own_names())])
