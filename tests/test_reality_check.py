"""The reality check page, run without a browser."""

import csv
import io
import json
from pathlib import Path

import pytest
from satcore.checks import MEANINGS
from satcore.dashboard.reality_run import CellRun
from streamlit.testing.v1 import AppTest

from satcore import checkpoints, reality
from satcore.dashboard import downloads, ladder_view, live, tables
from satcore.paper import TABLE_1

ROOT = Path(__file__).parent.parent


def opened(**parameters) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run().switch_page("pages/reality_check.py").run()


def drawn(page: AppTest, field: str):
    """What the component with this field was told."""
    return next(
        told[field] for told in (json.loads(view.proto.json) for view in page.get("bidi_component")) if field in told
    )


@pytest.fixture(scope="module")
def found() -> dict[str, reality.Reality]:
    return reality.shipped()


def test_it_opens_with_every_network_and_every_rung(found):
    page = opened()
    assert not page.exception and not page.error
    rows = drawn(page, "rows")
    assert [row["name"] for row in rows] == checkpoints.names()
    for row in rows:
        for rung, cell in zip(ladder_view.COLUMNS, row["cells"], strict=True):
            if rung == "paper":
                assert (cell and cell["percent"]) == TABLE_1.get(row["name"], (None, None))[1]
            elif rung == "transfer" and row["training"] == "vanilla":
                assert cell is None
            else:
                left = found[row["name"]].left(rung)
                assert cell["percent"] == 100 * left.share
                assert (
                    f"{left.count} of {left.total} images right" in cell["says"]
                    and f"{100 * left.interval[1]:.1f} %" in cell["says"]
                )


def test_the_first_sentence_is_what_the_figure_says(found):
    said = opened().markdown[0].value
    for name in ("sigmoid-mlp/saturated", "relu-mlp/saturated", "cnn/saturated"):
        assert f"{TABLE_1[name][1]:.1f}" in said and f"{100 * found[name].left('FGSM, autograd').share:.1f}" in said
    some = max(there.left("worst case").share for there in found.values()) > 0
    assert ("no network gets more than" in said) == some and (
        "none of the networks gets a single image right" in said
    ) != some


def test_a_link_reproduces_the_screen(found):
    page = opened(
        within="0.1",
        family="cnn",
        rungs="noise",
        softness="100",
        cell_network="cnn/control",
        cell_rung="noise",
        images="50",
    )
    assert not page.exception and not page.error
    assert (
        drawn(page, "rows")[0]["cells"][-1]["percent"]
        == 100 * found["sigmoid-mlp/vanilla"].left("worst case", 0.1).share
    )
    assert [pills.value for pills in page.get("button_group") if pills.key == "rungs"] == [["noise"]]
    assert (
        page.selectbox(key="cell_network").value == "cnn/control" and page.selectbox(key="cell_rung").value == "noise"
    )
    assert page.select_slider(key="softness").value == 100


def test_a_rung_that_a_network_does_not_have_cannot_be_chosen():
    page = opened(cell_network="cnn/vanilla", cell_rung="transfer")
    assert not page.exception and not page.error
    rungs = page.selectbox(key="cell_rung")
    assert "transfer" not in rungs.options and rungs.value == "worst case"


def test_garbage_in_the_address_is_no_catastrophe():
    page = opened(
        within="9", family="nobody", rungs="all", softness="-1", cell_network="", cell_rung="?", images="none"
    )
    assert not page.exception and not page.error


def test_every_check_of_every_network_is_shown(found):
    checks = drawn(opened(family="relu-mlp"), "checks")
    assert [check["name"] for check in checks] == list(MEANINGS)
    for check in checks:
        for verdict in filter(None, check["verdicts"]):
            made = next(
                made for made in found[f"relu-mlp/{verdict['training']}"].checks if made["name"] == check["name"]
            )
            assert verdict["passed"] == made["passed"]


def test_gradients_of_zero_are_called_so():
    page = opened(pick="by index", index="17")
    assert any("autograd **exactly zero**" in text.value and "exact **10⁻" in text.value for text in page.markdown)


def test_a_figure_is_computed_anew_and_agrees(found):
    page = opened(cell_network="sigmoid-mlp/saturated", cell_rung="FGSM, autograd", images="50")
    page = next(button for button in page.button if button.label == "Compute").click().run()
    assert not page.exception and not page.error
    run = CellRun("sigmoid-mlp/saturated", "FGSM, autograd", 500, 0.25)
    assert run.done == 0 and "begun" in tables.computed(run)
    while run.running:
        run.advance(60)
    assert abs(run.reached.count - found["sigmoid-mlp/saturated"].left("FGSM, autograd").count) <= 1  # by rounding
    assert "of 500 images right" in tables.computed(run) and tables.computed(run).endswith("in all")


def test_a_damaged_network_is_one_readable_line(monkeypatch):
    page = opened(cell_rung="noise", images="50")
    monkeypatch.setattr(live, "network", lambda name: checkpoints.load("nobody"))
    page = next(button for button in page.button if button.label == "Compute").click().run()
    assert not page.exception and len(page.error) == 1
    assert not page.run().exception


def test_a_stopped_run_says_so():
    run = CellRun("relu-mlp/control", "noise", 10_000, 0.1)
    run.advance(0)
    run.running = False
    assert 0 < run.done < 1 and tables.computed(run).endswith("stopped there")


def test_without_what_was_found_the_page_says_what_to_do(monkeypatch):
    monkeypatch.setattr(reality, "shipped", dict)
    page = opened()
    assert not page.exception
    assert len(page.error) == 1 and "python -m satcore reality" in page.error[0].value


def test_the_csv_has_every_figure(found):
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_reality(found))))
    one = next(
        row
        for row in rows
        if (row["network"], row["attack"], row["epsilon"]) == ("relu-mlp/saturated", "PGD, exact", "0.25")
    )
    assert int(one["right"]) == found["relu-mlp/saturated"].left("PGD, exact").count
    assert {row["attack"] for row in rows} == {
        "clean",
        "proven",
        *next(there for there in found.values() if "transfer" in there.right).right,
    }
    assert len(rows) == sum(
        1 + len(there.epsilons) * (len(there.right) + (None not in there.proven)) for there in found.values()
    )


def test_the_python_that_is_offered_runs(monkeypatch):
    monkeypatch.setattr(reality, "plan", lambda name: reality.Plan(3, (reality.EPSILON,)))
    exec(downloads.reality_code(["relu-mlp/vanilla"]), {})
