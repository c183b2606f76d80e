"""The same rules on other seeds: how many of them come to which verdict."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping

from satcore.evaluation.claims.evidence import Evidence
from satcore.evaluation.claims.kept import CLAIMS
from satcore.evaluation.claims.records import VERDICTS, Claim
from satcore.evaluation.seeds import Figures, Trained
from satcore.proportions import Proportion
from satcore.recipes import FAMILIES, PAPER_TRAININGS

OPEN = "open at the paper's ε"
Verdicts = dict[str, dict[str, Counter[str]]]  # by claim and family: how many seeds came to which, or are `OPEN`


def over_seeds(trained: list[Trained]) -> Verdicts:
    """The verdicts of all seeds of which every training of a family has been measured, on the claims that rest on what
    is measured of a seed.

    What is left under all attacks is known of them at a smaller ε than the paper's, and of few images: at the paper's
    it can be anything from nothing to that. Where this decides, a seed is `OPEN`.
    """
    by_seed: dict[tuple[str, int], dict[str, Evidence]] = defaultdict(dict)
    for one in trained:
        family, _, training = one.recipe.partition("/")
        if not one.settings and family in FAMILIES:
            by_seed[family, one.seed][training] = _evidence(one.figures)
    found: Verdicts = {claim.name: defaultdict(Counter) for claim in CLAIMS if claim.of_seeds}
    for (family, _), of_training in by_seed.items():
        if set(of_training) >= set(PAPER_TRAININGS):
            nothing_left = {training: dataclasses.replace(one, worst=0.0) for training, one in of_training.items()}
            for claim in CLAIMS:
                if claim.of_seeds:
                    most, least = (_verdict(claim, family, there) for there in (of_training, nothing_left))
                    if most is not None:
                        found[claim.name][family][most if most == least else OPEN] += 1
    return found


def _verdict(claim: Claim, family: str, of_training: Mapping[str, Evidence]) -> str | None:
    """What a `claim` comes to in the `family`; None where it doesn't speak of it."""
    # A rule asks about all families at once; of the others' answers none is looked at.
    there = {f"{each}/{training}": one for each in FAMILIES for training, one in of_training.items()}
    outcome = claim.find(there).outcomes.get(family)
    return outcome.verdict if outcome else None


def in_words(verdicts: Counter[str]) -> str:
    """Such as "4 of 5 seeds held, 1 did not hold here"; "" of a single one."""
    if verdicts.total() < 2:
        return ""
    said = [f"{verdicts[verdict]} {verdict}" for verdict in (*VERDICTS, OPEN) if verdicts[verdict]]
    first, *others = said
    return ", ".join([first.replace(" ", f" of {verdicts.total()} seeds ", 1), *others])


def _evidence(figures: Figures) -> Evidence:
    nothing_known, images = float("nan"), figures["worst_images"]
    standing = Proportion(round(figures["worst_case"] * images), images)
    return Evidence(
        accuracy=figures["accuracy"],
        fgsm=figures["fgsm_accuracy"],
        unmoved=nothing_known,
        worst=standing.interval[1],  # at most
        pgd=nothing_known,
        stabilised=nothing_known,
        kurtosis=[nothing_known if there is None else there for there in figures["kurtosis"]],
        within=list(figures["within"]),
        between=list(figures["between"]),
    )
