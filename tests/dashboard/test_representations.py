"""The page on representations, run without a browser: its screens, and that they show what the library finds."""

import contextlib
import csv
import io
import json

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from satcore import data, library, networks, representations
from satcore.dashboard.representations import compute, downloads, figures, rdm_view, words
from satcore.dashboard.shared.comparison import about_the_control
from satcore.dashboard.shared.layers import in_order
from satcore.dashboard.shared.style import Style, styles
from tests.dashboard import pages
from tests.dashboard.pages import MLPS, numbers, own_cnn, own_mlp

PAIR = ["relu-mlp/vanilla", "relu-mlp/saturated"]
FULL, PLANE = "One layer in full", "Two dimensions"


def opened(**parameters) -> AppTest:
    return pages.opened("representations", first=True, **({"networks": PAIR} | parameters))


def drawn(page: AppTest) -> dict:
    assert not page.exception
    _, there, *_ = page.get("bidi_component")  # after the stage's
    return json.loads(there.proto.json)


def charts(page: AppTest) -> list[dict]:
    assert not page.exception and not page.error
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def styled(*names: str) -> dict[str, Style]:
    return styles(library.describe(name) for name in names)


@pytest.fixture(scope="module")
def activations() -> dict[str, dict[str, torch.Tensor]]:
    images = data.load("test").images[representations.sample("test")]
    return {name: representations.layers(library.load(name), images) for name in PAIR}


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    return data.load("test").labels[representations.sample("test")]


@pytest.fixture(scope="module")
def matrices() -> AppTest:
    return opened()


def test_the_matrices_drawn_are_block_means_of_the_librarys(matrices, activations):
    view = drawn(matrices)
    assert view["layers"] == ["pixels", "layer 1", "layer 2", "softmax"]
    assert [network["label"] for network in view["networks"]] == ["vanilla", "saturated"]
    for network in view["networks"]:
        for layer, values in zip(view["layers"], network["layers"], strict=True):
            rdm = representations.rdm(activations[network["name"]][layer]).numpy()
            blocks = rdm.reshape(100, 10, 100, 10).mean((1, 3))
            np.testing.assert_allclose(numbers(values).reshape(100, 100), blocks, rtol=1e-4, atol=1e-6 * blocks.max())
    every = [numbers(values) for network in view["networks"] for values in network["layers"]]
    assert view["high"] == pytest.approx(max(values.max() for values in every))


def test_the_curves_by_layer_are_the_librarys_numbers(matrices, activations, labels):
    between, within, ratio, silhouette, readout, rsa = charts(matrices)
    for k, name in enumerate(PAIR):
        rdms = [representations.rdm(there) for there in activations[name].values()]
        expected = [representations.separation(rdm, labels) for rdm in rdms]
        assert between["data"][k]["y"] == pytest.approx([there.between for there in expected])
        assert within["data"][k]["y"] == pytest.approx([there.within for there in expected])
        assert ratio["data"][k]["y"] == pytest.approx([there.ratio for there in expected])
    assert all(0.6 < share <= 1 for trace in readout["data"] for share in trace["y"])
    assert all(-1 <= value <= 1 for trace in silhouette["data"] for value in trace["y"])
    assert [trace["name"] for trace in rsa["data"]] == ["saturated"]
    assert rsa["data"][0]["y"][0] == pytest.approx(1)  # the pixels are the same


def test_four_networks_are_each_compared_with_the_first():
    page = opened(networks=[*MLPS[:1], *MLPS[2:], own_mlp()])
    view, (*_, rsa) = drawn(page), charts(page)
    assert [network["label"] for network in view["networks"]] == [*MLPS[:1], *MLPS[2:], "mine/wide-tanh"]
    assert [trace["name"] for trace in rsa["data"]] == [*MLPS[2:], "mine/wide-tanh"]
    assert len({(trace["line"]["color"], trace["line"]["dash"]) for trace in rsa["data"]}) == 3
    assert "that is the recipe's doing and not the penalty's" in said(page)
    for name in (*MLPS[2:], "mine/wide-tanh"):
        assert f"- {name}: × " in said(page)


@pytest.mark.slow
def test_networks_of_different_depth_stand_one_above_the_other():
    page = opened(networks=["relu-mlp/vanilla", own_cnn(), "cnn/control"], colours="log")
    view = drawn(page)
    assert view["layers"] == ["pixels", "layer 1", "layer 2", "layer 3", "softmax"]
    assert [[values is None for values in network["layers"]] for network in view["networks"]] == [
        [False, False, False, True, False],
        [False, False, True, True, False],
        [False] * 5,
    ]
    assert [len(trace["x"]) for trace in charts(page)[-1]["data"]] == [3, 4]


def test_a_network_alone_has_nothing_to_be_compared_with():
    page = opened(networks="relu-mlp/control")
    assert [network["name"] for network in drawn(page)["networks"]] == ["relu-mlp/control"]
    assert len(charts(page)) == 5 and "Fig. 3" not in said(page)


def test_an_old_link_shows_its_two_networks():
    page = pages.opened("representations", first=True, left=PAIR[0], right="cnn/saturated", view=FULL)
    titles = [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in page.get("plotly_chart")]
    assert [title.partition("■</span> ")[2] for title in titles] == [
        "<b>relu-mlp/vanilla</b>, layer 2",
        "<b>cnn/saturated</b>, layer 2",
    ]


def test_a_network_that_overflows_gets_a_sentence_and_the_others_are_shown():
    huge = library.add(networks.build(networks.mlp("relu", (8, 8)), scale=1e30), "huge")
    for view in (FULL, PLANE):
        page = opened(networks=[huge, *PAIR], view=view)
        assert not page.exception and len(page.get("download_button")) == 1
        (error,) = page.error
        assert error.value == "mine/huge: expected finite activations, got NaN or infinity"


def test_a_damaged_card_hinders_nobody():
    pages.damage(own_mlp())
    page = opened(view=FULL, networks=[PAIR[0], "mine/wide-tanh"])
    assert not page.exception and [PAIR[0]] == page.multiselect(key="networks").value


def test_one_layer_in_full_comes_with_numbers_and_picture(activations, labels):
    page = opened(view=FULL, layer="layer 1")
    for name, chart in zip(PAIR, charts(page), strict=True):
        means = representations.class_means(representations.rdm(activations[name]["layer 1"]), labels)
        found = np.array(chart["data"][0]["text"], float)
        np.testing.assert_allclose(found, means, atol=0.005 + 1e-9)
    assert len(page.get("image")) == 2
    assert len(page.get("download_button")) == 1 and len(page.code) == 1


def test_matrices_far_apart_are_drawn_on_a_logarithmic_scale_unless_a_link_says_another():
    assert [drawn(opened(colours=asked))["scale"] for asked in ("automatic", "linear")] == ["log", "linear"]
    assert drawn(opened(networks=MLPS))["scale"] == "linear"
    assert rdm_view.fitting("automatic", [0.0, 0.0]) == "linear" and rdm_view.fitting("log", [1.0]) == "log"
    keys = [there.key for there in opened(view=PLANE).get("button_group")]
    assert "method" in keys and "colours" not in keys  # where nothing has a colour scale


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_picture_of_a_matrix_darkens_towards_zero(scale):
    picture = rdm_view.whole(np.array([[0.0, 0.5], [0.5, 1.0]]), 1.0, scale)
    assert tuple(picture[0, 0]) == tuple(rdm_view.SCALE[0]) and tuple(picture[1, 1]) == tuple(rdm_view.SCALE[-1])
    assert tuple(picture[0, 1]) == tuple(picture[1, 0])


def test_two_dimensions_show_the_sample_and_an_image_that_travels():
    page = opened(view=PLANE, attacked="7")
    view = drawn(page)
    for network in view["networks"]:
        for values in network["layers"]:
            assert numbers(values).reshape(-1, 2).shape == (1000 + len(compute.EPSILONS), 2)
            assert np.isfinite(numbers(values)).all()
    assert set(view["labels"]) == set(range(10)) and len(view["labels"]) == 1000
    assert all(f"**{label}**: " in said(page) for label in ("vanilla", "saturated"))
    assert len(page.get("download_button")) == 1 and len(page.code) == 1


@pytest.mark.parametrize(
    ("predicted", "zero", "says"),
    [
        ([3, 3, 3], True, "exactly zero"),
        ([3, 3, 3], False, "stays a 3 up to ε = 0.20"),
        ([3, 5, 5], False, "taken for a 5 from ε = 0.100 on"),
        ([3, 5, 3], False, "first taken for a 5 at ε = 0.100; at 0.20 it is again a 3"),
        ([3, 5, 8], False, "first taken for a 5 at ε = 0.100; at 0.20 it is taken for an 8"),
        ([8, 8, 8], False, "before the attack already"),
    ],
)
def test_what_becomes_of_an_image_is_said_in_words(predicted, zero, says):
    assert says in words.travel(predicted, zero, (0.0, 0.1, 0.2), 3)


def test_an_image_travels_as_fgsm_takes_it():
    index = compute.index_of(3, 0)
    there = compute.travel("relu-mlp/vanilla", index)
    assert there.images[0] == pytest.approx(data.load("test").images[index, 0].numpy())
    moved = np.abs(there.images - there.images[0]).max((1, 2))
    assert moved == pytest.approx(compute.EPSILONS, abs=1e-6)


def test_factors_that_are_none_are_no_numbers():
    between = {"a": {"layer 1": 0.5, "layer 2": 0.0}, "b": {"layer 1": 2400.0, "layer 2": 1.0}, "c": {"pixels": 1.0}}
    ratio = {"a": {"layer 1": 2.0, "layer 2": 1.0}, "b": {"layer 1": 1.0, "layer 2": float("inf")}, "c": {}}
    called = dict(zip("abc", MLPS, strict=False))
    between, ratio = ({called[name]: found for name, found in values.items()} for values in (between, ratio))
    said = words.figure_3(between, ratio, styled(*called.values()))
    assert "- adversarial: × 4,800, –; relative to the distance within a digit × 0.5, –" in said
    assert "- saturated: no hidden layer to compare" in said


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (MLPS, "**control** has the recipe of saturated without the penalty: where it does the same"),
        ([MLPS[3], MLPS[2]], "control has the recipe of saturated without the penalty: what differs is its doing"),
        (PAIR, "Add relu-mlp/control to see"),
        (MLPS[:2], ""),
    ],
)
def test_the_control_is_not_forgotten(names, says):
    said = about_the_control(styled(*names))
    assert said.startswith(says) and bool(said) == bool(says)


@pytest.mark.parametrize(
    "parameters",
    [
        {"view": "Nowhere", "sample": "-1"},
        {"sample": "inf", "view": FULL},
        {"sample": "9" * 30, "view": FULL},
        {"sample": "nan", "colours": "red", "layer": "layer 9", "view": FULL},
        {"method": "magic", "attacked": "eleven", "view": PLANE},
    ],
)
def test_a_garbled_link_falls_back_to_what_is_there(parameters):
    page = opened(**parameters, networks=PAIR[0])
    assert not page.exception and not page.error
    assert page.number_input(key="sample").value == 0


def test_the_python_that_a_page_hands_out_computes_the_same(activations, labels):
    index = compute.index_of(3, 0)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(downloads.rdm_code([PAIR[0]], "layer 2", 0), {})
        exec(downloads.matrices_code([PAIR[0]], 0), last := {})
        exec(downloads.layers_code(PAIR, 0), {})
        exec(downloads.embedding_code([PAIR[0]], "PCA", 0, index), {})
    expected = representations.separation(representations.rdm(activations[PAIR[0]]["layer 2"]), labels)
    assert out.getvalue().count(f"between={expected.between}") == 2
    silhouette, right = (compute.readout(PAIR[0], key, 0)["layer 2"] for key in ("silhouette", "readout"))
    assert f"{expected} {silhouette} {right}" in out.getvalue()
    assert f"{PAIR[1]} {compute.likeness(*PAIR, 0)}" in out.getvalue()
    assert np.allclose(last["drawn"].numpy(), compute.blocks(PAIR[0], 0)["softmax"])
    x, y = compute.embedded(PAIR[0], "layer 1", "PCA", 0, index)[-1]
    line = next(line for line in out.getvalue().splitlines() if line.startswith(f"{PAIR[0]} layer 1 ["))
    assert [float(number) for number in line.partition("[")[2].rstrip("]").split()] == pytest.approx([x, y], rel=1e-4)


def test_every_number_that_a_layer_has_is_in_the_file():
    keys = [*figures.SEPARATIONS, *figures.READOUTS]
    curves = {key: {name: dict.fromkeys(compute.names_of(name), 0.5) for name in PAIR} for key in keys}
    taken = downloads.of_layers(curves, PAIR, 0)
    curves["rsa"] = {PAIR[1]: {"pixels": 1.0}}  # which is found once the menu is there
    header, *rows = csv.reader(io.StringIO(taken.data["layers-0.csv"]()))
    assert header == ["network", "layer", *keys, "rsa"]
    assert [tuple(row[:2]) for row in rows] == [(name, layer) for name in PAIR for layer in compute.names_of(name)]
    assert [row[-1] for row in rows if row[1] == "pixels"] == ["", "1.0"] and {row[2] for row in rows} == {"0.5"}
    arrays = downloads.of_matrices({name: compute.blocks(name, 0) for name in PAIR}, 0).data["rdms-0.npz"]()
    with np.load(io.BytesIO(arrays)) as matrices:
        assert matrices[f"{PAIR[0]}/layer 1"].shape == (compute.BLOCKS, compute.BLOCKS)


def test_layers_of_any_depth_and_a_step_stand_in_one_order():
    mlp, cnn = ["pixels", "layer 1", "layer 2", "softmax"], ["pixels", "layer 1", "layer 2", "layer 3", "softmax"]
    stepping = ["pixels", "step", "layer 1", "layer 2", "softmax"]
    assert in_order([mlp, cnn]) == cnn and in_order([]) == []
    assert in_order([cnn, stepping, mlp]) == [*stepping[:-1], "layer 3", "softmax"]
    name = pages.own_dendritic()
    assert compute.names_of(name) == ["pixels", "step", "softmax"] == list(compute.blocks(name, 0))


def test_the_pixels_are_looked_into_once_for_all_networks():
    names = [PAIR[0], "sigmoid-mlp/vanilla"]
    one, other = (compute.rdm(name, "pixels", 3) for name in names)
    assert one is other
    assert torch.equal(one, representations.rdm(torch.from_numpy(compute.images(3)).flatten(1)))
    for read in (compute.blocks, lambda name, seed: compute.readout(name, "readout", seed)):
        found, beside = (read(name, 3) for name in names)
        assert list(found) == list(beside) == compute.names_of(PAIR[0]) and found["pixels"] is beside["pixels"]
        assert not np.array_equal(found["layer 1"], beside["layer 1"])
