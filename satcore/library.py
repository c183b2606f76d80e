"""The shelves of networks: the one that ships, which nothing here writes to, and the user's own.

A network is a folder that holds all that is known of it: `card.json`, `weights.safetensors`, and what was computed about
it. Its identity is its content, a hash over architecture and weights; its name is a label for people. Whatever is read
here may be damaged, or made by someone who means harm: sizes, types and the hash are checked before anything is built.
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
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import safetensors.torch
import torch
from torch import Tensor

from satcore import networks
from satcore.files import read_whole, write_whole
from satcore.networks import Architecture, Network
from satcore.recipes import FAMILIES, TRAININGS, Recipe

SHIPPED = Path(__file__).parent.parent / "checkpoints"
OWN = "mine"  # what names on the user's shelf begin with
CARD, WEIGHTS, ABOUT = "card.json", "weights.safetensors", "about"
MOST_CARD, MOST_FILE = 1 << 20, 160 << 20  # bytes


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
    versions            of Python and of the libraries that decide the numbers
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
    versions: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Catalogue:
    """All shelves together: the `cards` by name, those that ship first, and why other folders are `damaged`."""

    cards: dict[str, Card]
    damaged: dict[str, str]


def user_shelf() -> Path:
    """The user's own shelf: $SATCORE_SHELF, or a folder under the platform's folder for a user's data."""
    named = os.environ.get("SATCORE_SHELF")
    return Path(named) if named else Path(platformdirs.user_data_dir("satcore", appauthor=False)) / "networks"


def names() -> list[str]:
    """The names of all networks, those that ship first, in the order of the paper's Table 1."""
    return [*_names_on(SHIPPED, shipped=True), *_names_on(user_shelf(), shipped=False)]


def catalogue() -> Catalogue:
    """The cards of all networks. A damaged card is no error here, but a sentence."""
    cards, damaged = {}, {}
    for name in names():
        try:
            cards[name] = describe(name)
        except (ValueError, OSError) as error:
            damaged[name] = str(error)
    return Catalogue(cards, damaged)


def describe(name: str) -> Card:
    """What is known of the network `name`. Raises ValueError where there is none, or its card is damaged."""
    folder = folder_of(name)
    path = folder / CARD
    content = read_whole(path, MOST_CARD)
    return _card(name, folder.is_relative_to(SHIPPED), content, str(path))


def load(name: str, device: str = "cpu") -> Network:
    """The network `name`, verified, in eval mode and without parameter gradients.

    Raises ValueError where there is no such network, or its weights aren't the ones that its card describes.
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
    return _built(card.architecture, content, path).to(device)


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
    shelf: Path | None = None,
) -> str:
    """Keep `network` on the user's shelf, and return its name: "mine/…" with what is left of the `label`.

    Nothing is overwritten: the same network (by its hash) under the same label stays as it is, another one of that label
    gets a suffix. `shelf`, for maintainers, is the folder to keep it in, under `group`/`label` as they are. Raises
    ValueError for what isn't a network of blocks, for weights that aren't finite, and OSError where nothing can be
    written there.
    """
    if not isinstance(network, Network):
        raise ValueError(f"expected a network of blocks to keep, got a {type(network).__name__}")
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in network.state_dict().items()}
    _check_finite(tensors)
    weights = safetensors.torch.save(tensors)
    sha256 = content_hash(network.architecture, weights)
    fields = {
        "label": label,
        "group": group,
        "training": training,
        "sha256": sha256,
        "origin": origin,
        "architecture": networks.to_data(network.architecture),
        "measurements": measurements or {},
        "recipe": dataclasses.asdict(recipe) if recipe else None,
        "seed": seed,
        "seconds": None if seconds is None else round(seconds, 1),
        "device": device,
        "versions": _versions(),
    }
    card = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    target = (shelf / group / label) if shelf else user_shelf() / OWN / slug(label)
    return _put(target, shelf or user_shelf(), sha256, {CARD: card, WEIGHTS: weights})


def measured(name: str, measurements: dict[str, Any]) -> None:
    """Write the `measurements` on the card of the network `name`. Raises ValueError where it is one that ships."""
    path = _own_folder(name) / CARD
    fields = json.loads(read_whole(path, MOST_CARD))
    write_whole(
        path,
        json.dumps(fields | {"measurements": measurements}, indent=2, ensure_ascii=False, allow_nan=False).encode()
        + b"\n",
    )


def remove(name: str) -> None:
    """Take the network `name` off the user's shelf, with all that is known of it.

    Raises ValueError where it is one that ships, or there is none.
    """
    folder = _own_folder(name)
    hidden = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    folder.rename(hidden)  # so that nobody meets half a network
    shutil.rmtree(hidden, ignore_errors=True)


def folder_of(name: str) -> Path:
    """The folder of the network `name`. Raises ValueError where there is none."""
    for shelf, shipped in ((SHIPPED, True), (user_shelf(), False)):
        if name in _names_on(shelf, shipped=shipped):
            return shelf / name
    there = names()
    raise ValueError(f"expected one of the networks {', '.join(there) or '(none is there)'}, got {str(name)[:80]!r}")


def kept(name: str, file: str, *, ship: bool = False) -> Path:
    """Where the `file` lies that was computed about the network `name`, or where it may be put if there is none.

    What ships lies in the network's folder; what a user computes about a network that ships lies on the user's shelf,
    under the network's hash. `ship`, for maintainers: in the network's folder in any case.
    """
    card = describe(name)
    there = folder_of(name) / file
    if there.exists() or ship or not card.shipped:
        return there
    return user_shelf() / ABOUT / card.sha256 / file


def content_hash(architecture: Architecture, weights: bytes) -> str:
    """A network's identity: SHA-256 of its architecture and of its file of weights, in hexadecimal."""
    blocks = json.dumps(networks.to_data(architecture), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(blocks.encode() + b"\n" + weights).hexdigest()


def slug(label: str) -> str:
    """What is left of a `label` in a folder's name: letters, digits, dashes and dots. Raises ValueError for nothing."""
    left = re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-.")[:60]
    if not left:
        raise ValueError(f"expected a name with a letter or a digit, got {label[:60]!r}")
    return left


def _names_on(shelf: Path, *, shipped: bool) -> list[str]:
    groups = [shelf / OWN] if not shipped else sorted(path for path in shelf.glob("*") if path.is_dir())
    found = [
        f"{path.parent.parent.name}/{path.parent.name}"
        for group in groups
        for path in group.glob(f"*/{CARD}")
        if re.fullmatch("[a-z0-9][a-z0-9.-]*", path.parent.name)
    ]
    return sorted(found, key=_as_in_table_1)


def _as_in_table_1(name: str) -> tuple[int, int, str]:
    group, _, label = name.partition("/")
    return (
        FAMILIES.index(group) if group in FAMILIES else len(FAMILIES),
        TRAININGS.index(label) if label in TRAININGS else len(TRAININGS),
        name,
    )


def _own_folder(name: str) -> Path:
    folder = folder_of(name)
    if folder.is_relative_to(SHIPPED):
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
        architecture = networks.from_data(fields.pop("architecture", None))
        card = Card(
            name=name,
            shipped=shipped,
            architecture=architecture,
            recipe=None if recipe is None else Recipe.from_json(recipe),
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
    numbers = (int, float)
    if not (card.seed is None or type(card.seed) is int) or not (card.seconds is None or type(card.seconds) in numbers):
        raise TypeError("a seed or seconds that are no numbers")
    _check_measurements(card.measurements)


def _check_measurements(measured: object) -> None:
    if not isinstance(measured, dict):
        raise TypeError("measurements that are no table")
    if not measured:
        return
    shares = ("accuracy", "fgsm_accuracy", "zero_gradient", "right_unmoved", "epsilon")
    kurtosis = measured.get("kurtosis")
    if (
        set(measured) != {*shares, "kurtosis", "images"}
        or type(measured["images"]) is not int
        or not all(type(measured[name]) in (int, float) and 0 <= measured[name] <= 1 for name in shares)
        or not isinstance(kurtosis, list)
        or not all(k is None or (type(k) in (int, float) and math.isfinite(k)) for k in kurtosis)
    ):
        raise TypeError("measurements that are none")


def _built(architecture: Architecture, content: bytes, path: Path) -> Network:
    """The network of this architecture with the weights in `content`, which it is held against before it is built."""
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, RuntimeError, KeyError, OverflowError) as error:
        raise ValueError(f"expected a file of weights in {path}, got something else ({_first_line(error)})") from error
    with torch.device("meta"):
        network = Network(architecture)
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


def _put(target: Path, shelf: Path, sha256: str, files: dict[str, bytes]) -> str:
    """Put a network's `files` into the folder `target`, or into one with the first suffix that is free."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for name, content in files.items():
            write_whole(part / name, content)
        for suffix in range(1, 10_000):
            place = target if suffix == 1 else target.with_name(f"{target.name}-{suffix}")
            if _sha256_in(place) == sha256:
                return str(place.relative_to(shelf))
            try:
                os.rename(part, place)  # which fails where a network lies there: nothing is ever overwritten
            except OSError:
                if not place.exists():
                    raise
            else:
                return str(place.relative_to(shelf))
        raise ValueError(f"expected a label that isn't taken, got {target.name}")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sha256_in(folder: Path) -> str | None:
    try:
        return json.loads(read_whole(folder / CARD, MOST_CARD))["sha256"]
    except (ValueError, OSError, KeyError, TypeError, RecursionError):
        return None


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{library: importlib.metadata.version(library) for library in ("torch", "numpy")},
    }


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
