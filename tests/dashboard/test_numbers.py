"""Numbers that stand on the pages, computed again from scratch: weights and images in, plain PyTorch and NumPy."""

import base64
import functools
import json
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from satcore import data, library, runs
from satcore.recipes import RECIPES, changed
from satcore.runs import Run
from tests.dashboard.pages import ROOT, button, numbers, opened, told

SIGMOID, RELU = "sigmoid-mlp/saturated", "relu-mlp/saturated"
EPSILON = 0.25


@functools.cache
def parameters(name: str) -> list[Tensor]:
    """W¹, b¹, W², b², W³, b³ of an MLP."""
    return [parameter.detach() for parameter in library.load(name).parameters()]


def layers(name: str, x: Tensor) -> list[Tensor]:
    """x¹, x² and the logits h³ of an MLP, for pixels `x` (N, 784), in their dtype: xˡ = φ(Wˡxˡ⁻¹ + bˡ)."""
    w1, b1, w2, b2, w3, b3 = (parameter.to(x.dtype) for parameter in parameters(name))
    phi = torch.sigmoid if name.startswith("sigmoid") else torch.relu
    x1 = phi(x @ w1.T + b1)
    x2 = phi(x1 @ w2.T + b2)
    return [x1, x2, x2 @ w3.T + b3]


def logits(name: str, x: Tensor) -> Tensor:
    return layers(name, x)[-1]


def minus_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The largest h_j of another class minus h_y, summed: what an attack on the margin raises."""
    label = one_hot(labels, 10).bool()
    return (logits.masked_fill(label, -torch.inf).amax(1) - logits[label]).sum()


def surprise(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy, summed: what FGSM as published raises."""
    return cross_entropy(logits, labels, reduction="sum")


def gradient(name: str, x: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor] = surprise) -> Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(logits(name, x), labels), x)
    return found


@functools.cache
def under_fgsm(name: str) -> tuple[float, float, float, float]:
    """Of all test images, in percent: right, right after FGSM as published, right before and after it, with a gradient
    that is exactly zero.
    """
    images, labels = data.load("test")
    x = images.flatten(1)
    moved = gradient(name, x, labels)
    attacked = (x + EPSILON * moved.sign()).clamp(0, 1)
    right, after = (logits(name, there).argmax(1) == labels for there in (x, attacked))
    shares = torch.stack((right, after, right & after, (moved == 0).all(1))).double().mean(1)
    return tuple(100 * float(share) for share in shares)


def excess_kurtosis(w: np.ndarray) -> float:
    centred = w - w.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def flat_weights(name: str, layer: int) -> np.ndarray:
    return parameters(name)[2 * layer - 2].double().numpy().ravel()


def said(page: AppTest) -> str:
    assert not page.exception and not page.error
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_home_says_how_many_are_right_and_how_many_after_fgsm():
    page = opened("home", first=True, networks=[RELU], pick="by index")
    table = next(frame.value for frame in page.dataframe if "FGSM, ours (%)" in frame.value)
    row = table[table["network"] == RELU].iloc[0]
    right, after, _, zero = under_fgsm(RELU)
    assert row["clean, ours (%)"] == pytest.approx(right, abs=0.011)  # one image in ten thousand, by rounding
    assert row["FGSM, ours (%)"] == pytest.approx(after, abs=0.021)
    assert row["gradient exactly zero (%)"] == pytest.approx(zero, abs=0.021)


def test_interpolation_says_how_long_the_path_is_and_the_geodesic():
    """By 2·arccos Σ√(pq) between ends, and 2·‖√p − √q‖ from point to point of a thousand: a sphere of radius 2."""
    name = "relu-mlp/vanilla"
    page = opened("interpolation", first=True, networks=[name], points="51")
    source, target = map(int, re.findall(r"\d+", said(page).split("Test images")[1].replace(",", ""))[:2])
    images = data.load("test").images.double().flatten(1)
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
    root = torch.softmax(logits(name, (1 - t) * images[source] + t * images[target]), 1).sqrt()
    shown = {label: value for label, value, _ in told(page, "networks")[0]["figures"]}
    geodesic = 2 * torch.arccos((root[0] * root[-1]).sum().clamp(max=1))
    assert float(shown["geodesic"]) == pytest.approx(float(geodesic), rel=6e-3)  # three digits are shown
    length = 2 * root.diff(dim=0).norm(dim=1).sum()
    assert float(shown["length"]) == pytest.approx(float(length), rel=1e-2)


def test_representations_say_how_far_apart_digits_lie():
    page = opened("representations", first=True, networks=[SIGMOID], view="One layer in full", layer="layer 2")
    assert not page.exception and not page.error
    (chart,) = [json.loads(there.proto.spec) for there in page.get("plotly_chart")]
    means = chart["data"][0]["customdata"]  # as they are pointed at
    shown = np.array(means) if isinstance(means, list) else np.frombuffer(base64.b64decode(means["bdata"]))
    shown = shown.reshape(10, 10)
    images, labels = data.load("test")
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))
    threes, sevens = (images[order[labels[order] == digit][:100]].flatten(1) for digit in (3, 7))
    three, seven = (layers(SIGMOID, x)[1].double() for x in (threes, sevens))
    apart = ((three[:, None] - seven) ** 2).mean(2)  # Eq. 9
    within = ((three[:, None] - three) ** 2).mean(2)
    assert shown[3, 7] == pytest.approx(float(apart.mean()), rel=1e-6)
    assert shown[3, 3] == pytest.approx(float(within.sum()) / (100 * 99), rel=1e-6)


def test_weights_say_each_layers_kurtosis_and_deviation():
    page = opened("weights", first=True, networks=[SIGMOID, RELU], view="Weights")
    assert not page.exception and not page.error
    table = page.dataframe[0].value.set_index(["network", "layer"])
    for name in (SIGMOID, RELU):
        w = flat_weights(name, 2)
        assert table.loc[(name, 2), "excess kurtosis"] == pytest.approx(excess_kurtosis(w), abs=0.006)
        assert table.loc[(name, 2), "standard deviation"] == pytest.approx(w.std(), rel=1e-3)


def test_live_attack_says_how_probable_the_digit_is_after_fgsm_and_how_far_a_pixel_went():
    page = opened("live_attack", first=True, networks=["relu-mlp/vanilla"], pick="by index", index="30", attack="FGSM")
    page = button(page, "Step").click().run()
    assert not page.exception and not page.error
    columns = told(page, "networks")[0]["columns"]
    images, labels = data.load("test")
    x, label = images[30:31].flatten(1), labels[30:31]
    attacked = (x + EPSILON * gradient("relu-mlp/vanilla", x, label).sign()).clamp(0, 1)
    probability = logits("relu-mlp/vanilla", attacked).softmax(1)[0, label]
    assert numbers(columns["source"])[-1] == pytest.approx(float(probability), rel=1e-4)
    assert numbers(columns["linf"])[-1] == pytest.approx(float((attacked - x).abs().max()), rel=1e-6)


def test_the_attack_grid_says_on_how_many_pairs_a_network_was_fooled():
    """The kept images, classified again."""
    page = opened("attack_grid", first=True, networks=[SIGMOID, RELU])
    for name in (SIGMOID, RELU):
        folder = ROOT / "checkpoints" / name / "grids"
        with np.load(folder / "most-confident-l-bfgs-1000-autograd.npz", allow_pickle=False) as arrays:
            images = torch.from_numpy(arrays["images"])
        seen = logits(name, images.view(100, 784)).argmax(1).view(10, 10)
        fooled = int((seen == torch.arange(10)).sum() - (seen.diagonal() == torch.arange(10)).sum())
        assert f"{name}: fooled on **{fooled} of 90** pairs" in said(page)


def test_the_reality_check_says_what_fgsm_leaves_by_either_loss():
    rows = {row["name"]: row for row in told(opened("reality_check", first=True, networks=[RELU]), "rows")}
    images, labels = data.sample("test", 500, 0)
    x = images.flatten(1)
    for name in (SIGMOID, RELU):
        right = logits(name, x).argmax(1) == labels
        shown = {cell["says"].split(":")[0]: cell["percent"] for cell in rows[name]["cells"] if cell}
        by_cross_entropy, by_margin = gradient(name, x, labels), gradient(name, x, labels, minus_margin)
        for rung, moved in (("cross-entropy", by_cross_entropy), ("margin", by_margin)):
            after = logits(name, (x + EPSILON * moved.sign()).clamp(0, 1)).argmax(1) == labels
            left = 100 * float((right & after).double().mean())
            assert shown[f"{name}, after FGSM, {rung}, autograd"] == pytest.approx(left, abs=0.21)  # one of 500


def test_claims_are_decided_by_the_weights_kurtosis_and_by_fgsm():
    page = opened("claims", first=True)
    drawn = {claim["name"]: claim for section in told(page, "sections") for claim in section["claims"]}
    fgsm = {bar["series"]: bar["value"] for bar in drawn["saturated-fgsm"]["groups"][0]["bars"]}
    assert fgsm["saturated"] == pytest.approx(under_fgsm(SIGMOID)[1], abs=0.021)
    first_layer = {bar["series"]: bar["value"] for bar in drawn["kurtosis"]["groups"][0]["bars"]}
    assert first_layer["saturated"] == pytest.approx(excess_kurtosis(flat_weights(SIGMOID, 1)), rel=1e-6)


def test_networks_say_what_was_measured_on_their_cards():
    page = opened("networks", first=True)
    at = next(index for index, text in enumerate(page.markdown) if text.value == f"##### {SIGMOID}")
    table = next(text.value for text in page.markdown[at:] if text.value.startswith("| right"))
    shown = [float(number) for number in re.findall(r"\*\*([\d.]+)\N{NO-BREAK SPACE}%\*\*", table)]
    right, after, both, zero = under_fgsm(SIGMOID)
    assert shown == pytest.approx((right, after, zero), abs=0.021)
    said = next(text.value for text in page.caption if library.describe(SIGMOID).sha256[:12] in text.value)
    assert float(re.findall(r"([\d.]+)\N{NO-BREAK SPACE}%", said)[0]) == pytest.approx(both, abs=0.021)


def test_over_seeds_rings_the_network_that_ships_where_it_stands():
    panels = told(opened("over_seeds", first=True, family="sigmoid-mlp"), "panels")
    ringed = {
        (panel["title"], dot["says"].split(",")[0]): dot["values"][-1]
        for panel in panels
        for lane in panel["columns"][0]["lanes"]
        for dot in lane["dots"]
        if dot["ringed"]
    }
    right, after, _, zero = under_fgsm(SIGMOID)
    assert ringed["accuracy", "saturated"] == pytest.approx(right, abs=0.011)
    assert ringed["right after FGSM", "saturated"] == pytest.approx(after, abs=0.021)
    assert ringed["gradient exactly zero", "saturated"] == pytest.approx(zero, abs=0.021)


def test_train_says_what_the_last_epoch_came_to(monkeypatch):
    monkeypatch.setattr("satcore.training.loop.TRAINING_IMAGES", 6_000)
    recipe = changed(RECIPES[RELU], {"widths": (16, 12), "epochs": 2, "initial_scale": 4.0})
    finished = runs.carry_out(Run(recipe, 4))
    name = finished.keep()
    page = opened("train", run=finished.run.key)
    images, labels = (there[:1_000] for there in data.load("test"))
    x = images.flatten(1)
    moved = gradient(name, x, labels)
    right = logits(name, x).argmax(1) == labels
    after = right & (logits(name, (x + EPSILON * moved.sign()).clamp(0, 1)).argmax(1) == labels)
    shares = [100 * float(there.double().mean()) for there in (right, after, (moved == 0).all(1))]
    assert 0 < shares[1] < shares[0] and shares[2] > 0
    course = told(page, "course")
    said = [numbers(course[name])[-1] for name in ("accuracy", "fgsm_accuracy", "zero_gradient")]
    assert said == pytest.approx(shares, abs=0.001)
