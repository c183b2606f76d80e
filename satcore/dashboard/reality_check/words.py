"""What the page on reality says: sentences and rows."""

import math

import numpy as np
import pandas as pd

from satcore.dashboard.reality_check.run import CellRun
from satcore.dashboard.reality_check.truths import Symptom, Truth
from satcore.dashboard.shared.digits import with_article
from satcore.dashboard.shared.style import FAMILY_TITLES, Style
from satcore.data import load
from satcore.evaluation import reality
from satcore.evaluation.attack_checks import MEANINGS, TOLERANCE
from satcore.evaluation.beyond import PIXELS, RADII, Beyond
from satcore.evaluation.certificates import Certificate
from satcore.evaluation.reality import EPSILON, Reality
from satcore.evaluation.rungs import ONE_WORD, PUBLISHED
from satcore.evaluation.strongest import WRONG_BEFORE
from satcore.library import Card
from satcore.recipes import PAPER_TRAININGS

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LADDER = (
    "Right, in percent of n random test images, each attack within ε and from every image. *noise*: the worst of ten "
    "random draws, the same for every image. *FGSM* and *PGD* follow a loss: *cross-entropy*, as published, or "
    "*margin*, the label's logit minus the largest other one; its gradient is taken by *autograd*, in float32; "
    "*exact*, its true direction, however small; or *softened*, every derivative taken at h/T, T chosen on training "
    "images for each network and ε: point at a figure to see it (a ReLU's slope and the margin can't be softened). "
    "*transfer*: from the group's vanilla network. *Square*: "
    "asks for no gradient. *Worst case*: wrong after any of them, or after longer attacks on what was left. *Control*: "
    "the saturated recipe without the penalty."
)
FOUND_BY = {  # the attacks of the worst case
    "free pixels": "flipping pixels",
    "bounds": "following a bound to where it is least",
    "APGD": "ten steps of APGD on the margin, its gradient taken exactly",
    "APGD, each class": "APGD towards each other digit, its gradient taken exactly, softened or smoothed",
    "Square": "Square, which asks for no gradient",
}
CURVES = "Bands: 95 % intervals (Wilson)."
BETWEEN = (
    "Full colour: images proven right whatever the attack (by linear bounds, CROWN; of CNNs by intervals; behind a "
    "step by branch and bound over free pixels). Blank: images that some attack has broken. The truth lies in the "
    "light band between them, and nobody knows where. Its edges are steps: what is broken stays so in larger balls, "
    "and what is proven in smaller ones. Grey: the first of these images, decided one by one: attacked by the worst "
    "case, and where they stand given to branch and bound for so many seconds; from the share proven up to the share "
    "not broken. Point at a mark for its 95 % interval."
)
SOFTENED = (
    f"Thick, full marks: PGD. Thin, open marks: FGSM. ε = {EPSILON:g}, on the ladder's images. A ReLU's "
    "slope is 0 or 1 at any T: there only the softmax is softened, which the margin doesn't see."
)
CHECKS = (
    "What Carlini et al. (2019) and AutoAttack would look at before they believe that a network withstood an attack: "
    f"here FGSM and PGD as published, on the cross-entropy by float32 autograd, at ε = {EPSILON:g}, on the ladder's "
    "images. Red says that the attack has failed, not that the network has withstood. Up to "
    f"{100 * TOLERANCE:.0f} image in a hundred counts as no difference."
)
DYING = (
    "How large the true gradient of the cross-entropy is at each layer, on each of the ladder's images; leftmost: all "
    "below 10⁻⁵⁹⁵. Where it is truly zero it is in the table alone, with the shares on which autograd gives it so."
)
REVIEWER = """
- **Isn't this just thresholding?** Yes: a step at ½, pixel by pixel, then ramps trained on interval bounds. That
  thresholding helps on MNIST is known (Chen et al. [2018](https://arxiv.org/abs/1805.07816); Schott et al.
  [2018](https://arxiv.org/abs/1805.09190)); it works because MNIST is nearly binary, and would not where pixels are
  not. Saturation before summing is the paper's motive, put where the attack begins; its penalty has no share in this.
- **Its gradient is zero, too.** So no gradient attack counts here. What counts is the proof, and the search over free
  pixels that breaks what isn't proven.
- **Where does it end?** At ε = ½: past it every pixel is free, and any image can be turned into any other behind the
  step. A curve that didn't end there at 0 would be wrong.
- **A pixel at exactly ½?** The step is 1 above ½ and 0 at ½. Bounds are rounded outwards, so that no tie is missed.
- **Is it the step, the ramp or the bounds? And on other seeds?** The step and the bounds, in sixteen networks of one
  seed; how much of the MLPs is proven is alike on several seeds: measured in `docs/dendritic.md`.
- **L2, L0, shifts, brightness, contrast?** No bound on L∞ says anything about them. Of pixels set at will and of L2
  balls, what is right is at most this: what one greedy search along gradients leaves.
"""
NOTHING = (
    "expected what was found out about any network, got nothing: find it out with `python -m satcore reality NAME`"
)


def headline(found: dict[str, Reality], cards: dict[str, Card], published: dict[str, tuple[float, float]]) -> str:
    """What is left of the published accuracy of the paper's networks, in two sentences, and of the dendritic ones, in
    one; "" where none is there.
    """
    shipped = {
        name: there for name, there in found.items() if cards[name].shipped and cards[name].group in FAMILY_TITLES
    }
    dendritic = [shipped.pop(name) for name in list(shipped) if cards[name].training not in PAPER_TRAININGS]
    left = [share for there in shipped.values() if (share := there.left("worst case"))]
    if not left:
        return ""
    most, bound = max(100 * share.share for share in left), max(100 * share.interval[1] for share in left)
    nothing = f"**no network gets more than {most:.1f} % right**"
    if most == 0:
        nothing = "**none of the paper's networks gets a single image right**"
    return (
        f"{_kept(shipped, cards, published)}Under all the attacks below together {nothing}, as trained here, and no "
        f"control does (ε = {EPSILON:g}, the same images; the 95 % intervals go up to {bound:.1f} % at most)."
        f"{_standing(dendritic)}"
    )


def _standing(dendritic: list[Reality]) -> str:
    """What all attacks leave of networks that are proven, and of how much of that; "" where there is none."""
    pairs = [
        (f"{100 * left.share:.1f}", f"{100 * proven / there.images:.1f}")
        for there in dendritic
        if (left := there.left("worst case")) and (proven := there.proven[there.epsilons.index(EPSILON)]) is not None
    ]
    if not pairs:
        return ""
    left, proven = (_listed(list(shares)) for shares in zip(*pairs, strict=True))
    return f" The dendritic ones have no gradient either, and keep **{left} %**; proven are {proven} %."


def about_dendritic(cards: dict[str, Card]) -> str:
    """What a dendritic network is; "" where there is none."""
    if all(card.training != "dendritic" for card in cards.values()):
        return ""
    return (
        "*Dendritic*: each pixel passes a step before anything is summed, and bounds are trained on. No gradient "
        "passes; there the worst case begins with a search over free pixels."
    )


def _kept(found: dict[str, Reality], cards: dict[str, Card], published: dict[str, tuple[float, float]]) -> str:
    """What the saturated networks keep under the paper's attack, beside what it reports, and with another loss."""
    there = {
        name: (kept, otherwise)
        for name, reality_of in found.items()
        if cards[name].training == "saturated"
        and name in published
        and (kept := reality_of.left(PUBLISHED))
        and (otherwise := reality_of.left(ONE_WORD))
    }
    if not there:
        return ""
    reported = _listed([f"{published[name][1]:.1f}" for name in there])
    kept, otherwise = (
        _listed([f"{100 * left.share:.1f}" for left in column]) for column in zip(*there.values(), strict=True)
    )
    counts = [f"{left.total:,}" for left, _ in there.values()]
    images = _listed(counts if len(set(counts)) > 1 else counts[:1])
    return (
        f"Under the attack that the paper reports {reported} % for, our saturated networks keep **{kept} %** (of "
        f"{images} random test images). Change one word of it, its loss, from cross-entropy to margin, and the same "
        f"float32 autograd leaves **{otherwise} %**. "
    )


def beside_table_1(found: dict[str, Reality], cards: dict[str, Card]) -> str:
    """Why Table 1 says another figure of the same attack; "" where no network has both."""
    for name, there in found.items():
        measured, here = cards[name].measurements, there.left(PUBLISHED)
        if cards[name].shipped and cards[name].training == "saturated" and "fgsm_withstood" in measured and here:
            return (
                f"Table 1 counts more images, and as the paper does: after the same FGSM {name} gets "
                f"{100 * measured['fgsm_accuracy']:.1f} % of all {measured['images']:,} right. An image that was wrong "
                f"before and that the attack puts right counts there, here it doesn't: that leaves "
                f"{100 * measured['fgsm_withstood']:.1f} %, and of these {there.images:,} {100 * here.share:.1f} %."
            )
    return ""


def verdicts(found: dict[str, Reality], styles: dict[str, Style]) -> str:
    """A sentence a network: what is left of it, by which attacks, and what is proven."""
    return "\n".join(
        f"- **{styles[name].label}**: {reality.verdict(there)}.{_decided(there)}" for name, there in found.items()
    )


def _decided(found: Reality) -> str:
    """Of how many images it is known what holds within small ε, one by one; "" where none was decided."""
    if not found.decided:
        return ""
    within = [
        f"ε = {there.epsilon:g} {100 * there.proven / there.images:.1f}\N{NO-BREAK SPACE}% proven, "
        f"{100 * there.broken / there.images:.1f}\N{NO-BREAK SPACE}% broken"
        for there in found.decided
    ]
    there = found.decided[0]
    return f" One by one, {there.images} images, {there.seconds:g} s each: within {'; within '.join(within)}."


def alt_curve(rung: str, found: dict[str, Reality], styles: dict[str, Style]) -> str:
    """What the curves of a rung show."""
    shares = [
        f"{styles[name].label} {100 * left.share:.1f} %" for name, there in found.items() if (left := there.left(rung))
    ]
    return f"How many images stay right against ε after: {rung}. At ε = {EPSILON:g}: {', '.join(shares)}"


def alt_between(label: str, found: Reality) -> str:
    """What the band of one network shows."""
    within = [
        f"{100 * (sure or 0) / found.images:.0f} to {100 * most / found.images:.0f} % at ε = {epsilon:g}"
        for epsilon, sure, most in zip(found.epsilons, found.proven, found.right["worst case"], strict=True)
    ]
    return (
        f"How many images {label} gets right against ε, at least those proven, at most those that no attack breaks: "
        f"{', '.join(within)}"
    )


def alt_temperatures(found: dict[str, Reality], styles: dict[str, Style], loss: str) -> str:
    """What the curves of softened attacks show."""
    rung, least = f"PGD, {loss}, softened", []
    for name, there in found.items():
        counts = [softening.right[rung] for softening in there.softening if rung in softening.right]
        if counts:
            least.append(f"{styles[name].label} {100 * min(counts) / there.images:.1f} %")
    return (
        f"How many images stay right after softened attacks by the {loss}, against the temperature. PGD at its best "
        f"leaves: {', '.join(least)}"
    )


def alt_dying(found: dict[str, Reality], styles: dict[str, Style]) -> str:
    """What the histograms of gradients show."""
    zeros = [
        f"{styles[name].label} {100 * image.zero_single:.1f} %"
        for name, there in found.items()
        for image in there.dying[:1]
    ]
    return (
        "Histograms of the gradient's size at each layer, beside the smallest numbers that float32 and float64 have. "
        f"Exactly zero at the image, in float32: {', '.join(zeros)}"
    )


def not_found_out(name: str) -> str:
    """That there is nothing about the network `name` here, and how to get it."""
    return (
        f"Nothing has been found out about {name} yet. *Examine it* on its card, on the page [Networks](networks), "
        f"does; so does `python -m satcore reality {name}`: in minutes or more."
    )


def computed(run: CellRun) -> str:
    """How far a figure that is computed anew has got."""
    what = f"{run.name}, {run.rung}, ε = {run.epsilon:g}"
    if run.reached is None:
        return f"{what}: begun"
    low, high = run.reached.interval
    state = "so far" if run.running else "in all" if run.done == 1 else "stopped there"
    return (
        f"{what}: {run.reached.count:,} of {run.reached.total:,} images right, {100 * run.reached.share:.1f} % "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %), {state}"
    )


def gradients(label: int, index: int, loss: str) -> str:
    """What the pictures of gradients show."""
    return (
        f"Which pixels would change the answer to test image {index:,}, {with_article(label)}: the gradient of the "
        f"{loss} as *autograd* gives it (black: exactly zero, so FGSM and PGD have nowhere to go), *exact*, and "
        f"*softened*. Orange: a brighter pixel speaks for the {label}, blue: against it. Its size beneath."
    )


def size(log10_norm: float) -> str:
    """How large a gradient is, of which this is the logarithm of its norm."""
    return "exactly zero" if log10_norm == -math.inf else _power(10, round(log10_norm))


def opposite(found: dict[str, tuple[Symptom, Truth]], styles: dict[str, Style]) -> str:
    """Whether both networks, a saturated one and one that steps first, have the symptom, and how far apart they are."""
    moving = [styles[name].label for name, (symptom, _) in found.items() if symptom.log10_norm > -math.inf]
    same = "FGSM sees a gradient of exactly zero in both, and hands the digit back as it was: **the same symptom**."
    if moving:
        same = f"On this digit FGSM has a gradient to follow in {_listed(moving)}."
    if wrong := [styles[name].label for name, (_, truth) in found.items() if truth.by == WRONG_BEFORE]:
        return f"{same} But {_listed(wrong)} saw something else in it all along."
    verdicts = [truth.verdict for _, truth in found.values()]
    if all(truth.free.all() for _, truth in found.values()):
        return f"{same} But past ε = ½ every pixel is free behind the step as well, and nothing can hold."
    if verdicts == ["broken", "proven"]:
        return f"{same} **The opposite truth**: one is fooled all the same; no attack can fool the other."
    if len(set(verdicts)) == 1 and verdicts[0] != "open":
        return f"{same} Within this ε {'both hold' if verdicts[0] == 'proven' else 'neither holds'}."
    return same


def captions(symptom: Symptom, truth: Truth, image: np.ndarray) -> list[str]:
    """What stands beneath the digit `image`, what FGSM sees, what it leaves, and the worst that was found."""
    free, flipped = int(truth.free.sum()), int((truth.image != image).sum())
    some = "all 784 pixels" if truth.free.all() else f"{free} of 784 pixels"
    return [
        f"{some} free",
        f"gradient {size(symptom.log10_norm)}",
        f"{'changed' if (symptom.left != image).any() else 'unchanged'}: {with_article(symptom.seen)}",
        f"{flipped or 'none'} changed: {with_article(truth.seen)}",
    ]


def truth(found: Truth, label: int) -> str:
    """What holds of the digit `label`, and why."""
    free = int(found.free.sum())
    cube = f"Behind the step the ball is a cube of {free} free pixel{'s' * (free != 1)}, {_power(2, free)} images"
    if found.by == WRONG_BEFORE:
        return f"It sees {with_article(found.seen)} without any attack."
    if not free:
        return "No pixel is free: the network sees every image of the ball as this one."
    if found.free.all():
        return _in_the_whole_ball(found, label)
    if found.verdict == "broken":
        how = "a search flipped these" if found.by == "free pixels" else "the corner where a bound is least has these"
        return f"{cube}: {how}, and it sees {with_article(found.seen)}."
    if found.verdict == "proven":
        return f"{cube}, and branch and bound says of every one of them that it is {with_article(label)}."
    return f"{cube}: no search flips the answer, and branch and bound isn't done with all of them yet."


def _in_the_whole_ball(found: Truth, label: int) -> str:
    """What holds where every pixel can change."""
    if found.verdict == "broken":
        how = FOUND_BY.get(found.by or "", found.by)
        return f"An image within ε that is seen as {with_article(found.seen)}, found by {how}."
    if found.verdict == "proven":
        return f"Within so small an ε bounds prove that every image is {with_article(label)}."
    return "Neither broken by the attacks tried here, nor proven by bounds."


def certified(found: list[Certificate]) -> str:
    """What the curve of all test images shows."""
    return (
        "Full colour: proven by intervals; lighter: by branch and bound over free pixels, at most "
        f"{max(there.seconds for there in found):g} s an image in the mean; lightest: open, or between two ε that were "
        "tried; blank: broken, each by an image. Dashed: the paper's ε, and ½, past which every pixel is free."
    )


def beyond_the_ball(found: Beyond) -> pd.DataFrame:
    """What is left of the images where no bound on L∞ says anything, and of how many."""
    sample, everything = [("as they are", found.clean)], [*found.changed.items()]
    sample += [
        (f"{count} pixel{'s' * (count != 1)} set at will", right)
        for count, right in zip(PIXELS, found.pixels, strict=True)
    ]
    sample += [(f"within L2 {radius:g}", right) for radius, right in zip(RADII, found.radii, strict=True)]
    sample += [("moved by a pixel, all eight ways", found.shifted)]
    rows = [(*row, found.images) for row in sample] + [(*row, len(load("test").labels)) for row in everything]
    return pd.DataFrame(
        [{"images": what, "right (%)": round(100 * right / of, 1), "of": of} for what, right, of in rows]
    )


def alt_certified(label: str, found: list[Certificate]) -> str:
    """What the curve of all test images shows."""
    within = [
        f"{100 * there.proven.share:.1f} to {100 * there.standing.share:.1f} % at ε = {there.epsilon:g}"
        for there in found
    ]
    return f"How many of all test images {label} gets right against ε, from proven to not broken: {', '.join(within)}"


def _power(base: int, exponent: int) -> str:
    return f"{base}{str(exponent).translate(SUPERSCRIPTS)}"


def softened(found: dict[str, Reality], styles: dict[str, Style], loss: str, temperature: float) -> str:
    """What softened PGD by the `loss` leaves of each network at one of the temperatures; "" where that wasn't tried."""
    rung = f"PGD, {loss}, softened"
    left = {
        styles[name].label: f"**{100 * softening.right[rung] / there.images:.1f} %**"
        for name, there in found.items()
        for softening in there.softening
        if softening.temperature == temperature and rung in softening.right
    }
    if not left:
        return ""
    shares = ", ".join(f"{label} {share}" for label, share in left.items())
    return f"PGD by the {loss}, softened at T = {temperature:g}, leaves {shares}.{_in_the_ladder(found, styles, rung)}"


def _in_the_ladder(found: dict[str, Reality], styles: dict[str, Style], rung: str) -> str:
    """What a softened `rung` of the ladder leaves, at a T of its own for each network; "" where there is none."""
    said = [
        f"{styles[name].label} {100 * left.share:.1f} % at T = {chosen:g}"
        for name, there in found.items()
        if (left := there.left(rung)) and (chosen := there.temperature(rung))
    ]
    return f" In the ladder, where T was chosen on training images: {', '.join(said)}." if said else ""


def dying(found: dict[str, Reality], layers: list[str]) -> pd.DataFrame:
    """On how many images the gradient by each layer is exactly zero, in percent: in float32, in float64, truly."""
    rows = []
    for name, there in found.items():
        row = dict.fromkeys(["gradient exactly zero (%): float32 / float64 / truly", *layers], "")
        row["gradient exactly zero (%): float32 / float64 / truly"] = name
        for layer in there.dying:
            single, double, truly = layer.zero_single, layer.zero_double, layer.zero / there.images
            row[layer.layer] = f"{100 * single:.1f} / {100 * double:.1f} / {100 * truly:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def meanings() -> dict[str, str]:
    """What each check means, with how far figures may differ where that decides it."""
    within = f" A difference of up to {100 * TOLERANCE:.0f} percentage point counts as none."
    return {name: text + within * (name == "more steps change nothing") for name, text in MEANINGS.items()}


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
