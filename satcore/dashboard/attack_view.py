"""An attack on several networks side by side: a component whose scrubber goes through the traces in the browser alone."""

import numpy as np

from satcore.dashboard.attack_run import Run, Trace
from satcore.dashboard.encoded import component, float32, pixels
from satcore.dashboard.figures import COLOURS

POINTS = 400  # of a curve, at most
FLOORS = {"normal": float(np.log10(np.finfo(np.float32).tiny)), "denormal": float(np.log10(np.finfo(np.float32).smallest_subnormal))}

_component = component("attack_view")


def attack_view(run: Run, *, playing: bool, key: str) -> None:
    """Draw where the `run` stands; while it is `playing` only the last image of each trace, or else all that were kept."""
    original = run.image[0, 0].float().numpy()
    _component(key=key, data={
        "source": run.settings.source, "target": run.settings.target, "playing": playing, "floors": FLOORS,
        "original": pixels(original),
        "networks": [{"name": name, "colour": COLOURS[name.partition("/")[2]], "refused": run.refused.get(name, ""),
                      "says": trace.says, **_drawn(trace, original, playing)} for name, trace in run.traces.items()]})


def _drawn(trace: Trace, original: np.ndarray, playing: bool) -> dict:
    frames = trace.frames[-1:] if playing else trace.frames
    changes = [image - original for _, image in frames]
    largest = [float(np.abs(change).max()) for change in changes]
    scaled = [change / (most or 1) for change, most in zip(changes, largest, strict=True)]
    rows = _thinned(trace)
    columns = {name: float32(np.nan_to_num(trace.column(name)[rows], neginf=-1e9)) if name != "log10_gradient" else float32(
        np.where(np.isneginf(trace.column(name)[rows]), -1e9, trace.column(name)[rows])) for name in
        ("iteration", "source", "target", "l2", "linf", "log10_gradient", "seen")} if trace.rows else {}
    return {"columns": columns, "frameRows": [_place(rows, row) for row, _ in frames], "largest": largest,
            "frames": pixels([image for _, image in frames]) if frames else "",
            "changes": pixels([(change + 1) / 2 for change in scaled]) if frames else ""}


def _thinned(trace: Trace) -> np.ndarray:
    """Which rows are drawn: of a long trace every n-th, those with a frame, and the last."""
    count = len(trace.rows)
    if count <= POINTS:
        return np.arange(count)
    return np.union1d(np.linspace(0, count - 1, POINTS).round().astype(int), [row for row, _ in trace.frames])


def _place(rows: np.ndarray, row: int) -> int:
    return int(np.searchsorted(rows, row))
