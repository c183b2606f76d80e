"""The pages on representations and weights, run without a browser: their screens, and that they show what the library finds."""

import base64
import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from satcore import checkpoints, data, representations, weights
from satcore.dashboard import distributions, downloads, layers, rdm_view, tables

ROOT = Path(__file__).parent.parent
TIMEOUT = 300  # seconds: torch and scikit-learn are imported at the first run
PAIR = ("relu-mlp/vanilla", "relu-mlp/saturated")
RELU = {"left": PAIR[0], "right": PAIR[1]}


def opened(page: str, **parameters) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT).switch_page(f"pages/{page}.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def component(page: AppTest) -> dict:
    assert not page.exception and not page.error
    (there,) = page.get("bidi_component")
    return json.loads(there.proto.json)


def charts(page: AppTest) -> list[dict]:
    assert not page.exception and not page.error
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def numbers(base64_text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(base64_text), "<f4")


def everything_said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


@pytest.fixture(scope="module")
def activations() -> dict[str, dict[str, torch.Tensor]]:
    images = data.load("test").images[representations.sample("test")]
    return {name: representations.layers(checkpoints.load(name), images) for name in PAIR}


def test_the_matrices_drawn_are_block_means_of_the_librarys(activations):
    drawn = component(opened("representations", **RELU))
    assert drawn["layers"] == ["pixels", "layer 1", "layer 2", "softmax"]
    for network in drawn["networks"]:
        for layer, values in zip(drawn["layers"], network["layers"], strict=True):
            rdm = representations.rdm(activations[network["name"]][layer]).numpy()
            blocks = rdm.reshape(100, 10, 100, 10).mean((1, 3))
            np.testing.assert_allclose(numbers(values).reshape(100, 100), blocks, rtol=1e-4, atol=1e-6 * blocks.max())
    assert drawn["high"] == pytest.approx(
        max(numbers(values).max() for network in drawn["networks"] for values in network["layers"])
    )


def test_the_curves_by_layer_are_the_librarys_numbers(activations):
    labels = data.load("test").labels[representations.sample("test")]
    between, within, ratio, silhouette, readout, rsa = charts(opened("representations", **RELU))
    for k, name in enumerate(PAIR):
        expected = [
            representations.separation(representations.rdm(there), labels) for there in activations[name].values()
        ]
        assert between["data"][k]["y"] == pytest.approx([there.between for there in expected])
        assert within["data"][k]["y"] == pytest.approx([there.within for there in expected])
        assert ratio["data"][k]["y"] == pytest.approx([there.ratio for there in expected])
    assert all(0.6 < share <= 1 for trace in readout["data"] for share in trace["y"])
    assert all(-1 <= value <= 1 for trace in silhouette["data"] for value in trace["y"])
    assert rsa["data"][0]["y"][0] == pytest.approx(1)  # the pixels are the same


def test_networks_of_different_depth_stand_side_by_side():
    drawn = component(opened("representations", left="relu-mlp/vanilla", right="cnn/control", colours="log"))
    assert drawn["layers"] == ["pixels", "layer 1", "layer 2", "layer 3", "softmax"]
    assert [[values is None for values in network["layers"]] for network in drawn["networks"]] == [
        [False, False, False, True, False],
        [False] * 5,
    ]


def test_a_network_beside_itself_is_shown_once():
    page = opened("representations", left="relu-mlp/control", right="relu-mlp/control")
    assert [network["name"] for network in component(page)["networks"]] == ["relu-mlp/control"]
    assert len(charts(page)) == 5  # and there is nothing to correlate


def test_one_layer_in_full_comes_with_numbers_and_picture(activations):
    page = opened("representations", view="One layer in full", layer="layer 1", **RELU)
    labels = data.load("test").labels[representations.sample("test")]
    for name, chart in zip(PAIR, charts(page), strict=True):
        means = representations.class_means(representations.rdm(activations[name]["layer 1"]), labels)
        np.testing.assert_allclose(
            np.array(chart["data"][0]["z"], float)
            if isinstance(chart["data"][0]["z"], list)
            else np.frombuffer(base64.b64decode(chart["data"][0]["z"]["bdata"])).reshape(10, 10),
            means,
            rtol=1e-9,
        )
    assert len(page.get("image")) == 2


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_picture_of_a_matrix_darkens_towards_zero(scale):
    picture = rdm_view.whole(np.array([[0.0, 0.5], [0.5, 1.0]]), 1.0, scale)
    assert tuple(picture[0, 0]) == tuple(rdm_view.SCALE[0]) and tuple(picture[1, 1]) == tuple(rdm_view.SCALE[-1])
    assert tuple(picture[0, 1]) == tuple(picture[1, 0])


def test_two_dimensions_show_the_sample_and_an_image_that_travels():
    page = opened("representations", view="Two dimensions", attacked="7", **RELU)
    drawn = component(page)
    for network in drawn["networks"]:
        for values in network["layers"]:
            assert numbers(values).reshape(-1, 2).shape == (1000 + len(layers.EPSILONS), 2)
            assert np.isfinite(numbers(values)).all()
    assert set(drawn["labels"]) == set(range(10)) and len(drawn["labels"]) == 1000
    assert all(name in everything_said(page) for name in PAIR)


@pytest.mark.parametrize(
    ("predicted", "zero", "says"),
    [
        ([3, 3, 3], True, "exactly zero"),
        ([3, 3, 3], False, "stays a 3 up to ε = 0.20"),
        ([3, 5, 5], False, "taken for a 5 from ε = 0.100 on"),
        ([8, 8, 8], False, "before the attack already"),
    ],
)
def test_what_becomes_of_an_image_is_said_in_words(predicted, zero, says):
    assert says in tables.travel(predicted, zero, (0.0, 0.1, 0.2), 3)


def test_an_image_travels_as_fgsm_takes_it():
    index = layers.index_of(3, 0)
    there = layers.travel("relu-mlp/vanilla", index)
    assert there.images[0] == pytest.approx(data.load("test").images[index, 0].numpy())
    moved = np.abs(there.images - there.images[0]).max((1, 2))
    assert moved == pytest.approx(layers.EPSILONS, abs=1e-6)


def test_the_weights_page_tells_each_layers_kurtosis():
    page = opened("weights", **RELU)
    assert len(charts(page)) == 3
    table = page.dataframe[0].value
    for name in PAIR:
        expected = [weights.excess_kurtosis(layer.weight) for layer in checkpoints.load(name).layers]
        assert table[table["network"] == name]["excess kurtosis"].tolist() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("unit", ["in standard deviations", "as they are"])
def test_densities_integrate_to_one(unit):
    for chart in charts(opened("weights", unit=unit, **RELU)):
        solid = [trace for trace in chart["data"] if trace["line"].get("dash") != "dot"]
        assert [trace["name"] for trace in solid] == list(PAIR)


def test_pre_activations_tell_how_many_units_are_saturated():
    page = opened("weights", view="Pre-activations", threshold="3", **RELU)
    assert len(charts(page)) == 3
    *_, found = weights.saturation(checkpoints.load(PAIR[1]), data.load("test").images)
    for layer in found[:2]:
        assert f"{PAIR[1]}: **{100 * layer.saturated[2]:.1f} %** saturated" in everything_said(page)
    assert "no nonlinearity" in everything_said(page)
    (record,) = distributions.saturation(PAIR[1])  # known by now
    assert record[0].done == 1


def test_the_mechanism_draws_sampled_points_on_their_limit():
    page = opened("weights", view="A linear mechanism", kurtosis="5.0", **RELU)
    mechanism, own, _ = charts(page)
    limits = np.array([weights.limiting_ratio(kurtosis) for kurtosis in distributions.KURTOSES])
    ratios = distributions.sampled()
    assert (np.abs(ratios.means - limits) < 4 * ratios.errors + 0.01).all()
    assert len(own["data"]) == 2 and all(len(trace["x"]) == 3 for trace in own["data"])
    metrics = {metric.label: float(metric.value) for metric in page.metric}
    assert metrics["ε_min"] / metrics["mean |w₁|"] == pytest.approx(metrics["their ratio"], abs=2e-3)


@pytest.mark.parametrize("page", ["representations", "weights"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"left": "nobody"},
        {"right": "../../etc/passwd"},
        {"view": "Nowhere"},
        {"sample": "-1"},
        {"sample": "9" * 30},
        {"colours": "red"},
        {"layer": "layer 9", "view": "One layer in full"},
        {"method": "magic"},
        {"attacked": "eleven"},
        {"threshold": "99"},
        {"kurtosis": "nan"},
    ],
)
def test_a_garbled_link_is_never_a_traceback(page, parameters):
    there = opened(page, **(RELU | parameters))
    assert not there.exception
    assert len(there.error) <= 1
    assert all("\n" not in error.value for error in there.error)


@pytest.mark.parametrize("page", ["representations", "weights"])
def test_says_how_to_train_where_there_are_no_networks(other_folder, page):
    there = opened(page)
    assert not there.exception
    assert "python -m satcore train --all" in there.error[0].value


def test_the_python_that_a_page_hands_out_computes_the_same(activations):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(downloads.rdm_code([PAIR[0]], "layer 2", 0), {})
    labels = data.load("test").labels[representations.sample("test")]
    expected = representations.separation(representations.rdm(activations[PAIR[0]]["layer 2"]), labels)
    assert f"between={expected.between}" in out.getvalue()


@pytest.mark.parametrize(
    "lines",
    [
        downloads.weights_code([PAIR[0]]),
        downloads.saturation_code([PAIR[0]]),
        downloads.mechanism_code([PAIR[0]], 2),
        downloads.embedding_code([PAIR[0]], "PCA", 0),
    ],
)
def test_all_python_that_the_pages_hand_out_runs(lines):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(lines, {})
    assert PAIR[0] in out.getvalue()


@pytest.mark.parametrize(
    "page, view",
    [
        ("representations", "One layer in full"),
        ("representations", "Two dimensions"),
        ("weights", "Weights"),
        ("weights", "Pre-activations"),
        ("weights", "A linear mechanism"),
    ],
)
def test_every_view_can_be_taken_away(page, view):
    there = opened(page, view=view, **RELU)
    assert not there.exception and len(there.get("download_button")) == 1 and len(there.code) == 1
