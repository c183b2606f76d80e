"""The shelves of networks: the one that ships, which nothing here writes to, and the user's own.

A network is a folder that holds all that is known of it: `card.json`, `weights.safetensors`, and what was computed
about it. Its identity is its content, a hash over architecture and weights; its name is a label for people. Whatever is
read here may be damaged, or made by someone who means harm: sizes, types and the hash are checked before anything is
built.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import safetensors.torch
import torch
from torch import Tensor

from satcore import networks
from satcore.data import check_kind, said
from satcore.files import part_of, read_whole, reason, sweep, write_whole, written
from satcore.networks import Architecture, Network
from satcore.recipes import FAMILIES, TRAININGS, Recipe

SHIPPED = Path(__file__).parent.parent / "checkpoints"
OWN = "mine"  # what names on the user's shelf begin with
CARD, WEIGHTS, RECORDS, ABOUT = "card.json", "weights.safetensors", "records.jsonl", "about"
MOST_CARD, MOST_FILE, MOST_RECORDS = 1 << 20, 160 << 20, 64 << 20  # bytes; a file's header is held to the first as well
MOST_NAMED = 40  # networks, in a sentence
LABEL = "[a-z0-9][a-z0-9.-]*"
MOST_LETTERS = 40  # of a new label; some from before have up to 60, and stay readable


@dataclass(frozen=True)
class Member:
    """What trains a committee's member again, and how long that took, on what, in which precision; as in `Card`."""

    recipe: Recipe
    seed: int
    seconds: float
    device: str
    precision: str


@dataclass(frozen=True)
class Card:
    """What is known of a network without loading it.

    name, shipped       what it is called, and whether it is on the shelf that ships
    group, training     what it belongs to: a family and training of the paper, or a group and "" for one from elsewhere
    architecture        its blocks
    sha256              its identity, over architecture and weights, in hexadecimal
    measurements        `satcore.evaluation.Measurements` as a dictionary, taken when it was saved; {} until then
    origin              where it comes from, in words
    recipe, seed        what trains it again, where it was trained here
    seconds, device     how long that took, and on what
    precision           of the products in training, "float32" or "bfloat16"
    versions            of Python and of the libraries that decide the numbers
    members             of a committee, those that were trained here; then recipe and seed are theirs
    """

    name: str
    shipped: bool
    group: str
    training: str
    architecture: Architecture
    sha256: str
    measurements: dict[str, Any]
    origin: str
    recipe: Recipe | None = None
    seed: int | None = None
    seconds: float | None = None
    device: str | None = None
    precision: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    members: tuple[Member, ...] = ()

    @property
    def made(self) -> tuple[Member, ...]:
        """What trains it again, of a committee each of its members; nothing where that is elsewhere."""
        if self.recipe is None or self.seed is None:
            return self.members
        return (Member(self.recipe, self.seed, self.seconds or 0.0, self.device or "", self.precision or ""),)

    @property
    def history(self) -> str:
        """Where it comes from, of which seed, or seeds of its members, and how long they took, on what."""
        if not self.made:
            return self.origin
        seeds = f"seed{'s' * (len(self.made) > 1)} {' and '.join(str(member.seed) for member in self.made)}"
        minutes, device = sum(member.seconds for member in self.made) / 60, self.made[0].device
        return f"{self.origin}, {seeds}" + (f", {minutes:.1f} minutes on {device}" if device else "")


@dataclass(frozen=True)
class Catalogue:
    """All shelves together: the `cards` by name, those that ship first, and why other folders are `damaged`.

    Where the user's own shelf can't be read, `damaged` says so under its name, "mine".
    """

    cards: dict[str, Card]
    damaged: dict[str, str]


def user_shelf() -> Path:
    """The user's own shelf: $SATCORE_SHELF, or a folder under the platform's folder for a user's data.

    Raises ValueError where that is the shelf that ships, or inside it.
    """
    named = os.environ.get("SATCORE_SHELF")
    if not named:
        return Path(platformdirs.user_data_dir("satcore", appauthor=False)) / "networks"
    if Path(os.path.realpath(named)).is_relative_to(os.path.realpath(SHIPPED)):
        raise ValueError(
            f"expected a shelf of your own outside {SHIPPED}, which ships and is left as it is, got {named}"
        )
    return Path(os.path.abspath(named))  # for whoever is begun with it, elsewhere


def names() -> list[str]:
    """The names of all networks, those that ship first, in the order of the paper's Table 1."""
    groups = [label for label in _labels(SHIPPED) if label != OWN]
    shipped = [f"{group}/{label}" for group in groups for label in _labels(SHIPPED / group)]
    return sorted(shipped, key=_as_in_table_1) + [f"{OWN}/{label}" for label in _labels(user_shelf() / OWN)]


def catalogue() -> Catalogue:
    """The cards of all networks. A damaged card is no error here, but a sentence."""
    cards, damaged = {}, {}
    for name in names():
        try:
            cards[name] = describe(name)
        except ValueError as error:
            damaged[name] = str(error)
    try:
        with os.scandir(user_shelf() / OWN):
            pass
    except FileNotFoundError:
        pass  # nothing was ever kept
    except OSError as error:
        damaged[OWN] = f"expected a shelf that can be read in {user_shelf()}, got none ({reason(error)})"
    return Catalogue(cards, damaged)


def describe(name: str) -> Card:
    """What is known of the network `name`. Raises ValueError where there is none, or its card is damaged."""
    path = folder_of(name) / CARD
    return _card(name, not _is_own(name), read_whole(path, MOST_CARD), str(path))


def load(name: str, device: str = "cpu") -> Network:
    """The network `name`, verified, in eval mode and without parameter gradients.

    Raises ValueError where there is no such network, its weights aren't the ones that its card describes, or there is
    no such device.
    """
    card = describe(name)
    path = folder_of(name) / WEIGHTS
    content = read_whole(path, MOST_FILE)
    found = content_hash(card.architecture, content)
    if found != card.sha256:
        raise ValueError(
            f"expected weights and an architecture with SHA-256 {card.sha256[:12]}… in {path.parent}, "
            f"got {found[:12]}…: damaged, truncated or another network's"
        )
    network = _built(card.architecture, content, path)
    try:
        return network.to(device)
    except (RuntimeError, AssertionError, TypeError) as error:  # torch has one for each way not to be there
        raise ValueError(f"expected a device that is there, got {said(device)} ({_first_line(error)})") from error


def add(
    network: Network,
    label: str,
    *,
    group: str = "",
    training: str = "",
    origin: str = "added from Python",
    measurements: dict[str, Any] | None = None,
    recipe: Recipe | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    device: str | None = None,
    precision: str | None = None,
    records: bytes | None = None,
    members: Sequence[Member] = (),
    shelf: Path | None = None,
) -> str:
    """Keep `network` on the user's shelf, and return its name: "mine/…" with what is left of the `label`.

    Its weights are kept in float32, or in float16 where that holds the very same numbers.

    Nothing is overwritten: the same network (by its hash) under the same label stays as it is, another one of that
    label gets a suffix. `records` are the lines of the epochs that it was trained for. `shelf`, for maintainers, is the
    folder to keep it in, under `group`/`label` as they are. Raises ValueError for what isn't a network of blocks, for
    weights that aren't finite, for what no card can hold, and OSError where nothing can be written there.
    """
    weights, sha256 = _packed(network)
    fields = {
        "label": label,
        "group": group,
        "training": training,
        "sha256": sha256,
        "origin": origin,
        "architecture": networks.to_data(network.architecture),
        "measurements": measurements or {},
        "recipe": recipe.to_json() if recipe else None,
        "seed": seed,
        "seconds": None if seconds is None else round(seconds, 1),
        "device": device,
        "precision": precision,
        "versions": _versions(),
    }
    if members:
        fields["members"] = [vars(member) | {"recipe": member.recipe.to_json()} for member in members]
    shelf, name = (shelf, f"{group}/{label}") if shelf else (user_shelf(), f"{OWN}/{slug(label)}")
    if not re.fullmatch(f"{LABEL}/{LABEL}", name):
        raise ValueError(f"expected a group and a label of small letters, digits, dashes and dots, got {name[:80]!r}")
    files = {CARD: _card_file(shelf / name, fields), WEIGHTS: weights} | ({} if records is None else {RECORDS: records})
    return _put(shelf / name, shelf, sha256, files)


def same_as(network: Network) -> str | None:
    """The name under which this very network, by its hash, is on any shelf already; None where it is on none."""
    _, sha256 = _packed(network)
    there = (name for name, card in catalogue().cards.items() if card.sha256 == sha256)
    return next((name for name in there if _hash_in(folder_of(name)) == sha256), None)


def measured(name: str, measurements: dict[str, Any]) -> None:
    """Write the `measurements` on the card of the network `name`.

    Raises ValueError where it is one that ships, where its card is damaged, and for what are no measurements, and
    OSError where it can't be written.
    """
    folder = _own_folder(name)
    describe(name)
    fields = json.loads(read_whole(folder / CARD, MOST_CARD))
    write_whole(folder / CARD, _card_file(folder, fields | {"measurements": measurements}))


def remove(name: str) -> None:
    """Take the network `name` off the user's shelf, with all that is known of it.

    Raises ValueError where it is one that ships, or there is none, and OSError where it can't be taken away.
    """
    folder = _own_folder(name)
    hidden = part_of(folder)
    with written(folder):
        folder.rename(hidden)  # so that nobody meets half a network
    shutil.rmtree(hidden, ignore_errors=True)


def folder_of(name: str) -> Path:
    """The folder of the network `name`. Raises ValueError where there is none."""
    if isinstance(name, str) and re.fullmatch(f"{LABEL}/{LABEL}", name):
        folder = (user_shelf() if _is_own(name) else SHIPPED) / name
        if os.path.isdir(folder):
            return folder
    there = names()
    listed = ", ".join(there[:MOST_NAMED]) + (", …" if len(there) > MOST_NAMED else "")
    raise ValueError(f"expected one of the networks {listed or '(none is there)'}, got {str(name)[:80]!r}")


def kept(name: str, file: str) -> Path:
    """Where the `file` lies that was computed about the network `name`: the user's own, else the one that ships.

    Where there is neither, a path at which there is nothing. Whether it was computed about these very weights is for
    whoever reads it to check.
    """
    own, shipped = place(name, file), folder_of(name) / file
    return shipped if os.path.exists(shipped) and not os.path.exists(own) else own


def place(name: str, file: str, *, ship: bool = False) -> Path:
    """Where a `file` is to be put that was computed about the network `name`.

    In the network's folder; but what a user computes about a network that ships goes to the user's shelf, under the
    network's hash. `ship`, for maintainers: into the network's folder in any case.
    """
    card = describe(name)
    return user_shelf() / ABOUT / card.sha256 / file if card.shipped and not ship else folder_of(name) / file


def check_same(name: str, sha256: str) -> None:
    """Raise ValueError unless the network `name` has this hash, as it had when something began to be found of it."""
    if describe(name).sha256 != sha256:
        raise ValueError(f"expected {name} to stay the same while it was looked into, got another network")


def vanilla_beside(name: str) -> str | None:
    """The network from which images are carried over to the network `name`: its group's vanilla one, those that ship
    first; None where there is none, or it is that one itself.
    """
    card = describe(name)
    alike = [c.name for c in catalogue().cards.values() if c.group == card.group and c.training == "vanilla"]
    return alike[0] if card.group and alike and alike[0] != name else None


def content_hash(architecture: Architecture, weights: bytes) -> str:
    """A network's identity: SHA-256 of its architecture and of its file of weights, in hexadecimal."""
    blocks = json.dumps(networks.to_data(architecture), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(blocks.encode() + b"\n" + weights).hexdigest()


def slug(label: str) -> str:
    """What is left of a `label` in a folder's name: letters, digits, dashes and dots, 40 at most, cut after a word.

    Letters lose their accents: ü becomes u. Raises ValueError for nothing.
    """
    check_kind(label, str, "a name with a letter or a digit")
    plain = "".join(each for each in unicodedata.normalize("NFKD", label) if not unicodedata.combining(each))
    left = re.sub(r"[^a-z0-9.]+", "-", plain.casefold()).strip("-.")
    if len(left) > MOST_LETTERS:
        words = left[: MOST_LETTERS + 1].rpartition("-")[0]
        left = (words or left[:MOST_LETTERS]).strip("-.")
    if not left:
        raise ValueError(f"expected a name with a letter or a digit, got {label[:60]!r}")
    return left


def _labels(folder: Path) -> list[str]:
    """The names of the folders in `folder` that a network or a group may have; none where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if re.fullmatch(LABEL, entry.name) and entry.is_dir())
    except OSError:
        return []


def _as_in_table_1(name: str) -> tuple[int, int, str]:
    group, _, label = name.partition("/")
    return (
        FAMILIES.index(group) if group in FAMILIES else len(FAMILIES),
        TRAININGS.index(label) if label in TRAININGS else len(TRAININGS),
        name,
    )


def _is_own(name: str) -> bool:
    return name.startswith(f"{OWN}/")


def _own_folder(name: str) -> Path:
    folder = folder_of(name)
    if not _is_own(name):
        raise ValueError(f"expected a network on your own shelf, got {name}, which ships and is left as it is")
    return folder


@functools.lru_cache(maxsize=256)
def _card(name: str, shipped: bool, content: bytes, path: str) -> Card:
    try:
        fields = json.loads(content)
        if not isinstance(fields, dict):
            raise ValueError("no table of fields")
        fields.pop("label", None)
        recipe = fields.pop("recipe", None)
        members = [Member(**one | {"recipe": Recipe.from_json(one["recipe"])}) for one in fields.pop("members", [])]
        architecture = networks.from_data(fields.pop("architecture", None))
        card = Card(
            name=name,
            shipped=shipped,
            architecture=architecture,
            recipe=None if recipe is None else Recipe.from_json(recipe),
            members=tuple(members),
            **fields,
        )
        _check_types(card)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"expected a network's card in {path}, got something else or a damaged one "
            f"({type(error).__name__}: {_first_line(error)})"
        ) from error
    return card


def _check_types(card: Card) -> None:
    if not (isinstance(card.sha256, str) and re.fullmatch("[0-9a-f]{64}", card.sha256)):
        raise TypeError("a hash that is none")
    for name in ("group", "training", "origin"):
        if not isinstance(getattr(card, name), str) or len(getattr(card, name)) > 2_000:
            raise TypeError(f"a {name} that is no text, or too long a one")
    if not (isinstance(card.versions, dict) and all(isinstance(value, str) for value in card.versions.values())):
        raise TypeError("versions that are no table of texts")
    for made in (card, *card.members):
        if not (made.seed is None or type(made.seed) is int) or not (made.seconds is None or _is_number(made.seconds)):
            raise TypeError("a seed or seconds that are no numbers")
        if not all(said is None or isinstance(said, str) for said in (made.device, made.precision)):
            raise TypeError("a device or a precision that is no text")
    if any(None in (made.seed, made.seconds, made.device, made.precision) for made in card.members):
        raise TypeError("a member without its seed, seconds, device or precision")
    _check_measurements(card.measurements)


def _check_measurements(measured: object) -> None:
    if not isinstance(measured, dict):
        raise TypeError("measurements that are no table")
    if not measured:
        return
    shares = ("accuracy", "fgsm_accuracy", "zero_gradient", "right_unmoved", "epsilon")
    later = {"fgsm_withstood"} & set(measured)  # which cards from before it was measured lack
    kurtosis = measured.get("kurtosis")
    if (
        set(measured) - later != {*shares, "kurtosis", "images"}
        or type(measured["images"]) is not int
        or not all(_is_number(measured[name]) and 0 <= measured[name] <= 1 for name in (*shares, *later))
        or not isinstance(kurtosis, list)
        or not all(k is None or _is_number(k) for k in kurtosis)
    ):
        raise TypeError("measurements that are none")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _built(architecture: Architecture, content: bytes, path: Path) -> Network:
    """The network of this architecture with the weights in `content`, which it is held against before it is built."""
    if int.from_bytes(content[:8], "little") > MOST_CARD:  # the header's length, before anything is made of it
        raise ValueError(f"expected a file of weights in {path}, got something else")
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, RuntimeError, KeyError, OverflowError) as error:
        raise ValueError(f"expected a file of weights in {path}, got something else ({_first_line(error)})") from error
    with torch.device("meta"):
        network = Network(architecture).float()  # whatever PyTorch's default is
    if all(tensor.dtype == torch.float16 for tensor in tensors.values()):
        tensors = {name: tensor.float() for name, tensor in tensors.items()}
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in network.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    if wanted != found:
        wrong = sorted(set(wanted.items()) ^ set(found.items()), key=str)[0]
        raise ValueError(
            f"expected the weights of the network's architecture in {path}, got others, "
            f"{wrong[0][:40]} {wrong[1][0]} for one"
        )
    _check_finite(tensors)
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False)


def _check_finite(tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"expected finite weights, got NaN or infinity in {name}")


def _packed(network: Network) -> tuple[bytes, str]:
    """The file of weights of a `network`, float32, or float16 where nothing is lost by it, and its hash."""
    check_kind(network, Network, "a network of blocks to keep")
    tensors = {
        name: tensor.detach().to("cpu", torch.float32).clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    _check_finite(tensors)
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    if all(torch.equal(halves[name].float(), tensor) for name, tensor in tensors.items()):
        tensors = halves
    weights = safetensors.torch.save(tensors)
    return weights, content_hash(network.architecture, weights)


def _card_file(folder: Path, fields: dict[str, Any]) -> bytes:
    """The card of a network in `folder`, held against what is believed when it is read."""
    try:
        content = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (ValueError, TypeError) as error:
        raise ValueError(f"expected what a network's card can hold, got something else ({error})") from error
    _card(folder.name, False, content, str(folder / CARD))
    return content


def _put(target: Path, shelf: Path, sha256: str, files: dict[str, bytes]) -> str:
    """Put a network's `files` into the folder `target`, or into one with the first suffix that is free."""
    part = part_of(target)
    sweep(target.parent)
    try:
        for name, content in files.items():
            write_whole(part / name, content)
        for suffix in range(1, 10_000):
            place = target if suffix == 1 else target.with_name(f"{target.name}-{suffix}")
            if _moved(part, place) or _hash_in(place) == sha256:
                return place.relative_to(shelf).as_posix()
        raise ValueError(f"expected a label that isn't taken ten thousand times, got {target.name}")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _moved(part: Path, place: Path) -> bool:
    """Whether the folder `part` is now at `place`: not where something lies there, which is never overwritten."""
    if os.path.lexists(place):
        return False
    try:
        os.rename(part, place)
    except OSError as error:
        if os.path.lexists(place):  # another process was there first
            return False
        raise OSError(f"expected a place that can be written in {place}, got none ({reason(error)})") from error
    return True


def _hash_in(folder: Path) -> str | None:
    """The hash of the network in `folder`, by its card and its weights alike; None where they are damaged."""
    try:
        card = _card(folder.name, False, read_whole(folder / CARD, MOST_CARD), str(folder / CARD))
        found = content_hash(card.architecture, read_whole(folder / WEIGHTS, MOST_FILE))
    except ValueError:
        return None
    return found if found == card.sha256 else None


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{library: importlib.metadata.version(library) for library in ("torch", "numpy")},
    }


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
