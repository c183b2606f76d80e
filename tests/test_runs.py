"""A run is a folder: whoever looks follows its files, and however it is stopped, it ends in the same network."""

import dataclasses
import functools
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from satcore import background, data, library, runs, weights
from satcore.networks import Network, build
from satcore.recipes import RECIPES, changed
from satcore.runs import Run
from satcore.training import train
from tests.faults import contents, disk_full

ROOT = Path(__file__).parent.parent
RECIPE = changed(RECIPES["relu-mlp/saturated"], {"widths": (8,), "batch_size": 6_000, "epochs": 5, "lambda_max": 1e-3})
RUN = Run(RECIPE, 3)
NAME = "mine/relu-mlp-saturated-seed-3"


def bits(network: Network) -> bytes:
    return b"".join(parameter.detach().contiguous().numpy().tobytes() for parameter in network.parameters())


@pytest.fixture
def quick(monkeypatch):
    """An epoch is over the first 6,000 images, and precision isn't measured."""
    monkeypatch.setattr("satcore.training.loop.TRAINING_IMAGES", 6_000)
    monkeypatch.setattr(runs, "faster", lambda recipe, device: "float32")


@pytest.fixture
def whole(quick) -> bytes:
    """The bits that an uninterrupted training ends in."""
    *_, last = train(RECIPE, "cpu", RUN.seed, precision="float32")
    return bits(last.network)


def stop_after(epoch: int, record) -> None:
    """Tell this very process to end, as whoever pauses a run does."""
    if record.epoch == epoch:
        os.kill(os.getpid(), signal.SIGTERM)


def lines() -> list[dict]:
    return runs.records(RUN.folder / runs.RECORDS)


def test_a_run_comes_to_the_network_of_its_recipe_and_seed(whole):
    finished = runs.carry_out(RUN)
    assert bits(finished.network) == whole
    assert finished.keep() == NAME == RUN.name()
    runs.forget(RUN)
    card = library.describe(NAME)
    assert (card.recipe, card.seed, card.precision, card.device) == (RECIPE, 3, "float32", "one CPU core")
    assert card.measurements["images"] == 10_000
    kept = runs.records(library.kept(NAME, library.RECORDS))
    assert [line["epoch"] for line in kept] == [1, 2, 3, 4, 5]
    assert [line["lam"] for line in kept] == pytest.approx([phase_lam(epoch) for epoch in range(5)])
    assert runs.unfinished() == {} and runs.trained(RUN) == NAME


def phase_lam(epoch: int) -> float:
    phase, epoch_of_phase = RECIPE.phase_of(epoch)
    return phase.penalty(epoch_of_phase)


def test_the_same_recipe_and_seed_is_there_at_once_whatever_it_is_called(quick):
    runs.carry_out(RUN).keep()
    renamed = Run(dataclasses.replace(RECIPE, family="other", training="control"), 3)
    assert renamed.key == RUN.key and runs.trained(renamed) == NAME
    assert runs.trained(Run(RECIPE, 4)) is None
    assert runs.trained(Run(changed(RECIPE, {"lambda_max": 2e-3}), 3)) is None
    assert runs.trained(RUN, shipped=True) is None
    assert runs.trained(Run(RECIPES["relu-mlp/vanilla"])) == "relu-mlp/vanilla"


def test_what_is_trained_again_is_not_kept_twice(quick):
    assert runs.carry_out(RUN).keep() == runs.carry_out(RUN).keep() == NAME


def test_a_network_that_is_trained_again_bit_for_bit_gets_the_record_of_its_epochs_once(quick, monkeypatch):
    monkeypatch.setattr(runs, "STOPS", 3)
    finished = runs.carry_out(RUN)
    library.add(finished.network, "from elsewhere", training="saturated")
    record = library.kept("mine/from-elsewhere", library.RECORDS)
    assert not record.exists() and finished.keep() == "mine/from-elsewhere"
    assert [line["epoch"] for line in runs.records(record)] == [1, 3, 5]
    before = record.read_bytes()
    assert dataclasses.replace(finished, lines=b"").keep() == "mine/from-elsewhere" and record.read_bytes() == before


def test_a_network_that_ships_gets_its_record_where_it_ships_only_if_that_is_asked_for(quick, monkeypatch, tmp_path):
    monkeypatch.setattr(library, "SHIPPED", tmp_path)
    finished = runs.carry_out(RUN)
    assert finished.keep(ship=True) == "relu-mlp/saturated-seed-3"
    record = tmp_path / "relu-mlp/saturated-seed-3" / library.RECORDS
    record.unlink()
    assert finished.keep() == "relu-mlp/saturated-seed-3" and not record.exists()
    of_ones_own = library.kept("relu-mlp/saturated-seed-3", library.RECORDS)
    assert of_ones_own.is_relative_to(library.user_shelf()) and len(runs.records(of_ones_own)) == 5
    of_ones_own.unlink()
    assert finished.keep(ship=True) == "relu-mlp/saturated-seed-3" and len(runs.records(record)) == 5


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 420, 1806])
def test_one_looks_back_at_the_first_and_the_last_epoch_and_evenly_between(count):
    there = runs.stops(count)
    assert len(there) == min(count, 100) and there[:1] == [0][:count] and there[-1:] == [count - 1][:count]
    apart = [b - a for a, b in itertools.pairwise(there)]
    assert not apart or 1 <= min(apart) <= max(apart) <= min(apart) + 1


def test_nobody_else_can_be_at_a_run_before_its_network_is_kept(quick):
    def keep(finished: runs.Finished) -> None:
        with pytest.raises(ValueError, match="under way in another process"):
            runs.carry_out(RUN)
        finished.keep()
        runs.forget(RUN)

    assert runs.carry_out(RUN, then=keep) and runs.trained(RUN) == NAME and not RUN.folder.exists()


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_run_that_is_told_to_stop_goes_on_from_that_epoch(whole, epoch):
    assert runs.carry_out(RUN, follow=functools.partial(stop_after, epoch)) is None
    assert [line["epoch"] for line in lines()] == list(range(1, epoch + 1))
    (standing,) = runs.unfinished().values()
    assert (standing.run, standing.report, standing.complaint) == (RUN, None, "")
    followed = []
    finished = runs.carry_out(RUN, follow=followed.append)
    assert [record.epoch for record in followed] == list(range(epoch + 1, 6))
    assert bits(finished.network) == whole
    assert [line["epoch"] for line in runs.parsed(finished.lines)] == [1, 2, 3, 4, 5]


def test_a_stop_comes_too_late_for_a_run_that_is_done(whole):
    assert bits(runs.carry_out(RUN, follow=functools.partial(stop_after, 5)).network) == whole


def test_lines_of_epochs_that_are_done_again_and_what_is_no_line_go(quick):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 2))
    *_, last = lines()
    others = [last | {"epoch": 3, "loss": -1.0}, [1], {"epoch": 4}, last | {"epoch": "4"}, last | {"loss": "small"}]
    others += [last | {"saturation": 1}, last | {"saturation": ["all"]}, last | {"more": 1}]
    with open(RUN.folder / runs.RECORDS, "ab") as file:
        file.write(b"".join(json.dumps(other).encode() + b"\n" for other in others) + b'{"epo')
    assert [line["epoch"] for line in lines()] == [1, 2, 3]
    finished = runs.carry_out(RUN)
    found = runs.parsed(finished.lines)
    assert [line["epoch"] for line in found] == [1, 2, 3, 4, 5] and found[2]["loss"] > 0


def test_lines_are_kept_however_many_there_are(quick, monkeypatch):
    monkeypatch.setattr(library, "MOST_RECORDS", 5_000)
    runs.carry_out(RUN, follow=functools.partial(stop_after, 3))
    assert (RUN.folder / runs.RECORDS).stat().st_size > library.MOST_RECORDS
    finished = runs.carry_out(RUN)
    assert [line["epoch"] for line in runs.parsed(finished.lines)] == [1, 2, 3, 4, 5]
    monkeypatch.setattr(runs, "STOPS", 2)
    monkeypatch.setattr(library, "MOST_RECORDS", len(finished.lines) - 1)
    assert [line["epoch"] for line in runs.records(library.kept(finished.keep(), library.RECORDS))] == [1, 5]


def test_an_epoch_is_on_record_before_it_is_done_for_good(quick, monkeypatch):
    monkeypatch.setattr("satcore.training.loop.SECONDS_BETWEEN_SAVES", -1)
    look, seen = runs.looks, []

    def killed_at_the_second(network: Network):
        seen.append(network)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return look(network)

    monkeypatch.setattr(runs, "looks", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        runs.carry_out(RUN)
    assert [line["epoch"] for line in runs.parsed(runs.carry_out(RUN).lines)] == [1, 2, 3, 4, 5]


def test_an_epoch_that_cannot_be_put_on_record_is_done_again(quick, monkeypatch):
    add = runs._Lines.add

    def full_at_the_third(lines, record):
        if record["epoch"] == 3:
            raise OSError("expected a place that can be written, got none")
        add(lines, record)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="expected a place that can be written"):
        patch.setattr(runs._Lines, "add", full_at_the_third)
        patch.setattr("satcore.training.loop.SECONDS_BETWEEN_SAVES", -1)
        runs.carry_out(RUN)
    assert [line["epoch"] for line in runs.parsed(runs.carry_out(RUN).lines)] == [1, 2, 3, 4, 5]


def test_a_record_that_is_no_plain_file_is_not_waited_for(quick):
    runs.put_down(RUN)
    os.mkfifo(RUN.folder / runs.RECORDS)
    with pytest.raises(ValueError, match=r"expected a plain file in .*, got something else"):
        runs.carry_out(RUN)


def test_a_run_is_gone_on_with_under_another_name(whole):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 2))
    same = Run(dataclasses.replace(RECIPE, family="other"), RUN.seed)
    assert same.key == RUN.key and bits(runs.carry_out(same).network) == whole


def test_a_lock_that_cannot_be_used_is_that_runs_complaint_alone():
    other = Run(RECIPE, 4)
    for run in (RUN, other):
        runs.put_down(run)
    (RUN.folder / "lock").mkdir()
    found = runs.unfinished()
    assert found.keys() == {RUN.key, other.key} and found[other.key].complaint == ""
    assert found[RUN.key].report is None and str(RUN.folder) in found[RUN.key].complaint


def test_the_precision_is_measured_once(quick, monkeypatch):
    measured = []
    monkeypatch.setattr(runs, "faster", lambda recipe, device: measured.append(recipe) or "bfloat16")
    runs.carry_out(RUN, follow=functools.partial(stop_after, 2))
    assert runs.carry_out(RUN).precision == "bfloat16" and measured == [RECIPE]


def test_a_run_does_not_go_on_in_another_precision():
    runs.put_down(RUN)
    runs.put_down(RUN, "bfloat16")  # it was yet to be measured
    before = (RUN.folder / runs.RUN).stat().st_ino
    with pytest.raises(ValueError, match=f"expected {RUN} to go on in bfloat16, as it began, got float32; delete "):
        runs.put_down(RUN, "float32")
    runs.put_down(RUN, "bfloat16")
    assert (RUN.folder / runs.RUN).stat().st_ino == before  # by the time when it was written runs are listed


def test_a_precision_that_is_asked_for_is_not_measured(quick, monkeypatch):
    monkeypatch.setattr(runs, "faster", lambda recipe, device: pytest.fail("it was measured"))
    runs.put_down(RUN, "bfloat16")
    assert runs.carry_out(RUN).precision == "bfloat16"


def test_what_can_be_seen_of_a_network_is_what_it_is(quick):
    network = build(RECIPE.architecture, 1)
    seen = runs.looks(network)
    assert seen["kurtosis"] == [weights.excess_kurtosis(w) for w in network.weights]
    for counted, values in zip(
        [*seen["weights"], *seen["inputs"]],
        [*network.weights, *network.pre_activations(data.load("test").images[: runs.LOOKED_AT])],
        strict=True,
    ):
        assert sum(counted["counts"]) == values.numel() and len(counted["counts"]) == runs.BINS
        assert (counted["low"], counted["high"]) == pytest.approx((values.min().item(), values.max().item()), rel=1e-4)
    images, labels = data.load("test")
    source, target = (images[labels == digit][:1] for digit in runs.PATH)
    # The largest step's arc on the sphere of 2√p, in float64, is the length element but for the path's curvature.
    t = torch.linspace(0, 1, 4_001, dtype=torch.float64)[:, None, None, None]
    p = network.double()(source.double() + t * (target - source).double()).softmax(1)
    step = 2 * (p.sqrt()[1:] - p.sqrt()[:-1]).norm(dim=1) * 4_000
    at = torch.linspace(0, 3_999, runs.POINTS).round().long()
    assert seen["element"] == pytest.approx(step[at].tolist(), rel=5e-3)
    json.dumps(seen)


def test_a_network_of_equal_weights_can_be_looked_at(quick):
    network = build(RECIPE.architecture)
    for parameter in network.parameters():
        parameter.data.zero_()
    assert runs.looks(network)["kurtosis"] == [None, None]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, None])
def test_another_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"expected a seed from 0 to 2³²−1, got "):
        Run(RECIPE, seed)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 99_999, b'{"recipe": {}, "seed": 1}'])
def test_a_damaged_run_is_a_sentence_and_not_listed(quick, content):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 1))
    (RUN.folder / runs.RUN).write_bytes(content)
    assert runs.unfinished() == {}
    with pytest.raises(ValueError) as refusal:
        runs.read(RUN.key)
    assert str(refusal.value) == f"expected a recipe and a seed in {RUN.folder / runs.RUN}, got a damaged file"


def test_a_run_under_another_ones_key_is_refused(quick):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 1))
    RUN.folder.rename(RUN.folder.with_name("train-0-0"))
    with pytest.raises(ValueError, match="expected the run train-0-0 in "):
        runs.read("train-0-0")


def test_a_cancelled_run_leaves_nothing(quick, own_shelf):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 2))
    runs.cancel(RUN)
    assert runs.unfinished() == {} and contents(own_shelf) == {}
    runs.cancel(RUN)  # which there is nothing to do for


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_later(whole):
    runs.carry_out(RUN, follow=functools.partial(stop_after, 2))
    kept = contents(RUN.folder)[RUN.folder / runs.STATE]
    with disk_full(100), pytest.raises(OSError, match=r"expected a place that can be written in .*too large"):
        runs.carry_out(RUN)
    assert contents(RUN.folder)[RUN.folder / runs.STATE] == kept
    assert bits(runs.carry_out(RUN).network) == whole


def test_so_many_at_once_are_begun_and_followed(quick):
    wanted, under_way, most = [Run(RECIPE, seed) for seed in range(4)], set(), []

    class Process:
        def __init__(self, run):
            self.run, self.looks = run, 0
            under_way.add(run)
            most.append(len(under_way))

        def poll(self):
            self.looks += 1
            if self.looks < 3:
                return None
            under_way.discard(self.run)
            return 0

        def terminate(self):
            raise AssertionError("it had ended")

    assert sorted(run.seed for run, epochs in runs.follow(wanted, Process, 2) if epochs == 5) == [0, 1, 2, 3]
    assert max(most) == 2


# In processes of their own


LONGER = Run(changed(RECIPE, {"epochs": 40}), 1)
FREQUENTLY = """
import sys
from satcore.training import loop
loop.SECONDS_BETWEEN_SAVES, loop.TRAINING_IMAGES = -1, 6_000
from satcore.__main__ import main
sys.exit(main(["run", sys.argv[1]]))
"""


def begun(run: Run) -> subprocess.Popen:
    """As `runs.begin`, but with a state after every epoch."""
    runs.put_down(run)
    return subprocess.Popen([sys.executable, "-c", FREQUENTLY, run.key], cwd=ROOT, stderr=subprocess.PIPE)


def wait_for(epochs: int, run: Run, process: subprocess.Popen) -> None:
    while len(runs.records(run.folder / runs.RECORDS)) < epochs:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_same_bits(quick):
    moments = random.Random(1)
    process = begun(LONGER)
    wait_for(1, LONGER, process)
    for epochs in (4, 12):
        wait_for(epochs, LONGER, process)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.wait()
        process = begun(LONGER)
    second = begun(LONGER)  # the same run twice at a time: one of them does it
    ended = {process.wait(), second.wait()}
    assert ended <= {0, 2} and 0 in ended
    name = runs.trained(LONGER)
    *_, last = train(LONGER.recipe, "cpu", LONGER.seed, precision=library.describe(name).precision)
    assert bits(library.load(name)) == bits(last.network)
    assert [line["epoch"] for line in runs.records(library.kept(name, library.RECORDS))] == list(range(1, 41))


@pytest.mark.slow
def test_runs_in_turn_wait_and_can_be_paused_and_gone_on_with():
    first, second = (Run(changed(RECIPE, {"epochs": 2_000}), seed) for seed in (1, 2))
    processes = [runs.begin(first)]
    wait_for(1, first, processes[0])
    processes.append(runs.begin(second))
    until = time.monotonic() + 60
    while (report := runs.unfinished()[second.key].report) is None or report.says != background.WAITS:
        assert time.monotonic() < until and processes[1].poll() is None
        time.sleep(0.05)
    assert runs.unfinished()[first.key].report.process == processes[0].pid
    runs.pause(first)
    assert processes[0].wait(60) == 0 and (first.folder / runs.STATE).exists()
    wait_for(1, second, processes[1])
    runs.cancel(second)
    assert processes[1].wait(60) == -signal.SIGKILL
    assert list(runs.unfinished()) == [first.key] and background.report(first.key) is None


def test_a_run_is_done_once_its_network_is_kept(quick, monkeypatch):
    """After its last epoch it has reported all of its share, and still has its network to measure and to keep."""
    monkeypatch.setattr(background, "report", lambda key: background.Report(1.0, "", 0))
    looks = iter([None, None, None, 0])

    class Process:
        def poll(self):
            return next(looks)

        def terminate(self):
            raise AssertionError("it had ended")

    followed = runs.follow([RUN], lambda run: Process(), 1)
    assert next(followed) == (RUN, RECIPE.epochs - 1)
    assert list(followed) == [(RUN, RECIPE.epochs)] and next(looks, "all") == "all"
