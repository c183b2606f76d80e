"""What the page of claims says."""

from satcore.evaluation.claims import AS_PUBLISHED, CLAIMS, FAILED, HELD, Finding, Findings, tally
from satcore.evaluation.reality import CNN, MLP

HOW = (
    "Each verdict follows, by code, from the rule beneath the claim. A claim about several networks gets the worst of "
    "their verdicts; pale ones, of which the paper doesn't speak, don't count. *Control*: the saturated recipe with λ "
    "= 0, all else equal; what it does too, by the same rule beside the vanilla network, is not the penalty's doing. "
    "*FGSM*: ε = 0.25, on the cross-entropy by float32 autograd, of all 10,000 test images. *Worst case*: all attacks "
    "together at that ε; it and PGD, as on the page [Reality check](reality_check), are of "
    f"{MLP.images} random test images, of a CNN {CNN.images}. A network's name leads to the screen that shows it. In "
    "the figures a line across a bar is the paper's figure, or the limit that it names. The verdicts are those of one "
    "seed a network; where all four trainings of a family have others, and a rule rests on what is measured of them, "
    "it says how many of these come to which verdict. Adam ran 100,000 iterations; what the others, up to the paper's "
    "30 million, can do is proven where it can be."
)
NOT_ON_TRIAL = (
    "Not on trial, as each would take many trainings: that annealing λ is essential, that the penalty does best on "
    "every layer, that α = 0.5 does best in adversarial training, that the CNN's schedule is the easiest to find. Nor "
    "what is said of brains."
)


def headline(found: Findings) -> str:
    """How many claims came to which verdict, and how many of those that stood are the control's as well."""
    counts = tally(found.values())
    about = {claim.name: claim.about for claim in CLAIMS}
    controls = [
        there
        for finding in found.values()
        if finding.verdict != FAILED and (there := _controls(finding, about[finding.claim]))
    ]
    everywhere = sum(map(all, controls))
    somewhere = sum(map(any, controls)) - everywhere
    return (
        f"Of {len(found)} claims, **{counts[HELD]} held**, **{counts[AS_PUBLISHED]} held as published, but not under a "
        f"sound attack**, **{counts[FAILED]} did not hold here**. {len(controls)} of those that stood credit "
        f"saturation: the control, trained without the penalty, has {everywhere} of them too in every network, "
        f"{somewhere} in some, {len(controls) - everywhere - somewhere} in none."
    )


def _controls(finding: Finding, about: tuple[str, ...]) -> list[bool]:
    """Whether the control does as much, for each network that the claim speaks of, where that was asked."""
    asked = (finding.outcomes[family].control for family in about)
    return [control for control in asked if control is not None]
