"""The attack grid page, run without a browser."""

import dataclasses
import itertools
import threading
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from satcore import library
from satcore.dashboard.attack_grid import downloads, grid_view, words
from satcore.dashboard.attack_grid.run import GridRun, run_of
from satcore.dashboard.shared import digits
from satcore.evaluation import grids
from satcore.evaluation.grids import Grid, Setting
from tests.dashboard import pages
from tests.dashboard.pages import MLPS, button
from tests.examples import of_family

BOTH = ["relu-mlp/vanilla", "relu-mlp/saturated"]
QUICK = Setting(attack="Adam", steps=100, gradient="exact")  # no grid of it ships


def opened(**parameters) -> AppTest:
    return pages.opened("attack_grid", **parameters)


def drawn(page: AppTest) -> dict[str, dict[str, dict]]:
    """What the component was told, by network and by where the grid is from."""
    told = pages.told(page, "networks")
    return {network["name"]: {grid["origin"]: grid for grid in network["grids"]} for network in told}


def filled(run: GridRun) -> list[float]:
    """The shares of the work that lay behind, while the run was filled."""
    run.start()
    done = []
    while run.running:
        run.advance(0.2)
        done.append(run.done)
    return done


@pytest.mark.parametrize("address, names", [({}, MLPS), ({"left": BOTH[0], "right": BOTH[1]}, BOTH)])
def test_it_opens_full_with_the_papers_grids_also_by_an_old_link(address, names):
    page = opened(**address)
    assert not page.exception and not page.error
    assert list(drawn(page)) == names
    said = "\n".join(text.value for text in page.markdown)
    for name, there in drawn(page).items():
        kept = grids.load(name, Setting())
        assert kept is not None and list(there) == [words.SHIPS]
        assert there[words.SHIPS]["found"] == kept.found.tolist()
        assert f"{name}: fooled on **{kept.fooled} of 90** pairs" in said


@pytest.mark.parametrize("zero, why", [(False, "never met a"), (True, "met a")])
def test_of_one_pair_alone_one_is_spoken_of(zero, why):
    setting, grid = Setting(), grids.load("cnn/adversarial", Setting())
    assert grid is not None and grid.fooled == 89
    said = words._line(dataclasses.replace(grid, zero=np.full_like(grid.zero, zero)), setting)
    assert said.startswith(f"fooled on **89 of 90** pairs; the other one {why} gradient that was exactly zero")


@pytest.mark.parametrize("source, gradient", [("most confident", "softened"), ("least confident", "exact")])
def test_a_link_reproduces_the_screen(source, gradient):
    page = opened(networks=BOTH, sources=source, grid_gradient=gradient)
    assert not page.exception and not page.error
    setting = next(there for there in grids.shipped(BOTH[0]) if (there.source, there.gradient) == (source, gradient))
    for name, there in drawn(page).items():
        kept = grids.load(name, setting)
        assert kept is not None and there[words.SHIPS]["fooled"] == kept.fooled
        links = [parse_qs(urlparse(link).query) for link in there[words.SHIPS]["links"]]
        assert [link["index"] for link in links] == [[str(index)] for index in kept.sources]


@pytest.mark.parametrize(
    "setting",
    [
        Setting(gradient="softened", temperature=10.0),
        Setting(attack="Adam", steps=100_000),
        Setting(gradient="exact", steps=10_000),
    ],
)
def test_where_a_cell_leads_the_attack_is_the_same(setting):
    link = urlparse(grid_view._link(BOTH, 30, setting) + "&into=7")
    assert link.path == "live_attack"
    page = pages.opened("live_attack", first=True, **parse_qs(link.query))
    there = page.session_state["run"].settings
    given = dict(there.parameters)
    assert (there.names, there.source, there.into, there.attack) == (tuple(BOTH), 3, 7, setting.attack)
    assert (given["steps"], given["gradient"]) == (setting.steps, setting.gradient)
    assert given.get("temperature", 1.0) == setting.temperature


def test_garbage_in_the_address_is_no_catastrophe():
    page = opened(networks="nobody", left="", sources="all", grid_attack="FGSM", grid_gradient="none", grid_steps="-4")
    assert not page.exception and not page.error


def test_what_is_computed_stays_with_the_session_and_stands_beside_what_ships():
    page = opened(networks=BOTH[:1])
    page = button(page, "Compute anew").click().run()
    while page.session_state["grid run"].running:
        page = page.run()
    assert not page.exception and not page.error
    assert list(drawn(page)[BOTH[0]]) == [words.SHIPS, words.IN_SESSION]
    said = "\n".join(text.value for text in page.markdown)
    assert f"{BOTH[0]}, {words.SHIPS}: fooled" in said and f"{BOTH[0]}, {words.IN_SESSION}: fooled" in said
    assert list(drawn(opened(networks=BOTH[:1]))[BOTH[0]]) == [words.SHIPS]  # another session


def test_a_grid_of_ones_own_is_computed_and_a_network_that_gets_none_says_why():
    own, other = pages.own_mlp(), pages.own_cnn()  # untrained: of some digit they get every image wrong
    page = opened(networks=[BOTH[0], own, other, "cnn/vanilla"], grid_steps="100", grid_gradient="exact")
    assert not page.exception and page.info[0].value == words.NONE_THERE
    run = page.session_state["grid run"]
    run._filling.pop("cnn/vanilla")  # which takes long
    page = button(page, "Compute").click().run()
    while page.session_state["grid run"].running:
        page = page.run()
    assert not page.exception and list(drawn(page)) == [BOTH[0]]
    assert [error.value.partition(":")[0] for error in page.error] == [own, other]
    assert f"cnn/vanilla: {words.NOT_YET}" in "\n".join(text.value for text in page.markdown)


def test_a_damaged_card_leaves_the_page_whole():
    pages.damage(pages.own_mlp())
    page = opened(networks=["mine/wide-tanh", BOTH[1]])
    assert not page.exception and list(drawn(page)) == BOTH[1:]


def test_another_network_of_the_same_name_has_a_run_of_its_own(tiny):
    name = library.add(tiny, "one")
    run = GridRun([name], QUICK, {})
    assert run_of([name], QUICK, {}, run) is run
    library.remove(name)
    assert library.add(of_family("relu-mlp", 8, seed=5), "one") == name
    assert run_of([name], QUICK, {}, run) is not run
    assert not filled(run)[:-1] and "to stay the same" in run.refused[name] and not run.computed
    both = GridRun(BOTH, QUICK, {})
    assert run_of(BOTH, QUICK, {}, both) is both and run_of(BOTH[::-1], QUICK, {}, both) is not both


def test_a_run_goes_on_network_by_network():
    computed: dict = {}
    run = GridRun(BOTH, QUICK, computed)
    assert not run.finished and not run.running and not run.shown and run.missing == BOTH
    run.start()
    run.advance(0)
    assert run.running and list(run.shown) == BOTH[:1] and "still under attack" in run.says
    done = [run.done, *filled(run)]
    assert run.finished and not run.running and list(run.shown) == BOTH
    assert done == sorted(done) and done[0] < 0.5 and done[-1] == 1
    assert all(grid.done == 1 for there in run.shown.values() for grid in there.values())
    again = GridRun(BOTH, QUICK, computed)
    assert again.finished and again.computed == run.computed
    again.start()
    assert again.running and not again.finished and list(again.shown) == BOTH  # anew, and meanwhile what there was


def test_a_stopped_run_goes_on_where_it_was():
    run = GridRun(BOTH[:1], QUICK, {})
    run.start()
    run.advance(0)
    run.running = False
    iterations = run.computed[BOTH[0]].iterations.max()
    run.start()
    run.advance(0)
    assert run.computed[BOTH[0]].iterations.max() == iterations + 1
    assert run.fills(BOTH[:1], QUICK) and not run.fills(BOTH, QUICK)


def test_what_is_stopped_while_a_slice_is_under_way_stays_stopped(monkeypatch):
    """A press begins a new thread of the session while the last one is still in its slice."""
    fill, under_way, pressed = grids.fill, threading.Event(), threading.Event()

    def filling(*asked):
        for reached in fill(*asked):
            yield reached
            under_way.set()
            assert pressed.wait(60)

    monkeypatch.setattr(grids, "fill", filling)
    run = GridRun(BOTH[:1], QUICK, {})
    run.start()
    threads = [threading.Thread(target=run.advance, args=(60,)) for _ in range(2)]
    threads[0].start()
    assert under_way.wait(60)
    threads[1].start()  # waits for its turn, and then finds that there is nothing to do
    run.running = False
    pressed.set()
    for thread in threads:
        thread.join()
    assert not run.running and not run.refused and not run.finished
    run.start()
    run.advance(60)
    assert run.finished and not run.refused


def test_a_network_that_breaks_is_refused_in_a_sentence_and_can_be_tried_again(monkeypatch):
    monkeypatch.setattr(digits, "network", lambda name: library.load("nobody"))
    run = GridRun(BOTH[:1], QUICK, {})
    filled(run)
    assert "nobody" in run.refused[BOTH[0]] and not run.shown and run.finished
    monkeypatch.undo()
    filled(run)
    assert not run.refused and run.computed[BOTH[0]].done == 1


def test_a_damaged_grid_is_a_sentence_and_can_be_computed_all_the_same():
    own = pages.own_mlp()
    path = library.folder_of(own) / grids._file(QUICK)
    path.parent.mkdir()
    path.write_bytes(b"no grid")
    run = GridRun([own], QUICK, {})
    assert "damaged" in run.refused[own] and not run.finished


ADAM = Setting(attack="Adam", steps=100_000)


def test_what_is_proven_of_adams_30_million_iterations_is_said_of_all_pairs_and_of_each():
    page = opened(networks=BOTH, grid_attack="Adam", grid_steps="100,000")
    assert not page.exception and not page.error
    kept = grids.load(BOTH[1], ADAM)
    assert kept is not None and (kept.rests == kept.resists).all()
    last = kept.iterations[kept.rests].max()
    said = "\n".join(text.value for text in page.markdown)
    assert f"Up to 30,000,000 iterations: {kept.rests.sum()} proven at rest, the last from iteration {last} on." in said
    vanilla, saturated = (there[words.SHIPS]["rest"] for there in drawn(page).values())
    assert not any(itertools.chain(*vanilla))
    np.testing.assert_array_equal(np.array(saturated) != "", kept.rests)
    assert "proven: none of 30,000,000 iterations, or of more, changes a bit" in saturated[3][7]


def test_what_is_proven_nearly_at_rest_is_told_from_what_is_open_and_of_lbfgs_nothing_is_said():
    kept = grids.load(BOTH[1], ADAM)
    assert kept is not None
    drift = np.where(kept.resists, np.inf, 0)
    drift[3, 7], drift[3, 9] = 3e-7, 2e-5
    grid = dataclasses.replace(kept, drift=drift)
    said = words.lines({BOTH[1]: {words.SHIPS: grid}}, [], ADAM)
    assert "2 proven not to be fooled, no pixel changing by more than 10⁻⁴; 72 open after 100,000." in said
    assert "until then no pixel changes by more than 10⁻⁶" in words.rest(grid, ADAM, 3, 7)
    assert words.rest(grid, ADAM, 3, 4) == words.rest(kept, Setting(), 3, 7) == ""
    assert words.rest(dataclasses.replace(kept, done=0.9), ADAM, 3, 7) == ""
    assert "30,000,000" not in words.lines({BOTH[1]: {words.SHIPS: kept}}, [], Setting())


@pytest.fixture
def stopped() -> Grid:
    grid = grids.load(BOTH[1], Setting())
    assert grid is not None
    return dataclasses.replace(grid, done=0.12)


def test_a_stopped_grid_is_not_said_to_have_withstood(stopped):
    said = words.lines({BOTH[1]: {words.IN_SESSION: stopped}}, [], Setting())
    assert "stopped when 12 % of the pairs were finished" in said and "The paper" not in said


def test_both_grids_of_a_network_can_be_taken_away(stopped):
    whole = dataclasses.replace(stopped, done=1.0)
    arrays = downloads.arrays({BOTH[1]: {words.SHIPS: whole, words.IN_SESSION: stopped}})
    np.testing.assert_array_equal(arrays[f"{BOTH[1]}/found"], whole.found)
    assert arrays[f"{BOTH[1]}/anew/done"] == 0.12


def test_the_python_that_is_offered_runs(capsys):
    exec(downloads.grid_code(BOTH[:1], QUICK), {})
    assert "of 90 pairs fooled" in capsys.readouterr().out


def test_of_a_network_that_steps_first_a_grid_says_nothing_and_so_it_says(stopped):
    shown = {"a": {words.SHIPS: stopped}, "b": {words.SHIPS: stopped}}
    assert words.NOTHING_PASSES not in words.lines(shown, [], Setting())
    assert f"\nb: {words.NOTHING_PASSES}" in words.lines(shown, ["c"], Setting(), ["b", "c"])
