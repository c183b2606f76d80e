"""The home page, run without a browser."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from satcore import attacks, checkpoints, data, reality
from satcore.dashboard import controls, figures, pictures
from satcore.paper import TABLE_1

ROOT = Path(__file__).parent.parent
TIMEOUT = 120  # seconds: torch is imported at the first run


def opened(**parameters) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run()


def everything_said(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_opens_without_an_error_and_shows_every_network():
    page = opened()
    assert not page.exception and not page.error
    assert [header.value for header in page.subheader] == list(figures.FAMILY_TITLES.values())
    shown = everything_said(page)
    for training in figures.COLOURS:
        assert shown.count(f"**{training}**") == 3


def test_the_table_shows_what_is_stored_with_the_checkpoints():
    table = opened().dataframe[0].value.set_index("network")
    for name in checkpoints.names():
        measured = checkpoints.describe(name).measurements
        assert table.loc[name, "FGSM, ours (%)"] == round(100 * measured["fgsm_accuracy"], 2)
        assert table.loc[name, "worst case of all attacks (%)"] == round(
            100 * reality.shipped()[name].left("worst case").share, 2
        )
        if name in TABLE_1:
            assert (table.loc[name, "clean, paper (%)"], table.loc[name, "FGSM, paper (%)"]) == TABLE_1[name]


def test_a_card_says_that_the_gradient_was_zero_exactly_where_it_was():
    index = 17
    page = opened(pick="by index", index=str(index))
    zero = [
        bool(attacks.fgsm(checkpoints.load(name), *data.example("test", index)).zero_gradient)
        for name in checkpoints.names()
    ]
    assert everything_said(page).count("**exactly zero**: FGSM left the image as it was") == sum(zero)
    assert any(zero) and not all(zero)


def test_a_link_reproduces_the_screen():
    page = opened(pick="least confident", digit="7", judge="cnn/vanilla", epsilon="0.1")
    assert not page.exception and not page.error
    chosen = data.choose(checkpoints.load("cnn/vanilla"), "test", 7, "least confident")
    assert page.slider(key="epsilon").value == 0.1
    assert f"Test image {chosen:,}: a 7" in [image.proto.imgs[0].caption for image in page.get("image")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"digit": "eleven"},
        {"digit": "11"},
        {"pick": "the prettiest"},
        {"judge": "../../etc/passwd"},
        {"epsilon": "nan"},
        {"epsilon": "7"},
        {"epsilon": "-1"},
        {"pick": "by index", "index": "10000"},
        {"pick": "by index", "index": "-1"},
        {"pick": "random", "seed": "99999999999999999999"},
        {"nonsense": "1"},
    ],
)
def test_a_garbled_link_is_never_a_traceback(parameters):
    page = opened(**parameters)
    assert not page.exception
    assert len(page.error) <= 1
    assert all("\n" not in error.value for error in page.error)


def test_without_attack_nothing_changes():
    page = opened(epsilon="0.0", pick="by index", index="3")
    assert not page.exception
    assert "Fooled" not in everything_said(page)


def test_the_table_is_drawn_before_torch_is_needed():
    # In a process where torch can't be imported: all that needs it comes after the table.
    script = """
import sys
sys.modules["torch"] = None
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app.py", default_timeout=120).run()
assert len(page.dataframe) == 1 and len(page.get("plotly_chart")) == 1 and page.header[0].value == "Attack a digit"
assert "torch" in page.exception[0].message
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_says_how_to_train_where_there_are_no_networks(other_folder):
    page = opened()
    assert not page.exception
    assert "python -m satcore train --all" in page.error[0].value


def test_a_damaged_description_is_one_readable_line(other_folder):
    (other_folder / "cnn").mkdir()
    (other_folder / "cnn" / "vanilla.json").write_text("{")
    page = opened()
    assert not page.exception
    assert "damaged" in page.error[0].value


def test_damaged_weights_are_one_readable_line_below_the_table(other_folder):
    shutil.copytree(ROOT / "checkpoints" / "relu-mlp", other_folder / "relu-mlp")
    description = json.loads((other_folder / "relu-mlp" / "vanilla.json").read_text())
    description["sha256"] = "0" * 64
    (other_folder / "relu-mlp" / "vanilla.json").write_text(json.dumps(description))
    page = opened()
    assert not page.exception
    assert len(page.dataframe) == 1
    assert "damaged" in page.error[0].value


@pytest.mark.parametrize("pick", ["most confident", "random", "by index"])
def test_some_of_the_networks_are_enough(other_folder, pick):
    shutil.copytree(ROOT / "checkpoints" / "relu-mlp", other_folder / "relu-mlp")
    page = opened(pick=pick)
    assert not page.exception and not page.error
    assert "underflowed" not in everything_said(page)  # a claim about a network that isn't there


def test_the_ways_to_choose_are_those_of_the_library():
    assert set(controls.WAYS) == {*data.WAYS, "by index"}


def test_the_figure_shows_what_is_right_only_for_want_of_a_gradient():
    measured = {"cnn/saturated": {"accuracy": 0.99, "fgsm_accuracy": 0.98, "right_unmoved": 0.9}}
    figure = figures.table_1(measured, TABLE_1)
    moved, unmoved = [trace for trace in figure.data if trace.type == "bar" and trace.x[0] is not None]
    assert moved.x[0] == pytest.approx(8) and unmoved.x[0] == pytest.approx(90)
    assert not moved.marker.pattern.shape and unmoved.marker.pattern.shape
    assert moved.marker.color == unmoved.marker.color == figures.COLOURS["saturated"]
    assert "98.0" in "".join(annotation.text for annotation in figure.layout.annotations)


def test_a_perturbation_is_drawn_orange_where_raised_blue_where_lowered_and_not_where_nothing_changed():
    before, after = data.load("test").images[0, 0].numpy(), data.load("test").images[0, 0].numpy().copy()
    after[0, 0], after[27, 27] = before[0, 0] + 0.25, before[27, 27] - 0.25
    change = pictures.attacked(before, after, "#ff0000")[:, 240 + pictures.GAP :]
    first, last = pictures.FRAME, pictures.FRAME + 28 * pictures.SCALE - 1
    assert tuple(change[first, first]) == (*pictures.RAISED, 255)
    assert tuple(change[last, last]) == (*pictures.LOWERED, 255)
    assert change[120, 120, 3] == 0
    assert tuple(change[0, 0]) == (255, 0, 0, 255)
