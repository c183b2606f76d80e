"""The state of an interrupted run is looked at before it is believed, and belongs to one recipe, seed and machine."""

import dataclasses
import functools
import json
import os
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from satcore import training
from satcore.networks import mlp
from satcore.recipes import Annealing, Phase, Recipe
from satcore.training import state
from tests.faults import contents, disk_full

PHASE = Phase(epochs=3, batch_size=60_000, learning_rate=1e-2)
RECIPE = Recipe("relu-mlp", "saturated", mlp("relu", (4, 4)), (PHASE, PHASE), ("relu",) * 3)
train = functools.partial(training.train, precision="float32")
DELETE = "; delete it to start again"


@pytest.fixture(autouse=True)
def saved_always(monkeypatch):
    monkeypatch.setattr("satcore.training.loop.SECONDS_BETWEEN_SAVES", -1)
    monkeypatch.setattr("satcore.training.loop.TRAINING_IMAGES", 600)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> bytes:
    """The state after the second epoch of a run."""
    path = tmp_path_factory.mktemp("state") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("satcore.training.loop.SECONDS_BETWEEN_SAVES", -1)
        patch.setattr("satcore.training.loop.TRAINING_IMAGES", 600)
        run = train(RECIPE, "cpu", 3, path)
        next(run), next(run)
        run.close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path, written) -> Path:
    path = tmp_path / "run"
    path.write_bytes(written)
    return path


def header(content: bytes) -> dict[str, str]:
    return state._metadata(content)


def rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **metadata: str) -> None:
    """Change `tensors`, and what the header says, in the state that `path` holds."""
    content = path.read_bytes()
    found = safetensors.torch.load(content) | (tensors or {})
    path.write_bytes(safetensors.torch.save(found, header(content) | metadata))


def refused(path: Path, recipe: Recipe = RECIPE, seed: int = 3) -> str:
    before = contents(path.parent)
    with pytest.raises(ValueError) as refusal:
        next(train(recipe, "cpu", seed, path))
    assert contents(path.parent) == before
    message = str(refusal.value)
    assert "\n" not in message and str(path) in message and message.endswith(DELETE)
    return message.removesuffix(DELETE)


def test_a_state_comes_back_and_is_gone_on_from(path):
    found = state.read(path, state.Origin(RECIPE, 3, torch.device("cpu"), "float32"))
    assert found.epochs == 2 and 0 < found.seconds < 60
    assert next(train(RECIPE, "cpu", 3, path)).epoch == 3


def test_it_says_in_its_header_what_it_belongs_to(path):
    found = header(path.read_bytes())
    assert json.loads(found["run"])["seed"] == 3 and json.loads(found["run"])["recipe"] == json.loads(
        json.dumps(RECIPE.to_json())
    )
    assert found["machine"] == f"cpu with torch {torch.__version__} in float32"


def test_another_recipe_or_seed_is_refused(path):
    other = dataclasses.replace(RECIPE, initial_scale=2.0)
    assert refused(path, seed=4) == (
        f"expected the state of relu-mlp/saturated with seed 4 in {path}, got that of another recipe or seed"
    )
    assert refused(path, other).endswith("got that of another recipe or seed")


def test_what_a_recipe_is_called_is_not_what_it_is(path):
    assert next(train(dataclasses.replace(RECIPE, family="cnn", training="control"), "cpu", 3, path)).epoch == 3


@pytest.mark.parametrize("machine", ["cpu with torch 1.0", f"cpu with torch {torch.__version__} in bfloat16", ""])
def test_a_machine_on_which_other_bits_would_come_out_is_refused(path, machine):
    rewrite(path, machine=machine)
    assert refused(path).startswith(
        f"expected the state of a run on cpu with torch {torch.__version__} in float32 in {path}, got"
    )


def test_a_state_from_before_machines_were_noted_is_refused(path):
    content = path.read_bytes()
    known = {name: said for name, said in header(content).items() if name != "machine"}
    path.write_bytes(safetensors.torch.save(safetensors.torch.load(content), known))
    assert "got a file that can't be read" in refused(path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["layers.1.weight", "adam.0.exp_avg_sq"])
def test_what_is_no_number_is_refused(path, name, value):
    tensor = safetensors.torch.load(path.read_bytes())[name]
    tensor.view(-1)[-1] = value
    rewrite(path, {name: tensor})
    assert refused(path) == f"expected a state of finite numbers in {path}, got NaN or infinity in {name}"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float8_e4m3fn])
def test_what_no_run_writes_is_refused(path, dtype):
    rewrite(path, {"layers.1.weight": torch.zeros(4, 4).to(dtype)})
    assert refused(path) == f"expected a state in float32 in {path}, got layers.1.weight in {dtype}"


@pytest.mark.parametrize(
    "name, tensor",
    {
        "layers.1.bias": torch.zeros(5),
        "adam.3.exp_avg": torch.zeros(()),
        "adam.0.step": torch.zeros(1),
    }.items(),
)
def test_tensors_of_another_shape_or_kind_are_refused(path, name, tensor):
    rewrite(path, {name: tensor})
    assert f" as {name} of the run in {path}, got {tensor.dtype}" in refused(path)


def test_a_tensor_that_is_missing_is_refused(path):
    content = path.read_bytes()
    tensors = safetensors.torch.load(content)
    del tensors["layers.0.bias"]
    path.write_bytes(safetensors.torch.save(tensors, header(content)))
    assert f"as layers.0.bias of the run in {path}, got none" in refused(path)


@pytest.mark.parametrize(
    "metadata",
    [
        *({"epoch": epoch} for epoch in ("0", "-1", "6", "1e9", "")),
        *({"seconds": seconds} for seconds in ("nan", "-1", "long")),
        {"run": ""},
    ],
    ids=str,
)
def test_a_header_that_cannot_be_right_is_refused(path, metadata):
    rewrite(path, **metadata)
    refused(path)


def test_what_is_no_plain_file_or_too_large_is_refused_without_waiting(path):
    began = time.monotonic()
    for make in (os.mkfifo, os.mkdir, lambda there: os.symlink("/dev/zero", there)):
        path.rename(path.with_name("aside"))
        make(path)
        with pytest.raises(ValueError, match="got a file that can't be read"):
            next(train(RECIPE, "cpu", 3, path))
        (os.rmdir if path.is_dir() else os.unlink)(path)
        path.with_name("aside").rename(path)
    os.truncate(path, state.MOST_FILE + 1)  # which takes no room on the disk
    with pytest.raises(ValueError, match="expected at most"):
        next(train(RECIPE, "cpu", 3, path))
    path.write_bytes((2**50).to_bytes(8, "little") + bytes(100))
    assert "no header, or one that is too long" in refused(path)
    assert time.monotonic() - began < 20


def test_a_full_disk_stops_the_run_in_a_sentence_and_leaves_the_state_before(path):
    before = path.read_bytes()
    run = train(RECIPE, "cpu", 3, path)
    next(run)
    with disk_full(), pytest.raises(OSError) as error:
        next(run)
    assert str(error.value) == f"expected a place that can be written in {path}, got none (File too large)"
    assert contents(path.parent).keys() == {path} and path.read_bytes() == before
    assert next(train(RECIPE, "cpu", 3, path)).epoch == 3


def test_a_run_whose_loss_is_no_number_stops_and_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("satcore.training.loop.penalty", lambda hs, complementary: torch.tensor(torch.inf))
    hot = dataclasses.replace(RECIPE, phases=(dataclasses.replace(PHASE, penalty=Annealing(1, 0, 1)),))
    with pytest.raises(
        ValueError, match=r"^expected a loss that is a number in epoch 1 of relu-mlp/saturated, got inf"
    ):
        next(train(hot, "cpu", 0, tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []
