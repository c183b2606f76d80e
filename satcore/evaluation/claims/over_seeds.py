"""The same rules on other seeds: how many of them come to which verdict."""

from collections import Counter, defaultdict

from satcore.evaluation.claims.evidence import Evidence
from satcore.evaluation.claims.kept import CLAIMS
from satcore.evaluation.claims.records import VERDICTS
from satcore.evaluation.seeds import Figures, Trained
from satcore.recipes import FAMILIES, PAPER_TRAININGS

Verdicts = dict[str, dict[str, Counter[str]]]  # by claim and family: how many seeds came to which


def over_seeds(trained: list[Trained]) -> Verdicts:
    """The verdicts of all seeds of which every training of a family has been measured, on the claims that rest on what
    is measured of a seed.

    What is left under all attacks is known of them at a smaller ε than the paper's, at which no less is left.
    """
    by_seed: dict[tuple[str, int], dict[str, Evidence]] = defaultdict(dict)
    for one in trained:
        family, _, training = one.recipe.partition("/")
        if not one.settings and family in FAMILIES:
            by_seed[family, one.seed][training] = _evidence(one.figures)
    found: Verdicts = {claim.name: defaultdict(Counter) for claim in CLAIMS if claim.of_seeds}
    for (family, _), of_training in by_seed.items():
        if set(of_training) >= set(PAPER_TRAININGS):
            # A rule asks about all families at once; of the others' answers none is looked at.
            there = {f"{each}/{training}": one for each in FAMILIES for training, one in of_training.items()}
            for claim in CLAIMS:
                if claim.of_seeds:
                    outcome = claim.find(there).outcomes.get(family)
                    if outcome is not None:
                        found[claim.name][family][outcome.verdict] += 1
    return found


def in_words(verdicts: Counter[str]) -> str:
    """Such as "4 of 5 seeds held, 1 did not hold here"; "" of a single one."""
    if verdicts.total() < 2:
        return ""
    said = [f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS if verdicts[verdict]]
    first, *others = said
    return ", ".join([first.replace(" ", f" of {verdicts.total()} seeds ", 1), *others])


def _evidence(figures: Figures) -> Evidence:
    nothing_known = float("nan")
    return Evidence(
        accuracy=figures["accuracy"],
        fgsm=figures["fgsm_accuracy"],
        unmoved=nothing_known,
        worst=figures["worst_case"],
        stabilised=nothing_known,
        kurtosis=[nothing_known if there is None else there for there in figures["kurtosis"]],
        within=list(figures["within"]),
        between=list(figures["between"]),
    )
