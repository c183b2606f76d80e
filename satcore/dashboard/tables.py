"""What the stored measurements say, as sentences and as rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import streamlit as st

from satcore.proportions import Proportion

LADDER = (
    "Right, in percent of the first test images (500 for an MLP, 100 for the CNN), each attack within ε and from every image. *noise*: the worst of ten random draws, the same for every image. *autograd*: the "
    "gradient as published, in float32. *exact*: its true direction, however small; cross-entropy and margin loss. *softened*: as exact, every "
    "derivative taken at h/T, T chosen on a hundred other images. *transfer*: from the family's vanilla network. *Square*: asks for no gradient. "
    "*Worst case*: wrong after any of them, or after longer attacks on what was left. *Control*: the saturated recipe without the penalty."
)
CURVES = (
    "Bands: 95 % intervals (Wilson). Dotted, under the worst case of the MLPs: the share of images proven right whatever the attack (linear bounds, "
    "CROWN). The truth lies between."
)
SOFTENED = "Full: PGD. Dashed: FGSM. ε = 0.25. A ReLU's slope is 0 or 1 at any T: there only the softmax is softened."
CHECKS = (
    "What Carlini et al. (2019) and AutoAttack would look at before they believe that a network withstood an attack: here FGSM and PGD as published, "
    "their gradients from float32 autograd, at ε = 0.25. Red says that the attack has failed, not that the network has withstood."
)
DYING = (
    "How large the true gradient of the cross-entropy is at each layer, image by image; leftmost: all below 10⁻⁵⁹⁵. Where it is truly zero it is "
    "in the table alone, with the shares on which autograd gives exactly zero."
)
SHOWN = "sigmoid-mlp/saturated"  # the network that the paper is mostly about


def story(measured: dict[str, dict], worst_case: dict[str, Proportion]) -> str:
    """What this is, in three sentences; all but the first, where the network it is about is there, in figures of our own."""
    first = (
        "Nayebi & Ganguli ([2017](https://arxiv.org/abs/1703.09202)) train networks with a penalty that drives every "
        "unit into the flat part of its nonlinearity, and report 94–98 % accuracy under attack."
    )
    if SHOWN not in measured or measured[SHOWN]["fgsm_accuracy"] == 0:
        return first
    m = measured[SHOWN]
    share = m["right_unmoved"] / m["fgsm_accuracy"]
    return (
        f"{first} So does the one trained here, {100 * m['fgsm_accuracy']:.1f} %, but **{100 * share:.1f} % of those "
        "images were never changed at all**: the gradient that the attack follows had underflowed to exactly zero."
        + (
            f" Under attacks that don't stumble over that, **{100 * worst_case[SHOWN].share:.1f} %** are left ([reality check](reality_check))."
            if SHOWN in worst_case
            else ""
        )
    )


def reality(found: dict, published: dict[str, tuple[float, float]]) -> str:
    """What is left of the published accuracy, in two sentences."""
    saturated = {name: there for name, there in found.items() if name.endswith("/saturated")}
    left = {name: there.left("worst case") for name, there in found.items()}
    most, bound = (
        max(100 * share.share for share in left.values()),
        max(100 * share.interval[1] for share in left.values()),
    )
    reported = _listed([f"{published[name][1]:.1f}" for name in saturated])
    kept = _listed([f"{100 * there.left('FGSM, autograd').share:.1f}" for there in saturated.values()])
    nothing = (
        "**none of the networks gets a single image right**"
        if most == 0
        else f"**no network gets more than {most:.1f} % right**"
    )
    published_and_ours = (
        f"Under the attack that the paper reports {reported} % for, our saturated networks keep **{kept} %**. "
        if saturated
        else ""
    )
    return f"{published_and_ours}Under all the attacks below together {nothing}, saturated, adversarially trained or vanilla (ε = 0.25; the 95 % intervals go up to {bound:.1f} % at most)."


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def computed(run) -> str:
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


def gradients(label: int, index: int) -> str:
    """What the pictures of gradients show."""
    return (
        f"Which pixels would change the answer to test image {index:,}, a {label}: the gradient of the cross-entropy as *autograd* gives it "
        "(black: exactly zero, so FGSM and PGD have nowhere to go), *exact*, and *softened*. Orange: positive, blue: negative. Its size beneath."
    )


def softened(found: dict, temperature: float) -> str:
    """What softened PGD leaves of each network at one of the temperatures."""
    left = {
        name.partition("/")[2]: next(pgd for there_at, _, pgd in there.softening if there_at == temperature)
        / there.images
        for name, there in found.items()
    }
    return (
        f"Softened PGD at T = {temperature:g} leaves "
        + ", ".join(f"{training} **{100 * share:.1f} %**" for training, share in left.items())
        + "."
    )


def dying(found: dict) -> pd.DataFrame:
    """On how many images the gradient by each layer is exactly zero, in percent: in float32, in float64, truly."""
    return pd.DataFrame(
        [
            {
                "gradient exactly zero (%): float32 / float64 / truly": name,
                **{
                    layer[
                        "layer"
                    ]: f"{100 * layer['zero_single']:.1f} / {100 * layer['zero_double']:.1f} / {100 * layer['zero'] / there.images:.1f}"
                    for layer in there.dying
                },
            }
            for name, there in found.items()
        ]
    )


def table_1(
    measured: dict[str, dict], published: dict[str, tuple[float, float]], worst_case: dict[str, Proportion]
) -> pd.DataFrame:
    """Table 1, a row a network, in percent, with what all attacks together leave; no figure where there is none."""
    return pd.DataFrame(
        [
            {
                "network": name,
                "clean, ours (%)": round(100 * m["accuracy"], 2),
                "clean, paper (%)": published.get(name, (None, None))[0],
                "FGSM, ours (%)": round(100 * m["fgsm_accuracy"], 2),
                "FGSM, paper (%)": published.get(name, (None, None))[1],
                "gradient exactly zero (%)": round(100 * m["zero_gradient"], 2),
                "worst case of all attacks (%)": round(100 * worst_case[name].share, 2) if name in worst_case else None,
                "excess kurtosis of the weights, by layer": ", ".join(f"{k:.1f}" for k in m["kurtosis"]),
            }
            for name, m in measured.items()
        ]
    )


def travel(predicted: list[int], zero_gradient: bool, epsilons: tuple[float, ...], digit: int) -> str:
    """What becomes of an image of a `digit` under an attack of each of the `epsilons`, in a sentence."""
    if zero_gradient:
        return "the gradient is **exactly zero**, so FGSM leaves the image where it is: this shows nothing about robustness."
    changed = [(epsilon, there) for epsilon, there in zip(epsilons, predicted, strict=True) if there != digit]
    if not changed:
        return f"it moves, and stays a {digit} up to ε = {epsilons[-1]:.2f}."
    epsilon, taken_for = changed[0]
    return f"taken for a {taken_for} " + (f"from ε = {epsilon:.3f} on." if epsilon else "before the attack already.")


def layers(found: dict[str, list]) -> Iterator[tuple[int, object]]:
    """The number of every layer that any of the networks has, and a column to draw it in."""
    count = max(len(there) for there in found.values())
    return zip(range(count), st.columns(count), strict=True)


def shapes(found: dict[str, list]) -> pd.DataFrame:
    """How each layer's weights are distributed, a row a layer and network."""
    return pd.DataFrame(
        [
            {
                "layer": number,
                "network": name,
                "weights": int(shape.histogram.counts.sum()),
                "excess kurtosis": round(shape.kurtosis, 2),
                "standard deviation": float(f"{shape.deviation:.4g}"),
                "0.1 % quantile": float(f"{shape.quantiles[0]:.4g}"),
                "99.9 % quantile": float(f"{shape.quantiles[1]:.4g}"),
                "least": float(f"{shape.histogram.edges[0]:.4g}"),
                "largest": float(f"{shape.histogram.edges[-1]:.4g}"),
            }
            for number in range(1, 1 + max(len(there) for there in found.values()))
            for name, there in found.items()
            if number <= len(there)
            for shape in [there[number - 1]]
        ]
    )


def saturated(found: dict[str, list], layer: int, exponent: int) -> str:
    """How large a share of a layer's units is saturated, in each network: φ′ below 10^−`exponent`."""
    lines = []
    for name, there in found.items():
        if layer >= len(there):
            continue
        shares = there[layer].saturated
        lines.append(
            f"- {name}: "
            + (
                "the read-out has no nonlinearity"
                if shares is None
                else f"**{100 * shares[exponent - 1]:.1f} %** saturated"
            )
        )
    return "\n".join(lines)


def mechanism(means, limit: float) -> str:
    """How far above the Gaussian the sampled ratios reach, beside their `limit` and the paper."""
    return (
        f"At the largest kurtosis drawn here {means[-1]:.2f}, {100 * (means[-1] / means[0] - 1):.0f} % above the Gaussian's {means[0]:.2f}. "
        f"However large the kurtosis, no more than {limit:.2f} ({100 * (limit / means[0] - 1):.0f} %). The paper says almost 40 % above."
    )


def own_ratios(means: dict[str, list]) -> str:
    """How the layers of the second network compare with those of the first, beside the paper."""
    if len(means) < 2:
        return "Choose two networks to compare."
    (one, first), (other, second) = means.items()
    shares = ", ".join(f"{100 * b / a:.0f} %" for a, b in zip(first, second, strict=False))
    return f"{other} in percent of {one}, layer by layer: {shares}. The paper: up to 300 %, saturated in percent of vanilla."


def prototypes(epsilon_min: float, strength: float) -> list[tuple[str, str, str]]:
    """What Eq. 14 says of two prototypes: a label, a value and its meaning each."""
    return [
        ("ε_min", f"{epsilon_min:.5f}", "The least change of every component that fools the classifier (Eq. 14)."),
        ("mean |w₁|", f"{strength:.5f}", "How strong the image itself is."),
        (
            "their ratio",
            f"{epsilon_min / strength:.3f}",
            "How strong the perturbation must be, beside the image: the height in Fig. 6.",
        ),
    ]


def figure_3(between: dict[str, dict[str, float]], ratio: dict[str, dict[str, float]]) -> str:
    """How the second network's distances compare with the first's, beside what the paper says of them."""
    (one, first), (other, second) = between.items()
    hidden = [layer for layer in first if layer in second and layer.startswith("layer")]

    def factors(values: dict[str, dict[str, float]]) -> str:
        return ", ".join(f"× {values[other][layer] / values[one][layer]:.3g} in {layer}" for layer in hidden)

    return (
        f"The paper (Fig. 3): digits are far further apart in a saturated network than in a vanilla one, the deeper the more. "
        f"From {one} to {other} here: {factors(between)}. Beside the distance within a digit: {factors(ratio)}."
    )


def figure_1(kurtosis: dict[str, list[float]]) -> str:
    """In which layers the second network's weights are more kurtotic than the first's, beside what the paper says."""
    (one, first), (other, second) = kurtosis.items()
    count = min(len(first), len(second))
    more = [str(layer + 1) for layer in range(count) if second[layer] > first[layer]]
    return (
        f"The paper (Fig. 1): a saturated network's weights are more kurtotic than a vanilla one's in every layer. {other} beside "
        f"{one} here: in {len(more)} of {count} layers" + (f" ({', '.join(more)})." if more else ".")
    )


def of_grids(grids: dict, setting) -> str:
    """On how many pairs each network was fooled, why not on the others, and what the paper found."""
    lines = []
    for name, grid in grids.items():
        if grid.done < 1:
            lines.append(
                f"- {name}: stopped when {100 * grid.done:.0f} % of the pairs were finished; fooled on **{grid.fooled}** so far."
            )
            continue
        unfooled = ~grid.found & ~np.eye(10, dtype=bool)
        stuck = int((unfooled & grid.zero).sum())
        why = (
            f"; of the {int(unfooled.sum())} others {stuck} met a gradient that was exactly zero"
            if unfooled.any()
            else ""
        )
        if stuck and setting.gradient != "autograd":
            why += ", truly zero: units that are off pass nothing on. Square, on the live page, asks for no gradient"
        lines.append(f"- {name}: fooled on **{grid.fooled} of 90** pairs{why}.")
    if (setting.attack, setting.gradient) == ("L-BFGS", "autograd") and all(grid.done == 1 for grid in grids.values()):
        lines.append(
            "\nThe paper: vanilla always fooled; saturated "
            + (
                "in only 5 cases from the most confident images."
                if setting.source == "most confident"
                else "not fooled in the majority of cases from the least confident images."
            )
        )
    return "\n".join(lines)
