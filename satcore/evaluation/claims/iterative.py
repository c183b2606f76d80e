"""What the paper says of attacks that iterate: §7, Fig. 5 and 8."""

from collections.abc import Callable
from functools import partial

from satcore.evaluation.claims.evidence import ADAM, CARRIED, LBFGS, WITHIN, Chase
from satcore.evaluation.claims.records import BESIDE, MLPS, Bars, Claim, Found, There, outcome, short
from satcore.evaluation.grids import PAIRS, PAPERS_ADAM, Setting
from satcore.recipes import FAMILIES

SECTION = "§7, Fig. 5 and 8: attacks that iterate"
ALL = len(PAIRS)
SOON_ADAM, SOON_LBFGS = 10, 2  # iterations
SEVERAL = 3  # pairs
PAPERS_FEW = 5  # pairs
FIG_8 = ("sigmoid-mlp",)
MOST, LEAST = LBFGS.values()


def _chased(there: There, *settings: Setting) -> dict[str, dict[str, list[Chase]]]:
    """By family and training, the chases of these `settings`, where there are any."""
    return {
        family: {training: [there[f"{family}/{training}"].chases[one] for one in settings] for training in BESIDE}
        for family in FAMILIES
        if all(one in there[f"{family}/vanilla"].chases for one in settings)
    }


def _vanilla_falls(settings: dict[str, Setting]) -> Callable[[There], Found]:
    """Whether the vanilla network is fooled on all pairs; `settings` by label."""

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family, chases in _chased(there, *settings.values()).items():
            fooled = [chase.fooled for chase in chases["vanilla"]]
            outcomes[family] = outcome(min(fooled) == ALL, " and ".join(map(str, fooled)))
            bars += [
                Bars(family, label, {"vanilla": count}, {"vanilla": ALL})
                for label, count in zip(settings, fooled, strict=True)
            ]
        return Found(outcomes, bars, f"Pairs fooled, of {ALL}")

    return find


def _vanilla_falls_soon(setting: Setting, soon: Callable[[float], bool], named: float) -> Callable[[There], Found]:
    """Whether that usually takes as few iterations as the paper says; `named`: the limit there."""

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family, chases in _chased(there, setting).items():
            (chase,) = chases["vanilla"]
            outcomes[family] = outcome(soon(chase.median), f"{chase.median:g}")
            bars.append(Bars(family, "", {"vanilla": chase.median}, {"vanilla": named}))
        return Found(outcomes, bars, "Iterations, the median")

    return find


def _withstands(
    setting: Setting, holds: Callable[[int, bool], bool], paper: float | None = None
) -> Callable[[There], Found]:
    """Whether the saturated network withstands: `holds` of how many pairs were fooled, and whether 3 → 7 was."""

    def find(there: There) -> Found:
        outcomes, bars = {}, []
        for family, found in _chased(there, setting).items():
            chases = {training: chase for training, (chase,) in found.items()}
            saturated, control = chases["saturated"], chases["control"]
            seven = to_come = ""
            if setting == ADAM:
                seven = f", 3 → 7 {'' if saturated.reaches_7 else 'not '}among them"
                to_come = _to_come(saturated)
            outcomes[family] = outcome(
                holds(saturated.fooled, saturated.reaches_7),
                f"{saturated.fooled}{seven} (vanilla {chases['vanilla'].fooled}; control {control.fooled}); by any "
                f"attack {saturated.anyhow}{to_come}",
                sound=holds(saturated.anyhow, saturated.anyhow_7),
                control=holds(control.fooled, control.reaches_7),
            )
            reported = {"saturated": paper} if paper is not None and family in FIG_8 else {}
            bars += [
                Bars(family, "so", {training: chase.fooled for training, chase in chases.items()}, reported),
                Bars(family, "any", {training: chase.anyhow for training, chase in chases.items()}),
            ]
        return Found(outcomes, bars, f"Pairs fooled, of {ALL}")

    return find


def _to_come(chase: Chase) -> str:
    """What is known of Adam's iterations that were not run, up to the paper's."""
    others = ALL - chase.fooled
    if not others:
        return ""
    said = (
        f"; up to {PAPERS_ADAM:,} iterations of Adam, of the other {others} pairs {chase.rests} are proven at rest, "
        f"{chase.drifts} proven not to be fooled, and {others - chase.rests - chase.drifts} open"
    )
    if chase.rests_7 is not None:
        return f"{said}; 3 → 7 is at rest from iteration {chase.rests_7:,} on: nothing changes a bit"
    if chase.drifts_7 is not None:
        return f"{said}; 3 → 7 is proven not to be fooled: no pixel changes by more than {short(chase.drifts_7)}"
    return said if chase.reaches_7 else f"{said}; 3 → 7 is open"


def _harder(there: There) -> Found:
    outcomes, bars = {}, []
    for family, chases in _chased(there, MOST, LEAST).items():
        (most, least), (control_most, control_least) = chases["saturated"], chases["control"]
        outcomes[family] = outcome(
            most.fooled < least.fooled,
            f"{most.fooled} and {least.fooled} (control {control_most.fooled} and {control_least.fooled}); by any "
            f"attack {most.anyhow} and {least.anyhow}",
            sound=most.anyhow < least.anyhow,
            control=control_most.fooled < control_least.fooled,
        )
        bars += [
            Bars(family, label, {training: found[index].fooled for training, found in chases.items()})
            for index, label in enumerate(("most", "least"))
        ]
    return Found(outcomes, bars, f"Pairs fooled, of {ALL}, from the most and the least confident")


def _go_on_moving(there: There) -> Found:
    outcomes, bars = {}, []
    for family, chases in _chased(there, ADAM).items():
        (saturated,), (control,) = chases["saturated"], chases["control"]
        failed, moving = ALL - saturated.fooled, saturated.moving
        outcomes[family] = outcome(moving > failed / 2, f"{moving} of {failed}" if failed else "it failed on none")
        bars += [
            Bars(family, "failed", {"saturated": failed, "control": ALL - control.fooled}),
            Bars(family, "moving", {"saturated": moving, "control": control.moving}),
        ]
    return Found(outcomes, bars, "Pairs that Adam failed on, and went on moving")


_ANY = (
    "sound: L-BFGS by each gradient, Adam by autograd where it ran, and training images of the target digit clipped to "
    f"within {WITHIN:g} of the source image, {CARRIED} of each"
)
_of_grids = partial(Claim, section=SECTION, about=MLPS, page="attack_grid", unit=f"of {ALL}")
_by_adam = partial(_of_grids, parameters={"grid_attack": "Adam", "grid_steps": f"{ADAM.steps:,}"})
_from_most = partial(_of_grids, parameters={"sources": MOST.source})
_from_least = partial(_of_grids, parameters={"sources": LEAST.source})
CLAIMS = (
    _by_adam(
        "adam-vanilla",
        where="§7",
        says="Adam gets the vanilla network to misclassify as wished.",
        rule=f"all {ALL} pairs are fooled.",
        find=_vanilla_falls({"": ADAM}),
    ),
    _by_adam(
        "adam-vanilla-soon",
        where="§7",
        says=f"That usually takes it less than {SOON_ADAM} iterations.",
        rule=f"the median is below {SOON_ADAM}, at our learning rate of 0.01; the paper doesn't say its own.",
        find=_vanilla_falls_soon(ADAM, lambda median: median < SOON_ADAM, SOON_ADAM),
        unit="",
    ),
    _by_adam(
        "adam-saturated",
        where="§7",
        says="In several cases, such as 3 → 7, Adam doesn't fool the saturated network, not in 30 million iterations.",
        rule=f"in {ADAM.steps:,} iterations at least {SEVERAL} pairs aren't fooled, 3 → 7 among them; what is proven "
        f"of {PAPERS_ADAM:,} is said, and decides nothing; {_ANY}.",
        find=_withstands(ADAM, lambda fooled, reaches_7: fooled <= ALL - SEVERAL and not reaches_7),
    ),
    _by_adam(
        "adam-moves",
        where="§7",
        says="There the image went on changing with every iteration until it converged: it didn't stand still.",
        rule="on more than half of the pairs that Adam failed on, the image moved and no gradient was exactly zero.",
        find=_go_on_moving,
    ),
    _from_most(
        "lbfgs-vanilla",
        where="Fig. 5 and 8",
        says="L-BFGS always fools the vanilla network, from the most confident image and from the least.",
        rule=f"all {ALL} pairs are fooled, from either.",
        find=_vanilla_falls({"most": MOST, "least": LEAST}),
    ),
    _from_most(
        "lbfgs-vanilla-soon",
        where="Fig. 5 and 8",
        says=f"That usually takes it 1–{SOON_LBFGS} iterations.",
        rule=f"the median is at most {SOON_LBFGS}, from the most confident images.",
        find=_vanilla_falls_soon(MOST, lambda median: median <= SOON_LBFGS, SOON_LBFGS),
        unit="",
    ),
    _from_least(
        "lbfgs-saturated-least",
        where="Fig. 5",
        says="From the least confident images, L-BFGS can't fool the saturated network in the majority of cases.",
        rule=f"fewer than half of the {ALL} pairs are fooled; {_ANY}.",
        find=_withstands(LEAST, lambda fooled, _: 2 * fooled < ALL),
    ),
    _from_most(
        "lbfgs-saturated-most",
        where="Fig. 8",
        says=f"From the most confident images it fools it in only {PAPERS_FEW} cases.",
        rule=f"at most {PAPERS_FEW} pairs are fooled; {_ANY}.",
        find=_withstands(MOST, lambda fooled, _: fooled <= PAPERS_FEW, PAPERS_FEW),
        about=FIG_8,
    ),
    _from_most(
        "most-confident-harder",
        where="§7",
        says="The most confident images are even harder to start from than the least confident ones.",
        rule=f"fewer pairs are fooled from them; {_ANY}.",
        find=_harder,
    ),
)
