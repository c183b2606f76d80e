"""Table 1 and what the paper says of it; and Brendel & Bethge's reply."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from satcore.evaluation.claims.evidence import Evidence
from satcore.evaluation.claims.records import Bars, Claim, Found, There, outcome, percent, tenths
from satcore.evaluation.reality import EPSILON
from satcore.paper import TABLE_1
from satcore.recipes import FAMILIES

SECTION = "Table 1: accuracy, and under FGSM"
REPLY = "The reply: Brendel & Bethge 2017"
MOST_ERRORS = 0.07  # of the paper's "2–7 %"
LITTLE = 0.01  # of accuracy
NEXT_TO_NOTHING = 0.1  # what FGSM leaves at most
FEW = 0.05  # what an attack that succeeds leaves at most
CLEAN, FGSM = 0, 1  # columns of Table 1

_TRAININGS = ("vanilla", "adversarial", "saturated", "control")


@dataclass(frozen=True)
class _Family:
    name: str
    vanilla: Evidence
    adversarial: Evidence
    saturated: Evidence
    control: Evidence


def _families(there: There) -> list[_Family]:
    return [_Family(family, *(there[f"{family}/{training}"] for training in _TRAININGS)) for family in FAMILIES]


def _accurate(training: str) -> Callable[[There], Found]:
    """Whether a training's networks reach the paper's accuracy."""

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family in _families(there):
            wanted = TABLE_1[f"{family.name}/{training}"][CLEAN]
            values = {training: percent(getattr(family, training).accuracy)}
            if training == "saturated":
                values["control"] = percent(family.control.accuracy)
            control = f" (control {values['control']:.2f})" if "control" in values else ""
            outcomes[family.name] = outcome(
                values[training] >= wanted,
                f"{values[training]:.2f}{control}, the paper {wanted:g}",
                control=values["control"] >= wanted if "control" in values else None,
            )
            bars.append(Bars(family.name, "", values, {training: wanted}))
        return Found(outcomes, bars, "Right, in percent")

    return find


def _withstands(training: str) -> Callable[[There], Found]:
    """Whether a training's networks withstand FGSM as well as the paper's, and whether they withstand anything."""

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family in _families(there):
            wanted = TABLE_1[f"{family.name}/{training}"][FGSM]
            shown = [training, "control"] if training == "saturated" else [training]
            fgsm = {each: percent(getattr(family, each).fgsm) for each in shown}
            left = {each: getattr(family, each).worst for each in shown}
            control = f" (control {fgsm['control']:.2f})" if "control" in fgsm else ""
            outcomes[family.name] = outcome(
                fgsm[training] >= wanted,
                f"{fgsm[training]:.2f}{control}, the paper {wanted:g}; worst case {tenths(left[training])}",
                sound=percent(left[training]) >= wanted,
                control=fgsm["control"] >= wanted if "control" in fgsm else None,
            )
            bars += [
                Bars(family.name, "FGSM", fgsm, {training: wanted}),
                Bars(family.name, "worst", {each: percent(share) for each, share in left.items()}),
            ]
        return Found(outcomes, bars, "Right after FGSM, in percent")

    return find


def _falls(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        left, reported = percent(family.vanilla.fgsm), TABLE_1[f"{family.name}/vanilla"][FGSM]
        outcomes[family.name] = outcome(family.vanilla.fgsm <= NEXT_TO_NOTHING, f"{left:.2f}, the paper {reported:g}")
        bars.append(Bars(family.name, "", {"vanilla": left}, {"vanilla": reported}))
    return Found(outcomes, bars, "Right after FGSM, in percent")


def _little_is_lost(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        saturated, control = (family.vanilla.accuracy - one.accuracy for one in (family.saturated, family.control))
        outcomes[family.name] = outcome(
            saturated <= LITTLE, f"{percent(saturated):.2f} (control {percent(control):.2f})", control=control <= LITTLE
        )
        bars.append(Bars(family.name, "", {"saturated": percent(saturated), "control": percent(control)}))
    return Found(outcomes, bars, "Points of accuracy lost")


def _outperforms(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        ones = {training: getattr(family, training) for training in _TRAININGS[1:]}
        fgsm, left = ({name: percent(getattr(one, what)) for name, one in ones.items()} for what in ("fgsm", "worst"))
        outcomes[family.name] = outcome(
            fgsm["saturated"] > fgsm["adversarial"],
            f"{fgsm['saturated']:.2f} (control {fgsm['control']:.2f}), adversarial {fgsm['adversarial']:.2f}; "
            f"worst case {tenths(family.saturated.worst)}, {tenths(family.adversarial.worst)}",
            sound=left["saturated"] > left["adversarial"],
            control=fgsm["control"] > fgsm["adversarial"],
        )
        bars += [Bars(family.name, "FGSM", fgsm), Bars(family.name, "worst", left)]
    return Found(outcomes, bars, "Right after FGSM, in percent")


def _few_errors(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        saturated, control = family.saturated, family.control
        outcomes[family.name] = outcome(
            1 - saturated.fgsm <= MOST_ERRORS,
            f"{percent(1 - saturated.fgsm):.2f} (control {percent(1 - control.fgsm):.2f}); "
            f"worst case {tenths(1 - saturated.worst)}",
            sound=1 - saturated.worst <= MOST_ERRORS,
            control=1 - control.fgsm <= MOST_ERRORS,
        )
        for label, what in (("FGSM", "fgsm"), ("worst", "worst")):
            errors = {training: percent(1 - getattr(getattr(family, training), what)) for training in _TRAININGS[2:]}
            bars.append(Bars(family.name, label, errors))
    return Found(outcomes, bars, "Errors after FGSM, in percent")


def _numerical(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        saturated, control = family.saturated.unmoved, family.control.unmoved
        outcomes[family.name] = outcome(saturated > 0.5, f"{tenths(saturated)} (control {tenths(control)})")
        bars.append(Bars(family.name, "", {"saturated": percent(saturated), "control": percent(control)}))
    return Found(outcomes, bars, "Of the images right after FGSM, never changed, in percent")


def _stabilised(there: There) -> Found:
    outcomes, bars = {}, []
    for family in _families(there):
        saturated, control = family.saturated, family.control
        outcomes[family.name] = outcome(
            saturated.stabilised <= FEW,
            f"{tenths(saturated.stabilised)} (control {tenths(control.stabilised)}); by autograd "
            f"{tenths(saturated.pgd)} (control {tenths(control.pgd)})",
        )
        for label, what in (("autograd", "pgd"), ("stable", "stabilised")):
            left = {training: percent(getattr(getattr(family, training), what)) for training in _TRAININGS[2:]}
            bars.append(Bars(family.name, label, left))
    return Found(outcomes, bars, "Right after PGD on the cross-entropy, in percent")


def _paper(training: str, column: int) -> str:
    return ", ".join(f"{TABLE_1[f'{family}/{training}'][column]:g}" for family in FAMILIES)


_REACHED = "the paper's figure is reached, to the hundredth of a percent"
_SOUNDLY = "sound: the worst case of all attacks"
_on_table_1 = partial(Claim, section=SECTION, about=FAMILIES, page="home", lined_up=_TRAININGS, unit="%")
_on_reality = partial(_on_table_1, page="reality_check", parameters={"within": f"{EPSILON:g}"})
CLAIMS = (
    _on_table_1(
        "vanilla-accuracy",
        where="Table 1",
        says=f"Vanilla networks get {_paper('vanilla', CLEAN)} % of the test images right.",
        rule=f"{_REACHED}.",
        find=_accurate("vanilla"),
        of_seeds=True,
    ),
    _on_table_1(
        "vanilla-falls",
        where="Table 1",
        says=f"FGSM (ε = {EPSILON:g}) leaves vanilla networks next to nothing: {_paper('vanilla', FGSM)} %.",
        rule=f"it leaves at most {100 * NEXT_TO_NOTHING:.0f} %.",
        find=_falls,
        of_seeds=True,
    ),
    _on_table_1(
        "adversarial-accuracy",
        where="Table 1",
        says=f"Networks trained on FGSM images as well get {_paper('adversarial', CLEAN)} % right.",
        rule=f"{_REACHED}.",
        find=_accurate("adversarial"),
        of_seeds=True,
    ),
    _on_reality(
        "adversarial-fgsm",
        where="Table 1",
        says=f"After FGSM these still get {_paper('adversarial', FGSM)} % right.",
        rule=f"{_REACHED}; {_SOUNDLY}.",
        find=_withstands("adversarial"),
        of_seeds=True,
    ),
    _on_table_1(
        "saturated-accuracy",
        where="Table 1",
        says=f"Saturated networks get {_paper('saturated', CLEAN)} % right.",
        rule=f"{_REACHED}.",
        find=_accurate("saturated"),
        of_seeds=True,
    ),
    _on_table_1(
        "little-degradation",
        where="§4",
        says="Saturation costs little of the vanilla network's accuracy.",
        rule=f"at most {100 * LITTLE:.0f} point of it is lost.",
        find=_little_is_lost,
        of_seeds=True,
        unit="points",
    ),
    _on_reality(
        "saturated-fgsm",
        where="Table 1",
        says=f"After FGSM saturated networks get {_paper('saturated', FGSM)} % right, having seen no attack in "
        "training.",
        rule=f"{_REACHED}; {_SOUNDLY}.",
        find=_withstands("saturated"),
        of_seeds=True,
    ),
    _on_reality(
        "outperforms-adversarial",
        where="§4, abstract",
        says="In every family the saturated network withstands FGSM better than the adversarially trained one.",
        rule=f"it gets more images right; {_SOUNDLY}.",
        find=_outperforms,
    ),
    _on_reality(
        "few-errors",
        where="§1",
        says="Saturated networks make 2–7 % errors on gradient-based adversarial examples.",
        rule=f"at most {100 * MOST_ERRORS:.0f} % errors; {_SOUNDLY}.",
        find=_few_errors,
        of_seeds=True,
    ),
)
REPLIES = (
    _on_table_1(
        "numerical-limits",
        section=REPLY,
        where="arXiv:1704.01547",
        says="Attacks on saturated networks fail because of numerical limits of the gradient.",
        rule="more than half of the images that are right after FGSM met a gradient of exactly zero in float32.",
        find=_numerical,
    ),
    _on_reality(
        "stabilised-gradients",
        section=REPLY,
        where="arXiv:1704.01547",
        says="With a gradient that is stabilised the attacks succeed.",
        rule=f"PGD on the cross-entropy within ε = {EPSILON:g}, its gradient exact or softened, leaves at most "
        f"{100 * FEW:.0f} %.",
        find=_stabilised,
    ),
)
