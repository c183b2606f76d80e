"""What the measurements on the cards say, as sentences and as rows."""

import pandas as pd

from satcore.evaluation.rungs import ONE_WORD, PUBLISHED
from satcore.library import Catalogue
from satcore.proportions import Proportion
from satcore.recipes import FAMILIES, PAPER_TRAININGS

WORST = "worst case"  # of the ladder
SHOWN = "sigmoid-mlp/saturated"  # the network that the paper is mostly about
TRAININGS = (
    "*Adversarial*: trained on FGSM images as well. *Saturated*: trained with the penalty (in the CNN on the dense "
    "layers, above convolutions trained without it and then kept). *Control*: the saturated recipe with the penalty's "
    "λ at 0, all else equal."
)
TABLE_1 = (
    "FGSM as published: one step of ε = 0.25 along the sign of the gradient that float32 autograd gives of the "
    "cross-entropy, on all 10,000 test images; an image that was wrong before and that the step puts right counts as "
    f"right, as in the paper. It is one weak attack; being right after it is not robustness. {TRAININGS}"
)
OBJECTED = (
    "One step of ε = 0.25 along the sign of another gradient than the published one; an image that was wrong before "
    f"counts as broken. {TRAININGS}"
)
CARDS = (
    "Each card: the image after FGSM as published, within the ε chosen; what was changed, the largest change drawn "
    "full (orange: raised, blue: lowered); the prediction before → after, with its probability."
)


def measured(catalogue: Catalogue) -> dict[str, dict]:
    """The measurements of the paper's networks, by name, in the order of Table 1."""
    return {
        name: card.measurements
        for name, card in catalogue.cards.items()
        if card.shipped and card.group in FAMILIES and card.training in PAPER_TRAININGS and card.measurements
    }


def story(measured: dict[str, dict], left: dict[str, dict[str, Proportion]]) -> str:
    """What this is, in five sentences; all but the first, where the network it is about is there, in our figures:
    measured, and, by rung of the ladder, `left` of a sample of images.
    """
    first = (
        "Nayebi & Ganguli ([2017](https://arxiv.org/abs/1703.09202)) train networks with a penalty that drives every "
        "unit into the flat part of its nonlinearity, and report 94–98 % accuracy under attack (FGSM)."
    )
    if SHOWN not in measured or measured[SHOWN]["fgsm_accuracy"] == 0:
        return first
    m = measured[SHOWN]
    share = m["right_unmoved"] / m["fgsm_accuracy"]
    second = (
        f"Our saturated sigmoid MLP gets {100 * m['fgsm_accuracy']:.1f} % of {m['images']:,} test images right (ε = "
        f"{m['epsilon']:g}, along the cross-entropy's float32 autograd gradient), but **{100 * share:.1f} % of those "
        "were never changed at all**: that gradient had underflowed to exactly zero."
    )
    rungs = [left[rung].get(SHOWN) for rung in (PUBLISHED, ONE_WORD, WORST)]
    if None in rungs:
        return f"{first} {second}"
    published, otherwise, worst = (f"{100 * rung.share:.1f} %" for rung in rungs if rung)
    return (
        f"{first} {second} Of {left[WORST][SHOWN].total:,} random test images {published} are right before and after "
        "it. Change one word of the attack, its loss, from cross-entropy to margin, and the same float32 autograd "
        f"leaves {otherwise}; under all attacks together **{worst}** are left ([reality check](reality_check))."
    )


def numbers(
    measured: dict[str, dict], published: dict[str, tuple[float, float]], worst_case: dict[str, Proportion]
) -> pd.DataFrame:
    """Table 1, a row a network, in percent, with what all attacks together leave; no figure where there is none."""
    table = pd.DataFrame(
        [
            {
                "network": name,
                "clean, ours (%)": round(100 * m["accuracy"], 2),
                "clean, paper (%)": published.get(name, (None, None))[0],
                "FGSM, ours (%)": round(100 * m["fgsm_accuracy"], 2),
                "FGSM, paper (%)": published.get(name, (None, None))[1],
                "gradient exactly zero (%)": round(100 * m["zero_gradient"], 2),
                "worst case of all attacks (%)": round(100 * worst_case[name].share, 2) if name in worst_case else None,
                "worst case, of images": worst_case[name].total if name in worst_case else None,
                "excess kurtosis of the weights, by layer": ", ".join(f"{k:.1f}" for k in m["kurtosis"]),
            }
            for name, m in measured.items()
        ]
    )
    return table.astype({"worst case, of images": "Int64"})  # also where one has none


def damaged(catalogue: Catalogue) -> list[str]:
    """Why networks of the paper can't be shown, a sentence each."""
    papers = {f"{family}/{training}" for family in FAMILIES for training in PAPER_TRAININGS}
    return [why for name, why in catalogue.damaged.items() if name in papers]
