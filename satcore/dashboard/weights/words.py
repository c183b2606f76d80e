"""What the page on weights says, as sentences and as rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.style import Style
from satcore.dashboard.weights.compute import FLAT, Curve
from satcore.weights import Saturation, Shape

INTRODUCTION = "Saturation needs large weights. How far out do the units work, and what becomes of the weights?"
SATURATION = (
    "A unit is **saturated** where its input h lies on a flat part of its nonlinearity φ. There a small change of h "
    "changes next to nothing, or nothing, above it, and the slope φ′ that an attack's gradient is multiplied by is "
    "nearly, or exactly, zero."
)
ON_THE_CURVE = (
    "Line: φ(h). Bars: how often a unit's input lies there, over 1,000 test images, 100 of each digit; in full colour "
    f"where φ is flat, φ′ < 10⁻{'⁰¹²³⁴⁵⁶⁷⁸⁹'[FLAT]}, pale where it still rises. Each network on the scale of its own "
    "inputs, the middle 99 % of them: the wider that is, the more the curve looks like a step or a hinge."
)
COUNTED = "Over all 10,000 test images; those under Saturation are a thousand of them, 100 of each digit."
GAUSSIAN = (
    "Dotted: the Gaussian of the same variance. Where a line lies above it, far out, the tails are heavy. "
    "The axis of the density is logarithmic."
)
MECHANISM = (
    "Two classes, two prototypes w₁ and w₂; the image is w₁ itself. It takes a perturbation of "
    "ε_min = (‖w₁‖₂² − w₁·w₂) / ‖w₂ − w₁‖₁ in every pixel to fool the classifier: Eq. 14 where the two are orthogonal, "
    "as the paper takes them to be."
)


def called(nonlinearity: str) -> str:
    """What a nonlinearity is called in a sentence."""
    return "ReLU" if nonlinearity == "relu" else nonlinearity


def curve(label: str, found: Curve | None, layer: str) -> str:
    """How many of the inputs of a network's layer lie where its nonlinearity is flat."""
    if found is None:
        return f"**{label}** has no {in_full(layer)}{' with a nonlinearity' * layer.isdigit()}."
    return f"**{label}**, {in_full(layer)}: **{100 * found.saturated:.1f} %** of inputs lie in its flat part."


def curve_alt(label: str, found: Curve, layer: str) -> str:
    """The figure of a curve in words."""
    return (
        f"The {called(found.nonlinearity)} of {in_full(layer)} of {label} from h = {found.h[0]:.3g} to "
        f"{found.h[-1]:.3g}, and its units' inputs: {100 * found.saturated:.1f} % of them where it is flat"
    )


def in_full(layer: str) -> str:
    """A layer by its number, "layer 1", or the step that each pixel passes before anything is summed."""
    return f"layer {layer}" if layer.isdigit() else f"{layer} before anything is summed"


def figure_1(shapes: Mapping[str, Sequence[Shape]], styles: Mapping[str, Style]) -> str:
    """In which layers each network's weights are more kurtotic than the first's, beside what the paper says."""
    (reference, first), *others = shapes.items()
    lines = [f"- {styles[reference].label}: {_kurtoses(first)}"]
    for name, there in others:
        pairs = list(zip(first, there, strict=False))
        more = [str(layer) for layer, (one, other) in enumerate(pairs, start=1) if other.kurtosis > one.kurtosis]
        where = f" ({', '.join(more)})" if 0 < len(more) < len(pairs) else ""
        lines.append(
            f"- {styles[name].label}: {_kurtoses(there)}, more than {styles[reference].label} in {len(more)} of "
            f"{len(pairs)} layers{where}"
        )
    said = (
        "The paper (Fig. 1): a saturated network's weights are more kurtotic than a vanilla one's in every layer. "
        "Excess kurtosis here, layer by layer:"
    )
    return "\n".join((said, "", *lines, "", about_the_control(styles)))


def shapes(found: Mapping[str, Sequence[Shape]]) -> pd.DataFrame:
    """How each layer's weights are distributed, a row a layer and network."""
    return pd.DataFrame(
        [
            {
                "layer": number,
                "network": name,
                "weights": int(shape.histogram.counts.sum()),
                "excess kurtosis": round(shape.kurtosis, 2),
                "standard deviation": _rounded(shape.deviation),
                "0.1 % quantile": _rounded(shape.quantiles[0]),
                "99.9 % quantile": _rounded(shape.quantiles[1]),
                "least": _rounded(shape.histogram.edges[0]),
                "largest": _rounded(shape.histogram.edges[-1]),
            }
            for number in range(1, 1 + max(map(len, found.values())))
            for name, there in found.items()
            for shape in there[number - 1 : number]
        ]
    )


def weights_alt(there: Mapping[str, Shape], styles: Mapping[str, Style], layer: int) -> str:
    """The figure of a layer's weights in words."""
    said = (
        f"{styles[name].label} excess kurtosis {shape.kurtosis:.1f}, standard deviation {shape.deviation:.3g}"
        for name, shape in there.items()
    )
    return f"Density of the weights of layer {layer}: {'; '.join(said)}"


def saturated(there: Mapping[str, Saturation], styles: Mapping[str, Style], exponent: int) -> str:
    """How large a share of a layer's units is saturated, in each network: φ′ below 10^−`exponent`."""
    return "\n".join(
        f"- {styles[name].label}: "
        + (
            "the read-out has no nonlinearity"
            if record.saturated is None
            else f"**{100 * record.saturated[exponent - 1]:.1f} %** saturated"
        )
        for name, record in there.items()
    )


def mechanism(means: np.ndarray, limit: float) -> str:
    """How far above the Gaussian the sampled ratios reach, beside their `limit` and the paper."""
    return (
        f"At the largest kurtosis drawn here {means[-1]:.2f}, {100 * (means[-1] / means[0] - 1):.0f} % above the "
        f"Gaussian's {means[0]:.2f}. With Pearson VII weights, however large the kurtosis, no more than {limit:.2f} "
        f"({100 * (limit / means[0] - 1):.0f} %). The paper says almost 40 % above. The axis doesn't begin at 0."
    )


def own_ratios(means: Mapping[str, np.ndarray], styles: Mapping[str, Style]) -> str:
    """How each network's layers compare with those of the first, beside the paper."""
    (reference, first), *others = means.items()
    if not others:
        return "Choose a second network to compare it with."
    lines = [f"- {styles[name].label}: {', '.join(_percents(there, first))}" for name, there in others]
    return "\n".join(
        (
            f"In percent of {styles[reference].label}, layer by layer:",
            "",
            *lines,
            "",
            "The paper: “the scaled ratio can increase by as much as 300 %” from a vanilla to the saturated network. "
            "Whether that means to 300 % or by 300 %, it doesn't say; we read it as to 300 %, the smaller claim. "
            + about_the_control(styles),
        )
    )


def prototypes(epsilon_min: float, strength: float) -> list[tuple[str, str, str]]:
    """What Eq. 14 says of two prototypes: a label, a value and its meaning each."""
    return [
        ("ε_min", f"{epsilon_min:.5f}", "The least change of every component that fools the classifier (Eq. 14)."),
        ("mean |w₁|", f"{strength:.5f}", "How strong the image itself is."),
        (
            "their ratio",
            f"{epsilon_min / strength:.3f}",
            "How strong the perturbation must be, beside the image: the height in Fig. 6.",
        ),
    ]


def prototypes_alt(first: np.ndarray, second: np.ndarray) -> str:
    """The figure of two prototypes' components in words."""
    one, other = (f"from {w.min():.3f} to {w.max():.3f}".replace("-", "−") for w in (first, second))
    return f"Components of two prototypes: of w₁ {one}, of w₂ {other} among all {len(first):,}"


def plain(markdown: str) -> str:
    """The same without the marks of Markdown, for an alternative text."""
    return " ".join(markdown.replace("**", "").split())


def _kurtoses(there: Sequence[Shape]) -> str:
    return ", ".join(f"{shape.kurtosis:.1f}".replace("-", "−") for shape in there)


def _percents(there: np.ndarray, first: np.ndarray) -> list[str]:
    count = min(len(there), len(first))
    return [f"{100 * share:.0f} %" if np.isfinite(share) else "–" for share in there[:count] / first[:count]]


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
