"""What the paper says of kurtotic weights in a linear classifier: §8, Fig. 6."""

import itertools
import math
from functools import partial

from satcore.evaluation.claims.evidence import Evidence
from satcore.evaluation.claims.records import (
    BESIDE,
    MLPS,
    Bars,
    Claim,
    Found,
    There,
    by_layer,
    compared,
    every,
    listed,
    outcome,
)
from satcore.recipes import FAMILIES
from satcore.weights import limiting_ratio

SECTION = "§8, Fig. 6: a linear mechanism"
KURTOSES = (0, 0.5, 1, 2, 5, 10, 20, math.inf)
ALMOST_40 = 0.35  # above the Gaussian's
UP_TO_300 = 2.7  # times the vanilla layer's
IMPROVES = 1.1  # times the vanilla layer's
LIMIT = "limit"


def _rises(there: There) -> Found:
    limits = {kurtosis: limiting_ratio(kurtosis) for kurtosis in KURTOSES}
    bars = [
        Bars("", "∞" if math.isinf(kurtosis) else f"{kurtosis:g}", {LIMIT: limit}) for kurtosis, limit in limits.items()
    ]
    rises = all(lower < upper for lower, upper in itertools.pairwise(limits.values()))
    says = f"from {limits[0]:.3f} at γ₂ = 0, the Gaussian, to {limits[math.inf]:.3f}, however large γ₂"
    return Found({"": outcome(rises, says)}, bars, "The scaled ratio's limit, by γ₂")


def _almost_forty_percent(there: There) -> Found:
    gaussian, heaviest = limiting_ratio(0), limiting_ratio(math.inf)
    gain = heaviest / gaussian - 1
    says = (
        f"{heaviest:.3f} at most, the Gaussian's is {gaussian:.3f}: {100 * gain:.0f} % above it, and "
        f"{100 * (heaviest - 1):.0f} % above 1"
    )
    bars = [Bars("", "γ₂ = 0", {LIMIT: gaussian}), Bars("", "γ₂ = ∞", {LIMIT: heaviest}, {LIMIT: 1.4 * gaussian})]
    return Found({"": outcome(gain > ALMOST_40, says)}, bars, "The scaled ratio's limit")


def _gains(one: Evidence, vanilla: Evidence) -> dict[str, float]:
    """In percent of the vanilla network's, by layer."""
    return by_layer(100 * here / there for here, there in zip(one.ratios, vanilla.ratios, strict=True))


def _up_to_300(there: There) -> Found:
    outcomes, bars = {}, []
    for family in FAMILIES:
        vanilla, saturated, control = (there[f"{family}/{training}"] for training in BESIDE)
        gains, others = _gains(saturated, vanilla), _gains(control, vanilla)
        outcomes[family] = outcome(
            max(gains.values()) > 100 * UP_TO_300,
            f"{listed(gains.values())} (control {listed(others.values())})",
            control=max(others.values()) > 100 * UP_TO_300,
        )
        bars += [
            Bars(family, layer, {"saturated": gains[layer], "control": others[layer]}, {"saturated": 300.0})
            for layer in gains
        ]
    return Found(outcomes, bars, "In percent of vanilla's, by layer")


_of_mechanism = partial(Claim, section=SECTION, page="weights", parameters={"view": "A linear mechanism"})
CLAIMS = (
    _of_mechanism(
        "kurtosis-helps",
        where="Fig. 6",
        says="The more kurtotic its weights (Pearson VII), the larger a perturbation a linear classifier withstands.",
        rule="the scaled ratio (Eq. 14), in the limit of high dimension, rises with every γ₂ tried.",
        about=(),
        find=_rises,
    ),
    _of_mechanism(
        "almost-40-percent",
        where="Fig. 6, §8",
        says="For Pearson VII weights it rises to almost 40 % above the Gaussian's.",
        rule=f"its limit gets more than {100 * ALMOST_40:.0f} % above the Gaussian's, at whatever γ₂.",
        about=(),
        find=_almost_forty_percent,
    ),
    _of_mechanism(
        "up-to-300-percent",
        where="§8",
        says="Drawn from a saturated layer's own weights, it rises by as much as 300 % from the vanilla layer's; we "
        "read: to 300 %.",
        rule=f"in some layer it is more than {100 * UP_TO_300:.0f} % of vanilla's.",
        about=MLPS,
        find=_up_to_300,
        unit="%",
    ),
    _of_mechanism(
        "own-weights-help",
        where="§8, §9",
        says="The weights that saturated networks learn improve a linear classifier's robustness.",
        rule=f"in every layer the scaled ratio is more than {IMPROVES:g} times vanilla's.",
        about=MLPS,
        find=compared(
            lambda one: by_layer(one.ratios),
            lambda there, vanilla: every(there.ratios, vanilla.ratios, times=IMPROVES),
            "The scaled ratio, by layer",
        ),
    ),
)
