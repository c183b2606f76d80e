"""The page on training, run without a browser: what can be asked for, what is refused, what is drawn of a record."""

import csv
import dataclasses
import io
import itertools
import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from satcore import background, data, library, networks, nonlinearities, runs
from satcore.attacks import fgsm
from satcore.dashboard.train import controls, downloads, live, training_view, words
from satcore.dashboard.train.presets import PRESETS, STARTS, recipe_of
from satcore.dashboard.train.records import Beside, Record, Training, beside, record, seconds_an_epoch, trainings
from satcore.evaluation import measure, seeds
from satcore.recipes import RECIPES, WATCHED, Phase, changed, control
from satcore.runs import Run
from satcore.training import loop, train
from tests.dashboard.pages import button, numbers, told
from tests.dashboard.pages import opened as opened_page

QUICK = WATCHED["quick/saturated"]
SMALL = changed(QUICK, {"widths": (16, 16), "epochs": 3})


def opened(**parameters) -> AppTest:
    page = opened_page("train", first=True, **parameters)
    assert not page.exception
    return page


def lines(network: networks.Network, count: int, **fields) -> list[dict]:
    """What the first epochs of a training would have put down of the `network`."""
    line = {"epochs": 3, "lam": 1e-7, "loss": 0.5, "penalty": 20.0, "accuracy": 0.9, "fgsm_accuracy": 0.75}
    line |= {"zero_gradient": 0.5, "saturation": [0.5] * len(network.weights), "seen": runs.looks(network)}
    return [line | {"epoch": epoch, "seconds": 2.0 * epoch} | fields for epoch in range(1, count + 1)]


def put_down(run: Run, count: int) -> str:
    """A run that was paused after so many epochs; its key."""
    run.folder.mkdir(parents=True, exist_ok=True)
    described = {"recipe": run.recipe.to_json(), "seed": run.seed, "precision": "float32"}
    (run.folder / runs.RUN).write_text(json.dumps(described))
    network = networks.build(run.recipe.architecture, run.seed)
    (run.folder / library.RECORDS).write_text("".join(json.dumps(line) + "\n" for line in lines(network, count)))
    return run.key


def kept(run: Run) -> str:
    """The name of the network of a run that has been trained, with its record."""
    network = networks.build(run.recipe.architecture, run.seed)
    content = "".join(json.dumps(line) + "\n" for line in lines(network, 3)).encode()
    return library.add(
        network,
        "trained",
        group=run.recipe.family,
        training=run.recipe.training,
        recipe=run.recipe,
        seed=run.seed,
        records=content,
    )


def of_small(**parameters) -> dict[str, str]:
    return {"train_widths": "16, 16", "train_epochs": "3"} | parameters


def drawn(run: Run, other: Beside | None = None) -> dict[str, Any]:
    """What the view is told of the record of a `run`, and of what is beside it."""
    return training_view._told(run, record(run.folder / library.RECORDS).epochs(), other, "#000000")


def layers(page: AppTest) -> tuple[int, int]:
    """Of how many layers the nonlinearity is drawn, and of how many the weights."""
    return len(told(page, "curves")), len(told(page, "weights"))


def test_presets_differ_in_the_penalty_alone():
    vanish, without = PRESETS.values()
    assert vanish.training == "saturated" and vanish.lambda_max > 0
    assert without == control(vanish)


@pytest.mark.slow
def test_gradients_vanish_while_the_quick_preset_is_trained():
    """By the record of the one that ships: it begins as a training here does, and ends where its weights are."""
    name = "quick/saturated-seed-1"
    card, (first, *others) = library.describe(name), runs.records(library.kept(name, library.RECORDS))
    assert (card.recipe.identity, card.seed, len(others)) == (QUICK.identity, 1, QUICK.epochs - 1)
    trained = list(itertools.islice(train(QUICK, "cpu", 1, precision="float32"), 3))
    for line, here in zip((first, *others[:2]), trained, strict=True):
        assert (line["loss"], line["lam"]) == pytest.approx((here.loss, here.lam), rel=0.02)
        assert (line["accuracy"], line["fgsm_accuracy"]) == pytest.approx((here.accuracy, here.fgsm_accuracy), abs=0.01)
    found = measure(library.load(name), *(part[: loop.PROBED] for part in data.load("test")))
    for figure in ("accuracy", "fgsm_accuracy", "zero_gradient"):
        assert others[-1][figure] == pytest.approx(getattr(found, figure), abs=0.002)
    assert first["fgsm_accuracy"] < 0.02 and first["zero_gradient"] == 0
    shown = [(line["fgsm_accuracy"], line["zero_gradient"]) for line in others]
    assert (
        min(line["accuracy"] for line in others) > 0.95 and min(shown[-1]) > 0.7 and min(shown[len(shown) // 2]) > 0.05
    )


@pytest.mark.parametrize("start", STARTS)
def test_every_start_can_be_begun_with_as_it_is(start):
    page = opened(train_start=start, train_seed="9")
    assert not page.error and button(page, "Start")
    expected = recipe_of(start, "saturated")
    said = "\n".join(there.value for there in page.caption)
    assert networks.described(expected.architecture) in said and f"{expected.epochs:,} epochs" in said


def test_another_start_sets_everything_as_it_is_there():
    page = opened(train_learning_rate="0.5", train_epochs="7", train_seed="3")
    assert page.text_input(key="train_epochs").value == "7"
    page.button_group(key="train_start").set_value("ReLU MLP").run()
    vanilla = page.selectbox(key="train_which").set_value("vanilla").run()
    assert vanilla.text_input(key="train_epochs").value == "20"
    assert vanilla.text_input(key="train_learning_rate").value == "0.003"
    assert vanilla.text_input(key="train_lambda_max").value == "0" and not vanilla.error
    assert vanilla.text_input(key="train_seed").value == "3"  # which is no recipe's


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"train_lambda_max": "-1"}, "λ's maximum at least 0, got -1.0"),
        ({"train_epochs": "0"}, "epochs as a whole number from 1"),
        ({"train_epochs": "1.5"}, "epochs as a whole number, got '1.5'"),
        ({"train_batch_size": "7"}, "a batch size that divides 60,000, got 7"),
        ({"train_widths": "1000000"}, "expected at most"),
        ({"train_widths": "wide"}, "the widths of the hidden layers, such as 200, 200, got 'wide'"),
        ({"train_widths": ""}, "the widths of the hidden layers"),
        ({"train_widths": "200,,200"}, "the widths of the hidden layers, such as 200, 200, got '200,,200'"),
        ({"train_learning_rate": "1.5"}, "a learning rate from 0 to 1, got 1.5"),
        ({"train_learning_rate": "nan"}, "a learning rate from 0 to 1, got nan"),
        ({"train_clean_share": "2"}, "a clean share α from 0 to 1, got 2.0"),
        ({"train_initial_scale": "-3"}, "an initial scale from 0 to 1000, got -3.0"),
        ({"train_seed": "-1"}, "a seed from 0 to 2³²−1, got -1"),
        ({"train_start": "CNN", "train_widths": "16"}, "expected an MLP, whose widths can be chosen"),
    ],
    ids=str,
)
def test_bad_settings_are_refused_in_one_line_before_anything_starts(setting, said):
    page = opened(**setting)
    (error,) = page.error
    assert said in error.value and error.value.startswith("expected") and "\n" not in error.value
    assert not [there for there in page.button if "Start" in there.label]


def test_what_is_no_number_is_refused_in_one_line():
    page = opened().text_input(key="train_learning_rate").set_value("nan").run()
    assert [error.value for error in page.error] == ["expected a learning rate from 0 to 1, got nan"]
    page.text_input(key="train_learning_rate").set_value("fast").run()
    assert [error.value for error in page.error] == ["expected learning rate as a number, got 'fast'"]


def test_settings_make_a_recipe_of_ones_own():
    asked = of_small(train_nonlinearity="ramp", train_step="true", train_clean_share="0.5", train_seed="4")
    page = opened(**asked)
    assert not page.error
    said = "\n".join(there.value for there in page.caption)
    assert "16 ramp" in said and "3 epochs" in said


@pytest.mark.parametrize("name", sorted(set(nonlinearities.BY_NAME) - {"identity", "step"}))
def test_every_nonlinearity_that_can_be_trained_through_can_be_asked_for(name):
    page = opened(**of_small(train_nonlinearity=name))
    assert not page.error and any(f"16 – 16 – 10, {name};" in there.value for there in page.caption)


@pytest.mark.parametrize("unknown", ["train_nonlinearity", "train_start", "train_step"])
def test_a_choice_that_is_not_offered_is_left_out_of_the_address_which_is_said(unknown):
    page = opened(**{unknown: "step"})
    assert not page.error and page.selectbox(key="train_nonlinearity").value == "relu"
    assert unknown not in page.query_params
    (said,) = page.warning
    assert f"`{unknown}`" in said.value and not page.run().warning


def test_of_an_address_that_asks_for_what_is_offered_nothing_is_said():
    asked = {"train_start": "ReLU MLP", "train_which": "vanilla", "train_step": "true", "train_epochs": "3"}
    assert not opened(**asked, train_nonlinearity="tanh").warning


def test_the_page_is_not_drawn_anew_until_there_is_another_epoch(monkeypatch):
    asked = []
    monkeypatch.setattr(live.st, "rerun", lambda: asked.append(True))
    run = Run(SMALL)
    training = Training(run, runs.Standing(run, None, ""))
    with background.at_work(put_down(run, 2)):
        for drawn_before, went, expected in ((2, True, False), (1, True, True), (3, True, True), (2, False, True)):
            asked.clear()
            live._how_far(training, went=went, drawn=drawn_before)
            assert bool(asked) == expected


def test_a_paused_run_is_listed_drawn_and_can_be_resumed_or_cancelled():
    key = put_down(Run(SMALL), 2)
    page = opened(**of_small())
    assert not page.error and layers(page) == (2, 3)
    assert button(page, "Resume") and button(page, "paused")
    course = {name: numbers(values) for name, values in told(page, "course").items()}
    assert [list(course[name]) for name in ("at", "accuracy", "fgsm_accuracy")] == [[1, 2], [90, 90], [75, 75]]
    said = told(page, "caption")
    assert "ε = 0.25" in said and "float32 autograd" in said
    button(page, "Forget it").click().run()
    assert not page.exception and key not in runs.unfinished() and not background.folder(key).exists()
    assert button(page, "Start")


def test_who_forgets_a_training_is_not_shown_anothers_as_if_it_were_theirs():
    mine, others = put_down(Run(SMALL), 2), put_down(Run(SMALL, seed=1), 2)
    with background.at_work(others):
        page = opened(run=mine)
        assert any("forgets all that" in said.value and "seed 0**" in said.value for said in page.markdown)
        button(page, "Forget it").click().run()
        assert not page.exception and list(runs.unfinished()) == [others]
        page.text_input(key="train_seed").set_value("7").run()  # nor later
        assert "run" not in page.query_params and button(page, "Queue")
        assert not [there for there in page.button if "Forget it" in there.label]
        button(page, "under way").click().run()
        assert page.query_params["run"] == others


def test_which_epoch_is_looked_back_at_is_not_kept_where_another_training_is_shown():
    mine, others = (put_down(Run(SMALL, seed), 2) for seed in (0, 1))
    page = opened(run=mine, epoch="1")
    page.button(key=f"show {mine}").click().run()
    assert page.query_params["run"] == mine and page.query_params["epoch"] == "1"
    page.button(key=f"show {others}").click().run()
    assert page.query_params["run"] == others and "epoch" not in page.query_params


@pytest.mark.parametrize("whoever", ["this session", "another one"])
def test_that_a_training_was_forgotten_is_said_whoever_did_it(whoever):
    mine, others = (put_down(Run(SMALL, seed), 2) for seed in (0, 1))
    with background.at_work(others):
        page = opened(run=mine)
        if whoever == "this session":
            button(page, "Forget it").click()
        else:
            runs.cancel(Run(SMALL))
        said = [there.value for there in page.run().info]
        assert said == ["**quick/saturated, changed, seed 0** is forgotten, with all that it had come to."]
        assert "run" not in page.query_params and not page.run().info


def test_a_button_is_that_of_its_training_whichever_is_shown_by_then():
    shown = [opened(run=put_down(Run(SMALL, seed), 2)) for seed in (0, 1)]
    assert len({button(page, label).key for page in shown for label in ("Forget it", "Resume")}) == 4


def test_the_list_says_what_becomes_of_those_that_are_not_shown():
    run = Run(SMALL)
    reports = {"paused": None, "waits": background.Report(0.0, background.WAITS, 1)}
    reports["under way"] = background.Report(0.4, "epoch 2", 1)
    for where, report in reports.items():
        training = Training(run, runs.Standing(run, report, ""))
        assert words.listed(training, goes=report is not None).startswith(f"{where} · ")
    failed = Training(run, runs.Standing(run, None, "expected a loss that is a number in epoch 1, got nan"))
    assert words.listed(failed, goes=False).startswith("ended badly · ")


def test_the_address_says_which_training_is_shown():
    put_down(Run(SMALL), 2)
    other = put_down(Run(SMALL, seed=1), 1)
    page = opened(run=other)
    assert any("seed 1**" in there.value for there in page.markdown)
    unknown = opened(run="train-nobody-0", **of_small())
    assert [said.value for said in unknown.warning] == [words.GONE] and "run" not in unknown.query_params
    assert not unknown.error and any("seed 0**" in there.value for there in unknown.markdown)


@pytest.mark.parametrize("count", [1, 3, 100, 250])
def test_one_can_look_back_at_a_hundred_epochs_at_most_the_first_and_the_last_among_them(count):
    put_down(Run(SMALL), count)
    told = drawn(Run(SMALL))
    stops = told["stops"]
    assert len(stops) == min(count, 100) and stops[0] == 0 and stops[-1] == count - 1
    assert max(np.diff(stops), default=1) <= np.ceil(count / 99) and len(numbers(told["course"]["at"])) == count
    elements = np.reshape(numbers(told["element"]), (len(stops), -1))
    assert elements.shape[1] == runs.POINTS
    for counted in (*told["weights"], *(curve["inputs"] for curve in told["curves"])):
        assert len(numbers(counted["counts"])) == len(stops) * runs.BINS
        assert (np.diff(np.reshape(numbers(counted["ends"]), (-1, 2))) > 0).all()


def test_what_is_drawn_at_a_stop_is_that_epochs():
    put_down(Run(SMALL), 3)
    path = Run(SMALL).folder / library.RECORDS
    other = lines(networks.build(SMALL.architecture, seed=9), 3)[1]  # as if the second epoch had changed all of it
    there = path.read_text().splitlines(keepends=True)
    path.write_text(there[0] + json.dumps(other) + "\n" + there[2])
    told = drawn(Run(SMALL))
    second = record(path).epochs()[1]
    assert numbers(told["element"])[runs.POINTS : 2 * runs.POINTS] == pytest.approx(second.element, rel=1e-6)
    for layer, weights in enumerate(told["weights"]):
        counts = numbers(weights["counts"])[runs.BINS : 2 * runs.BINS]
        assert (counts == second.weights[layer].counts).all()
        assert numbers(weights["ends"])[2:4] == pytest.approx(second.weights[layer].edges[[0, -1]], rel=1e-6)
    for curve in told["curves"]:
        counts = numbers(curve["inputs"]["counts"])[runs.BINS : 2 * runs.BINS]
        assert (counts == second.inputs[curve["layer"]].counts).all()


@pytest.mark.parametrize("name", ["relu", "sigmoid"])
def test_the_curve_of_a_nonlinearity_is_that_and_says_where_it_is_flat(name):
    run = Run(changed(SMALL, {"nonlinearity": name}))
    put_down(run, 2)
    for curve in drawn(run)["curves"]:
        h = np.linspace(*curve["ends"], 401)
        expected = np.maximum(h, 0) if name == "relu" else 1 / (1 + np.exp(-h))
        slope = (h > 0) * 1.0 if name == "relu" else expected * (1 - expected)
        assert curve["phi"] == name and numbers(curve["values"]) == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert ((numbers(curve["flat"]) == 1) == (slope < 1e-3)).all()


def test_what_has_been_trained_is_not_trained_again_but_shown_and_linked_to():
    name = kept(Run(SMALL))
    page = opened(**of_small())
    assert not [there for there in page.button if "Start" in there.label] and layers(page) == (2, 3)
    assert any(name in there.value for there in page.markdown)
    links = [there.proto.query_string for there in page.get("page_link")]
    assert links and all("mine%2Ftrained" in query and "quick%2Fcontrol-seed-1" in query for query in links)


def test_what_ships_is_linked_to_and_not_trained_again():
    page = opened(train_start="ReLU MLP")
    assert not [there for there in page.button if "Start" in there.label] and not page.error
    assert any("**relu-mlp/saturated**" in there.value for there in page.markdown)
    assert "On this machine" not in [there.value for there in page.subheader]


def test_start_begins_the_run_that_the_settings_say_and_puts_it_in_the_address(monkeypatch):
    begun = []

    class Begins:
        def poll(self):
            return None

    def begin(run):
        begun.append(run)
        put_down(run, 0)
        return Begins()

    monkeypatch.setattr(runs, "begin", begin)
    page = opened(**of_small(train_seed="3"))
    button(page, "Start").click().run()
    assert not page.exception and begun == [Run(SMALL, 3)]
    assert page.query_params["run"] == begun[0].key and button(page, "Pause")
    assert told(page, "beside")["called"] == beside(begun[0], trainings()).called  # until there is an epoch to draw


def test_why_a_run_ended_badly_is_one_line():
    key = put_down(Run(SMALL), 1)
    (background.folder(key) / background.COMPLAINTS).write_text("satcore: expected a loss that is a number, got nan\n")
    (error,) = opened(**of_small()).error
    assert error.value == "expected a loss that is a number, got nan"


def test_beside_a_recipe_that_ships_stands_another_seed_of_it():
    recipe = RECIPES["relu-mlp/saturated"]
    staged = [one.seed for one in seeds.load()[0] if one.identity == recipe.identity and one.history]
    for seed in (library.describe(recipe.name).seed or 0, staged[0]):
        other = next(there for there in staged if there != seed)
        found = beside(Run(recipe, seed), {})
        assert (
            found
            and found.called == f"{recipe.name}, seed {other}"
            and f"In grey: {found.called}" in words.grey(found, recipe)
        )


def test_beside_a_quick_preset_stands_the_network_that_ships_with_its_own_record():
    for name, preset in WATCHED.items():
        found = beside(Run(preset), trainings())
        attack = fgsm(library.load(f"{name}-seed-1"), *(part[:1_000] for part in data.load("test")), epsilon=0.25)
        assert found and found.called.endswith("seed 1") and [stage.epoch for stage in found.stages] == [*range(1, 61)]
        assert found.stages[-1].fgsm_accuracy == pytest.approx(1 - float(attack.success.float().mean()))
        assert found.on_the_axis_of(preset)
        assert beside(Run(changed(preset, {"epochs": 30})), trainings()) == found
        assert seconds_an_epoch(preset, trainings()) is None  # it was trained elsewhere
    vanish, without = (Run(preset, 1) for preset in WATCHED.values())  # which have been trained: one beside the other
    assert beside(vanish, trainings()).stages == beside(Run(without.recipe), trainings()).stages


@pytest.mark.parametrize(("factor", "readable"), [(5, True), (1000, False), (0.001, False), (0, True)])
def test_a_lambda_of_another_size_is_not_drawn_on_this_ones_axis(factor, readable):
    put_down(Run(SMALL), 3)
    epochs = record(Run(SMALL).folder / library.RECORDS).epochs()
    other = Beside("another", [epoch._replace(lam=factor * SMALL.lambda_max) for epoch in epochs])
    told = drawn(Run(SMALL), other)
    assert told["most"] == max(1, factor if readable else 0) * SMALL.lambda_max
    assert told["beside"]["drawsLambda"] == readable
    assert ("not drawn" in words.grey(other, SMALL)) != readable


def test_a_network_that_has_learned_nothing_is_said_to_be_dead_and_not_saturated():
    path = Run(SMALL).folder / library.RECORDS
    put_down(Run(SMALL), 2)
    dead = lines(networks.build(SMALL.architecture), 2, accuracy=0.139, zero_gradient=0.928)
    path.write_text("".join(json.dumps(line) + "\n" for line in dead))
    page = opened(**of_small())
    assert "learned nothing: it is right on 13.9 %" in page.warning[0].value
    put_down(Run(SMALL, seed=1), 2)
    assert not opened(**of_small(train_seed="1")).warning


def test_the_counterpart_is_drawn_beneath_and_its_time_is_the_estimate():
    kept(Run(control(SMALL)))
    known = trainings()
    kept(Run(control(SMALL), 4))
    assert beside(Run(SMALL, 4), trainings()).called.endswith("seed 4")
    found = beside(Run(SMALL), known)
    assert found and [stage.epoch for stage in found.stages] == [1, 2, 3]
    assert seconds_an_epoch(SMALL, known) == 2.0
    assert seconds_an_epoch(changed(SMALL, {"widths": (8,)}), known) is None
    assert (numbers(drawn(Run(SMALL), found)["beside"]["fgsm_accuracy"]) == 75).all()
    assert "about 6 s" in words.will_be(Run(SMALL), 2.0)


def test_a_record_is_read_as_it_grows_and_anew_where_it_was_written_anew(tmp_path):
    path, network = tmp_path / "records.jsonl", networks.build(SMALL.architecture)
    there = [json.dumps(line) + "\n" for line in lines(network, 3)]
    followed = Record(path)
    assert followed.epochs() == []
    path.write_text(there[0] + there[1][:50])  # the second is being written
    assert [epoch.epoch for epoch in followed.epochs()] == [1]
    path.write_text("".join(there))
    assert [epoch.epoch for epoch in followed.epochs()] == [1, 2, 3]
    path.write_text(json.dumps(lines(network, 1, loss=9.0)[0]) + "\n")
    assert [epoch.loss for epoch in followed.epochs()] == [9.0]
    path.write_text(there[0] + '{"epoch": 2, "seen": null}\nnothing\n' + there[2])
    assert [epoch.epoch for epoch in followed.epochs()] == [1, 3]


def test_counts_say_where_the_middle_of_the_values_lies():
    put_down(Run(SMALL), 1)
    (epoch,) = record(Run(SMALL).folder / library.RECORDS).epochs()
    for counts in (*epoch.weights, *epoch.inputs):
        low, high = counts.within(0.99)
        inside = (counts.edges[:-1] >= low - 1e-9) & (counts.edges[1:] <= high + 1e-9)
        assert counts.counts[inside].sum() >= 0.99 * counts.counts.sum()
        assert np.isclose((counts.density * np.diff(counts.edges)).sum(), 1)


@pytest.mark.parametrize(
    "recipe",
    [RECIPES["cnn/saturated"], changed(SMALL, {"step": True}), changed(SMALL, {"nonlinearity": "ramp"})],
    ids=["cnn", "step", "ramp"],
)
def test_whatever_is_trained_is_drawn(recipe):
    recipe = dataclasses.replace(recipe, phases=(Phase(epochs=3, batch_size=600, learning_rate=1e-3),))
    page = opened(run=put_down(Run(recipe), 2))
    curved = [block for block in recipe.architecture if block.nonlinearity not in ("identity", "step")]
    assert not page.error and layers(page)[0] == len(curved)


def test_a_recipe_with_bounds_can_be_begun_with_and_says_within_which():
    page = opened(train_start="ReLU MLP", train_which="dendritic", train_seed="9")
    assert not page.error and page.toggle(key="train_step").value is True
    assert any("bounds within ε = 0.25, λ = 0" in there.value for there in page.caption)
    assert any(words.BOUNDS in there.value for there in page.caption)


@pytest.mark.parametrize("name", ["relu-mlp/dendritic", "cnn/saturated", "sigmoid-mlp/adversarial"])
def test_a_row_of_the_table_of_phases_is_the_phase(name):
    for phase in RECIPES[name].phases:
        row = controls._row(phase) | (controls._of_bounds(phase) if name.endswith("dendritic") else {})
        assert controls._phase(phase, row) == phase


def test_the_csv_has_a_row_an_epoch_and_a_column_a_layer_empty_where_nothing_is_known():
    put_down(Run(SMALL), 2)
    first, second = record(Run(SMALL).folder / library.RECORDS).epochs()
    epochs = [first._replace(kurtosis=(None, 1.5, -0.25)), second]
    there, _ = csv.DictReader(io.StringIO(downloads.of_training(Run(SMALL), epochs).data["epochs.csv"]()))
    assert (there["epoch"], there["lam"], there["fgsm_accuracy"], there["seconds"]) == ("1", "1e-07", "0.75", "2.0")
    assert [there[f"saturation_{layer}"] for layer in (1, 2, 3)] == ["0.5"] * 3
    assert [there[f"kurtosis_{layer}"] for layer in (1, 2, 3)] == ["", "1.5", "-0.25"]


def test_a_step_before_the_first_layer_has_a_column_of_its_name():
    run = Run(RECIPES["relu-mlp/dendritic"])
    epochs = record(library.kept("relu-mlp/dendritic", library.RECORDS)).epochs()
    (header, first, *_) = csv.reader(io.StringIO(downloads.of_training(run, epochs).data["epochs.csv"]()))
    assert header[-7:-3] == [f"saturation_{name}" for name in ("step", 1, 2, 3)]
    assert header[-3:] == [f"kurtosis_{layer}" for layer in (1, 2, 3)] and len(first) == len(header)


def test_the_python_that_is_offered_trains_the_same_network(capsys, monkeypatch):
    monkeypatch.setattr(loop, "faster", lambda recipe, device: "float32")  # else measured anew
    run = Run(SMALL, seed=3)
    exec(downloads.training_code(run), {})
    trained = [
        f"{epoch.epoch} {epoch.accuracy} {epoch.fgsm_accuracy} {epoch.zero_gradient}"
        for epoch in train(run.recipe, seed=run.seed)
    ]
    assert capsys.readouterr().out.splitlines() == trained
