"""The attack grid page, run without a browser."""

import dataclasses
import json
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from satcore.grids import Setting
from streamlit.testing.v1 import AppTest

from satcore import checkpoints, grids
from satcore.dashboard import grid_run, grid_view, live, tables

ROOT = Path(__file__).parent.parent
BOTH = ["relu-mlp/vanilla", "relu-mlp/saturated"]


def opened(**parameters) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, value in parameters.items():
        page.query_params[name] = value
    return page.run().switch_page("pages/attack_grid.py").run()


def drawn(page: AppTest) -> dict:
    """What the component was told, by network."""
    told = next(
        told for told in (json.loads(view.proto.json) for view in page.get("bidi_component")) if "grids" in told
    )
    return {grid["name"]: grid for grid in told["grids"]}


def button(page: AppTest, label: str):
    return next(there for there in page.button if there.label == label)


def test_it_opens_full_with_the_papers_grids():
    page = opened()
    assert not page.exception and not page.error
    there = drawn(page)
    assert list(there) == ["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated"]
    for name, grid in there.items():
        kept = grids.load(name, checkpoints.describe(name).sha256, Setting())
        assert grid["fooled"] == kept.fooled and grid["found"] == kept.found.tolist()
        assert f"{name}: fooled on **{kept.fooled} of 90** pairs" in "\n".join(text.value for text in page.markdown)


@pytest.mark.parametrize("source", grids.SOURCES)
@pytest.mark.parametrize("gradient", ["autograd", "exact", "softened"])
def test_a_link_reproduces_the_screen(source, gradient):
    page = opened(left=BOTH[0], right=BOTH[1], sources=source, grid_gradient=gradient)
    assert not page.exception and not page.error
    setting = next(there for there in grids.shipped(BOTH[0]) if (there.source, there.gradient) == (source, gradient))
    for name, grid in drawn(page).items():
        assert grid["fooled"] == grids.load(name, checkpoints.describe(name).sha256, setting).fooled


def test_a_cell_leads_to_its_attack():
    grid = drawn(opened(left=BOTH[0], right=BOTH[1], grid_gradient="softened"))[BOTH[1]]
    sources = live.known_grid(BOTH[1], Setting(gradient="softened", temperature=30.0)).sources
    for digit, link in enumerate(grid["links"]):
        assert parse_qs(urlparse(link).query)["index"] == [str(sources[digit])]


@pytest.mark.parametrize(
    "setting",
    [
        Setting(gradient="softened", temperature=10.0),
        Setting(attack="Adam", steps=100_000),
        Setting(gradient="softened", temperature=100.0, steps=100),
        Setting(gradient="exact", steps=10_000),
    ],
)
def test_where_a_cell_leads_the_attack_is_the_same(setting):
    link = urlparse(grid_view._link("relu-mlp/saturated", 30, setting) + "&target=7")
    assert link.path == "live_attack"
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for name, (value,) in parse_qs(link.query).items():
        page.query_params[name] = value
    run = page.run().switch_page("pages/live_attack.py").run().session_state["run"].settings
    given = dict(run.parameters)
    assert (run.attack, run.source, run.target, given["steps"], given["gradient"]) == (
        setting.attack,
        3,
        7,
        setting.steps,
        setting.gradient,
    )
    assert given.get("temperature", 1.0) == setting.temperature


def test_garbage_in_the_address_is_no_catastrophe():
    page = opened(left="nobody", right="", sources="all", grid_attack="FGSM", grid_gradient="none", grid_steps="-4")
    assert not page.exception and not page.error
    assert len(drawn(page)) == 2


def test_a_grid_that_does_not_ship_is_computed_on_demand_and_stops_when_told():
    page = opened(left=BOTH[0], right=BOTH[0], grid_attack="Adam", grid_steps="100", sources="least confident")
    assert not page.exception and not page.get("bidi_component")
    page = button(page, "Compute").click().run()
    assert not page.exception and 0 <= drawn(page)[BOTH[0]]["fooled"] <= 90
    if not button(page, "Stop").disabled:
        page = button(page, "Stop").click().run()
    assert not page.exception and BOTH[0] in drawn(page)


def test_a_run_goes_on_network_by_network_and_is_kept_for_all():
    setting = Setting(attack="Adam", steps=100, gradient="exact")
    run = grid_run.GridRun(BOTH, setting)
    assert not run.finished and not run.running and not run.shown
    run.start()
    run.advance(0)
    assert run.running and list(run.shown) == BOTH[:1] and "still under attack" in run.says
    done = [run.done]
    for _ in range(1000):
        if run.finished:
            break
        run.advance(0.2)
        done.append(run.done)
    assert run.finished and not run.running and list(run.shown) == BOTH
    assert done == sorted(done) and done[0] < 0.5 <= done[1] and done[-1] == 1
    assert all(grid.done == 1 for grid in run.shown.values())
    again = grid_run.GridRun(BOTH, setting)
    assert again.finished and all(grid is run.shown[name] for name, grid in again.shown.items())
    again.start()
    assert again.running and not again.finished and list(again.shown) == BOTH  # anew, and meanwhile what there was


def test_a_stopped_grid_is_not_said_to_have_withstood():
    grid = live.known_grid(BOTH[1], Setting())
    assert "stopped when 12 % of the pairs were finished" in tables.of_grids(
        {BOTH[1]: dataclasses.replace(grid, done=0.12)}, Setting()
    )
    assert "The paper" not in tables.of_grids({BOTH[1]: dataclasses.replace(grid, done=0.12)}, Setting())


def test_a_damaged_network_is_one_readable_line_and_can_be_tried_again(monkeypatch):
    page = opened(left=BOTH[0], right=BOTH[0])
    monkeypatch.setattr(live, "network", lambda name: checkpoints.load("nobody"))
    page = button(page, "Compute anew").click().run()
    assert not page.exception and len(page.error) == 1
    monkeypatch.undo()
    page = button(page.run(), "Compute").click().run()
    assert not page.exception and not page.error


def test_a_stopped_run_goes_on_where_it_was():
    run = grid_run.GridRun(
        BOTH[:1], Setting(attack="Adam", steps=100, gradient="softened", temperature=3.0, source="least confident")
    )
    run.start()
    run.advance(0)
    run.running = False
    iterations = run.shown[BOTH[0]].iterations.max()
    run.start()
    run.advance(0)
    assert run.shown[BOTH[0]].iterations.max() == iterations + 1
    assert run.fills(tuple(BOTH[:1] * 2), run.setting) and not run.fills(tuple(BOTH), run.setting)
