"""How much of a network's robustness is real: begun from its card, done by a process of its own."""

import contextlib
import subprocess

import streamlit as st

from satcore import background
from satcore.dashboard.shared.guard import one_sentence
from satcore.evaluation import reality

BEGUN = "examinations begun"  # of the session's state: processes, by the key of their work


def examination(name: str) -> None:
    """What was found out about the network `name`, how far that has got, and what begins and stops it."""
    with one_sentence():
        key = reality.work(name)
        going = background.report(key) is not None or _begins(key)
        st.fragment(_as_it_goes, run_every=1.0 if going else None)(name, key, going)


def end(name: str) -> None:
    """Stop at once whoever examines the network `name`, which is to go."""
    with contextlib.suppress(ValueError):  # a damaged one, which nobody examines
        key = reality.work(name)
        process: subprocess.Popen | None = st.session_state.get(BEGUN, {}).get(key)
        if reality.end(name) and process:
            del st.session_state[BEGUN][key]
            process.kill()  # which may not have come so far that it has said who it is
            process.wait()


def _as_it_goes(name: str, key: str, going: bool) -> None:
    with one_sentence():
        found, report = reality.load(name), background.report(key)
        under_way = report is not None or _begins(key)
        if under_way != going:
            st.rerun()  # it has begun or ended: from now on it is looked at every second, or no longer
        if found is not None and found.right:
            said = reality.verdict(found)
            st.markdown(f"{said[0].upper()}{said[1:]}.")
        if under_way:
            said = f"{100 * report.done:.0f} %, {report.says}" if report else "it begins"
            st.progress(report.done if report else 0.0, text=f"Examined by attacks and proofs: {said}")
            st.button("Stop", key=f"stop {key}", on_click=background.stop, args=(key,))
        elif found is None or not found.whole:
            if complaint := background.complaint(key):
                st.error(complaint, icon=":material/error:")
            label = "Examine it: attacks and proofs, minutes or more" if found is None else "Go on examining it"
            st.button(label, key=f"examine {key}", on_click=_begin, args=(name, key))


def _begin(name: str, key: str) -> None:
    with one_sentence():
        process = background.start(key, ["reality", name])
        st.session_state.setdefault(BEGUN, {})[key] = process


def _begins(key: str) -> bool:
    """Whether this session has begun the work of this `key`, and its process runs."""
    process: subprocess.Popen | None = st.session_state.get(BEGUN, {}).get(key)
    return process is not None and process.poll() is None
