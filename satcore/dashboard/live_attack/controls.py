"""What is attacked and how, on the live page; each bound to the address bar."""

import streamlit as st

from satcore.attacks.objective import LOSSES
from satcore.dashboard.live_attack.run import STEPS
from satcore.dashboard.live_attack.words import FREE
from satcore.data import CLASSES

ANY = "any other"


def follow_old_link() -> None:
    """Take the digit of an older link, `target`, for the one to go to, which is `into` now.

    Only on the page that a session begins with: later `target` is a corner of the interpolations that one comes from.
    """
    if st.session_state.get("first page") != "live_attack":
        return
    st.session_state["first page"] = "followed"
    if "target" in st.query_params:
        others = {key: st.query_params.get_all(key) for key in st.query_params if key != "target"}
        st.query_params.from_dict(others | {"into": [st.query_params["target"]]})
        st.rerun()  # with that address


def goal(own: int) -> int | None:
    """The digit that an attack on a digit of `own` goes to, another one; None: any other."""
    if st.session_state.get("into") == own:
        st.session_state["into"] = ANY  # in the address, too
    chosen = st.pills(
        "Into a",
        (ANY, *(digit for digit in range(CLASSES) if digit != own)),
        default=ANY,
        required=True,
        wrap=True,
        key="into",
        bind="query-params",
    )
    return None if chosen == ANY else int(chosen)


def attack(steps_first: bool) -> tuple[str, dict]:
    """An attack, and its parameters by their names in `satcore.attacks`.

    A search over free pixels is there where any network of the line-up `steps_first`.
    """
    there = [name for name in STEPS if steps_first or name != FREE]
    if st.session_state.get("attack") not in (None, *there):
        st.session_state["attack"] = "PGD"  # in the address, too
    chosen = st.pills(
        "Attack",
        there,
        default="PGD",
        required=True,
        wrap=True,
        key="attack",
        bind="query-params",
        help="FGSM: one step. PGD: many small ones, within ε of the image. Adam and L-BFGS: as far as it takes. "
        "Square: asks for no gradient."
        + " Free pixels: behind a step, pixel by pixel, only those within ε of it can change."
        * steps_first,
    )
    parameters, (left, right) = {}, st.columns(2, gap="medium")
    if chosen in ("FGSM", "PGD", "Square", FREE):
        parameters["epsilon"] = left.slider(
            "ε, a pixel's largest change", 0.0, 0.5, 0.25, 0.01, key="radius", bind="query-params"
        )
    if chosen == "PGD":
        parameters["steps"] = right.select_slider(
            "Steps", (10, 20, 40, 100, 200), 40, key="pgd_steps", bind="query-params"
        )
    if chosen == FREE:
        parameters["steps"] = right.select_slider(
            "Steps, at most", (10, 30, 60, 200, 1_000), 60, key="flips", bind="query-params"
        )
    if chosen in ("Adam", "L-BFGS"):
        parameters["steps"] = left.select_slider(
            "Steps, at most", (100, 1_000, 10_000, 100_000), 1_000, key="steps", bind="query-params"
        )
    if chosen == "Adam":
        parameters["learning_rate"] = right.select_slider(
            "Learning rate", (0.001, 0.003, 0.01, 0.03, 0.1), 0.01, key="rate", bind="query-params"
        )
    if chosen == "Square":
        parameters["queries"] = right.select_slider(
            "Queries, at most", (100, 1_000, 10_000), 1_000, key="queries", bind="query-params"
        )
    return chosen, parameters


def gradient(attack: str) -> dict:
    """Which loss the `attack` follows and how its gradient is taken, by the names in `satcore.attacks`."""
    if attack in ("Square", FREE):
        return {}
    place, parameters = st.container(horizontal=True), {}
    if attack in ("FGSM", "PGD"):
        parameters["loss"] = place.pills(
            "Loss",
            LOSSES,
            default=LOSSES[0],
            required=True,
            wrap=True,
            key="objective",
            bind="query-params",
            help="cross-entropy: as published. margin: the label's logit minus the largest other one.",
        )
    chosen = place.pills(
        "Gradient",
        ("autograd", "exact", "softened"),
        default="autograd",
        required=True,
        key="gradient",
        bind="query-params",
        help="autograd: as published, it may underflow to zero. exact: the true direction, however small. "
        "softened: as exact, with every derivative taken at h/T.",
    )
    parameters["gradient"] = chosen
    if chosen != "softened":
        return parameters
    temperature = place.pills(
        "Temperature T", (3, 10, 30, 100), default=30, required=True, key="temperature", bind="query-params"
    )
    return parameters | {"temperature": float(temperature)}
