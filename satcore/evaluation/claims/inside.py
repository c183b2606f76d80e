"""What the paper says of the weights, the pre-activations and the representations: Fig. 1, 2, 3 and 7."""

import itertools
from functools import partial

from satcore.evaluation.claims.evidence import FLAT, Evidence
from satcore.evaluation.claims.records import MLPS, SUPERSCRIPTS, Claim, by_layer, compared, every

WEIGHTS, LAYERS = "Fig. 1 and 2: weights and inputs", "Fig. 3 and 7: representations"
FAR_MORE = 2.0  # of excess kurtosis
FARTHER = 2.0  # times the vanilla network's quantiles
EXTREME = 10.0  # times the vanilla network's largest pre-activation
MOST = 0.9  # of the inputs
NEAR_ZERO = 0.1  # of the dissimilarity between classes
LARGER = 1.1  # times the vanilla network's
GAINS = 1.05  # times the layer's below


def _down(one: Evidence) -> list[float]:
    """How far the lower quantiles lie below 0."""
    return [-low for low in one.low]


def _reach_farther(there: Evidence, vanilla: Evidence) -> bool:
    return every(_down(there), _down(vanilla), times=FARTHER) and every(there.high, vanilla.high, times=FARTHER)


def _reach_down(there: Evidence, vanilla: Evidence) -> bool:
    return every(_down(there), there.high) and every(_down(there), _down(vanilla), times=FARTHER)


def _are_saturated(there: Evidence, vanilla: Evidence) -> bool:
    return min(there.saturated) > MOST and every(there.saturated, vanilla.saturated)


def _between(one: Evidence) -> list[float]:
    """Hidden layers' alone."""
    return one.between[:-1]


def _ratios(one: Evidence) -> list[float]:
    """Between / within, hidden layers."""
    return [between / within for within, between in zip(one.within, _between(one), strict=False)]


def _within(one: Evidence) -> dict[str, float]:
    """Within / between, the softmax's last."""
    shares = [within / between for within, between in zip(one.within, one.between, strict=True)]
    return by_layer(shares[:-1]) | {"p": shares[-1]}


def _near_zero(there: Evidence, vanilla: Evidence) -> bool:
    return max(*_within(there).values(), *_within(vanilla).values()) < NEAR_ZERO


def _gain_with_depth(there: Evidence, vanilla: Evidence) -> bool:
    """Classes move apart from layer to layer, faster than in the vanilla network, and get farther than there."""
    gains = [one / other for one, other in zip(_between(there), _between(vanilla), strict=True)]
    return gains[-1] > LARGER and all(
        upper > GAINS * lower for values in (_between(there), gains) for lower, upper in itertools.pairwise(values)
    )


_of_weights = partial(Claim, section=WEIGHTS, about=MLPS, page="weights")
_of_layers = partial(Claim, section=LAYERS, about=MLPS, page="representations", parameters={"view": "Matrices"})
_AS_THEY_ARE = {"view": "Weights", "unit": "as they are"}
CLAIMS = (
    _of_weights(
        "weights-reach",
        where="Fig. 1",
        says="Saturated weights take on values in a larger range than vanilla ones.",
        rule=f"in every layer the 0.1 % and the 99.9 % quantile both lie more than {FARTHER:g} times as far out.",
        find=compared(
            lambda one: by_layer(map(max, _down(one), one.high)),
            _reach_farther,
            "The farther quantile's distance from 0, by layer",
        ),
        parameters=_AS_THEY_ARE,
        logarithmic=True,
    ),
    _of_weights(
        "relu-weights-negative",
        where="Fig. 1 B",
        says="The saturated ReLU MLP's weights reach extreme negative values.",
        rule=f"in every layer the 0.1 % quantile lies farther from 0 than the 99.9 % quantile, and more than "
        f"{FARTHER:g} times as far as vanilla's.",
        find=compared(
            lambda one: by_layer(_down(one)),
            _reach_down,
            "The 0.1 % quantile's distance below 0, by layer",
            families=("relu-mlp",),
        ),
        parameters=_AS_THEY_ARE,
        logarithmic=True,
        about=("relu-mlp",),
    ),
    _of_weights(
        "kurtosis",
        where="Fig. 1, §5",
        says="Saturated weights have a much larger excess kurtosis than vanilla ones, in every layer.",
        rule=f"in every layer it is larger by more than {FAR_MORE:g}.",
        find=compared(
            lambda one: by_layer(one.kurtosis),
            lambda there, vanilla: every(there.kurtosis, vanilla.kurtosis, plus=FAR_MORE),
            "Excess kurtosis, by layer",
        ),
        parameters={"view": "Weights"},
        of_seeds=True,
    ),
    _of_weights(
        "inputs-extreme",
        where="Fig. 2",
        says="Over the 10,000 test images the pre-activations of saturated networks tend to extreme values.",
        rule=f"in every layer the largest |h| is more than {EXTREME:g} times vanilla's.",
        find=compared(
            lambda one: by_layer(one.reach),
            lambda there, vanilla: every(there.reach, vanilla.reach, times=EXTREME),
            "The largest |h|, by layer (cnn: over 1,000 images)",
        ),
        parameters={"view": "Pre-activations"},
        logarithmic=True,
    ),
    _of_weights(
        "inputs-saturated",
        where="Fig. 2, §5",
        says="So saturated networks do work where their nonlinearities are flat.",
        rule=f"in every hidden layer φ′ < 10{str(-FLAT).translate(SUPERSCRIPTS)} at more than {100 * MOST:.0f} % of "
        "the inputs, and at more than vanilla's.",
        find=compared(
            lambda one: by_layer(100 * share for share in one.saturated),
            _are_saturated,
            "Inputs where φ is flat, in percent, by layer (cnn: over 1,000 images)",
        ),
        parameters={"view": "Pre-activations", "threshold": str(FLAT)},
        unit="%",
    ),
    _of_layers(
        "within-near-zero",
        where="Fig. 3 and 7",
        says="In both networks and every layer, dissimilarities within a class are close to zero.",
        rule=f"in every layer of both they are below {NEAR_ZERO:g} of those between classes.",
        find=compared(_within, _near_zero, "Within / between, by layer, the softmax p last", credits=False),
        of_seeds=True,
    ),
    _of_layers(
        "between-larger",
        where="Fig. 3 and 7",
        says="Dissimilarities between classes are much larger in the saturated network, in every layer.",
        rule=f"in every hidden layer they are more than {LARGER:g} times vanilla's.",
        find=compared(
            lambda one: by_layer(_between(one)),
            lambda there, vanilla: every(_between(there), _between(vanilla), times=LARGER),
            "Mean dissimilarity between classes, by hidden layer",
        ),
        logarithmic=True,
        of_seeds=True,
    ),
    _of_layers(
        "between-deeper",
        where="Fig. 3 and 7",
        says="In saturated networks that is progressively enhanced from layer to layer.",
        rule=f"from each hidden layer to the next they grow by more than {100 * (GAINS - 1):.0f} %, and in proportion "
        f"to vanilla's as well; in the last they are more than {LARGER:g} times vanilla's.",
        find=compared(
            lambda one: by_layer(_between(one)),
            _gain_with_depth,
            "Mean dissimilarity between classes, by hidden layer",
        ),
        logarithmic=True,
        of_seeds=True,
    ),
    _of_layers(
        "clusters-apart",
        where="§5, §1",
        says="Both map a class to a tight cluster; the saturated network's clusters lie much further apart.",
        rule=f"between / within is more than {LARGER:g} times vanilla's in every hidden layer.",
        find=compared(
            lambda one: by_layer(_ratios(one)),
            lambda there, vanilla: every(_ratios(there), _ratios(vanilla), times=LARGER),
            "Between / within, by hidden layer",
        ),
        of_seeds=True,
    ),
)
