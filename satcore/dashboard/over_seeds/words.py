"""What the page says of the spread over seeds, and of λ."""

from collections.abc import Sequence

import pandas as pd

from satcore.dashboard.over_seeds import compute
from satcore.dashboard.over_seeds.compute import Quantity, Spread
from satcore.evaluation.seeds import Figures, Trained
from satcore.recipes import RECIPES

VIEWS = ("Seeds", "Penalty")
ALONE = ("saturated", "control")
AT_THE_END = "At the end of the training"
ONLY_AT_THE_END = "only measured at the end"
MARKS = (
    "A dot is a network of one seed (of its initial weights and of the order of the images), a line its training's "
    "median; ringed: the one that ships, on all other pages{off}; dashed: the paper's."
)
HOW = (
    "Accuracy, FGSM as published (ε = 0.25, cross-entropy, float32 autograd; an image that the step puts right counts) "
    "and zero gradients: all 10,000 test images. Classes: 1,000 test images (Eq. 9). Paths, straight lines between "
    "random test images of different digits: medians of {pairs}. Worst case: all attacks together on {images} random "
    "test images, ε = {epsilon:g}."
)
LAMBDA = (
    "All networks have the saturated recipe and differ in λ, which rises to the value below the dots; at 0 it is the "
    "control. A dot is a seed, the line goes through the medians; ringed: those that ship{off}. FGSM: ε = 0.25, "
    "cross-entropy, float32 autograd; only what was right before counts. On the way the figures are of the first 1,000 "
    "test images, at the end of all 10,000. Worst case: all attacks together on {images} random test images, "
    "ε = {epsilon:g}. Half after epoch: when half of those 1,000 were first right before and after FGSM."
)
OFF = (
    " (measured for this page on another processor, which rounds sums otherwise: up to {most} of the 10,000 images off "
    "its card)"
)
NOTHING = "No network of {family} that could be shown here is on record yet; others are in the files below."


def headline(there: dict[str, list[Trained]], family: str) -> str:
    """What the spread of the saturated networks' FGSM accuracy says beside the control's, and of how many seeds."""
    found = compute.spreads(there, compute.FGSM)
    said = [
        f"{training} **{_in_words(found[training])}**" for training in ("saturated", "control") if training in found
    ]
    if not said:
        return f"Of {family} no network with the saturated recipe is on record yet, nor its control."
    says = f"Right after FGSM as published, what the step puts right included, of {family}: {'; '.join(said)}. "
    if len(said) < 2:
        return says + "There is nothing to compare it with yet."
    return says + compared(found["saturated"], found["control"])


def compared(saturated: Spread, control: Spread) -> str:
    """Whether the seeds tell the saturated networks from the control, and what that is worth."""
    added = _signed(saturated.median - control.median)
    if min(saturated.count, control.count) == 1:
        return f"The penalty adds {added} points; of a single seed on either side, no spread is known."
    if saturated.least > control.greatest or saturated.greatest < control.least:
        side = "above" if saturated.least > control.greatest else "below"
        odds = 1 / compute.chance(saturated.count, control.count)
        return (
            f"The penalty adds {added} points in the median: every saturated network is {side} every control. By "
            f"chance the two would lie apart, whichever is above, once in {odds:.3g} times."
        )
    return (
        f"The penalty adds {added} points in the median, and the two overlap: which one comes out ahead depends on the "
        "seed."
    )


def worst(there: dict[str, list[Trained]]) -> str:
    """What the worst case leaves at a small ε, training by training."""
    found = compute.spreads(there, compute.WORST)
    figures = _one_of(there)
    said = ", ".join(f"{training} {_median_of(spread)}" for training, spread in found.items())
    return (
        "Right under all attacks together, as they were when each was measured, within ε = "
        f"{figures['worst_epsilon']:g} already, of {figures['worst_images']} images are left: {said}."
    )


def how(there: dict[str, list[Trained]]) -> str:
    """How the figures were measured."""
    figures = _one_of(there)
    marks = MARKS.format(off=_off_their_cards([trained for some in there.values() for trained in some]))
    return f"{marks} " + HOW.format(
        pairs=figures["pairs"], images=figures["worst_images"], epsilon=figures["worst_epsilon"]
    )


def about_lambda(there: dict[float, list[Trained]]) -> str:
    """What is drawn against λ."""
    figures = next(iter(there.values()))[0].figures
    off = _off_their_cards([trained for some in there.values() for trained in some])
    return LAMBDA.format(off=off, images=figures["worst_images"], epsilon=figures["worst_epsilon"])


def _off_their_cards(everyone: Sequence[Trained]) -> str:
    """How far those that ship are off their cards; "" where they aren't."""
    most = compute.off_their_cards(everyone)
    return OFF.format(most=most) if most else ""


def unit(quantity: Quantity, everyone: Sequence[Trained]) -> str:
    """What the values of a quantity are given in; of the worst case, within which ε."""
    epsilons = sorted({trained.figures["worst_epsilon"] for trained in everyone})
    within = ", ".join(f"{epsilon:g}" for epsilon in epsilons)
    return f"{quantity.unit}, ε = {within}" if quantity is compute.WORST else quantity.unit


def of_a_network(of_what: str, seed: int, *, ships: bool) -> str:
    """Whose dot it is: a training's or a λ's, and of which seed."""
    return f"{of_what}, seed {seed}{', ships' if ships else ''}"


def lam(value: float) -> str:
    """A λ."""
    return f"λ {_number(value)}"


def times(lam: float, family: str) -> str:
    """The largest λ as a multiple of the recipe's."""
    return f"{round(lam / RECIPES[f'{family}/saturated'].lambda_max, 2):g}"


def below(family: str) -> str:
    """What the multiples are of."""
    return f"largest λ, times the recipe's {_number(RECIPES[f'{family}/saturated'].lambda_max)}"


def after(epoch: int) -> str:
    """A stage of the training."""
    return f"After epoch {epoch}"


def penalty_at(there: dict[float, list[Trained]], family: str, epoch: int | None) -> str:
    """What the recipe's λ, and the best one, add to the control at a stage; None: at the end."""
    found = compute.withstood(there, epoch)
    own, control = compute.lambda_of(RECIPES[f"{family}/saturated"]), found.pop(0.0, None)
    if control is None or not found:
        return "Nothing to compare here: there is no network with the penalty on record, or none without."
    best = max(found, key=lambda lam: found[lam].median)
    wanted = {best: f"with the best λ here, {times(best, family)} times the recipe's"} | {own: "with the recipe's λ"}
    said = [
        f"{name} **{_median_of(found[lam])}**, **{_signed(found[lam].median - control.median)} points**"
        for lam, name in reversed(wanted.items())
        if lam in found
    ]
    return f"Right both before and after FGSM: without the penalty **{_median_of(control)}**; {'; '.join(said)}."


def alt_over_seeds(there: dict[str, list[Trained]], quantity: Quantity, layers: Sequence[str]) -> str:
    """A panel in words: medians and ranges."""
    said = [
        f"{_of_layer(layer)} {training} {_in_words(spread, quantity.unit.startswith('%'))}".strip()
        for layer in layers
        for training, spread in compute.spreads(there, quantity, layer).items()
    ]
    return f"{quantity.name}: {'; '.join(said)}"


def alt_against_lambda(there: dict[float, list[Trained]], quantity: Quantity) -> str:
    """A panel in words: medians at the end of the training."""
    said = []
    for largest, some in there.items():
        spread = Spread.of([quantity.values(trained.figures)[0] for trained in some])
        said += [f"{lam(largest)}: {_in_words(spread)}"] if spread else []
    return f"{quantity.name} at the end of the training: {'; '.join(said)}"


def table(there: dict[str, list[Trained]], family: str) -> pd.DataFrame:
    """Every figure of every training: seeds, median, range, the paper's."""
    rows = []
    for quantity in compute.LISTED:
        for layer in compute.layers(there, quantity):
            for training, spread in compute.spreads(there, quantity, layer).items():
                rows.append(
                    {
                        "figure": ", ".join(filter(None, (quantity.name, _of_layer(layer)))),
                        "unit": "" if quantity.unit == "by layer" else quantity.unit,
                        "training": training,
                        "seeds": spread.count,
                        "median": _rounded(spread.median),
                        "least": _rounded(spread.least),
                        "greatest": _rounded(spread.greatest),
                        "paper": compute.paper(quantity, family, training),
                    }
                )
    return pd.DataFrame(rows)


def table_of_lambda(there: dict[float, list[Trained]], family: str) -> pd.DataFrame:
    """A row a λ: how many seeds, the median of each figure at the end of the training, and how soon half of the first
    1,000 test images were right before and after FGSM.
    """
    return pd.DataFrame(
        [
            {"largest λ": _number(lam), "times the recipe's": float(times(lam, family)), "seeds": len(some)}
            | {
                f"{quantity.name} ({unit(quantity, some)})": _rounded(
                    compute.middle([quantity.values(trained.figures)[0] for trained in some])
                )
                for quantity in compute.AGAINST_LAMBDA
            }
            | {"half after epoch": compute.half(some)}
            for lam, some in there.items()
        ]
    )


def _of_layer(layer: str) -> str:
    """What a value is of, by the label beneath it: "layer 1", "softmax", or, for the network as a whole, ""."""
    return f"layer {layer}" if layer.isdigit() else layer


def _one_of(there: dict[str, list[Trained]]) -> Figures:
    return next(iter(there.values()))[0].figures


def _in_words(spread: Spread, percent: bool = True) -> str:
    unit = "\N{NO-BREAK SPACE}%" if percent else ""
    if spread.count == 1:
        return f"{spread.median:.3g}{unit} (one seed)"
    return (
        f"{spread.median:.3g}{unit} in the median of {spread.count} seeds, {spread.least:.3g} to "
        f"{spread.greatest:.3g}{unit}"
    )


def _median_of(spread: Spread) -> str:
    return f"{spread.median:.1f}\N{NO-BREAK SPACE}% ({spread.count} seed{'s' * (spread.count > 1)})"


def _rounded(value: float | None) -> float | None:
    """To four digits."""
    return None if value is None else float(f"{value:.4g}")


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−") if abs(points) >= 0.05 else "0.0"


def _number(lam: float) -> str:
    """λ to three digits, with a power of ten where it is small."""
    if lam == 0 or 0.01 <= lam < 1_000:
        return f"{lam:.3g}"
    mantissa, exponent = f"{lam:.2e}".split("e")
    digits = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{float(mantissa):g}·10{digits}"
