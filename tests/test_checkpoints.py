"""A checkpoint gives back the very network that was kept, or says in one line what is wrong with it."""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from satcore import checkpoints, data, files
from satcore.networks import Network, build
from satcore.recipes import RECIPES, Phase, Recipe

ROOT = Path(__file__).parent.parent
NAME = "relu-mlp/vanilla"
RECIPE = Recipe(NAME, 16, (Phase(epochs=2, batch_size=600, learning_rate=1e-2),), ("relu",) * 3)
MEASUREMENTS = {"accuracy": 0.9, "kurtosis": [1.5, -0.5, 0.1], "images": 10_000}


def keep(folder: Path, network: Network, recipe: Recipe = RECIPE, seed: int = 3) -> checkpoints.Description:
    return checkpoints.save(
        network, recipe, seed=seed, seconds=1.26, device="one CPU core", measurements=MEASUREMENTS, folder=folder
    )


@pytest.fixture
def network() -> Network:
    return build("relu-mlp", 16, seed=3)


@pytest.fixture
def folder(tmp_path, network) -> Path:
    """Holds one checkpoint, of `network`."""
    keep(tmp_path, network)
    return tmp_path


@pytest.fixture
def weights(folder) -> Path:
    return folder / "relu-mlp" / "vanilla.safetensors"


@pytest.fixture
def described(folder) -> Path:
    return folder / "relu-mlp" / "vanilla.json"


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("family, hidden", [("sigmoid-mlp", 16), ("relu-mlp", 16), ("cnn", 0)])
def test_the_network_comes_back_bit_for_bit_and_ready_for_use(tmp_path, family, hidden):
    network = build(family, hidden, seed=3).to(memory_format=torch.channels_last)
    recipe = dataclasses.replace(RECIPES[f"{family}/saturated"], hidden=hidden)
    keep(tmp_path, network, recipe)
    loaded = checkpoints.load(f"{family}/saturated", folder=tmp_path)
    images = data.load("test").images[:20]
    assert loaded.activation == network.activation
    for kept, found in zip(network.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert kept[0] == found[0] and torch.equal(kept[1], found[1])
    # The kept network lies in memory as the loaded one does, or the convolutions would sum in another order.
    assert torch.equal(loaded(images), network.to(memory_format=torch.contiguous_format)(images))
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_what_is_known_comes_back(folder, weights):
    description = checkpoints.describe(NAME, folder)
    assert description == checkpoints.Description(
        recipe=RECIPE,
        seed=3,
        measurements=MEASUREMENTS,
        seconds=1.3,
        device="one CPU core",
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": sys.modules["numpy"].__version__,
        },
    )


def test_save_returns_what_describe_will(tmp_path, network):
    assert keep(tmp_path, network) == checkpoints.describe(NAME, tmp_path)


def test_a_description_cannot_be_changed(folder):
    with pytest.raises(dataclasses.FrozenInstanceError):
        checkpoints.describe(NAME, folder).seed = 4


def test_loading_twice_gives_two_networks(folder):
    first, second = checkpoints.load(NAME, folder=folder), checkpoints.load(NAME, folder=folder)
    first.layers[0].weight.data.zero_()
    assert second.layers[0].weight.any()


def test_saving_again_replaces(folder):
    other = build("relu-mlp", 16, seed=4)
    keep(folder, other, seed=4)
    assert checkpoints.describe(NAME, folder).seed == 4
    assert torch.equal(checkpoints.load(NAME, folder=folder).layers[0].weight, other.layers[0].weight)


def test_names_are_those_with_a_description_in_the_order_of_table_1(tmp_path, network):
    assert checkpoints.names(tmp_path) == []
    assert checkpoints.names(tmp_path / "not there") == []
    some = ["sigmoid-mlp/control", "relu-mlp/adversarial", NAME, "cnn/saturated"]
    for name in reversed(some):
        keep(tmp_path, network, dataclasses.replace(RECIPE, name=name, complementary=RECIPES[name].complementary))
    (tmp_path / "relu-mlp" / "notes.json").write_text("{}")
    (tmp_path / "relu-mlp" / "saturated.safetensors").write_bytes(b"")
    assert checkpoints.names(tmp_path) == sorted(some, key=list(RECIPES).index)


def refused(call, *arguments, **options) -> str:
    with pytest.raises(ValueError) as refusal:
        call(*arguments, **options)
    message = str(refusal.value)
    assert message.startswith("expected ") and ", got " in message and "\n" not in message
    return message


@pytest.mark.parametrize("call", [checkpoints.describe, checkpoints.load])
@pytest.mark.parametrize(
    "name",
    [
        "relu-mlp/control",
        "relu-mlp",
        "",
        "vanilla",
        "relu-mlp/vanilla.json",
        "a\nb",
        "../relu-mlp/vanilla",
        "relu-mlp/../relu-mlp/vanilla",
        "/etc/passwd",
    ],
)
def test_an_unknown_name_is_refused(folder, call, name):
    assert refused(call, name, folder=folder) == f"expected one of the networks {NAME}, got {name!r}"


def test_a_name_cannot_lead_out_of_the_folder(folder):
    (folder / "inner").mkdir()
    message = refused(checkpoints.load, "../relu-mlp/vanilla", folder=folder / "inner")
    assert message == "expected one of the networks (none is there), got '../relu-mlp/vanilla'"


@pytest.mark.parametrize("place", [0, 8, 300, -1])
def test_a_flipped_byte_in_the_weights_is_noticed(folder, weights, place):
    content = bytearray(weights.read_bytes())
    intended = hashlib.sha256(content).hexdigest()
    content[place] ^= 1
    weights.write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    assert refused(checkpoints.load, NAME, folder=folder) == (
        f"expected weights with SHA-256 {intended[:12]}… in {weights}, got {len(content)} bytes with {found[:12]}…: "
        "damaged, truncated or another network's"
    )


def test_truncated_weights_are_noticed(folder, weights):
    content = weights.read_bytes()[:-1]
    weights.write_bytes(content)
    assert f"in {weights}, got {len(content)} bytes with" in refused(checkpoints.load, NAME, folder=folder)


def test_empty_or_missing_weights_are_noticed(folder, weights):
    weights.write_bytes(b"")
    assert f"in {weights}, got no such file or an empty one" in refused(checkpoints.load, NAME, folder=folder)
    weights.unlink()
    assert f"in {weights}, got no such file or an empty one" in refused(checkpoints.load, NAME, folder=folder)


def test_missing_weights_do_not_keep_the_description_from_being_read(folder, weights):
    weights.unlink()
    assert checkpoints.describe(NAME, folder).recipe == RECIPE


@pytest.mark.parametrize(
    "content",
    [
        safetensors.torch.save(build("relu-mlp", 24).state_dict()),
        safetensors.torch.save(build("cnn").state_dict()),
        safetensors.torch.save({}),
        b"these are no weights",
    ],
    ids=["of a wider network", "of another family", "of nothing", "no safetensors"],
)
def test_other_weights_are_noticed_even_where_their_sum_is_right(folder, weights, described, content):
    weights.write_bytes(content)
    edit(described, sha256=hashlib.sha256(content).hexdigest())
    message = refused(checkpoints.load, NAME, folder=folder)
    assert message.startswith(f"expected the weights of {NAME} in {weights}, got a file that doesn't hold them (")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"3",
        b'"relu-mlp"',
        b"\xff\xfe",
        b"\0" * 100,
        b'{"recipe": {}}',
        b'{"recipe": null}',
        b'{"recipe": {"name": "relu-mlp/vanilla"}}',
        b"a picture\nand a tale\n",
    ],
)
@pytest.mark.parametrize("call", [checkpoints.describe, checkpoints.load])
def test_a_damaged_description_is_noticed(folder, described, call, content):
    described.write_bytes(content)
    message = refused(call, NAME, folder=folder)
    assert message.startswith(
        f"expected a checkpoint's description in {described}, got something else or a damaged one ("
    )


def test_a_truncated_description_is_noticed_wherever_it_ends(folder, described):
    content = described.read_bytes().rstrip()
    for length in range(0, len(content), 37):
        described.write_bytes(content[:length])
        assert "got something else or a damaged one" in refused(checkpoints.describe, NAME, folder=folder)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(checkpoints.Description)])
def test_a_description_without_one_of_its_fields_is_noticed(folder, described, field):
    fields = json.loads(described.read_text())
    del fields[field]
    described.write_text(json.dumps(fields))
    assert field in refused(checkpoints.describe, NAME, folder=folder)


@pytest.mark.parametrize("field", ["colour", "two\nlines"])
def test_a_description_with_a_field_too_many_is_noticed(folder, described, field):
    edit(described, **{field: "red"})
    assert "unexpected keyword argument" in refused(checkpoints.describe, NAME, folder=folder)


@pytest.mark.parametrize("changes", [{"sha256": None}, {"sha256": 12}, {"measurements": None}], ids=str)
def test_a_description_with_a_value_of_another_type_is_noticed(folder, described, changes):
    edit(described, **changes)
    refused(checkpoints.load, NAME, folder=folder)


@pytest.mark.parametrize("hidden", ["wide", None, -1, 24])
def test_a_description_with_another_width_is_noticed(folder, described, hidden):
    recipe = json.loads(described.read_text())["recipe"]
    edit(described, recipe=recipe | {"hidden": hidden})
    refused(checkpoints.load, NAME, folder=folder)


def test_the_description_of_another_network_is_noticed(folder, described):
    control = folder / "relu-mlp" / "control.json"
    control.write_bytes(described.read_bytes())
    for call in (checkpoints.describe, checkpoints.load):
        assert refused(call, "relu-mlp/control", folder=folder) == (
            f"expected the description of relu-mlp/control in {control}, got that of {NAME}"
        )


def test_a_save_that_fails_midway_leaves_no_description_of_other_weights(folder, monkeypatch):
    rename = os.replace

    def fail_for_json(source, target):
        if str(target).endswith(".json"):
            raise OSError("no space left")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fail_for_json)
    with pytest.raises(OSError, match="no space left"):
        keep(folder, build("relu-mlp", 16, seed=4))
    assert checkpoints.names(folder) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file"
    files.write_whole(path, b"old")
    assert path.read_bytes() == b"old"

    def fail(source, target):
        assert Path(source).read_bytes() == b"new"
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_finished_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        files.write_whole(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_what_is_known_can_be_read_without_importing_torch(folder):
    script = (
        "import sys; from pathlib import Path; from satcore import checkpoints; folder = Path(sys.argv[1]); "
        "print(checkpoints.names(folder), checkpoints.describe('relu-mlp/vanilla', folder).seed, "
        "'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "['relu-mlp/vanilla'] 3 False\n", done.stderr
