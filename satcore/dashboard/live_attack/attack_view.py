"""An attack on several networks side by side: a component whose scrubber goes through the traces in the browser."""

from html import escape

import numpy as np

from satcore.dashboard.live_attack.run import SCALARS, Run, Trace
from satcore.dashboard.shared.component import component, float32, pixels
from satcore.dashboard.shared.style import Style

POINTS = 400  # of a curve, at most
FLOORS = {
    "normal": float(np.log10(np.finfo(np.float32).tiny)),
    "denormal": float(np.log10(np.finfo(np.float32).smallest_subnormal)),
}

_component = component(__file__)


def attack_view(run: Run, styles: dict[str, Style], *, key: str, brief: bool = False) -> None:
    """Draw where the `run` stands, each network in its style.

    While it is running only the last image of each trace is drawn, or else all that were kept. In `brief`:
    without its curves.
    """
    original = run.image[0, 0].float().numpy()
    _component(
        key=key,
        data={
            "source": run.settings.source,
            "target": run.settings.into,
            "floors": FLOORS,
            "brief": brief,
            "unit": "queries" if run.settings.attack == "Square" else "steps",
            "networks": [
                {
                    "name": name,
                    "colour": styles[name].colour,
                    "refused": escape(run.refused.get(name, "")),
                    "note": run.notes.get(name, ""),
                    "says": trace.says,
                    **_drawn(trace, original, run.running),
                }
                for name, trace in run.traces.items()
            ],
        },
    )


def _drawn(trace: Trace, original: np.ndarray, running: bool) -> dict:
    """The curves; and images with what was changed in them, each magnified until its `largest` change is 1.

    Changes from −1 to 1 are sent as numbers from 0 to 1.
    """
    frames = trace.frames[-1:] if running else trace.frames
    images = np.array([image for _, image in frames]).reshape(-1, 784)
    changes = images - original.reshape(784)
    largest = np.abs(changes).max(1)
    rows = _thinned(trace)
    curves = np.array([trace.rows[row] for row in rows]).reshape(-1, len(SCALARS))
    return {
        "columns": {name: float32(column) for name, column in zip(SCALARS, curves.T, strict=True)},
        "frameRows": np.searchsorted(rows, [row for row, _ in frames]).tolist(),
        "largest": largest.tolist(),
        "frames": pixels(images),
        "changes": pixels((changes / np.where(largest, largest, 1)[:, None] + 1) / 2),
    }


def _thinned(trace: Trace) -> np.ndarray:
    """Which rows are drawn: of a long trace every n-th, those with a frame, and the last."""
    count = len(trace.rows)
    if count <= POINTS:
        return np.arange(count)
    return np.union1d(np.linspace(0, count - 1, POINTS).round().astype(int), [row for row, _ in trace.frames])
