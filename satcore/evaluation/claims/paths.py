"""What the paper says of the geometry between two digits: Fig. 4."""

from collections.abc import Callable
from functools import partial

from satcore.evaluation.claims.evidence import LINES, Evidence, Line
from satcore.evaluation.claims.records import MLPS, Claim, Found, There, compared, every

SECTION = "Fig. 4: geometry between two digits"
AT_ONCE = 0.05  # of the path
INFLATED = 1.5  # times the median along the path
FLATLY = 0.9  # of the path
ONE, SEVERAL = 1.5, 2.0  # singular values that take part
NAMES = tuple(f"{source}→{target}" for source, target in LINES)


def _on_every_line(
    value: Callable[[Line], float], holds: Callable[[Evidence, Evidence], bool], of_what: str, **more
) -> Callable[[There], Found]:
    return compared(
        lambda one: {name: value(one.lines[name]) for name in NAMES},
        holds,
        f"{of_what}, by line",
        **more,
    )


def _each(value: Callable[[Line], float], one: Evidence) -> list[float]:
    return [value(one.lines[name]) for name in NAMES]


def _at_once(there: Evidence, vanilla: Evidence) -> bool:
    return max(_each(lambda line: line.apart, there) + _each(lambda line: line.apart, vanilla)) <= AT_ONCE


def _inflate(there: Evidence, vanilla: Evidence) -> bool:
    return min(_each(lambda line: line.inflation, there) + _each(lambda line: line.inflation, vanilla)) >= INFLATED


def _flat_with_peaks(there: Evidence, vanilla: Evidence) -> bool:
    flatness = _each(lambda line: line.flatness, there)
    return (
        min(flatness) >= FLATLY
        and every(flatness, _each(lambda line: line.flatness, vanilla))
        and every(_each(lambda line: line.peak, there), _each(lambda line: line.peak, vanilla))
    )


def _only_one(there: Evidence, vanilla: Evidence) -> bool:
    return (
        max(_each(lambda line: line.participation, there)) < ONE
        and min(_each(lambda line: line.participation, vanilla)) > SEVERAL
    )


def _expand_more(there: Evidence, vanilla: Evidence) -> bool:
    return every(_each(lambda line: line.contrast, there), _each(lambda line: line.contrast, vanilla))


_of_lines = partial(Claim, section=SECTION, about=MLPS, page="interpolation", parameters={"source": "3", "target": "7"})
CLAIMS = (
    _of_lines(
        "length-at-transitions",
        where="Fig. 4",
        says="The length element increases precisely where the answer changes, in both networks.",
        rule=f"on all four lines, in vanilla and saturated, it is largest within {AT_ONCE:g} of the path of such a "
        "change.",
        find=_on_every_line(
            lambda line: line.apart,
            _at_once,
            "Between the peak and the nearest change, in parts of the path",
            credits=False,
            shown="{:.3f}".format,
        ),
    ),
    _of_lines(
        "singular-values-inflate",
        where="Fig. 4",
        says="At these points one or more singular values of the Jacobian inflate, in both networks.",
        rule=f"on all four lines, in vanilla and saturated, the largest is there at least {INFLATED:g} times its "
        "median along the line.",
        find=_on_every_line(
            lambda line: line.inflation, _inflate, "The largest there, times its median", credits=False
        ),
        logarithmic=True,
    ),
    _of_lines(
        "flat-with-peaks",
        where="Fig. 4, §6",
        says="The vanilla network's length element is smooth, the saturated one's flat with sharp peaks: one moves far "
        "among the pixels without moving at all in the output.",
        rule=f"on all four lines 1 % of the length lies on at least {100 * FLATLY:.0f} % of the path, on more than in "
        "vanilla, and the peak is sharper.",
        find=_on_every_line(
            lambda line: 100 * line.flatness, _flat_with_peaks, "Percent of the path that carry 1 % of its length"
        ),
        unit="%",
    ),
    _of_lines(
        "one-singular-value",
        where="Fig. 4, §6",
        says="At a transition several singular values inflate in the vanilla network, only one in the saturated one.",
        rule=f"on all four lines the participation ratio (Σσ²)²/Σσ⁴ there is below {ONE:g}, and vanilla's above "
        f"{SEVERAL:g}.",
        find=_on_every_line(lambda line: line.participation, _only_one, "Singular values that take part, of 10"),
    ),
    _of_lines(
        "contracts-and-expands",
        where="§6",
        says="Networks contract space within a class and expand it at the boundaries, saturated ones far more so.",
        rule="on all four lines the largest singular value at the transition, times that at the smaller end, is larger "
        "than vanilla's.",
        find=_on_every_line(lambda line: line.contrast, _expand_more, "The largest there, times that at an end"),
        logarithmic=True,
    ),
)
