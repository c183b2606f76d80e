"""A network comes back as it was kept, or a sentence says what is wrong with it; nothing is overwritten, or lost."""

import dataclasses
import errno
import hashlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from satcore import checkpoints, data, files, library, networks
from satcore.committees import committee
from satcore.evaluation import factorial, grids, reality
from satcore.networks import Block, Convolution, Dense, Elementwise, MaxPooling, Network, build, cnn, mlp
from satcore.recipes import RECIPES, WATCHED
from tests.faults import contents, disk_full

ROOT = Path(__file__).parent.parent
ALWAYS = {  # SHA-256 of the files of weights that ship, since there is such a file
    "sigmoid-mlp/vanilla": "b53e5275a3be010d521bdae64c91117c274aadc39cc8b26bb1de2be3b8a772c4",
    "sigmoid-mlp/adversarial": "0e1431f977f29c498b6cddf68ae149203a52537dca39b977d3539612b03e1b4b",
    "sigmoid-mlp/saturated": "66e2beb5c3798457ef9ba9dbf0c20f056714f0b07fea8c8beb8d24a28459d933",
    "sigmoid-mlp/control": "cd7882b05a6c2a404fcb77d5cd075be8cac17861086c4a90ba2d5e2213ada7e5",
    "sigmoid-mlp/dendritic": "53bad772d13abec993ed062729355231f725b568708a97c6976d0478dd6fd710",
    "relu-mlp/vanilla": "92799f1dc0232d678739b08daf2ebb1eecab33419c380f44b064dd6d17db797e",
    "relu-mlp/adversarial": "4d2cb53a290b7e449d181cf81dd2802ab81ba4555a83affd1ef9273faebd4bb4",
    "relu-mlp/saturated": "2317432a65369c93c22a3a1ef851307dc1968f8fe2bf2e47369af486888bddd9",
    "relu-mlp/control": "e7b8abc18d6e2d90d84116257461bb1cc8118bbd7977bf858fdcabb0ecc91c6f",
    "relu-mlp/dendritic": "d95f50a6fd6a03f4fb72317652f060c0463d3943f75eb77968990e67c3f5af15",
    "cnn/vanilla": "0af28a4970fda51426dfd21b118c63a514ceb3d518ced971175d6dd1b76112d5",
    "cnn/adversarial": "341b625ad30d66d6946f9d694082616645acb1b65fa2c80b1e8ec6a15c100551",
    "cnn/saturated": "e1902335735ed40a63db93fce1befc79b3fe478b8680e484afd6c04d5a526191",
    "cnn/control": "62ad0f301aa0a229e2fe5662a2c0dfbaac081ce885a5e12650e36d12251daeb0",
    "cnn/dendritic": "688c010dbcd517c63c420418451ad7955caa292affacc21227b4a93811f19f68",
    "factorial/bounds": "af340719ffcd6447d1544aa2b9988d72a79eb8ddf09bb9d20f0268f2d901a120",
    "factorial/step": "83b7303c5a698afcaa8ec834f70ebed91e83e876724989f1b8a054113d66a09e",
    "factorial/step-penalty": "d72cca71080588cc0a56dcdb51aa7c174cc19f52c63ed58b75eb955a7c6cd808",
    "factorial/step-ramp-bounds": "6e346161e81b673e561dcc17ce3df22f5ff6eb5cb8648cf3169c60077e262dd2",
    "quick/control-seed-1": "a59c039fc290fd6fc670f18bac992fd554182bfd7475b4b8b89baa615ba605a0",
    "quick/saturated-seed-1": "074dc43600ca75fef2440303b43ffc1e9ef6c98f68e4517989ae86bd5a2012c3",
}
SMALL = mlp("relu", (16, 16))
MEASUREMENTS = {
    "accuracy": 0.9,
    "fgsm_accuracy": 0.5,
    "zero_gradient": 0.25,
    "right_unmoved": 0.25,
    "kurtosis": [1.5, None, 0.1],
    "images": 10_000,
    "epsilon": 0.25,
}
KNOWN = {
    "group": "relu-mlp",
    "training": "vanilla",
    "origin": "trained here",
    "measurements": MEASUREMENTS,
    "recipe": RECIPES["relu-mlp/vanilla"],
    "seed": 3,
    "seconds": 1.26,
    "device": "one CPU core",
}


@pytest.fixture
def network() -> Network:
    return build(SMALL, seed=3)


@pytest.fixture
def name(network) -> str:
    """The only network on the user's shelf."""
    return library.add(network, "small", **KNOWN)


@pytest.fixture
def folder(name, own_shelf) -> Path:
    return own_shelf / name


@pytest.fixture
def shipped(tmp_path, monkeypatch, network) -> str:
    """The only network that ships, on a shelf that nothing is to be written to."""
    shelf = tmp_path / "checkpoints"
    name = library.add(network, "vanilla", **KNOWN, shelf=shelf)
    monkeypatch.setattr(library, "SHIPPED", shelf)
    return name


def refused(call, *arguments, **options) -> str:
    with pytest.raises(ValueError) as refusal:
        call(*arguments, **options)
    message = str(refusal.value)
    assert message.startswith("expected ") and ", got " in message and "\n" not in message
    return message


def edit(folder: Path, **changes) -> None:
    path = folder / library.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def mean_it(folder: Path) -> None:
    """Put the hash of what now lies in `folder` on its card, as someone would who means harm."""
    blocks = json.loads((folder / library.CARD).read_text())["architecture"]
    weights = (folder / library.WEIGHTS).read_bytes()
    edit(folder, sha256=library.content_hash(networks.from_data(blocks), weights))


# What ships


@pytest.mark.parametrize("name", ALWAYS)
def test_the_weights_that_ship_are_the_bytes_that_they_always_were(name):
    weights = library.folder_of(name) / library.WEIGHTS
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == ALWAYS[name]


def test_old_names_go_on_working(name):
    assert checkpoints.names() == list(ALWAYS)
    assert library.names() == [*ALWAYS, name]
    card = checkpoints.describe("sigmoid-mlp/saturated")
    assert (card.shipped, card.group, card.training, card.seed) == (True, "sigmoid-mlp", "saturated", 0)
    network = checkpoints.load("sigmoid-mlp/saturated")
    images, labels = data.load("test")
    right = float((network(images[:1_000]).argmax(1) == labels[:1_000]).float().mean())
    assert right == pytest.approx(card.measurements["accuracy"], abs=0.01)


@pytest.mark.parametrize("name", ALWAYS)
def test_every_network_that_ships_is_its_recipes(name):
    card = library.describe(name)
    known = RECIPES | {f"{watched}-seed-1": recipe for watched, recipe in WATCHED.items()}
    made_by = known.get(name) or factorial.recipe(name.partition("/")[2].split("-"))
    if card.members:
        assert made_by in [member.recipe for member in card.members]
        whole = committee([networks.build(member.recipe.architecture) for member in card.members])
        assert card.architecture == whole.architecture
    else:
        assert card.recipe == made_by and card.architecture == made_by.architecture
    assert networks.to_data(library.load(name).architecture) == networks.to_data(card.architecture)


def test_a_network_that_ships_is_the_same_when_it_is_added(own_shelf):
    assert library.same_as(library.load("relu-mlp/control")) == "relu-mlp/control"
    name = library.add(library.load("relu-mlp/control"), "mine too")
    assert library.describe(name).sha256 == library.describe("relu-mlp/control").sha256


# Keeping and loading

ARCHITECTURES = {
    "sigmoid": mlp("sigmoid", (16, 9)),
    "a ramp with a knee": mlp("ramp", (16,)),
    "the CNN": cnn(),
    "odd": (
        Block(Elementwise((1, 28, 28)), "tanh"),
        Block(Convolution(1, 3, (5, 4), (2, 1), (1, 0, 2, 3)), "sigmoid", MaxPooling((3, 3), (2, 2), (1, 1))),
        Block(Dense(3 * 7 * 14, 10)),
    ),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_a_network_comes_back_bit_for_bit_and_ready_for_use(architecture):
    network = build(architecture, seed=3).to(memory_format=torch.channels_last)
    for parameter in network.nonlinearities.parameters():
        parameter.data += 0.5
    loaded = library.load(library.add(network, "it"))
    assert loaded.architecture == architecture
    for kept, found in zip(network.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert kept[0] == found[0] and torch.equal(kept[1], found[1])
    images = data.load("test").images[:5]
    # Laid out in memory as the loaded one is, or the convolutions would sum in another order.
    assert torch.equal(loaded(images), network.to(memory_format=torch.contiguous_format)(images))
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_file_is_of_half_the_size_where_nothing_is_lost_by_it(own_shelf):
    whole, half = build(cnn(), seed=3), build(cnn(), seed=3).half().float()
    names = [library.add(network, "it") for network in (whole, half)]
    sizes = [(own_shelf / name / library.WEIGHTS).stat().st_size for name in names]
    assert 1.99 < sizes[0] / sizes[1] < 2.01
    for network, name in zip((whole, half), names, strict=True):
        loaded = library.load(name)
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), loaded.parameters(), strict=True))
        assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
        assert library.same_as(loaded) == name


def test_a_committee_knows_what_trains_its_members(name):
    (made,) = library.describe(name).made
    assert made == library.Member(KNOWN["recipe"], 3, 1.3, "one CPU core", "")
    both = library.add(build(SMALL, seed=5), "both", members=[made, dataclasses.replace(made, seed=4)])
    card = library.describe(both)
    assert card.members == (made, dataclasses.replace(made, seed=4)) == card.made
    assert card.history == "added from Python, seeds 3 and 4, 0.0 minutes on one CPU core"


def test_what_is_known_comes_back(name, folder):
    card = library.describe(name)
    assert card == library.Card(
        name="mine/small",
        shipped=False,
        architecture=SMALL,
        sha256=library.content_hash(SMALL, (folder / library.WEIGHTS).read_bytes()),
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        **(KNOWN | {"seconds": 1.3}),
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.seed = 4


def test_a_network_from_elsewhere_needs_no_more_than_a_label(network):
    card = library.describe(library.add(network, "Some *thing* else!"))
    assert (card.name, card.group, card.training, card.measurements) == ("mine/some-thing-else", "", "", {})
    assert (card.recipe, card.seed, card.seconds, card.device) == (None, None, None, None)


def test_a_network_is_in_its_own_dtype_whatever_pytorchs_default_is(name):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert {each.dtype for each in library.load(name).parameters()} == {torch.float32}
    finally:
        torch.set_default_dtype(before)


def test_loading_twice_gives_two_networks_and_touches_no_random_numbers(name):
    before = torch.get_rng_state()
    first, second = library.load(name), library.load(name)
    assert torch.equal(torch.get_rng_state(), before)
    first.layers[0].weight.data.zero_()
    assert second.layers[0].weight.any()


@pytest.mark.parametrize(
    "label, left",
    {
        "Wide tanh, 2 layers": "wide-tanh-2-layers",
        "../../etc/passwd": "etc-passwd",
        "..a..": "a",
        "Größe": "grosse",
        'ünï(b)cödé & "q"': "uni-b-code-q",
        "x" * 100: "x" * 40,
        "a really long name that somebody has given to a network": "a-really-long-name-that-somebody-has",
        f"{'x' * 20} {'y' * 19} z": f"{'x' * 20}-{'y' * 19}",
    }.items(),
)
def test_a_label_becomes_the_name_of_a_folder(network, own_shelf, label, left):
    assert library.add(network, label) == f"mine/{left}"
    assert [path.name for path in (own_shelf / "mine").iterdir()] == [left]


def test_a_longer_name_from_before_stays_readable(own_shelf, network, name):
    longer = own_shelf / "mine" / ("x" * 60)
    library.folder_of(name).rename(longer)
    assert library.names()[-1] == f"mine/{longer.name}" and library.load(f"mine/{longer.name}")


@pytest.mark.parametrize("label", ["", "…", "../..", "\n"])
def test_a_label_without_a_letter_is_refused(network, label):
    assert refused(library.add, network, label).startswith("expected a name with a letter or a digit")
    assert library.names() == list(ALWAYS)


def test_nothing_is_overwritten(own_shelf, network, name):
    before = contents(own_shelf)
    assert library.add(network, "Small!", origin="elsewhere") == name  # the same network: it stays as it is
    assert contents(own_shelf) == before
    other, third = build(SMALL, seed=4), build(SMALL, seed=5)
    assert library.add(other, "small") == "mine/small-2"
    assert library.add(third, "small") == "mine/small-3"
    assert library.add(other, "small") == "mine/small-2"
    assert contents(own_shelf).items() >= before.items()
    assert torch.equal(library.load("mine/small-2").layers[0].weight, other.layers[0].weight)
    assert [library.same_as(there) for there in (network, other, build(SMALL, seed=6))] == [name, "mine/small-2", None]


@pytest.mark.parametrize("there", ["file", "empty folder", "damaged"])
def test_whatever_has_the_name_already_stays(network, own_shelf, there):
    place = own_shelf / "mine" / "small"
    place.parent.mkdir()
    if there == "file":
        place.write_bytes(b"")
    elif there == "empty folder":
        place.mkdir()
    else:
        library.add(network, "small")
        (place / library.WEIGHTS).write_bytes(b"")
    before = contents(own_shelf)
    assert library.add(network, "small") == "mine/small-2"
    assert contents(own_shelf).items() >= before.items() and library.load("mine/small-2")


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(network, own_shelf):
    broken = build(SMALL)
    broken.layers[1].bias.data[3] = torch.nan
    assert "NaN or infinity in layers.1.bias" in refused(library.add, broken, "broken")
    huge = build(SMALL).double()
    huge.layers[0].weight.data[0, 0] = 1e300  # which float32 doesn't hold
    assert "NaN or infinity in layers.0.weight" in refused(library.add, huge, "huge")
    assert refused(library.add, torch.nn.Linear(784, 10), "linear").endswith("got a Linear")
    for measurements in ({"accuracy": 0.9}, MEASUREMENTS | {"accuracy": 2}, MEASUREMENTS | {"kurtosis": [torch.nan]}):
        refused(library.add, network, "small", measurements=measurements)
    refused(library.add, network, "small", measurements={"accuracy": network})
    refused(library.add, network, "small", origin="\udcff")
    for group in ("", "..", "A", "a/b"):
        refused(library.add, network, "small", group=group, shelf=own_shelf)
    assert list(own_shelf.iterdir()) == []


def test_measurements_come_onto_the_card_of_ones_own_network_alone(network, own_shelf):
    name = library.add(network, "small")
    library.measured(name, MEASUREMENTS)
    assert library.describe(name).measurements == MEASUREMENTS and library.load(name)
    refused(library.measured, name, {"accuracy": 1})
    assert library.describe(name).measurements == MEASUREMENTS
    assert refused(library.measured, "cnn/vanilla", MEASUREMENTS) == (
        "expected a network on your own shelf, got cnn/vanilla, which ships and is left as it is"
    )


def test_a_network_is_removed_with_all_that_is_known_of_it(network, name, own_shelf):
    library.add(build(SMALL, seed=4), "other")
    files.write_whole(library.place(name, "grids/some.npz"), b"")
    library.remove(name)
    assert library.names()[-1] == "mine/other"
    assert [path.name for path in (own_shelf / "mine").iterdir()] == ["other"]
    assert refused(library.remove, name).endswith(f"got {name!r}")
    assert "which ships" in refused(library.remove, "cnn/vanilla")
    assert library.add(network, "small") == name


def test_a_damaged_network_can_be_removed(name, folder):
    (folder / library.CARD).write_bytes(b"")
    assert list(library.catalogue().damaged) == [name]
    library.remove(name)
    assert not folder.exists() and library.catalogue().damaged == {}


@pytest.mark.parametrize(
    "name",
    [
        "relu-mlp/other",
        "relu-mlp",
        "",
        "mine/none",
        "a\nb",
        "../checkpoints/relu-mlp/vanilla",
        "relu-mlp/../relu-mlp/vanilla",
        "relu-mlp//vanilla",
        "/etc/passwd",
        "x" * 5_000,
        None,
        3,
    ],
    ids=lambda name: str(name)[:40],
)
@pytest.mark.parametrize("call", [library.describe, library.load, library.remove, library.folder_of])
def test_an_unknown_name_is_refused(call, name):
    assert refused(call, name) == (f"expected one of the networks {', '.join(ALWAYS)}, got {str(name)[:80]!r}")


def test_a_sentence_names_forty_networks_at_most(network, own_shelf):
    library.add(network, "0")
    for number in range(1, 50):
        shutil.copytree(own_shelf / "mine" / "0", own_shelf / "mine" / str(number))
    message = refused(library.load, "none")
    assert message.count("/") == library.MOST_NAMED and message.endswith(", …, got 'none'")


# Shelves


def test_only_folders_with_a_networks_name_are_networks(name, folder):
    for other in (".small.01234567.part", "Small", "a b", "-small"):
        shutil.copytree(folder, folder.with_name(other))
    folder.with_name("note").write_bytes(b"")
    assert library.names() == [*ALWAYS, name]


def test_the_users_shelf_is_among_the_users_data_unless_it_is_named(monkeypatch, tmp_path):
    assert library.user_shelf() == Path(os.environ["SATCORE_SHELF"])
    monkeypatch.delenv("SATCORE_SHELF")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *names, **options: str(tmp_path / names[0]))
    assert library.user_shelf() == tmp_path / "satcore" / "networks"
    monkeypatch.chdir(tmp_path)  # what is begun with it may be elsewhere
    monkeypatch.setenv("SATCORE_SHELF", "shelf")
    assert library.user_shelf() == tmp_path / "shelf"


@pytest.mark.parametrize("shelf", ["no such folder", "a file", "under a file", "a link to itself", "unreadable"])
def test_without_a_shelf_that_can_be_read_there_are_those_that_ship(tmp_path, monkeypatch, shelf, network):
    path = {"under a file": tmp_path / "a file" / "shelf", "a file": tmp_path / "a file"}.get(shelf, tmp_path / "shelf")
    (tmp_path / "a file").write_bytes(b"")
    if shelf == "a link to itself":
        path.symlink_to(path)
    if shelf == "unreadable":
        scan = os.scandir

        def forbid(folder):
            if Path(folder).is_relative_to(path):
                raise PermissionError(errno.EACCES, "Permission denied", str(folder))
            return scan(folder)

        monkeypatch.setattr(os, "scandir", forbid)
    monkeypatch.setenv("SATCORE_SHELF", str(path))
    assert library.names() == list(ALWAYS) and library.load("relu-mlp/vanilla")
    found = library.catalogue()
    assert list(found.cards) == list(ALWAYS)
    assert set(found.damaged) == (set() if shelf == "no such folder" else {"mine"})
    assert all(
        said.startswith(f"expected a shelf that can be read in {path}, got none (") for said in found.damaged.values()
    )
    if shelf in ("a file", "under a file", "a link to itself"):
        with pytest.raises(OSError, match=f"^expected a place that can be written in {path}") as error:
            library.add(network, "small")
        assert "Errno" not in str(error.value)


@pytest.mark.parametrize("inside", ["", "relu-mlp", "new/shelf"])
def test_the_shelf_that_ships_is_not_the_users_own(monkeypatch, tmp_path, network, inside):
    link = tmp_path / "link"
    link.symlink_to(library.SHIPPED)
    before = contents(library.SHIPPED)
    for shelf in (library.SHIPPED / inside, link / inside):
        monkeypatch.setenv("SATCORE_SHELF", str(shelf))
        for call in (library.names, lambda: library.add(network, "small")):
            assert refused(call).startswith("expected a shelf of your own outside")
    assert contents(library.SHIPPED) == before


def test_a_shelf_that_fills_up_keeps_what_it_has_and_nothing_by_halves(own_shelf, network, name):
    before = contents(own_shelf)
    with disk_full(), pytest.raises(OSError) as error:
        library.add(build(SMALL, seed=4), "other")
    assert str(error.value).startswith(f"expected a place that can be written in {own_shelf / 'mine'}")
    assert "File too large" in str(error.value) and "\n" not in str(error.value)
    assert contents(own_shelf) == before
    with disk_full(100), pytest.raises(OSError, match="expected a place that can be written"):
        library.measured(name, MEASUREMENTS | {"accuracy": 0.1})
    assert contents(own_shelf) == before


# What is believed


@pytest.mark.parametrize("place", [0, 8, 300, -1])
def test_a_flipped_bit_in_the_weights_is_noticed(name, folder, place):
    content = bytearray((folder / library.WEIGHTS).read_bytes())
    content[place] ^= 1
    (folder / library.WEIGHTS).write_bytes(content)
    assert refused(library.load, name) == (
        f"expected weights and an architecture with SHA-256 {library.describe(name).sha256[:12]}… in {folder}, "
        f"got {library.content_hash(SMALL, bytes(content))[:12]}…: damaged, truncated or another network's"
    )


def test_weights_of_another_network_are_noticed(name, folder):
    other = folder.parent.parent / library.add(build(SMALL, seed=4), "other")
    ours, theirs = ((there / library.WEIGHTS).read_bytes() for there in (folder, other))
    (folder / library.WEIGHTS).write_bytes(theirs)
    (other / library.WEIGHTS).write_bytes(ours)
    for swapped in (name, "mine/other"):
        assert "another network's" in refused(library.load, swapped)


def test_another_architecture_on_the_card_is_noticed(name, folder):
    blocks = json.loads((folder / library.CARD).read_text())["architecture"]
    edit(folder, architecture=[blocks[0] | {"nonlinearity": "sigmoid"}, *blocks[1:]])
    assert library.describe(name).architecture != SMALL
    assert "expected weights and an architecture with SHA-256" in refused(library.load, name)


def test_missing_or_truncated_weights_are_noticed_and_the_card_can_still_be_read(name, folder):
    weights = folder / library.WEIGHTS
    content = weights.read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2]):
        weights.write_bytes(damaged)
        assert "expected weights and an architecture with SHA-256" in refused(library.load, name)
    weights.unlink()
    assert f"in {weights}, got none" in refused(library.load, name)
    assert library.describe(name).seed == 3


def tensors() -> dict[str, torch.Tensor]:
    return dict(build(SMALL, seed=3).state_dict())


def of_wrong_numbers(value: float) -> bytes:
    return safetensors.torch.save(tensors() | {"layers.0.bias": torch.full((16,), value)})


MEANT = {
    "NaN": of_wrong_numbers(torch.nan),
    "infinity": of_wrong_numbers(-torch.inf),
    "float64": safetensors.torch.save({name: tensor.double() for name, tensor in tensors().items()}),
    "whole numbers": safetensors.torch.save({name: tensor.long() for name, tensor in tensors().items()}),
    "complex numbers": safetensors.torch.save({name: tensor.to(torch.complex64) for name, tensor in tensors().items()}),
    "a wider network's": safetensors.torch.save(build(mlp("relu", (24, 24))).state_dict()),
    "one too few": safetensors.torch.save({name: tensors()[name] for name in list(tensors())[1:]}),
    "one too many": safetensors.torch.save(tensors() | {"more": torch.zeros(3)}),
    "nothing": safetensors.torch.save({}),
    "no safetensors": b"these are no weights at all",
    "an endless header": (2**40).to_bytes(8, "little") + bytes(100),
    "a header of two megabytes": (2**21).to_bytes(8, "little") + b" " * 2**21,
    "three bytes": b"abc",
}


@pytest.mark.parametrize("content", MEANT.values(), ids=MEANT)
def test_other_weights_are_noticed_even_where_their_hash_is_right(name, folder, content):
    (folder / library.WEIGHTS).write_bytes(content)
    mean_it(folder)
    refused(library.load, name)


@pytest.mark.parametrize("file", [library.CARD, library.WEIGHTS])
def test_what_is_no_plain_file_is_refused_without_waiting(name, folder, file):
    began = time.monotonic()
    for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)):
        (folder / file).rename(folder.parent.parent / "aside")
        make(folder / file)
        assert str(folder / file) in refused(library.load, name)
        (os.rmdir if (folder / file).is_dir() else os.unlink)(folder / file)
        (folder.parent.parent / "aside").rename(folder / file)
    assert time.monotonic() - began < 1 and library.load(name)


def test_files_too_large_are_refused_unread(name, folder):
    for file, most in ((library.CARD, library.MOST_CARD), (library.WEIGHTS, library.MOST_FILE)):
        before = (folder / file).read_bytes()
        os.truncate(folder / file, most + 1)  # which takes no room on the disk
        assert refused(library.load, name).startswith(f"expected at most {most:,} bytes in {folder / file}")
        (folder / file).write_bytes(before)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b'"relu-mlp"',
        b"\xff\xfe",
        b"\0" * 100,
        b'{"recipe": {}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_card_is_noticed(name, folder, content):
    (folder / library.CARD).write_bytes(content)
    for call in (library.describe, library.load):
        assert refused(call, name).startswith(f"expected a network's card in {folder / library.CARD}, got something")
    found = library.catalogue()
    assert list(found.cards) == list(ALWAYS) and list(found.damaged) == [name]


RECIPE = json.loads(json.dumps(RECIPES["relu-mlp/vanilla"].to_json()))
MEMBER = {"recipe": RECIPE, "seed": 3, "seconds": 1.5, "device": "one CPU core", "precision": "float32"}


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": None},
        {"sha256": 12},
        {"sha256": "abc"},
        {"group": 3},
        {"training": None},
        {"origin": ["elsewhere"]},
        {"origin": "x" * 3_000},
        {"device": {"name": "cpu"}},
        {"precision": 16},
        {"seed": "3"},
        {"seed": True},
        {"seconds": "long"},
        {"members": [{"seed": 1}]},
        {"members": 3},
        *({"members": [MEMBER | {name: None}]} for name in MEMBER),
        {"seconds": float("nan")},
        {"versions": None},
        {"versions": {"torch": 2}},
        {"measurements": None},
        {"measurements": {"accuracy": 0.9}},
        {"measurements": MEASUREMENTS | {"accuracy": "0.9"}},
        {"measurements": MEASUREMENTS | {"accuracy": float("nan")}},
        {"measurements": MEASUREMENTS | {"fgsm_accuracy": 1.5}},
        {"measurements": MEASUREMENTS | {"kurtosis": 3}},
        {"measurements": MEASUREMENTS | {"kurtosis": [float("inf")]}},
        {"measurements": MEASUREMENTS | {"images": 1.5}},
        {"measurements": MEASUREMENTS | {"more": 1}},
        {"recipe": {}},
        {"recipe": 3},
        {"recipe": RECIPE | {"training": "other"}},
        {"recipe": RECIPE | {"architecture": "wide"}},
        {"recipe": RECIPE | {"epsilon": "large"}},
        {"recipe": RECIPE | {"phases": [RECIPE["phases"][0] | {"learning_rate": "fast"}]}},
        {"recipe": RECIPE | {"phases": [RECIPE["phases"][0] | {"epochs": 1.5}]}},
        {"recipe": RECIPE | {"phases": []}},
        {"architecture": None},
        {"architecture": []},
        {"architecture": [3]},
        {"architecture": networks.to_data(SMALL)[:1]},
        {"architecture": networks.to_data(SMALL) * 100},
        {"colour": "red"},
        {"two\nlines": 1},
        {"name": "mine/other"},
        {"shipped": True},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_card_with_a_wrong_value_is_noticed(name, folder, changes):
    edit(folder, **changes)
    refused(library.describe, name)


@pytest.mark.parametrize("field", ["sha256", "group", "training", "origin", "architecture", "measurements"])
def test_a_card_without_a_field_that_it_needs_is_noticed(name, folder, field):
    fields = json.loads((folder / library.CARD).read_text())
    del fields[field]
    (folder / library.CARD).write_text(json.dumps(fields))
    refused(library.describe, name)


@pytest.mark.parametrize("width", [10**8, 2**63, -1, 0, 1.5, "16", None])
def test_a_card_of_impossible_widths_is_refused_before_anything_is_built(name, folder, monkeypatch, width):
    blocks = json.loads((folder / library.CARD).read_text())["architecture"]
    blocks[0]["affine"]["outputs"] = blocks[1]["affine"]["inputs"] = width
    edit(folder, architecture=blocks)
    monkeypatch.setattr(library, "Network", None)  # nothing may be built
    refused(library.load, name)


def test_a_card_that_is_cut_short_or_garbled_is_noticed_or_believed_but_raises_nothing_else(name, folder):
    card = folder / library.CARD
    content = card.read_bytes()
    chance = random.Random(0)
    for length in range(0, len(content.rstrip()), 97):
        card.write_bytes(content[:length])
        refused(library.describe, name)
    for _ in range(300):
        garbled = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            garbled[chance.randrange(len(garbled))] = chance.randrange(256)
        card.write_bytes(garbled)
        try:
            library.load(name)
        except ValueError as error:
            assert "\n" not in str(error)


# What was computed about a network


def some_grid() -> grids.Grid:
    return grids.load("relu-mlp/vanilla", grids.Setting())


def test_what_was_computed_about_ones_own_network_lies_with_it(name, folder):
    setting = grids.Setting()
    assert grids.load(name, setting) is None and reality.load(name) is None
    grids.save(name, setting, some_grid())
    reality.save(name, reality.load("relu-mlp/vanilla"))
    assert np.array_equal(grids.load(name, setting).images, some_grid().images)
    assert reality.load(name) == reality.load("relu-mlp/vanilla")
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "grids", "reality.json", library.WEIGHTS]


def test_what_a_user_computes_about_a_network_that_ships_lies_on_the_users_shelf(shipped, own_shelf, network):
    shelf, setting = library.SHIPPED, grids.Setting()
    before = contents(shelf)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "SHIPPED", ROOT / "checkpoints")
        grid, found = some_grid(), reality.load("relu-mlp/vanilla")
    for path in (shelf, *shelf.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)  # which root doesn't mind: hence the bytes are compared
    grids.save(shipped, setting, grid)
    reality.save(shipped, found)
    assert contents(shelf) == before
    about = own_shelf / "about" / library.describe(shipped).sha256
    assert sorted(path.name for path in about.iterdir()) == ["grids", "reality.json"]
    assert grids.load(shipped, setting).fooled == grid.fooled and reality.load(shipped) == found
    for path in (shelf, *shelf.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    reality.save(shipped, found, ship=True)
    assert (shelf / shipped / "reality.json").read_bytes() == (about / "reality.json").read_bytes()


def test_what_was_computed_of_other_weights_is_ignored_and_left_as_it_is(shipped, own_shelf):
    ours, real = library.SHIPPED / shipped, ROOT / "checkpoints" / "relu-mlp" / "vanilla"
    shutil.copytree(real / "grids", ours / "grids")
    shutil.copy(real / "reality.json", ours)
    before = contents(library.SHIPPED)
    setting = grids.Setting()
    assert grids.load(shipped, setting) is None and reality.load(shipped) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "SHIPPED", ROOT / "checkpoints")
        grid, found = some_grid(), reality.load("relu-mlp/vanilla")
    grids.save(shipped, setting, grid)
    reality.save(shipped, found)
    assert contents(library.SHIPPED) == before
    assert grids.load(shipped, setting).fooled == grid.fooled and reality.load(shipped) == found


def test_images_are_carried_over_from_the_vanilla_network_of_the_group(network):
    add = library.add
    vanilla = add(network, "first", group="ours", training="vanilla")
    alone = add(build(SMALL, seed=4), "alone", group="alone", training="saturated")
    saturated = add(build(SMALL, seed=5), "saturated", group="ours", training="saturated")
    groupless = add(build(SMALL, seed=6), "groupless", training="vanilla")
    seed = add(build(SMALL, seed=7), "seed 1", group="relu-mlp", training="vanilla")
    found = [library.vanilla_beside(name) for name in (vanilla, alone, saturated, groupless, seed)]
    assert found == [None, None, vanilla, None, "relu-mlp/vanilla"]
    assert library.vanilla_beside("relu-mlp/vanilla") is None  # whatever else was trained here
    assert library.vanilla_beside("cnn/saturated") == "cnn/vanilla"


# Kills and races


class Killed(BaseException):
    """From here on this process does nothing more."""


STEPS = {
    "replace": os,
    "rename": os,
    "fsync": os,
    "mkdir": Path,
    "unlink": Path,
    "rmtree": shutil,
}


def killed_at(step: int, work) -> bool:
    """Do the `work` as a process would that is killed before its `step`-th change of the disk; whether it was."""
    taken, dead = 0, False

    def before(change):
        def changed(*arguments, **options):
            nonlocal taken, dead
            taken += 1
            dead = dead or taken > step
            if dead:
                raise Killed
            return change(*arguments, **options)

        return changed

    with pytest.MonkeyPatch.context() as patch:
        for name, module in STEPS.items():
            patch.setattr(module, name, before(getattr(module, name)))
        try:
            work()
        except Killed:
            return True
    return False


def all_whole() -> dict[str, int]:
    """The seeds of the networks on the user's shelf, each loaded."""
    found = library.catalogue()
    assert found.damaged == {}
    return {name: card.seed for name, card in found.cards.items() if not card.shipped and library.load(name)}


def test_a_network_is_there_whole_or_not_at_all_wherever_the_process_is_killed(own_shelf, network):
    other = build(SMALL, seed=4)
    library.add(network, "small", seed=3)
    for step in range(100):
        if not killed_at(step, lambda: library.add(other, "small", seed=4)):
            break
        assert all_whole() in ({"mine/small": 3}, {"mine/small": 3, "mine/small-2": 4})
        if "mine/small-2" in library.names():
            library.remove("mine/small-2")
    assert 5 < step < 99 and all_whole() == {"mine/small": 3, "mine/small-2": 4}


def test_a_network_is_never_off_its_shelf_while_its_card_is_written(name):
    for step in range(100):
        if not killed_at(step, lambda: library.measured(name, MEASUREMENTS | {"accuracy": 0.5})):
            break
        assert all_whole() == {name: 3}
        assert library.describe(name).measurements["accuracy"] in (0.9, 0.5)
        library.measured(name, MEASUREMENTS)
    assert 2 < step < 99 and library.describe(name).measurements["accuracy"] == 0.5


def test_half_a_network_is_never_seen_while_one_is_removed(own_shelf, network):
    for step in range(100):
        library.add(network, "small", seed=3)
        if not killed_at(step, lambda: library.remove("mine/small")):
            break
        assert all_whole() in ({}, {"mine/small": 3})
    assert 0 < step < 99 and all_whole() == {}


RACER = """
import sys, time
from satcore import library
from satcore.networks import build, mlp
ours, theirs = (build(mlp("relu", (16, 16)), seed) for seed in (int(sys.argv[1]), 9))
print("ready", flush=True)
for label in sys.stdin:
    print(library.add(ours, label), library.add(theirs, label + " same"), flush=True)
"""


@pytest.mark.slow
def test_two_processes_that_add_under_one_label_at_once_both_keep_theirs(own_shelf):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, seed],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in "12"
    ]
    try:
        assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 2
        for heat in range(40):
            for racer in racers:
                racer.stdin.write(f"heat {heat}\n")
                racer.stdin.flush()
            (ours, one), (theirs, other) = (racer.stdout.readline().split() for racer in racers)
            assert {ours, theirs} == {f"mine/heat-{heat}", f"mine/heat-{heat}-2"}
            assert one == other == f"mine/heat-{heat}-same"
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()
    assert len(all_whole()) == 120


@pytest.mark.slow
def test_a_process_killed_while_it_adds_leaves_whole_networks_alone(own_shelf):
    chance = random.Random(0)
    for _ in range(2):
        racer = subprocess.Popen(
            [sys.executable, "-c", RACER, "1"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        racer.stdout.readline()
        for _ in range(30):
            racer.stdin.write(f"{chance.random()}\n")
        racer.stdin.flush()
        time.sleep(chance.uniform(0, 0.2))
        racer.kill()
        racer.communicate()
        all_whole()
