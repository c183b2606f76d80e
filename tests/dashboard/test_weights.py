"""The page on weights, run without a browser: its screens, and that they show what the library finds."""

import base64
import contextlib
import io
import json

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from satcore import data, library, networks, representations, weights
from satcore.dashboard.shared.style import styles
from satcore.dashboard.weights import compute, downloads, words
from satcore.networks import Block, Elementwise
from tests.dashboard import pages
from tests.dashboard.pages import MLPS, own_cnn, own_mlp

PAIR = ["relu-mlp/vanilla", "relu-mlp/saturated"]
WEIGHTS, INPUTS, MECHANISM = "Weights", "Pre-activations", "A linear mechanism"


def opened(**parameters) -> AppTest:
    return pages.opened("weights", first=True, **({"networks": PAIR} | parameters))


def charts(page: AppTest) -> list[dict]:
    assert not page.exception and not page.error
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def array(values) -> np.ndarray:
    """What Plotly was given, as a list or packed."""
    if isinstance(values, list):
        return np.array(values)
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_it_opens_with_units_on_their_nonlinearities_the_control_beside_the_saturated():
    page = pages.opened("weights", first=True)
    figures = charts(page)
    assert [figure["layout"]["title"]["text"] for figure in figures] == [
        f"<b>{label}, sigmoid</b>" for label in pages.FAMILY
    ]
    images = data.load("test").images[representations.sample("test")]
    for name, figure in zip(MLPS, figures, strict=True):
        h = library.load(name).pre_activations(images)[0].double()
        flat = float((torch.sigmoid(h) * torch.sigmoid(-h) < 1e-3).double().mean())
        assert f"**{100 * flat:.1f} %** of inputs lie in its flat part" in said(page)
        bars, curve = figure["data"]
        np.testing.assert_allclose(array(curve["y"]), torch.from_numpy(array(curve["x"]).copy()).sigmoid(), rtol=1e-9)
        low, high = array(bars["customdata"]).reshape(-1, 2)[[0, -1], [0, 1]]
        expected = 100 * float(((h >= low) & (h <= high)).double().mean())
        assert 98.9 < array(bars["y"]).sum() == pytest.approx(expected, abs=0.01)
        deep = array(bars["y"])[array(bars["marker"]["opacity"]) == 1].sum() if "opacity" in bars["marker"] else 0
        assert deep == pytest.approx(100 * flat, abs=3)  # but for a bar on either side, and what lies beyond the ends
    assert "that is the recipe's doing and not the penalty's" in said(page)


@pytest.mark.slow
def test_every_nonlinearity_is_drawn_as_it_is():
    page = opened(networks=[own_mlp(), own_cnn(), "relu-mlp/vanilla", "cnn/vanilla"], depth="2")
    titles = [figure["layout"]["title"]["text"] for figure in charts(page)]
    assert titles == ["<b>mine/wide-tanh, tanh</b>", "<b>relu-mlp/vanilla, ReLU</b>", "<b>cnn/vanilla, ReLU</b>"]
    assert "**mine/strided-tanh-cnn** has no layer 2 with a nonlinearity." in said(page)


def test_a_step_is_flat_everywhere_and_a_linear_classifier_nowhere():
    step = library.add(networks.build(networks.mlp("step", (16,))), "step")
    linear = library.add(networks.build(networks.mlp("relu", ())), "linear")
    page = opened(networks=[step, linear])
    assert "**100.0 %** of inputs lie in its flat part" in said(page)
    assert "**mine/linear** has no layer 1 with a nonlinearity." in said(page)
    assert not opened(networks=linear).exception


@pytest.mark.parametrize("unit", ["in standard deviations", "as they are"])
def test_the_weights_come_with_each_layers_kurtosis(unit):
    page = opened(view=WEIGHTS, unit=unit)
    figures, table = charts(page), page.dataframe[0].value
    assert len(figures) == 3
    for figure in figures:
        lines = [trace for trace in figure["data"] if trace["line"].get("dash") != "dot"]
        assert [trace["name"] for trace in lines] == ["vanilla", "saturated"]
        assert len(figure["data"]) - len(lines) == (1 if unit == "in standard deviations" else 2)
    for name in PAIR:
        expected = [weights.excess_kurtosis(w) for w in library.load(name).weights]
        assert table[table["network"] == name]["excess kurtosis"].tolist() == pytest.approx(expected, abs=0.005)
        assert ", ".join(f"{kurtosis:.1f}" for kurtosis in expected) in said(page)
    assert len(page.get("download_button")) == 1 and len(page.code) == 1


def test_four_networks_are_each_compared_with_the_first():
    names = [MLPS[0], MLPS[2], own_cnn(), own_mlp()]
    page = opened(view=WEIGHTS, networks=names)
    assert [len({trace.get("name") for trace in figure["data"]} & set(names)) for figure in charts(page)] == [4, 4, 3]
    assert "- sigmoid-mlp/saturated: 5.6, 4.3, 4.8, more than sigmoid-mlp/vanilla in 3 of 3 layers" in said(page)
    assert "- mine/strided-tanh-cnn: " in said(page) and "of 2 layers" in said(page)
    assert "Add sigmoid-mlp/control" in said(page)


@pytest.mark.slow
def test_an_old_link_shows_its_two_networks_and_the_view_that_came_first():
    page = pages.opened("weights", first=True, left="cnn/control", right="relu-mlp/vanilla")
    assert len(charts(page)) == 4  # layers
    assert page.dataframe[0].value["network"].unique().tolist() == ["cnn/control", "relu-mlp/vanilla"]
    page = pages.opened("weights", first=True, left="cnn/control", right="relu-mlp/vanilla", view=MECHANISM)
    assert len(charts(page)) == 3


def test_networks_that_cannot_be_described_get_a_sentence_and_the_others_are_shown():
    flat = networks.build(networks.mlp("relu", (8, 8)))
    with torch.no_grad():
        flat.layers[1].weight.zero_()
    page = opened(view=WEIGHTS, networks=[library.add(flat, "flat"), PAIR[0]])
    assert not page.exception and len(page.get("plotly_chart")) == 3
    assert [error.value for error in page.error] == [
        "mine/flat: expected at least two different values, got 64 that don't differ"
    ]
    huge = library.add(networks.build(networks.mlp("relu", (8, 8)), scale=1e30), "huge")
    page = opened(networks=[huge, PAIR[0]])
    assert not page.exception and len(page.get("plotly_chart")) == 1
    assert [error.value for error in page.error] == [
        "mine/huge: expected finite pre-activations and a finite range of them, got NaN or infinity"
    ]
    pages.damage(huge)
    assert not opened(networks=[huge, PAIR[0]]).error


def test_pre_activations_tell_how_many_units_are_saturated():
    page = opened(view=INPUTS, threshold="3")
    assert len(charts(page)) == 3
    *_, found = weights.saturation(library.load(PAIR[1]), data.load("test").images)
    for layer in found[:2]:
        assert layer.saturated is not None
        assert f"saturated: **{100 * layer.saturated[2]:.1f} %** saturated" in said(page)
    assert "no nonlinearity" in said(page)
    assert len(page.get("download_button")) == 1 and len(page.code) == 1
    assert compute.saturation(PAIR[1])[0].done == 1


def test_a_step_before_anything_is_summed_is_a_layer_of_its_own_on_its_curve_alone():
    name = pages.own_dendritic()
    step = compute.curves(name)["step"]
    assert step.nonlinearity == "step" and step.saturated == 1.0 and len(compute.saturation(name)) == 1
    page = opened(networks=[PAIR[0], name])
    depth = next(there for there in page.get("button_group") if there.key == "depth")
    assert depth.options == ["step", "1", "2"] and depth.value == "1" and not page.exception
    page = opened(networks=[PAIR[0], name], depth="step")
    assert "**vanilla** has no step before anything is summed." in said(page)
    assert "**100.0 %** of inputs lie in its flat part" in said(page)


def test_blocks_that_only_scale_are_no_layers_of_units():
    blocks = (Block(Elementwise((1, 28, 28))), *networks.mlp("tanh", (4,)))
    name = library.add(networks.build(blocks), "normed")
    assert [curve.nonlinearity for curve in compute.curves(name).values()] == ["tanh"]
    assert [layer.saturated is None for layer in compute.saturation(name)] == [False, True]
    assert len(compute.shapes(name)) == 2


def test_the_mechanism_draws_sampled_points_on_their_limit():
    page = opened(view=MECHANISM, kurtosis="5.0")
    _, own, _ = charts(page)
    limits = np.array([weights.limiting_ratio(kurtosis) for kurtosis in compute.KURTOSES])
    ratios = compute.sampled()
    assert (np.abs(ratios.means - limits) < 4 * ratios.errors + 0.01).all()
    assert len(own["data"]) == 2 and all(len(trace["x"]) == 3 for trace in own["data"])
    metrics = {metric.label: float(metric.value) for metric in page.metric}
    assert metrics["ε_min"] / metrics["mean |w₁|"] == pytest.approx(metrics["their ratio"], abs=2e-3)
    first, second = (compute.of_layers(name).means for name in PAIR)
    assert f"- saturated: {', '.join(f'{100 * b / a:.0f} %' for a, b in zip(first, second, strict=True))}" in said(page)
    assert "we read it as to 300 %" in said(page)
    assert len(page.get("download_button")) == 1 and len(page.code) == 1


def test_a_layer_without_a_ratio_is_no_percentage():
    means = {PAIR[0]: np.array([1.0, 2.0]), PAIR[1]: np.array([np.nan, 3.0, 1.0])}
    assert "- saturated: –, 150 %\n" in words.own_ratios(means, styles(library.describe(name) for name in PAIR))


@pytest.mark.parametrize(
    "parameters",
    [
        {"view": "Nowhere", "depth": "9"},
        {"depth": "two"},
        {"unit": "ells", "view": WEIGHTS},
        {"kurtosis": "nan", "drawn": "inf", "view": MECHANISM},
        {"kurtosis": "-5", "drawn": "1e99", "view": MECHANISM},
        {"threshold": "99", "view": INPUTS},
    ],
)
def test_a_garbled_link_falls_back_to_what_is_there(parameters):
    page = opened(**parameters, networks=PAIR[0])
    assert not page.exception and not page.error


def test_all_python_that_the_page_hands_out_computes_the_same():
    name = PAIR[0]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(downloads.curves_code([name]), {})
        exec(downloads.weights_code([name]), {})
        exec(downloads.saturation_code([name]), {})
        exec(downloads.mechanism_code([name], compute.PAIRS), {})
    lines = out.getvalue()
    assert f"{name} relu" in lines and str(compute.curves(name)["1"].saturated) in lines
    assert f"{name} {compute.shapes(name)[1].kurtosis} " in lines
    ratios = [f"{name} {ratio}" for ratio in compute.of_layers(name).means]
    assert all(ratio[:-2] in lines for ratio in ratios)
    assert str(compute.sampled().means[-1])[:-2] in lines
