"""A training as it goes: what begins, pauses and cancels it, and what follows its files."""

import subprocess
from collections.abc import Mapping

import streamlit as st

from satcore import background, library, runs
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.guard import one_sentence
from satcore.dashboard.shared.line_up import KEY as LINE_UP
from satcore.dashboard.shared.style import COLOURS
from satcore.dashboard.shared.take_away import figure
from satcore.dashboard.train import downloads, words
from satcore.dashboard.train.records import Beside, Epoch, Training, called, record, seconds_an_epoch, trainings
from satcore.dashboard.train.training_view import training_view
from satcore.runs import Run

SHOWN, EPOCH = "run", "epoch"  # in the address; the latter is the view's own
BEGUN = "trainings begun"  # of the session's state: processes, by the key of their run
LOOKED_AT, ALONE = "training last shown", "no training but one's own"  # of the session's state
OFTEN, SELDOM = 1.0, 4.0  # seconds between two looks at a training that is under way, and at one that isn't
BESIDE = ("vanilla", "saturated", "control")  # trainings whose networks stand beside a new one on other pages
PAGES = {
    "interpolation": "Interpolation",
    "representations": "Representations",
    "weights": "Weights",
    "live_attack": "Live attack",
    "reality_check": "Reality check",
}


def shown(run: Run | None, known: Mapping[str, Training]) -> Training | None:
    """The training that the address asks for; else that of the settings' `run`; else one that is under way, which is
    then in the address: but not in place of one that has been forgotten, which is said.
    """
    _say_what_is_gone(known)
    asked = (st.query_params.get(SHOWN, ""), run.key if run else "")
    found = next((known[key] for key in asked if key in known), None)
    if found is None and not st.session_state.get(ALONE):
        found = next((training for training in known.values() if _under_way(training)), None)
        if found:
            st.query_params[SHOWN] = found.run.key
    st.session_state[LOOKED_AT] = (found.run.key, called(found.run)) if found else None
    return found


def _say_what_is_gone(known: Mapping[str, Training]) -> None:
    """Of the training that was shown last, and of that which the address asks for, where there is none any more."""
    asked, before = st.query_params.get(SHOWN, ""), st.session_state.get(LOOKED_AT)
    if before and before[0] not in known:
        st.info(words.FORGOTTEN.format(called=before[1]), icon=":material/info:")
    elif asked and asked not in known:
        st.warning(words.GONE, icon=":material/info:")
    else:
        return
    st.session_state[ALONE] = True  # until one is asked for
    if asked not in known:
        st.query_params.pop(SHOWN, None)


def _under_way(training: Training) -> bool:
    return training.standing is not None and training.standing.report is not None


def start(run: Run, known: Mapping[str, Training]) -> None:
    """The button that begins with the `run`, or, where it has been begun and another one is shown, shows it."""
    if run.key in known:
        asked = st.query_params.get(SHOWN)
        if asked in known and asked != run.key and st.button("Show it", key="show"):
            _show(run.key)
        return
    busy = any(map(_under_way, known.values()))
    if st.button("▶ Queue" if busy else "▶ Start", key="start", type="primary", help=words.QUEUE if busy else None):
        _begin(run)


def heading(run: Run | None, training: Training | None, known: Mapping[str, Training]) -> None:
    """What the settings' `run` will come to, where it is yet to be begun; and which `training` is shown, what became of
    it, or what pauses and cancels it.
    """
    if run and run.key not in known:
        st.caption(words.will_be(run, seconds_an_epoch(run.recipe, known)))
    if training:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(words.heading(training), width="content")
            if not training.name:
                controls(training)
    elif run:
        st.markdown(words.INTRODUCTION)
    if training and training.name:
        with st.container(horizontal=True, vertical_alignment="center", gap=None):
            st.markdown(words.done(training), width="content")
            links(training)


def others(known: Mapping[str, Training]) -> None:
    """All trainings on this machine but those of the networks that ship, each shown at a press; looked at again and
    again while any of them is under way.
    """
    own = _own(known)
    if own:
        st.subheader("On this machine")
    goes = any(map(_goes, own)) and not stage.on_stage()
    st.fragment(_listed, run_every=SELDOM if goes else None)(went=goes)


def _listed(went: bool) -> None:
    own = _own(trainings())
    with st.container(horizontal=True, gap="small"):
        for key, training in own.items():
            if st.button(words.listed(training, _goes(key)), key=f"show {key}", type="tertiary"):
                _show(key)
    if went and not any(map(_goes, own)):
        st.rerun()  # and look no more


def _own(known: Mapping[str, Training]) -> dict[str, Training]:
    return {
        key: training
        for key, training in known.items()
        if not training.name or training.name.startswith(f"{library.OWN}/")
    }


def controls(training: Training) -> None:
    """Pause or resume, and cancel; of this training alone, whichever is shown by the time that one presses."""
    key = training.run.key
    if _goes(key):
        if st.button("❚❚ Pause", key=f"pause {key}"):
            runs.pause(training.run)
            st.toast(words.STOPS)
    elif st.button("▶ Resume", key=f"resume {key}", type="primary"):
        _begin(training.run)
    with st.popover("Cancel", key=f"ask about cancelling {key}"):
        st.markdown(words.forgets(training))
        if st.button("Forget it", key=f"cancel {key}", type="primary"):
            _cancel(training.run)


def links(training: Training) -> None:
    """The network that came of a training, on other pages, beside those of its family that ship."""
    family = [
        name
        for name, card in library.catalogue().cards.items()
        if card.shipped and card.group == training.run.recipe.family and card.training in BESIDE
    ]
    line_up = [training.name, *[name for name in family if name != training.name]]
    for page, title in PAGES.items():
        st.page_link(f"pages/{page}.py", label=title, query_params={LINE_UP: line_up}, width="content")


def before(run: Run, beside: Beside | None) -> None:
    """What there is to see without a record of the `run`: the course of what it is to be compared with."""
    if beside:
        with figure("before", downloads.of_training(run, [])):
            training_view(run, [], beside, COLOURS[run.recipe.training], words.caption([], run.recipe, beside))


def follow(training: Training, beside: Beside | None) -> None:
    """The training's figures, and above them, while it isn't finished, how far it has got, looked at each second."""
    run, epochs = training.run, record(training.path).epochs()
    if not training.name:
        goes = _goes(run.key)
        look = st.fragment(_how_far, run_every=OFTEN if goes else SELDOM)
        look(training, went=goes, drawn=len(epochs))
    if epochs and epochs[-1].accuracy < words.GUESSED:
        st.warning(words.nothing_learned(epochs[-1]), icon=":material/info:")
    if epochs:
        with figure("training", downloads.of_training(run, epochs)):
            explained = [] if stage.on_stage() else epochs  # in a scene no more than what FGSM is, and what is grey
            caption = words.caption(explained, run.recipe, beside)
            training_view(run, epochs, beside, COLOURS[run.recipe.training], caption)
    else:
        if training.name:
            st.caption(words.NO_RECORD)
        before(run, beside)


def _how_far(training: Training, went: bool, drawn: int) -> None:
    """One line; where more than that has changed since so many epochs were `drawn`, the page runs: a fragment can't
    have another one run.
    """
    run = training.run
    with one_sentence():
        epochs = record(training.path).epochs()
        if _goes(run.key) != went or not run.folder.exists() or len(epochs) != drawn:
            st.rerun()  # it has ended, somebody has gone on with it, or there are new epochs
        _standing(run, epochs, went)


def _standing(run: Run, epochs: list[Epoch], goes: bool) -> None:
    """One element whatever there is to say, so that what follows stays where it is when a training is paused."""
    report, last = background.report(run.key), run.recipe.epochs
    done = epochs[-1].epoch / last if epochs else 0.0
    if not goes and (complaint := background.complaint(run.key)):
        st.error(complaint, icon=":material/error:")
    elif not goes:
        st.progress(done, text=words.rests(epochs, last))
    elif report is not None and report.says == background.WAITS:
        st.progress(0.0, text=words.WAITS)
    else:
        st.progress(done, text=words.progress(epochs, last) if epochs else words.BEGINS)


def _goes(key: str) -> bool:
    """Whether somebody is at the run of this `key`, or this session has begun it and its process is on its way."""
    process: subprocess.Popen | None = st.session_state.get(BEGUN, {}).get(key)
    return background.report(key) is not None or (process is not None and process.poll() is None)


def _begin(run: Run) -> None:
    st.session_state.setdefault(BEGUN, {})[run.key] = runs.begin(run)
    _show(run.key)


def _cancel(run: Run) -> None:
    process: subprocess.Popen | None = st.session_state.get(BEGUN, {}).pop(run.key, None)
    if process:
        process.kill()  # which may not have come so far that `runs` knows of it
        process.wait()
    runs.cancel(run)
    if st.query_params.get(SHOWN) == run.key:
        del st.query_params[SHOWN]
    st.rerun()


def _show(key: str) -> None:
    if st.query_params.get(SHOWN) != key:
        st.query_params.pop(EPOCH, None)  # which is another training's
    st.query_params[SHOWN] = key
    st.session_state.pop(ALONE, None)
    st.rerun()
