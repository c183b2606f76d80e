"""The live attack page, run without a browser, and what stands behind it."""

import csv
import gc
import io
import weakref

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from satcore import attacks, data, library, networks
from satcore.dashboard.live_attack import downloads, run, words
from satcore.dashboard.live_attack.run import SCALARS, Run, Settings
from satcore.dashboard.live_attack.words import FREE
from tests.dashboard import pages
from tests.dashboard.pages import MLPS, button
from tests.examples import load, of_family

INDEX = 30  # a 3
SATURATED = "sigmoid-mlp/saturated"


def opened(**parameters) -> AppTest:
    return pages.opened("live_attack", **({"pick": "by index", "index": str(INDEX)} | parameters))


def drawn(page: AppTest) -> dict:
    """What the view was told, by network."""
    return {network["name"]: network for network in pages.told(page, "networks")}


def run_of(attack: str, into: int | None = None, names=MLPS, index: int = INDEX, **parameters) -> Run:
    images, labels = data.example("test", index)
    return Run(Settings(tuple(names), index, int(labels), into, attack, tuple(sorted(parameters.items()))), images)


def ended(run: Run) -> Run:
    run.running = True
    while run.running:
        run.advance(60)
    return run


@pytest.mark.parametrize(
    "attack, parameters",
    [
        ("FGSM", {"epsilon": 0.25}),
        ("PGD", {"epsilon": 0.25, "steps": 20}),
        ("Adam", {"steps": 60}),
        ("L-BFGS", {"steps": 60}),
        ("Square", {"epsilon": 0.25, "queries": 60}),
    ],
)
def test_a_run_ends_where_the_attack_itself_does(attack, parameters):
    run = ended(run_of(attack, **parameters))
    images, labels = data.example("test", INDEX)
    function = getattr(attacks, {"L-BFGS": "lbfgs"}.get(attack, attack.lower()))
    for name in MLPS:
        result = function(load(name), images, labels, targeted=False, **parameters)
        trace, count = run.traces[name], int(result.iterations)
        assert (trace.column("seen")[-1] != int(labels)) == bool(result.success)
        assert f"{count:,} " in trace.says or bool(result.zero_gradient) or not count
        assert trace.says.startswith("Fooled after") == bool(result.success)


def test_what_is_said_of_a_gradient_that_is_zero_is_true():
    trace = ended(run_of("PGD", epsilon=0.25, steps=10)).traces[SATURATED]
    assert trace.says == words.STUCK and trace.column("log10_gradient").tolist() == [-np.inf]
    softened = ended(run_of("PGD", epsilon=0.25, steps=40, gradient="softened", temperature=30.0))
    assert softened.traces[SATURATED].says.startswith("Fooled after") and not softened.notes


@pytest.mark.parametrize("gradient, says", [("autograd", words.STUCK), ("exact", words.TRULY_STUCK)])
def test_what_a_step_does_not_let_through_is_said_in_its_column(gradient, says):
    name = library.add(networks.build(networks.mlp("step", (16,))), "steps")
    images, _ = data.example("test", INDEX)
    seen = int(load(name)(images).argmax())
    run = Run(Settings((name,), INDEX, seen, None, "PGD", (("gradient", gradient),)), images)
    assert run.finished and run.traces[name].says == says


def test_free_pixels_are_searched_behind_a_step_and_nowhere_else():
    name = pages.own_dendritic()
    images, _ = data.example("test", INDEX)
    seen, settings = load(name)(images).argmax(1), (("epsilon", 0.3), ("steps", 30))
    run = ended(Run(Settings((name, SATURATED), INDEX, int(seen), None, FREE, settings), images))
    result = attacks.cube(load(name), images, seen, **dict(settings))
    assert bool(result.success) and run.traces[name].says.startswith(f"Fooled after {int(result.iterations)} step")
    assert run.traces[name].column("linf")[-1] <= 0.3 + 1e-6
    assert run.refused == {SATURATED: words.NOT_FREE} and "attacks.cube(" in downloads.run_code(run)
    assert downloads.file_name(run.settings) == f"free-pixels-{int(seen)}-other"


def test_where_no_pixel_is_free_it_says_so():
    name = pages.own_dendritic()
    images = data.example("test", INDEX).images.round()
    seen = int(load(name)(images).argmax())
    run = Run(Settings((name,), None, seen, None, FREE, (("epsilon", 0.25), ("steps", 10))), images)
    assert run.finished and run.traces[name].says == words.NONE_FREE


def test_free_pixels_are_offered_where_a_network_of_the_line_up_steps_first():
    name = pages.own_dendritic()
    page = opened(networks=[name, SATURATED], attack=FREE)
    assert not page.exception and not page.error
    settings = page.session_state["run"].settings
    assert settings.attack == FREE and dict(settings.parameters) == {"epsilon": 0.25, "steps": 60}
    assert drawn(page)[SATURATED]["refused"] == words.NOT_FREE and not drawn(page)[name]["refused"]
    page.session_state["networks"] = [SATURATED]
    page = page.run()
    offered = next(pills for pills in page.get("button_group") if pills.key == "attack")
    assert not page.exception and FREE not in offered.options and page.session_state["run"].settings.attack == "PGD"


def test_where_softening_changes_no_slope_it_says_so():
    run = run_of("PGD", names=["relu-mlp/vanilla", MLPS[0]], gradient="softened", temperature=30.0)
    assert run.notes == {"relu-mlp/vanilla": words.NOT_SOFTER}


def test_an_image_that_is_seen_as_neither_is_not_still_the_source():
    names = ("relu-mlp/saturated", "relu-mlp/control")
    run = ended(run_of("L-BFGS", into=7, names=names, steps=1000, gradient="softened", temperature=30.0))
    for trace in run.traces.values():
        seen = int(trace.column("seen")[-1])
        if seen not in (3, 7):
            assert trace.says.endswith(f"it sees {words.with_article(seen)}, not a 7.")
        else:
            assert trace.says.startswith("Fooled after") == (seen == 7) and ("still a 3" in trace.says) == (seen == 3)


@pytest.mark.parametrize("attack", ["PGD", "Square"])
def test_an_image_that_was_misread_is_not_said_to_have_been_fooled(attack):
    images, labels = data.load("test")
    index = int((load(MLPS[0])(images).argmax(1) != labels).nonzero()[0])
    assert ended(run_of(attack, names=MLPS[:1], index=index)).traces[MLPS[0]].says.endswith("before any attack.")


def test_an_image_that_was_misread_is_said_to_have_been_seen_as_what_it_was():
    images, labels = (part[:500] for part in data.load("test"))
    network = load("relu-mlp/vanilla")
    before, after = (network(x).argmax(1) for x in (images, attacks.fgsm(network, images, labels).images))
    index = int(((before != labels) & (after != before)).nonzero()[0])
    said = ended(run_of("FGSM", names=["relu-mlp/vanilla"], index=index)).traces["relu-mlp/vanilla"].says
    first, then = (words.with_article(int(seen[index])) for seen in (before, after))
    assert said == f"It sees {first} before any attack, and {then} after it."


def test_a_network_that_sees_the_target_already_says_so_and_the_others_go_on():
    images, labels = data.load("test")
    seen = {name: load(name)(images).argmax(1) for name in MLPS[:2]}
    index = int(((seen[MLPS[0]] == labels) & (seen[MLPS[1]] != labels)).nonzero()[0])
    run = ended(run_of("Adam", into=int(seen[MLPS[1]][index]), names=MLPS[:2], index=index, steps=100))
    assert list(run.refused) == [MLPS[1]] and "doesn't see yet" in run.refused[MLPS[1]]
    assert run.traces[MLPS[0]].rows and not run.traces[MLPS[1]].rows


def test_a_long_trace_keeps_every_number_and_fewer_and_fewer_images():
    attacked = ended(run_of("Adam", into=7, names=[SATURATED], steps=300))
    trace = attacked.traces[SATURATED]
    assert len(trace.rows) == 301 and trace.column("iteration").tolist() == list(range(301))
    kept = [row for row, _ in trace.frames]
    assert 40 <= len(kept) <= run.FRAMES and kept[0] == 0 and kept[-1] == 300 and kept == sorted(set(kept))
    assert len(set(np.diff(kept[:-1]))) == 1
    original = attacked.image[0, 0].numpy()
    for row, image in trace.frames:
        assert np.abs(image - original).max() == pytest.approx(trace.rows[row][SCALARS.index("linf")], abs=1e-6)


def test_a_finished_run_and_an_abandoned_one_give_their_memory_back():
    abandoned = run_of("Adam", into=7, steps=100_000)
    abandoned.step()
    attack = next(iter(abandoned._attacks.values()))
    there = weakref.ref(attack)
    del attack, abandoned
    gc.collect()
    assert there() is None
    assert not ended(run_of("FGSM", epsilon=0.25))._attacks


def test_two_runs_do_not_disturb_each_other():
    alone = ended(run_of("PGD", epsilon=0.1, steps=12))
    one, other = run_of("PGD", epsilon=0.1, steps=12), run_of("Square", epsilon=0.3, queries=30)
    while not (one.finished and other.finished):
        one.step()
        other.step()
    for name in MLPS:
        np.testing.assert_array_equal(one.traces[name].rows, alone.traces[name].rows)


def test_another_network_of_the_same_name_has_a_run_of_its_own(tiny):
    name = library.add(tiny, "one")
    first = run_of("PGD", names=[name], steps=3)
    assert run.run_of(first.settings, first.image, first) is first
    library.remove(name)
    assert library.add(of_family("relu-mlp", 8, seed=5), "one") == name
    assert run.run_of(first.settings, first.image, first) is not first


def test_the_images_kept_have_the_steps_that_the_csv_counts():
    """L-BFGS looks at the loss several times a step."""
    attacked = ended(run_of("L-BFGS", names=["sigmoid-mlp/control"], index=7, gradient="exact", steps=20))
    trace = attacked.traces["sigmoid-mlp/control"]
    steps = downloads.arrays_of_run(attacked)["sigmoid-mlp/control/step"]
    assert steps.tolist() == trace.column("iteration")[[row for row, _ in trace.frames]].tolist()
    assert steps[-1] == trace.column("iteration")[-1] < len(trace.rows) - 1


def test_the_csv_has_a_row_a_network_and_step():
    run = ended(run_of("PGD", epsilon=0.25, steps=5))
    rows = list(csv.DictReader(io.StringIO(downloads.csv_of_run(run))))
    assert len(rows) == sum(len(trace.rows) for trace in run.traces.values())
    assert {row["network"] for row in rows} == set(MLPS) and set(SCALARS) < set(rows[0])


@pytest.mark.parametrize("index", [INDEX, None])
def test_the_python_that_is_offered_repeats_the_attack(index, tmp_path, monkeypatch, capsys):
    parameters = (("epsilon", 0.25), ("steps", 20))
    run = ended(Run(Settings((MLPS[0],), index, 3, 7, "PGD", parameters), data.example("test", INDEX).images))
    np.savez(tmp_path / "pgd-3-7.npz", **downloads.arrays_of_run(run))
    monkeypatch.chdir(tmp_path)
    exec(downloads.run_code(run), {})
    assert f"tensor([{len(run.traces[MLPS[0]].rows) - 1}])" in capsys.readouterr().out


# ---- the page


def test_a_whole_attack_step_by_step_and_reset():
    page = opened(attack="PGD", gradient="softened", into="7")
    assert not page.exception and not page.error
    assert list(drawn(page)) == MLPS and all(network["says"] == "It sees a 3." for network in drawn(page).values())
    for _ in range(3):
        page = button(page, "Step").click().run()
    assert not page.exception and not page.error
    assert all("step" in network["says"] for network in drawn(page).values())
    page = button(page, "Reset").click().run()
    assert all(network["says"] == "It sees a 3." for network in drawn(page).values())


def test_play_and_pause():
    page = button(opened(attack="Adam", into="7", steps="1000"), "Play").click().run()
    page = button(page, "Pause").click().run()
    rows = drawn(page)[SATURATED]["columns"]["iteration"]
    page = page.run()
    assert not page.exception and drawn(page)[SATURATED]["columns"]["iteration"] == rows


@pytest.mark.parametrize("attack, gradient", [("FGSM", "exact"), ("L-BFGS", "softened"), ("Square", "autograd")])
def test_a_link_reproduces_the_setup(attack, gradient):
    page = opened(attack=attack, gradient=gradient, into="7", networks=["cnn/control", "relu-mlp/vanilla"])
    assert not page.exception and not page.error
    settings = page.session_state["run"].settings
    assert settings.names == ("cnn/control", "relu-mlp/vanilla")
    assert (settings.attack, settings.into, settings.way) == (attack, 7, gradient)


def test_an_old_link_goes_into_its_target_with_its_family():
    page = opened(first=True, family="relu-mlp", target="7")
    assert not page.exception and not page.error
    settings = page.session_state["run"].settings
    assert settings.into == 7 and settings.names == tuple(f"relu-mlp/{training}" for training in pages.FAMILY)
    assert "target" not in page.query_params


def test_the_target_of_another_page_is_not_taken_for_ones_own():
    assert opened(target="7").session_state["run"].settings.into is None


def test_the_images_own_digit_cannot_be_gone_to():
    page = opened(pick="most confident", digit="3", into="5")
    assert page.session_state["run"].settings.into == 5
    page.session_state["digit"] = 5
    page = page.run()
    goal = next(pills for pills in page.get("button_group") if pills.key == "into")
    assert not page.error and goal.value == "any other" and "5" not in goal.options
    assert page.session_state["run"].settings.into is None


def test_networks_of_ones_own_stand_beside_the_papers():
    names = [pages.own_mlp(), pages.own_cnn(), SATURATED, "cnn/vanilla"]
    page = opened(networks=names, attack="PGD", gradient="softened")
    assert not page.exception and not page.error and list(drawn(page)) == names
    page = button(page, "Step").click().run()
    assert not page.exception and not page.error
    assert len({network["colour"] for network in drawn(page).values()}) == 4


def test_a_damaged_card_and_a_line_up_of_one_leave_the_page_whole():
    pages.damage(pages.own_mlp())
    page = opened(networks=["mine/wide-tanh", SATURATED])
    assert not page.exception and list(drawn(page)) == [SATURATED]


def test_garbage_in_the_address_is_no_catastrophe():
    garbled = {"attack": "magic", "gradient": "up", "into": "twelve", "radius": "nan", "steps": "-1", "rate": ""}
    page = opened(first=True, target="x", temperature="0", family="x", networks="nobody", **garbled)
    assert not page.exception and not page.error


def test_drawing_asks_for_a_drawing():
    page = opened(first=True, pick="draw one")
    assert not page.exception and not page.error
    assert page.info[0].value == words.DRAW
