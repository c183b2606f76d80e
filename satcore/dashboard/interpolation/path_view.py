"""The straight path between two images as several networks see it: a component that plays in the browser alone."""

import numpy as np

from satcore.dashboard.interpolation.words import FIGURES, NOT_CONVERGED
from satcore.dashboard.shared.component import component, float32, pixels
from satcore.dashboard.shared.style import Style
from satcore.geometry import Path

_component = component(__file__)


def path_view(
    paths: dict[str, Path], chosen: dict[str, Style], source: int, target: int, *, scale: str, plays: bool
) -> None:
    """Draw `paths` along one line from a `source` digit to a `target` digit, for those of the `chosen` networks whose
    path is there; the others get a place to come.

    `scale`, "log" or "linear", is that of length elements and singular values; whether it `plays` as soon as it is
    there.
    """
    any_path = next(iter(paths.values()))
    _component(
        key="path_view",
        data={
            "source": source,
            "target": target,
            "scale": scale,
            "plays": plays,
            "sourcePixels": pixels(any_path.source),
            "targetPixels": pixels(any_path.target),
            "networks": [_network(name, chosen[name].colour, path) for name, path in paths.items()],
            "waiting": [name for name in chosen if name not in paths],
        },
    )


def _help(label: str, path: Path) -> str:
    """What a figure means; of a length, too, where the two ways of measuring it don't agree."""
    apart = "" if path.converged else NOT_CONVERGED.format(disagreement=path.disagreement)
    return FIGURES[label].format(arc_length=path.arc_length) + (apart if label == "length" else "")


def _network(name: str, colour: str, path: Path) -> dict:
    values = {
        "length": f"{'' if path.converged else '≈ '}{round(path.length, 9):.3g}",
        "geodesic": f"{round(path.geodesic, 9):.3g}",
        "flatness": f"{100 * path.flatness:.0f} %" if path.length > 0 else "–",
        "participation": f"{path.participation:.2f}" if path.participation > 0 else "–",
    }
    # The spectrum at the transition belongs into its curves: between two steps of t its peak would be missed.
    t = np.append(path.t, path.transition)
    order = t.argsort(kind="stable")
    spectra = np.vstack((path.singular_values, path.spectrum))[order]
    return {
        "name": name,
        "colour": colour,
        "transition": path.transition,
        "converged": path.converged,
        "figures": [[label, values[label], _help(label, path)] for label in FIGURES],
        "nodes": float32(path.nodes),
        "probabilities": float32(path.probabilities_at_nodes),
        "element": float32(path.element_at_nodes),
        "soFar": float32(path.length_so_far),
        "t": float32(t[order]),
        "spectra": float32(spectra),
    }
