"""The command line does what it says, and says in one line why it can't."""

import dataclasses
import os
import queue
import re
import signal
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from satcore import checkpoints, data, jobs
from satcore.__main__ import main
from satcore.evaluation import measure
from satcore.networks import build
from satcore.paper import TABLE_1
from satcore.recipes import RECIPES, Phase

ROOT = Path(__file__).parent.parent
NAME = "relu-mlp/vanilla"
PATIENCE = 120  # seconds until a command that hangs is given up


def satcore(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "satcore", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )


def refusal(*arguments: str | Path) -> str:
    """What the one line says that a command ends with."""
    done = satcore(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    assert done.stderr.startswith("satcore: ") and "Traceback" not in done.stdout
    return done.stderr.removeprefix("satcore: ").removesuffix("\n")


@pytest.fixture(scope="module")
def kept(tmp_path_factory, tiny) -> Path:
    """A folder with `tiny` in it, under the recipe and the seed that `train` would train anew."""
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints.save(tiny, RECIPES[NAME], seed=0, seconds=1, device="one CPU core", measurements={}, folder=folder)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [(), ("fly",), ("train", "--seed", "three", NAME), ("train", NAME, "--sed", "3"), ("evaluate", "--all")],
)
def test_a_command_that_cannot_be_understood_ends_with_the_usage(arguments):
    done = satcore(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("usage: python -m satcore") and "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_unknown_network_is_refused(command, tmp_path):
    assert refusal(command, "relu-mlp/other", "--folder", tmp_path) == (
        f"expected a network out of {', '.join(RECIPES)}, got 'relu-mlp/other'"
    )


def test_names_and_all_together_are_refused(tmp_path):
    assert refusal("train", NAME, "--all", "--folder", tmp_path) == (
        "expected the names of the networks to train, or --all, got both"
    )


def test_neither_names_nor_all_is_refused(tmp_path):
    assert refusal("train", "--folder", tmp_path) == (
        "expected the names of the networks to train, or --all, got neither"
    )


@pytest.mark.parametrize("seed", [-1, 10**30])
def test_a_seed_that_cannot_be_one_is_refused(tmp_path, seed):
    message = refusal("train", NAME, "--seed", str(seed), "--folder", tmp_path)
    assert message.startswith("expected a seed") and message.endswith(f"got {seed}")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(kept, device):
    message = refusal("evaluate", "--device", device, "--folder", kept)
    assert message.startswith("expected a device out of cpu") and message.endswith(f"got '{device}'")


def test_evaluating_an_empty_folder_is_refused(tmp_path):
    assert refusal("evaluate", "--folder", tmp_path) == f"expected checkpoints in {tmp_path}, got none there"


def test_evaluating_a_network_that_is_not_there_is_refused(kept):
    assert refusal("evaluate", "cnn/control", "--folder", kept) == (
        f"expected one of the networks {NAME}, got 'cnn/control'"
    )


def test_evaluating_a_damaged_checkpoint_is_refused(tmp_path):
    checkpoints.save(
        build("relu-mlp", 16), RECIPES[NAME], seed=0, seconds=1, device="", measurements={}, folder=tmp_path
    )
    weights = tmp_path / f"{NAME}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    message = refusal("evaluate", "--folder", tmp_path)
    assert message.startswith("expected weights with SHA-256 ") and str(weights) in message


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refusal("train", NAME, "--folder", tmp_path / "file" / "folder")


def test_the_state_of_another_run_is_refused(tmp_path):
    state = tmp_path / ".training" / f"{NAME}-seed0.safetensors"
    state.parent.joinpath("relu-mlp").mkdir(parents=True)
    state.write_bytes(b"no state")
    done = satcore("train", NAME, "--folder", tmp_path)
    *_, last = done.stderr.splitlines()  # a progress bar comes before it
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert last.startswith(
        f"satcore: expected the state of an interrupted run in {state}, got a file that can't be read"
    )
    assert state.read_bytes() == b"no state"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("expected one thing, got another"),
        OSError("no space left"),
        BrokenProcessPool("A process in the process pool was terminated abruptly."),
    ],
    ids=repr,
)
def test_a_worker_that_fails_or_dies_is_reported_in_one_line(tmp_path, monkeypatch, capsys, error):
    class Failing(ProcessPoolExecutor):
        """Its workers are done, and have failed, before anyone looks."""

        def submit(self, *job):
            run = Future()
            run.set_exception(error)
            return run

    monkeypatch.setattr(jobs, "ProcessPoolExecutor", Failing)
    assert main(["train", NAME, "--folder", str(tmp_path)]) == 2
    # Progress bars may come before it.
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(
        "satcore: expected every network's process to come to its end"
        if isinstance(error, BrokenProcessPool)
        else f"satcore: {error}"
    )


def test_a_worker_keeps_the_network_with_its_measurements_and_drops_the_state(tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPES[NAME], hidden=16, phases=(Phase(2, 6_000, 1e-2),))
    reports = queue.SimpleQueue()
    monkeypatch.setattr(jobs, "RECIPES", {NAME: recipe})
    monkeypatch.setattr(jobs, "_records", reports, raising=False)
    monkeypatch.setattr("satcore.training.SECONDS_BETWEEN_SAVES", -1)
    jobs._train_and_keep(NAME, "cpu", 5, tmp_path)

    assert checkpoints.names(tmp_path) == [NAME]
    description = checkpoints.describe(NAME, tmp_path)
    assert (description.recipe, description.seed, description.device) == (recipe, 5, "one CPU core")
    found = dataclasses.asdict(measure(checkpoints.load(NAME, folder=tmp_path), *data.load("test")))
    assert description.measurements == found | {"kurtosis": list(found["kurtosis"])}
    # A record crosses from process to process, and a network is no part of the news.
    news = [reports.get(timeout=1) for _ in range(2)]
    assert [(name, record.epoch, record.network) for name, record in news] == [(NAME, 1, None), (NAME, 2, None)]
    assert not jobs.state_file(NAME, 5, tmp_path).exists() and jobs.state_file(NAME, 5, tmp_path).parent.exists()


def test_evaluate_prints_what_measure_finds(tmp_path, tiny):
    # Not the width of RECIPES: the checkpoint's own description counts.
    recipe = dataclasses.replace(RECIPES[NAME], hidden=16)
    for name in (NAME, "relu-mlp/control"):
        checkpoints.save(
            tiny,
            dataclasses.replace(recipe, name=name),
            seed=0,
            seconds=1,
            device="one CPU core",
            measurements={},
            folder=tmp_path,
        )
    done = satcore("evaluate", "--folder", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("10,000 test images, in percent.")
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if "/" in line}
    assert list(rows) == [NAME, "relu-mlp/control"]

    found = measure(tiny, *data.load("test"))
    figures = [f"{100 * share:.2f}" for share in (found.accuracy, found.fgsm_accuracy, found.zero_gradient)]
    kurtosis = [f"{value:.1f}" for value in found.kurtosis]
    clean, robust = (f"{value:.2f}" for value in TABLE_1[NAME])
    assert re.split(r"[\s,]+", rows[NAME])[1:] == [figures[0], clean, figures[1], robust, figures[2], *kurtosis]
    assert re.split(r"[\s,]+", rows["relu-mlp/control"])[1:] == [
        figures[0],
        "–",
        figures[1],
        "–",
        figures[2],
        *kurtosis,
    ]


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_network_that_is_trained_already_is_left_as_it_is(kept):
    before = contents(kept)
    done = satcore("train", NAME, NAME, "--folder", kept)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"already trained with this recipe and seed (--again trains anew): {NAME}\n"
    assert contents(kept) == before and len(before) == 2


def test_a_killed_command_leaves_no_worker_and_no_half_a_checkpoint(tmp_path):
    command = subprocess.Popen(
        [sys.executable, "-m", "satcore", "train", NAME, "--folder", tmp_path],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        # The bar shows a loss as soon as a worker has reported an epoch.
        shown = b""
        while b"loss" not in shown:
            more = os.read(command.stderr.fileno(), 4096)
            assert more, f"the command ended first: {shown.decode()}"
            shown += more
        command.kill()
        # A worker holds the other end of this pipe: only when none is left does it end.
        command.communicate(timeout=30)
    finally:
        try:
            os.killpg(command.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert command.returncode == -signal.SIGKILL
    assert checkpoints.names(tmp_path) == []
    assert [path for path in contents(tmp_path) if path.parts[len(tmp_path.parts)] != ".training"] == []
