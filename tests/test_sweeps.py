"""A sweep ends with every result once, whatever engine it is on and whoever of its workers dies."""

import dataclasses
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from satcore import library, runs, sweeps
from satcore.evaluation import seeds
from satcore.evaluation.seeds import Plan
from satcore.recipes import RECIPES
from satcore.sweeps import Variation

NAME = "relu-mlp/saturated"
SMALL = {"widths": [(8,)], "batch_size": [6_000], "epochs": [3]}  # so that a network takes a second


def names_of(trained: list) -> set[tuple[str, int]]:
    return {(one.identity, one.seed) for one in trained}


def test_seeds_and_settings_are_read_as_they_are_written():
    assert sweeps.seeds_in("0-3") == [0, 1, 2, 3] and sweeps.seeds_in("7,1-2,1") == [7, 1, 2]
    assert sweeps.setting_in("lambda_max=0,1e-9") == ("lambda_max", [0.0, 1e-9])
    assert sweeps.setting_in("widths=40x30,20") == ("widths", [(40, 30), (20,)])
    assert sweeps.setting_in("step=yes,no") == ("step", [True, False])
    assert sweeps.setting_in("nonlinearity=tanh") == ("nonlinearity", ["tanh"])
    assert sweeps.setting_in("epochs=3,4") == ("epochs", [3, 4])


@pytest.mark.parametrize("text", ["", "1-", "-1", "a", "1,,2", "3-1", "0-99999", f"0-{10**20}", "0-9,0-9999", "1.5"])
def test_other_seeds_are_refused(text):
    with pytest.raises(ValueError, match=r"^expected "):
        sweeps.seeds_in(text)


def test_no_value_of_a_setting_that_is_given_twice_is_dropped_without_a_word():
    assert sweeps.settings_in(["epochs=3,4", "step=no"]) == {"epochs": [3, 4], "step": [False]}
    with pytest.raises(ValueError, match=r"^expected all values of epochs in one list"):
        sweeps.settings_in(["epochs=3", "epochs=4"])


def test_all_combinations_are_there_once():
    found = sweeps.variations([NAME, "relu-mlp/control"], [0, 1], {"lambda_max": [0.0, 1e-9]})
    # λ = 0 makes the saturated recipe the control, and is there once; λ > 0 rises in another course in the control.
    assert [(v.name, *v.settings[0][1:], v.seed) for v in found] == [
        (NAME, 0.0, 0), (NAME, 1e-9, 0), ("relu-mlp/control", 1e-9, 0),
        (NAME, 0.0, 1), (NAME, 1e-9, 1), ("relu-mlp/control", 1e-9, 1),
    ]  # fmt: skip


def test_what_cannot_be_trained_is_refused_before_anything_is_begun(own_shelf):
    for names, settings in ((["other"], {}), ([NAME], {"batch_size": [7]}), ([NAME], {"widths": [(10**6,)]})):
        with pytest.raises(ValueError, match=r"^expected "):
            sweeps.variations(names, [0], settings)
    with pytest.raises(ValueError, match=r'expected "local" or "dask://ADDRESS" to sweep on, got'):
        next(sweeps.sweep([Variation(NAME, (), 9)], on="ray"))


def unattacked(network, images, labels, *, epsilon: float) -> SimpleNamespace:
    """In place of `worst_case`, which takes its seconds however few the images: what was wrong before."""
    return SimpleNamespace(broken=network(images).argmax(1) != labels)


def measure_little(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seeds, "worst_case", unattacked)
    patch.setattr(seeds, "MLP", Plan(pairs=2, points=5, epsilon=0.05, images=10))


MEASURED = sweeps._measured


def little_measured(variation: Variation, keep: bool) -> tuple:
    """In place of `sweeps._measured`, where that is done by other processes."""
    with pytest.MonkeyPatch.context() as patch:
        measure_little(patch)
        return MEASURED(variation, keep)


@pytest.fixture
def quick(monkeypatch):
    """In this process: little is measured, of an epoch over the first 6,000 images."""
    monkeypatch.setattr("satcore.training.loop.TRAINING_IMAGES", 6_000)
    measure_little(monkeypatch)
    monkeypatch.setattr(runs, "faster", lambda recipe, device: "float32")


def test_one_network_is_trained_measured_and_kept_where_it_is_asked_for(quick, own_shelf):
    variation = sweeps.variations([NAME], [5], SMALL)[0]
    trained, finished = sweeps._measured(variation, True)
    assert (trained.recipe, trained.seed, trained.identity) == (NAME, 5, variation.run.recipe.identity)
    assert dict(trained.settings) == {"widths": (8,), "batch_size": 6_000, "epochs": 3}
    assert trained.figures == seeds.measured(finished.network)
    assert [stage.epoch for stage in trained.history] == [1, 2, 3]
    assert runs.unfinished() == {} and not (own_shelf / "mine").exists()
    name = finished.keep()
    again, nothing = sweeps._measured(variation, True)  # from the shelf, without training it again
    assert nothing is None and again.figures == trained.figures and again.history == trained.history
    assert library.describe(name).seed == 5


def test_a_shipped_network_is_not_trained_again(quick, monkeypatch):
    monkeypatch.setattr(runs, "carry_out", None)
    trained, _ = sweeps._measured(Variation("relu-mlp/vanilla", (), 0), False)
    assert trained.figures["accuracy"] == library.describe("relu-mlp/vanilla").measurements["accuracy"]
    assert trained.identity == RECIPES["relu-mlp/vanilla"].identity


def test_what_is_there_is_not_computed_again(quick, monkeypatch):
    wanted = sweeps.variations([NAME], [0, 1], SMALL)
    first, _ = sweeps._measured(wanted[0], False)
    seeds.append(first)
    monkeypatch.setattr(sweeps, "_engine", lambda on: sweeps.joblib.parallel_config("sequential"))
    assert names_of(sweeps.sweep(wanted)) == {(wanted[1].run.recipe.identity, 1)}
    assert list(sweeps.sweep(wanted)) == []


def test_a_network_is_kept_where_only_its_record_is_there(quick, monkeypatch):
    monkeypatch.setattr(sweeps, "_engine", lambda on: sweeps.joblib.parallel_config("sequential"))
    wanted = sweeps.variations([NAME], [0], SMALL)
    list(sweeps.sweep(wanted))
    before = seeds.load()[0]
    assert not runs.trained(wanted[0].run)
    list(sweeps.sweep(wanted, keep=True))
    assert runs.trained(wanted[0].run) and seeds.load()[0] == before
    assert list(sweeps.sweep(wanted, keep=True)) == []


@pytest.mark.slow
def test_a_sweep_on_this_machine_ends_with_every_result_once(monkeypatch):
    monkeypatch.setattr(sweeps, "_measured", little_measured)
    wanted = sweeps.variations([NAME], [0, 1], SMALL)
    found = list(sweeps.sweep(wanted, keep=True))
    assert names_of(found) == {(v.run.recipe.identity, v.seed) for v in wanted} and len(found) == 2
    assert names_of(seeds.load()[0]) >= names_of(found)
    assert sorted(name for name in library.names() if name.startswith("mine/")) == [
        f"mine/relu-mlp-saturated-seed-{seed}" for seed in range(2)
    ]


@pytest.mark.slow
def test_a_cluster_one_of_whose_workers_is_killed_ends_with_every_result_once(own_shelf, monkeypatch):
    from distributed import Client, LocalCluster

    monkeypatch.setattr(sweeps, "_measured", little_measured)
    wanted = sweeps.variations([NAME], range(3), SMALL | {"epochs": [12]})
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(own_shelf / "dask")
    ) as cluster:
        killed = []

        def kill_one():
            until = time.monotonic() + 120
            while not runs.unfinished() and time.monotonic() < until:  # once one of them trains
                time.sleep(0.05)
            with Client(cluster.scheduler_address) as client:
                pid = next(iter(client.run(os.getpid).values()))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

        killer = threading.Thread(target=kill_one)
        killer.start()
        found = list(sweeps.sweep(wanted, on=f"dask://{cluster.scheduler_address}"))
        killer.join()
    assert killed and len(found) == 3
    assert names_of(found) == {(v.run.recipe.identity, v.seed) for v in wanted}
    lines = Path(seeds.place()).read_text().splitlines()
    assert len(lines) == 3 and len(set(lines)) == 3
    assert all(dataclasses.is_dataclass(one) for one in found)
