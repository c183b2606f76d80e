"""The interpolation page, run without a browser: its screens, what it hands to the component, what it lets one save."""

import base64
import contextlib
import csv
import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from satcore import data, geometry, library, networks
from satcore.dashboard.interpolation import compute, downloads, words
from satcore.dashboard.interpolation.plane_figure import RANGE, plane_figure
from satcore.dashboard.shared.downloads import npz
from satcore.recipes import PAPER_TRAININGS
from tests.dashboard.pages import ROOT, damage, numbers, own_cnn, own_dendritic, own_mlp
from tests.dashboard.pages import opened as opened_page

RELU = [f"relu-mlp/{training}" for training in PAPER_TRAININGS]
QUICK = {"networks": RELU, "points": "51"}
PLANE = {"networks": RELU, "view": "Plane", "grid": "50"}


def opened(**parameters) -> AppTest:
    return opened_page("interpolation", first=True, **parameters)


def payload(page: AppTest) -> dict:
    """What the component gets to draw, and what its picture is called."""
    assert not page.exception and not page.error
    _, component, menu = page.get("bidi_component")  # after the stage's
    return json.loads(component.proto.json) | {"file": json.loads(menu.proto.json)["file"]}


def indices(drawn: dict) -> tuple[int, int]:
    """Of the test images at the two ends, as the name of a saved figure tells them."""
    _, source, target = drawn["file"].rsplit("-", 2)
    return int(source), int(target)


def pictured(index: int) -> bytes:
    return (255 * data.example("test", index).images).round().to(torch.uint8).numpy().tobytes()


def charts(page: AppTest) -> list[dict]:
    assert not page.exception and not page.error
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def printed(lines: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(lines, {})
    return out.getvalue()


@pytest.fixture(scope="module")
def short_path() -> geometry.Path:
    images = data.load("test").images
    return geometry.path(library.load("relu-mlp/control"), images[2], images[3], points=5)


@pytest.fixture(scope="module")
def small_plane() -> geometry.Plane:
    *_, whole = geometry.plane(library.load("relu-mlp/control"), *data.load("test").images[[2, 3, 5]], side=9)
    return whole


def test_every_network_gets_its_own_path_between_the_same_two_images():
    names = ["relu-mlp/adversarial", "sigmoid-mlp/saturated", own_mlp(), own_cnn()]
    drawn = payload(opened(networks=names))
    assert [network["name"] for network in drawn["networks"]] == names
    assert drawn["waiting"] == []
    for key, index in zip(("sourcePixels", "targetPixels"), indices(drawn), strict=True):
        assert base64.b64decode(drawn[key]) == pictured(index)
    ends = torch.cat([data.example("test", index).images for index in indices(drawn)])
    for network in drawn["networks"]:
        with torch.no_grad():
            expected = library.load(network["name"]).double()(ends.double()).softmax(1)
        probabilities = numbers(network["probabilities"]).reshape(-1, 10)
        np.testing.assert_allclose(probabilities[[0, -1]], expected, rtol=1e-5, atol=1e-30)
        assert len(numbers(network["t"])) == 51 + 1  # fewer points where one convolves; and the transition


def test_every_network_is_drawn_in_its_own_colour():
    colours = [network["colour"] for network in payload(opened(**QUICK))["networks"]]
    assert len(set(colours)) == 4


@pytest.mark.parametrize("which", ["sigmoid-mlp/saturated", "strided cnn"])
def test_what_is_drawn_is_what_the_library_computes(which):
    name = own_cnn() if which == "strided cnn" else which
    drawn = payload(opened(networks=name, points="51"))
    (network,) = drawn["networks"]
    ends = (data.example("test", index).images for index in indices(drawn))
    path = geometry.path(library.load(name), *ends, points=51)
    for key, expected in (
        ("nodes", path.nodes),
        ("probabilities", path.probabilities_at_nodes),
        ("element", path.element_at_nodes),
        ("soFar", path.length_so_far),
    ):
        np.testing.assert_allclose(numbers(network[key]), expected.flatten(), rtol=1e-5, atol=1e-30, err_msg=key)
    assert network["transition"] == pytest.approx(path.transition)

    t, spectra = numbers(network["t"]), numbers(network["spectra"]).reshape(-1, 10)
    assert (np.diff(t) >= 0).all()
    at = np.searchsorted(t, np.float32(path.transition))  # where the spectrum at the transition was put in between
    at = next(k for k in (at, at + 1) if np.allclose(spectra[k], path.spectrum, rtol=1e-5))
    np.testing.assert_allclose(t[at], path.transition, rtol=1e-6)
    np.testing.assert_allclose(np.delete(t, at), path.t, rtol=1e-6)
    np.testing.assert_allclose(np.delete(spectra, at, 0), path.singular_values, rtol=1e-5)


def test_every_number_comes_with_what_it_means():
    drawn = payload(opened(**QUICK))
    for network in drawn["networks"]:
        path = compute.paths([network["name"]], *indices(drawn), 51)[network["name"]]
        labels, values, texts = zip(*network["figures"], strict=True)
        assert labels == tuple(words.FIGURES)
        assert values == (
            f"{path.length:.3g}",
            f"{path.geodesic:.3g}",
            f"{path.flatness:.0%}".replace("%", " %"),
            f"{path.participation:.2f}",
        )
        assert f"{path.arc_length:.4g}" in texts[0]
        assert texts == tuple(text.format(arc_length=path.arc_length) for text in words.FIGURES.values())
        assert not any("{" in text for text in texts)


def test_a_path_from_an_image_to_itself_goes_nowhere():
    drawn = payload(opened(**QUICK, source="7", target="7"))
    for network in drawn["networks"]:
        length, _, flatness, participation = (value for _, value, _ in network["figures"])
        assert length == "0" and not numbers(network["soFar"]).any()
        assert flatness == "–" and float(participation) >= 1  # there is no length to travel, but a Jacobian
        for key in ("nodes", "probabilities", "element", "soFar", "t", "spectra"):
            assert np.isfinite(numbers(network[key])).all()


def test_networks_still_to_come_have_a_place_already(short_path, monkeypatch):
    seen = []

    def one_more(names, *_):
        seen.append(min(len(seen) + 1, len(names)))
        return {name: short_path for name in list(names)[: seen[-1]]}

    monkeypatch.setattr(compute, "paths", one_more)
    drawn = payload(opened(**QUICK))
    assert seen == [1, 2, 3, 4]
    assert len(drawn["networks"]) == 4 and drawn["waiting"] == []


def test_paths_that_take_long_come_one_by_one(monkeypatch):
    whole, seconds = geometry.path, [0]

    def slowly(*args):
        seconds[0] += 1
        return whole(*args)

    monkeypatch.setattr(geometry, "path", slowly)
    monkeypatch.setattr(compute, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    for count in (1, 2, 3, 4, 4):
        assert list(compute.paths(RELU, 11, 13, 3)) == RELU[:count]


def test_a_link_says_which_digits():
    drawn = payload(opened(**QUICK, source="3", target="4"))
    assert (drawn["source"], drawn["target"]) == (3, 4)
    assert [int(data.load("test").labels[index]) for index in indices(drawn)] == [3, 4]


def test_a_link_says_in_whose_eyes():
    asked = {**QUICK, "source": "3", "target": "4", "which": "least confident", "judge": "relu-mlp/vanilla"}
    page = opened(**asked)
    vanilla = library.load("relu-mlp/vanilla")
    expected = tuple(data.choose(vanilla, "test", digit, "least confident") for digit in (3, 4))
    assert indices(payload(page)) == expected
    assert page.query_params == asked


def test_an_old_link_shows_the_same_screen():
    asked = {"points": "51", "source": "3", "target": "4", "which": "least confident"}
    page = opened(**asked, family="relu-mlp", eyes="vanilla")
    assert page.query_params == {**asked, "networks": RELU, "judge": "relu-mlp/vanilla"}
    assert payload(page) == payload(opened(**asked, networks=RELU, judge="relu-mlp/vanilla"))


def test_a_link_says_with_which_seed():
    drawn = payload(opened(**QUICK, which="random", draw="5", source="0", target="9"))
    assert indices(drawn) == tuple(data.random_example(data.load("test").labels, digit, seed=5) for digit in (0, 9))


def test_a_link_says_which_images():
    page = opened(**QUICK, which="by index", source_index="18", target_index="9999")
    drawn = payload(page)
    assert indices(drawn) == (18, 9999)
    assert [drawn["source"], drawn["target"]] == data.load("test").labels[[18, 9999]].tolist()
    assert (page.number_input(key="source_index").value, page.number_input(key="target_index").value) == (18, 9999)


def test_a_link_says_how_much_is_drawn_and_how():
    page = opened(networks=RELU, points="201", scale="linear", source="3", target="4")
    drawn = payload(page)
    assert drawn["scale"] == "linear"
    assert all(len(numbers(network["t"])) == 201 + 1 for network in drawn["networks"])  # and the transition
    assert page.query_params["points"] == "201" and page.query_params["scale"] == "linear"


def test_a_link_leads_to_the_plane():
    page = opened(**PLANE)
    assert len(charts(page)) == 4 and all("nodes" not in view.proto.json for view in page.get("bidi_component"))
    assert page.query_params == PLANE


@pytest.mark.parametrize(
    "parameters",
    [
        {"family": "transformer", "eyes": "nobody"},
        {"family": "", "source": "eleven", "target": "11", "points": "-51"},
        {"scale": "cubic", "view": "Nowhere", "judge": "nobody", "which": "the prettiest", "t": "noon"},
        {"which": "by index", "source_index": "nan", "target_index": "10000"},
        {"which": "random", "draw": "-1"},
        {"view": "Plane", "grid": "50", "third": "../../etc/passwd", "source": "7"},
    ],
    ids=lambda parameters: "&".join(f"{name}={value}" for name, value in parameters.items()),
)
def test_a_garbled_link_is_never_a_traceback(parameters):
    page = opened(**{**QUICK, **parameters})
    assert not page.exception
    assert len(page.error) <= 1
    assert all("\n" not in error.value for error in page.error)
    assert page.error or payload(page)["networks"]


def test_three_images_on_one_line_are_refused_in_one_line():
    page = opened(**PLANE, source="8")  # which is the third corner too
    assert not page.exception
    (error,) = page.error
    assert error.value == "expected three images that span a triangle, got three on one line"


def test_a_pair_of_the_papers_takes_one_press():
    pair = (6, 9)
    page = opened(**QUICK, which="by index", source_index="2", target_index="3")
    page.button(key="pair {} {}".format(*pair)).click().run()
    drawn = payload(page)
    assert (drawn["source"], drawn["target"]) == pair
    saturated = library.load("relu-mlp/saturated")
    assert indices(drawn) == tuple(data.choose(saturated, "test", digit, "most confident") for digit in pair)


def test_the_plane_is_drawn_once_a_network_and_can_be_hovered():
    specs = charts(opened(**PLANE))
    for training, spec in zip(PAPER_TRAININGS, specs, strict=True):
        assert f"relu-mlp/{training}" in spec["layout"]["title"]["text"]
        maps = [trace for trace in spec["data"] if trace["type"] == "heatmap"]
        assert len(maps) == 2 and all("%{z" in trace["hovertemplate"] for trace in maps)


def test_the_planes_corners_are_shown_and_marked():
    page = opened(**PLANE, third="5")
    captions = [caption.value for caption in page.caption]
    assert {"lower left: a 1", "lower right: a 7", "top: a 5"} <= set(captions) and len(page.get("image")) == 3
    for spec in charts(page):
        marks = [trace for trace in spec["data"] if trace["type"] == "scatter"]
        assert sorted(mark["hovertemplate"].split("<")[0] for mark in marks) == sorted(
            2 * [f"the image of a {digit}" for digit in (1, 5, 7)]
        )


def test_a_plane_that_is_known_is_not_computed_again(monkeypatch):
    before = charts(opened(**PLANE))
    monkeypatch.setattr(geometry, "plane", None)  # who calls it now fails
    assert charts(opened(**PLANE)) == before


def test_a_plane_fills_and_is_then_there_at_once(small_plane, monkeypatch):
    records = [geometry.Plane(**{**vars(small_plane), "done": done}) for done in (0.4, 0.8, 1.0)]
    monkeypatch.setattr(geometry, "plane", lambda *_, side: iter(records))
    ask = ("relu-mlp/control", (2, 3, 5), 9)
    given_up = compute.plane(*ask)
    next(given_up)
    given_up.close()
    assert {record.done for record in compute.plane(*ask)} == {0.4, 0.8, 1}  # what was given up is not taken for whole
    assert [record.done for record in compute.plane(*ask)] == [1]


def test_npz_holds_every_field_of_every_network(short_path, small_plane):
    for record in (short_path, small_plane):
        file = npz(downloads.fields({"relu-mlp/control": record, "cnn/vanilla": record}))
        with np.load(io.BytesIO(file), allow_pickle=False) as arrays:
            assert len(arrays.files) == 2 * len(vars(record))
            for field, value in vars(record).items():
                np.testing.assert_array_equal(arrays[f"relu-mlp/control/{field}"], np.asarray(value), strict=True)
                np.testing.assert_array_equal(arrays[f"cnn/vanilla/{field}"], np.asarray(value), strict=True)


def test_csv_holds_a_row_a_network_and_point(short_path):
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_paths({"a/b": short_path, "c/d": short_path}))))
    assert [row["network"] for row in rows] == 5 * ["a/b"] + 5 * ["c/d"]
    assert list(rows[0]) == [
        "network",
        "t",
        *(f"p{k}" for k in range(10)),
        "length_element",
        *(f"sigma{k}" for k in range(1, 11)),
    ]
    for row, k in zip(rows, 2 * [0, 1, 2, 3, 4], strict=True):
        assert float(row["t"]) == short_path.t[k]
        assert [float(row[f"p{digit}"]) for digit in range(10)] == short_path.probabilities[k].tolist()
        assert float(row["length_element"]) == short_path.length_element[k]
        assert [float(row[f"sigma{j}"]) for j in range(1, 11)] == short_path.singular_values[k].tolist()


def test_the_same_in_python_gives_the_numbers_on_screen():
    page = opened(**QUICK)
    (code,) = page.code
    lines = [line.split() for line in printed(code.value).splitlines()]
    drawn = payload(page)["networks"]
    for network, (name, length, geodesic, flatness, participation) in zip(drawn, lines, strict=True):
        assert network["name"] == name
        assert [value for _, value, _ in network["figures"]] == [
            f"{float(length):.3g}",
            f"{float(geodesic):.3g}",
            f"{float(flatness):.0%}".replace("%", " %"),
            f"{float(participation):.2f}",
        ]


def test_the_planes_python_is_on_screen_and_runs(small_plane):
    (code,) = opened(**PLANE, which="by index", third_index="0").code
    assert code.value == downloads.plane_code(RELU, (1, 7, 0), 50).strip()
    said = printed(downloads.plane_code(["relu-mlp/control"], (2, 3, 5), 9))
    largest = small_plane.log_length_element.nan_to_num(-1e9).max().item()
    assert said == " ".join(map(str, ("relu-mlp/control", small_plane.predicted.unique(), largest))) + "\n"


def test_a_damaged_network_is_one_sentence_and_the_others_are_shown():
    own = library.add(networks.build(networks.mlp("tanh", (8,))), "soon damaged")
    (library.folder_of(own) / library.WEIGHTS).write_bytes(b"")
    page = opened(networks=["relu-mlp/control", own, "relu-mlp/vanilla"], points="51")
    assert not page.exception
    (error,) = page.error
    assert "damaged" in error.value and "\n" not in error.value
    _, view, *_ = page.get("bidi_component")
    drawn = json.loads(view.proto.json)
    assert [network["name"] for network in drawn["networks"]] == ["relu-mlp/control", "relu-mlp/vanilla"]


def test_a_damaged_card_leaves_the_line_up_as_if_it_were_not_there():
    own = own_mlp()
    damage(own)
    page = opened(networks=[own, "relu-mlp/vanilla"], points="51")
    assert [network["name"] for network in payload(page)["networks"]] == ["relu-mlp/vanilla"]


def test_some_of_a_familys_networks_are_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "SHIPPED", tmp_path)
    for training in ("vanilla", "control"):
        shutil.copytree(ROOT / "checkpoints" / "relu-mlp" / training, tmp_path / "relu-mlp" / training)
    drawn = payload(opened(points="51", family="relu-mlp", eyes="saturated"))  # whose eyes are not there
    assert [network["name"] for network in drawn["networks"]] == ["relu-mlp/vanilla", "relu-mlp/control"]
    vanilla = library.load("relu-mlp/vanilla")
    assert indices(drawn) == tuple(data.choose(vanilla, "test", digit, "most confident") for digit in (1, 7))


def made_plane(lowest: float = -1.0, highest: float = 1.0) -> geometry.Plane:
    """A triangle on 40 × 40 points: left a 3, right an 8, a 5 on one point, and at one an answer that doesn't move."""
    x, y = torch.linspace(0, 4, 40), torch.linspace(0, 3, 40)
    inside = (x[None] / 4 + y[:, None] / 3) <= 1
    predicted = torch.where(inside, torch.where(x[None] < 1.5, 3, 8), -1)
    predicted[4, 4] = 5
    element = torch.linspace(lowest, highest, 1600).reshape(40, 40)
    element[2, 2] = -torch.inf
    outside = torch.where(inside, 0.0, torch.nan)
    corners = torch.tensor([[0, 0], [4, 0], [0, 3]], dtype=torch.float64)
    return geometry.Plane(corners, x, y, predicted, 0.9 + outside, element + outside, 1.0)


def heatmaps(plane: geometry.Plane, name: str = "cnn/vanilla"):
    return [trace for trace in plane_figure(name, plane, [3, 8, 3], "#123456").data if trace.type == "heatmap"]


def test_a_region_has_its_digit_written_on_it_where_there_is_room():
    plane = made_plane()
    figure = plane_figure("cnn/vanilla", plane, [3, 8, 3], "#123456")
    written = {note.text: note for note in figure.layout.annotations if note.text.startswith("<b>")}
    assert set(written) == {"<b>3</b>", "<b>8</b>"}  # not the single 5, and nothing outside
    for text, note in written.items():
        row, column = (plane.y == note.y).nonzero().item(), (plane.x == note.x).nonzero().item()
        assert text == f"<b>{plane.predicted[row, column]}</b>"


def test_a_map_is_told_in_words():
    plane = made_plane()
    inside = plane.predicted >= 0
    share = float((plane.predicted[inside] == 3).double().mean())
    said = words.plane_alt("cnn/vanilla", plane)
    assert f"3 on {100 * share:.1f} %" in said
    assert f"the power of {plane.log_length_element[inside].max():.1f}" in said


def test_nothing_is_drawn_outside_the_triangle():
    plane = made_plane()
    for trace in heatmaps(plane):
        np.testing.assert_array_equal(np.isnan(trace.z), plane.predicted == -1)
        assert not np.isinf(trace.z).any()


def test_maps_compare_because_all_have_the_same_colours():
    gentle, steep = (heatmaps(made_plane(*ends)) for ends in ((-7.0, -3.0), (0.0, 9.0)))
    for one, other in zip(gentle, steep, strict=True):
        assert (one.zmin, one.zmax, one.colorscale) == (other.zmin, other.zmax, other.colorscale)
    classes, element = gentle
    assert (classes.zmin, classes.zmax) == (-0.5, 9.5)
    assert (element.zmin, element.zmax) == RANGE


def test_the_corners_are_where_the_images_lie():
    figure = plane_figure("cnn/vanilla", made_plane(), [3, 8, 4], "#123456")
    marks = [trace for trace in figure.data if trace.type == "scatter"]
    at = {(mark.x[0], mark.y[0], mark.hovertemplate.split("<")[0]) for mark in marks}
    assert at == {(0, 0, "the image of a 3"), (4, 0, "the image of an 8"), (0, 3, "the image of a 4")}
    assert sorted(mark.xaxis for mark in marks) == 3 * ["x"] + 3 * ["x2"]  # in both maps


def test_of_a_network_that_steps_first_it_says_that_it_only_jumps():
    name = own_dendritic()
    page = opened(networks=[name, "relu-mlp/vanilla"])
    said = [caption.value for caption in page.caption if "only jumps" in caption.value]
    assert not page.exception and not page.error and len(said) == 1 and said[0].startswith(f"{name}: behind a step")
    (path,) = compute.paths([name], 7_424, 8_417, 51).values()
    assert path.length_element.abs().max() == 0 and path.length >= path.geodesic > 1 and not path.converged
    (*_, flatness, participation), (*_, beside) = (
        [value for _, value, _ in network["figures"]] for network in payload(page)["networks"]
    )
    assert flatness.endswith(" %") and participation == "–" and float(beside) >= 1  # none takes part: all are zero
    lengths = [(network["converged"], network["figures"][0][1][0]) for network in payload(page)["networks"]]
    assert lengths[0] == (False, "≈") and lengths[1][0] and lengths[1][1].isdigit()
    page = opened(networks=[name, "relu-mlp/vanilla"], view="Plane", grid="50")
    assert not page.exception and sum("only jumps" in caption.value for caption in page.caption) == 1
    plane = list(compute.plane(name, (7_424, 8_417, 0), 20))[-1]
    assert words.plane_alt(name, plane).endswith("the length element is zero everywhere")
