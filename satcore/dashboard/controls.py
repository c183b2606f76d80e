"""Controls that pages share, each bound to the address bar, so that a link reproduces the screen."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from satcore.recipes import FAMILIES, TRAININGS

WAYS = ("most confident", "least confident", "random", "by index")
JUDGE = "sigmoid-mlp/saturated"
CORNERS = ("lower left", "lower right", "top")
PAIRS = ((1, 7), (3, 7), (6, 9), (0, 6))  # those of the paper's Fig. 4


def choice_of_example(names: list[str], more: tuple[str, ...] = ()) -> tuple[str, dict]:
    """How an example is to be chosen: "by index" and its `index`, or another of the `WAYS` and the arguments
    of `live.chosen` that go with it, or one `more` way and the `digit`. `names` are the networks whose confidence can be asked for.
    """
    how = st.pills(
        "Which image",
        (*WAYS, *more),
        default="most confident",
        required=True,
        wrap=True,
        key="pick",
        bind="query-params",
    )
    if how == "by index":
        return how, {"index": st.number_input("Index in the test set", 0, 9_999, 0, key="index", bind="query-params")}
    digit = st.pills(
        "You draw a" if how in more else "Digit",
        range(10),
        default=3,
        required=True,
        wrap=True,
        key="digit",
        bind="query-params",
    )
    if how in more:
        return how, {"digit": digit}
    default = JUDGE if JUDGE in names else names[0]
    seed, judge = 0, default
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="seed", bind="query-params")
    else:
        judge = st.selectbox("In the eyes of", names, index=names.index(default), key="judge", bind="query-params")
    return how, {"digit": digit, "seed": seed, "judge": judge}


def family(names: list[str]) -> tuple[str, list[str]]:
    """The family chosen, and those of the networks `names` that belong to it, in the order of the trainings."""
    chosen = st.pills(
        "Family", FAMILIES, default="sigmoid-mlp", required=True, wrap=True, key="family", bind="query-params"
    )
    there = [f"{chosen}/{training}" for training in TRAININGS if f"{chosen}/{training}" in names]
    if not there:
        raise ValueError(
            f"expected a trained network of the family {chosen}, got none: "
            "train them with `python -m satcore train --all`"
        )
    return chosen, there


def papers_pairs() -> None:
    """The pairs of the paper's Fig. 4, each chosen with one press: they set the corners "source" and "target"."""

    def choose(source: int, target: int) -> None:
        st.session_state.update(source=source, target=target, which="most confident")

    st.caption("The paper's pairs")
    with st.container(horizontal=True, gap="xsmall"):
        for source, target in PAIRS:
            st.button(f"{source}→{target}", on_click=choose, args=(source, target), key=f"pair {source} {target}")


def which_of_each(names: list[str]) -> tuple[str, dict]:
    """How the image of each digit is to be chosen, one of the `WAYS`, and the arguments of `live.chosen` that all
    have in common. `names` are the networks whose confidence can be asked for.
    """
    how = st.pills(
        "Which image of each",
        WAYS,
        default="most confident",
        required=True,
        wrap=True,
        key="which",
        bind="query-params",
    )
    trainings = [name.partition("/")[2] for name in names]
    eyes = default = "saturated" if "saturated" in trainings else trainings[0]
    seed = 0
    if how == "random":
        seed = st.number_input("Seed", 0, 1_000_000, 0, key="draw", bind="query-params")
    elif how != "by index":
        eyes = st.pills(
            "In the eyes of", trainings, default=default, required=True, wrap=True, key="eyes", bind="query-params"
        )
    return how, {"seed": seed, "judge": names[trainings.index(eyes)]}


def corner(label: str, key: str, digit: int, how: str, common: dict) -> dict:
    """One of the images that a line or a triangle runs between, as `live.index_of` takes it: a digit, at first `digit`,
    or, by index, a number.
    """
    if how == "by index":
        return {
            "index": st.number_input(
                f"{label}: index in the test set", 0, 9_999, digit, key=f"{key}_index", bind="query-params"
            )
        }
    chosen = st.pills(f"{label} a", range(10), default=digit, required=True, wrap=True, key=key, bind="query-params")
    return {"digit": chosen, **common}


def scale() -> str:
    """That of length elements and singular values: "log" or "linear"."""
    return st.pills(
        "Length element, singular values",
        ("log", "linear"),
        default="log",
        required=True,
        key="scale",
        bind="query-params",
    )


def points(family: str) -> int:
    """How many points of a line the Jacobian is computed at; fewer for the CNN, whose Jacobian takes forty times as long."""
    key, default = ("cnn_points", 51) if family == "cnn" else ("points", 101)
    return st.pills(
        "Points", (51, 101, 201, 501), default=default, required=True, wrap=True, key=key, bind="query-params"
    )


def grid(family: str) -> int:
    """Points a side of a plane's map; coarser for the CNN, which takes some forty times as long."""
    key, default = ("cnn_grid", 50) if family == "cnn" else ("grid", 200)
    return st.pills("Grid", (50, 100, 200), default=default, required=True, key=key, bind="query-params")


def there(names: list[str]) -> list[str]:
    """The networks `names`. Raises ValueError where there is none."""
    if not names:
        raise ValueError("expected trained networks, got none: train them with `python -m satcore train --all`")
    return names


def layer(layers: list[str]) -> str:
    """One of the `layers`, at first the last but one."""
    return st.pills("Layer", layers, default=layers[-2], required=True, wrap=True, key="layer", bind="query-params")


def method() -> str:
    """How two dimensions are found."""
    return st.pills(
        "Two dimensions by", ("PCA", "MDS", "t-SNE"), default="PCA", required=True, key="method", bind="query-params"
    )


def standardised() -> bool:
    """Whether weights are shown in standard deviations from their mean."""
    return (
        st.pills(
            "Weights",
            ("in standard deviations", "as they are"),
            default="in standard deviations",
            required=True,
            key="unit",
            bind="query-params",
        )
        == "in standard deviations"
    )


def saturation_threshold() -> int:
    """k, where a unit counts as saturated if φ′ < 10^−k there."""
    return st.slider(
        "A unit is saturated where φ′ is below 10 to the power of minus …",
        1,
        16,
        3,
        key="threshold",
        bind="query-params",
    )


def prototypes() -> tuple[float, int]:
    """The excess kurtosis to draw two prototypes with, and the seed."""
    kurtosis, seed = st.columns([3, 1], gap="medium")
    return (
        kurtosis.slider("Excess kurtosis γ₂", 0.0, 20.0, 0.0, 0.5, key="kurtosis", bind="query-params"),
        seed.number_input("Seed", 0, 1_000_000, 0, key="drawn", bind="query-params"),
    )


def attacked_digit() -> int:
    """The digit whose image is attacked."""
    return st.pills(
        "Under attack: a", range(10), default=3, required=True, wrap=True, key="attacked", bind="query-params"
    )


def two_networks(names: list[str]) -> tuple[str, str]:
    """Two of the networks `names` to look at side by side."""
    left, right = st.columns(2)
    vanilla = next((name for name in names if name.endswith("/vanilla")), names[0])
    saturated = next((name for name in names if name.endswith("/saturated")), names[-1])
    return (
        left.selectbox("Network", names, index=names.index(vanilla), key="left", bind="query-params"),
        right.selectbox("beside", names, index=names.index(saturated), key="right", bind="query-params"),
    )


def colour_scale() -> str:
    """That of dissimilarities: "linear" or "log"."""
    return st.pills(
        "Colour scale", ("linear", "log"), default="linear", required=True, key="colours", bind="query-params"
    )


def sample_seed() -> int:
    """The seed that the sample of images is drawn with."""
    return st.number_input("Seed of the sample", 0, 1_000_000, 0, key="sample", bind="query-params")


def epsilon() -> float:
    """The size ε of an L∞ perturbation."""
    return st.slider(
        "ε, the largest change of a pixel (the paper: 0.25)", 0.0, 0.5, 0.25, 0.01, key="epsilon", bind="query-params"
    )


def goal() -> int | None:
    """The digit that an attack goes to; None: any other."""
    chosen = st.pills(
        "Into a",
        ("any other", *range(10)),
        default="any other",
        required=True,
        wrap=True,
        key="target",
        bind="query-params",
    )
    return None if chosen == "any other" else int(chosen)


def attack() -> tuple[str, dict]:
    """An attack, and its parameters by their names in `satcore.attacks`."""
    chosen = st.pills(
        "Attack",
        ("FGSM", "PGD", "Adam", "L-BFGS", "Square"),
        default="PGD",
        required=True,
        wrap=True,
        key="attack",
        bind="query-params",
        help="FGSM: one step. PGD: many small ones, within ε of the image. Adam and L-BFGS: as far as "
        "it takes. Square: asks for no gradient.",
    )
    parameters, (left, right) = {}, st.columns(2, gap="medium")
    if chosen in ("FGSM", "PGD", "Square"):
        parameters["epsilon"] = left.slider(
            "ε, a pixel's largest change", 0.0, 0.5, 0.25, 0.01, key="radius", bind="query-params"
        )
    if chosen == "PGD":
        parameters["steps"] = right.select_slider(
            "Steps", (10, 20, 40, 100, 200), 40, key="pgd_steps", bind="query-params"
        )
    if chosen in ("Adam", "L-BFGS"):
        parameters["steps"] = left.select_slider(
            "Steps, at most", (100, 1_000, 10_000, 100_000), 1_000, key="steps", bind="query-params"
        )
    if chosen == "Adam":
        parameters["learning_rate"] = right.select_slider(
            "Learning rate", (0.001, 0.003, 0.01, 0.03, 0.1), 0.01, key="rate", bind="query-params"
        )
    if chosen == "Square":
        parameters["queries"] = right.select_slider(
            "Queries, at most", (100, 1_000, 10_000), 1_000, key="queries", bind="query-params"
        )
    return chosen, parameters


def gradient(attack: str) -> dict:
    """How the `attack`'s gradient is taken, by the names in `satcore.attacks`."""
    if attack == "Square":
        return {}
    chosen = st.pills(
        "Gradient",
        ("autograd", "exact", "softened"),
        default="autograd",
        required=True,
        key="gradient",
        bind="query-params",
        help="autograd: as published, it may underflow to zero. exact: the true direction, however small. "
        "softened: as exact, with every derivative taken at h/T.",
    )
    if chosen != "softened":
        return {"gradient": chosen}
    return {
        "gradient": chosen,
        "temperature": float(
            st.pills(
                "Temperature T", (3, 10, 30, 100), default=30, required=True, key="temperature", bind="query-params"
            )
        ),
    }


def grid_source() -> str:
    """Which image of each digit a grid's attacks start from, in the attacked network's own eyes."""
    return st.pills(
        "From each digit's",
        ("most confident", "least confident"),
        default="most confident",
        required=True,
        key="sources",
        bind="query-params",
        help="Of the images that the network gets right. Fig. 8: most confident; Fig. 5: least.",
    )


def grid_attack() -> str:
    """The attack that fills a grid."""
    return st.pills(
        "Attack", ("L-BFGS", "Adam"), default="L-BFGS", required=True, key="grid_attack", bind="query-params"
    )


def grid_gradient() -> tuple[str, float]:
    """How a grid's gradients are taken, and the temperature."""
    gradient = st.pills(
        "Gradient",
        ("autograd", "exact", "softened"),
        default="autograd",
        required=True,
        key="grid_gradient",
        bind="query-params",
        help="autograd: as published, it may underflow to zero. exact: the true direction, however "
        "small. softened: as exact, with every derivative taken at h/T.",
    )
    if gradient != "softened":
        return gradient, 1.0
    return gradient, float(
        st.pills(
            "Temperature T", (3, 10, 30, 100), default=30, required=True, key="grid_temperature", bind="query-params"
        )
    )


def grid_steps() -> int:
    """How many iterations each attack of a grid may take."""
    return st.select_slider(
        "Iterations, at most",
        (100, 1_000, 10_000, 100_000),
        1_000,
        format_func="{:,}".format,
        key="grid_steps",
        bind="query-params",
    )


def tabled_epsilon(epsilons: list[float]) -> float:
    """The ε that the table of attacks is shown at."""
    return st.select_slider(
        "ε, the largest change of a pixel (the paper: 0.25)", epsilons, 0.25, key="within", bind="query-params"
    )


def cell(rungs: dict[str, list[str]]) -> tuple[str, str, int]:
    """A network, one of its `rungs` and a number of images, for a figure that is to be computed anew."""
    first, second, third = st.columns([3, 3, 3], gap="medium")
    names = list(rungs)
    network = first.selectbox(
        "Network", names, index=names.index(JUDGE) if JUDGE in names else 0, key="cell_network", bind="query-params"
    )
    return (
        network,
        second.selectbox("Attack", rungs[network], index=len(rungs[network]) - 1, key="cell_rung", bind="query-params"),
        third.select_slider(
            "The first test images",
            (50, 100, 200, 500, 1_000, 10_000),
            100,
            format_func="{:,}".format,
            key="images",
            bind="query-params",
        ),
    )


def rungs(names: list[str]) -> list[str]:
    """Those attacks out of `names` whose curves are shown."""
    return st.pills(
        "Attacks",
        names,
        default=["FGSM, autograd", "PGD, softened", "worst case"],
        selection_mode="multi",
        wrap=True,
        key="rungs",
        bind="query-params",
    )


def softness(temperatures: list[float]) -> float:
    """The temperature at which derivatives are taken."""
    return st.select_slider(
        "Temperature T: every derivative is taken at h/T",
        temperatures,
        30.0,
        format_func="{:g}".format,
        key="softness",
        bind="query-params",
    )


@contextmanager
def one_readable_line() -> Iterator[None]:
    """Where the science refuses its input, say why in one line and end the page there; never a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
