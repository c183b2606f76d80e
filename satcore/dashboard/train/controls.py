"""What is to be trained: a recipe to begin with, and what is changed of it; bound to the address bar."""

import dataclasses
import re
from typing import Any

import pandas as pd
import streamlit as st

from satcore.dashboard.train import words
from satcore.dashboard.train.presets import PRESETS, STARTS, TRAINING, recipe_of
from satcore.networks import Dense
from satcore.nonlinearities import BY_NAME
from satcore.recipes import STEP, TRAININGS, Annealing, Phase, Recipe, changed
from satcore.runs import Run

START, WHICH, BEGUN = "train_start", "train_which", "training begun with"  # the last is of the session's state
NONLINEARITIES = tuple(name for name in BY_NAME if name not in ("identity", "step"))  # which can't be trained through


def start() -> Recipe:
    """The recipe to begin with."""
    _say_what_is_left_out()
    begun = st.pills(
        "Begin with",
        STARTS,
        default=STARTS[0],
        required=True,
        wrap=True,
        key=START,
        bind="query-params",
        label_visibility="collapsed",
        width="content",
    )
    if begun in PRESETS:
        return PRESETS[begun]
    training = st.selectbox(
        "Training of the paper's",
        TRAININGS,
        TRAININGS.index(TRAINING),
        key=WHICH,
        bind="query-params",
        label_visibility="collapsed",
        width=145,
    )
    return recipe_of(begun, training)


def _say_what_is_left_out() -> None:
    """Of the address's choices those that aren't offered, and that Streamlit therefore takes out of it."""
    offered = {START: STARTS, WHICH: TRAININGS, _key("nonlinearity"): NONLINEARITIES, _key("step"): ("true", "false")}
    asked = st.query_params
    left_out = [f"`{key}`" for key, choices in offered.items() if key in asked and asked[key] not in choices]
    if left_out:
        st.warning(words.LEFT_OUT.format(settings=", ".join(left_out)), icon=":material/info:")


def run(recipe: Recipe) -> Run:
    """What the settings make of the `recipe`. Raises ValueError where that can't be trained."""
    there = _shown(recipe)
    _begun_with(there)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        asked: dict[str, Any] = {
            "widths": _text("Widths", there, "widths", 112, words.WIDTHS, disabled=not there["widths"]),
            "nonlinearity": _nonlinearity(there),
            "lambda_max": _text("λ up to", there, "lambda_max", 104, words.LAMBDA),
            "epochs": _text("Epochs", there, "epochs", 98, words.EPOCHS),
            "learning_rate": _text("Rate", there, "learning_rate", 82, words.RATE),
            "batch_size": _text("Batch", there, "batch_size", 88, words.BATCH),
            "clean_share": _text("α", there, "clean_share", 66, words.ALPHA),
            "initial_scale": _text("Scale", there, "initial_scale", 86, words.SCALE),
            "seed": _text("Seed", there, "seed", 66),
            "step": st.toggle("Step first", there["step"], key=_key("step"), bind="query-params", help=words.STEP),
        }
    settings = {name: _read(name, value) for name, value in asked.items() if value != there[name]}
    seed = settings.pop("seed", 0)
    return Run(changed(recipe, settings), seed)


def _begun_with(there: dict[str, Any]) -> None:
    """Set everything but the seed as it is in the recipe that is begun with, once that is another one.

    Not in a callback: while a fragment runs again and again, one may be lost.
    """
    begun = (st.session_state[START], st.session_state.get(WHICH))
    if st.session_state.setdefault(BEGUN, begun) != begun:
        st.session_state.update({_key(name): value for name, value in there.items() if name != "seed"})
        st.session_state[BEGUN] = begun


def _shown(recipe: Recipe) -> dict[str, Any]:
    """What the widgets show of the `recipe`; of several phases the longest one's."""
    longest = max(recipe.phases, key=lambda phase: phase.epochs)
    hidden = [block for block in recipe.architecture[:-1] if block != STEP]
    dense = [str(block.affine.outputs) for block in hidden if isinstance(block.affine, Dense)]
    return {
        "widths": ", ".join(dense) if len(dense) == len(hidden) else "",
        "nonlinearity": hidden[0].nonlinearity,
        "lambda_max": f"{recipe.lambda_max:g}",
        "epochs": str(longest.epochs),
        "learning_rate": f"{longest.learning_rate:g}",
        "batch_size": str(longest.batch_size),
        "clean_share": f"{longest.clean_share:g}",
        "initial_scale": f"{recipe.initial_scale:g}",
        "seed": "0",
        "step": recipe.architecture[0] == STEP,
    }


def _key(name: str) -> str:
    return f"train_{name}"


def _text(
    label: str, there: dict[str, Any], name: str, width: int, help: str | None = None, *, disabled: bool = False
) -> str:
    said = st.text_input(
        label,
        there[name],
        key=_key(name),
        bind="query-params",
        max_chars=60,
        help=help,
        disabled=disabled,
        width=width,
    )
    return said or ""


def _nonlinearity(there: dict[str, Any]) -> str:
    return st.selectbox(
        "Nonlinearity",
        NONLINEARITIES,
        NONLINEARITIES.index(there["nonlinearity"]),
        key=_key("nonlinearity"),
        bind="query-params",
        width=112,
    )


def _read(name: str, said: Any) -> Any:
    """The setting `name`, as `recipes.changed` takes it, that is `said` in a widget."""
    if name == "widths":
        return _widths(said)
    if name in ("nonlinearity", "step"):
        return said
    whole = name in ("epochs", "batch_size", "seed")
    try:
        return int(said) if whole else float(said)
    except ValueError:
        what = name.replace("lambda_max", "λ").replace("_", " ")
        raise ValueError(f"expected {what} as a {'whole ' * whole}number, got {said!r}") from None


def _widths(said: str) -> tuple[int, ...]:
    parts = re.split(r"\s*[,–-]\s*|\s+", said.strip())
    if not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise ValueError(f"expected the widths of the hidden layers, such as 200, 200, got {said!r}")
    return tuple(map(int, parts))


def phase_by_phase(run: Run) -> Run:
    """The `run` with what is changed in the table of its phases. Raises ValueError where that can't be trained."""
    recipe = run.recipe
    bounded = any(phase.bounded for phase in recipe.phases)
    rows = [_row(phase) | (_of_bounds(phase) if bounded else {}) for phase in recipe.phases]
    with st.popover("Phases", key="train_phases"):
        st.caption(words.PHASES + words.BOUNDS * bounded)
        edited = st.data_editor(
            pd.DataFrame(rows),
            key=f"phases {recipe.identity}",
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="%g") for name in rows[0]},
        )
    phases = tuple(map(_phase, recipe.phases, edited.to_dict("records")))
    return Run(changed(dataclasses.replace(recipe, phases=phases), {}), run.seed)


def _row(phase: Phase) -> dict[str, float]:
    return {
        "epochs": phase.epochs,
        "batch": phase.batch_size,
        "rate": phase.learning_rate,
        "last rate": _or_empty(phase.last_learning_rate),
        "β₂": phase.beta2,
        "λ from": phase.penalty.start,
        "λ step": phase.penalty.step,
        "λ up to": phase.penalty.maximum,
        "α": phase.clean_share,
    }


def _of_bounds(phase: Phase) -> dict[str, float]:
    """What is more in a row where bounds are trained on."""
    within = phase.within
    return {
        "last α": _or_empty(phase.last_clean_share),
        "ε from": within.start,
        "ε step": within.step,
        "ε up to": within.maximum,
    }


def _or_empty(value: float | None) -> float:
    return float("nan") if value is None else value


def _phase(phase: Phase, row: dict[Any, Any]) -> Phase:
    """The `phase` as a `row` of the table has it."""
    last = {name: None if pd.isna(value) else value for name, value in row.items() if name.startswith("last")}
    if any(pd.isna(value) for name, value in row.items() if name not in last):
        raise ValueError("expected a number in every cell but those of what is last, got none")
    bounds = {}
    if "ε up to" in row:
        within = Annealing(row["ε from"], row["ε step"], row["ε up to"])
        bounds = {"within": within, "last_clean_share": last["last α"]}
    return dataclasses.replace(
        phase,
        epochs=int(row["epochs"]),
        batch_size=int(row["batch"]),
        learning_rate=row["rate"],
        last_learning_rate=last["last rate"],
        beta2=row["β₂"],
        penalty=Annealing(row["λ from"], row["λ step"], row["λ up to"]),
        clean_share=row["α"],
        **bounds,
    )
