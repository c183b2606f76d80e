"""What the page on representations says."""

from collections.abc import Mapping, Sequence

import numpy as np

from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.digits import with_article
from satcore.dashboard.shared.style import Style

INTRODUCTION = (
    "A thousand test images, a hundred of each digit: how dissimilar is each pair in the pixels, and in every layer "
    "of a network? Dark blocks on the diagonal: images of one digit look alike to it. Bright ones beside it: it tells "
    "digits apart."
)

PLANE = (
    "A dot is a test image, in the colour of its digit. The line is the way of one of them under attack, as ε grows: "
    "● without attack, ✕ at ε = {farthest:g}. The attack is FGSM by the cross-entropy, its gradient that of float32 "
    "autograd."
)

ByLayer = Mapping[str, Mapping[str, float]]  # networks to layers to numbers


def figure_3(between: ByLayer, ratio: ByLayer, styles: Mapping[str, Style]) -> str:
    """How each network's distances compare with the first's, beside what the paper says of them."""
    reference, *others = between
    lines = [f"- {styles[name].label}: {_compared(between, ratio, reference, name)}" for name in others]
    if not lines:
        return ""
    said = (
        "The paper (Fig. 3): digits are far further apart in a saturated network than in a vanilla one, the deeper "
        f"the more. Their distance here, beside that in {styles[reference].label}, hidden layer by hidden layer:"
    )
    return "\n".join((said, "", *lines, "", about_the_control(styles)))


def alternative(what: str, values: ByLayer, styles: Mapping[str, Style]) -> str:
    """A figure of one number a layer in words."""
    said = (
        f"{styles[name].label} " + ", ".join(f"{value:.3g} in {layer}" for layer, value in layers.items())
        for name, layers in values.items()
    )
    return f"{what}: {'; '.join(said)}"


def travel(predicted: Sequence[int], zero_gradient: bool, epsilons: Sequence[float], digit: int) -> str:
    """What becomes of an image of a `digit` under an attack of each of the `epsilons`, in a sentence."""
    if zero_gradient:
        return "its gradient is **exactly zero**, so FGSM by the cross-entropy doesn't move it: no sign of robustness."
    first = next((number for number, there in enumerate(predicted) if there != digit), None)
    if first is None:
        return f"it moves, and stays {with_article(digit)} up to ε = {epsilons[-1]:.2f}."
    taken_for, last = with_article(predicted[first]), with_article(predicted[-1])
    if first == 0:
        return f"taken for {taken_for} before the attack already."
    if len(set(predicted[first:])) == 1:
        return f"taken for {taken_for} from ε = {epsilons[first]:.3f} on."
    now = "it is again" if predicted[-1] == digit else "it is taken for"
    return f"first taken for {taken_for} at ε = {epsilons[first]:.3f}; at {epsilons[-1]:.2f} {now} {last}."


def class_means(means: np.ndarray, label: str, layer: str) -> str:
    """A figure of the mean dissimilarity of every pair of digits, (10, 10), in words."""
    apart = means[~np.eye(len(means), dtype=bool)]
    return (
        f"Mean dissimilarity of every pair of digits in {layer} of {label}: from {apart.min():.3g} to "
        f"{apart.max():.3g} between two, {np.diag(means).mean():.3g} within one"
    )


def all_pairs(layer: str, label: str, scale: str) -> str:
    """What the picture of a whole matrix shows, on its colour `scale`."""
    ends = ", in colours from ≤ 10⁻³ to 1 times the largest of all, log" if scale == "log" else ""
    return f"All 1,000 × 1,000 pairs in {layer} of {label}{ends}"


def _compared(between: ByLayer, ratio: ByLayer, reference: str, name: str) -> str:
    layers = [layer for layer in between[reference] if layer in between[name] and layer.startswith("layer")]
    if not layers:
        return "no hidden layer to compare"
    one, other = (_factors(values, reference, name, layers) for values in (between, ratio))
    return f"{one}; relative to the distance within a digit {other}"


def _factors(values: ByLayer, reference: str, name: str, layers: list[str]) -> str:
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = [np.divide(values[name][layer], values[reference][layer]) for layer in layers]
    return ", ".join(f"× {_short(factor)}" if np.isfinite(factor) else "–" for factor in factors)


def _short(factor: float) -> str:
    return f"{float(f'{factor:.3g}'):,g}"
