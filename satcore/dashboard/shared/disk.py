"""What took long to compute outlives the server: in files on the user's shelf, without code in them.

A file is safetensors: the tensors and arrays of a value, and in its header, as JSON, the rest. It is read as the type
that its function says it gives, and nothing else. It lies under a hash of what was asked for, of satcore's own code and
of the versions of what that computes with: others know nothing of it. What can't be read or written is computed again,
and nobody is told.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import math
import os
import threading
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

import satcore
from satcore import library
from satcore.files import read_whole, sweep, write_whole

FOLDER = ".computed"  # on the user's shelf
SUFFIX = ".safetensors"
LONG = 0.1  # seconds: what took less is as soon computed as read
LARGEST = 8 << 20  # bytes of a file
MOST = 256 << 20  # bytes of all files, and an eighth more
PACKAGE = Path(satcore.__file__).parent
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(PACKAGE.rglob("*.py")) if path.is_file())).digest()
VERSIONS = [importlib.metadata.version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")]
WRONG = (
    *(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError),
    safetensors.SafetensorError,
)  # with a file that isn't what was written
_room: dict[Path, int] = {}  # bytes that may be written to a folder before it is looked through again
_lock = threading.Lock()


def read(question: tuple, kind: Any) -> tuple[Any, float] | None:
    """The value of a type `kind` that answers the `question`, and how long it once took; None where it isn't there."""
    path = _place(question)
    try:
        content = read_whole(path, LARGEST)
        header = int.from_bytes(content[:8], "little")
        said = json.loads(content[8 : 8 + header])["__metadata__"]
        value, seconds = _as(kind, json.loads(said["value"]), safetensors.torch.load(content)), float(said["seconds"])
    except WRONG:
        return None
    if not 0 <= seconds < math.inf:
        return None
    with contextlib.suppress(OSError):  # a shelf that is read-only
        os.utime(path)  # what is asked for is the last to go
    return value, seconds


def write(question: tuple, value: Any, seconds: float) -> None:
    """Keep a `value` that it took so many `seconds` to compute, where that is worth it and can be done."""
    if seconds < LONG:
        return
    tensors: dict[str, Tensor] = {}
    with contextlib.suppress(OSError, TypeError, ValueError):
        said = {"value": json.dumps(_plain(value, tensors)), "seconds": str(seconds)}
        content = safetensors.torch.save(tensors, said)
        if len(content) <= LARGEST:
            _make_room(library.user_shelf() / FOLDER, len(content))
            write_whole(_place(question), content)


def _place(question: tuple) -> Path:
    name = hashlib.sha256(repr((CODE, VERSIONS, question)).encode()).hexdigest()
    return library.user_shelf() / FOLDER / f"{name}{SUFFIX}"


def _make_room(folder: Path, bytes_wanted: int) -> None:
    """Before the first file of a server, and again after each eighth of `MOST`, keep only what was asked for last."""
    with _lock:
        _room[folder] = _room.get(folder, 0) - bytes_wanted
        if _room[folder] >= 0:
            return
        _room[folder] = MOST // 8
    sweep(folder)
    left = MOST
    there = [(path, path.stat()) for path in folder.glob(f"*{SUFFIX}")]
    for path, found in sorted(there, key=lambda one: -one[1].st_mtime):
        left -= found.st_size
        if left < 0:
            path.unlink(missing_ok=True)


def _plain(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The `value` as what JSON holds; its tensors and arrays are put among the `tensors`, in their order."""
    if isinstance(value, Tensor | np.ndarray):
        tensors[str(len(tensors))] = torch.as_tensor(value).contiguous().clone()
        return len(tensors) - 1
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), tensors) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _plain(part, tensors) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(part, tensors) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, tensors) for part in value]
    return value


def _as(kind: Any, plain: Any, tensors: dict[str, Tensor]) -> Any:
    """What `_plain` made of a value of the type `kind`. Raises ValueError, KeyError or TypeError for anything else."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Tensor:
        return tensors[str(plain)]
    if kind is np.ndarray:
        return tensors[str(plain)].numpy()
    if origin in (types.UnionType, typing.Union):  # X | None
        (there,) = set(inner) - {types.NoneType}
        return None if plain is None else _as(there, plain, tensors)
    if origin is dict:
        return {name: _as(inner[1], part, tensors) for name, part in plain.items()}
    if origin in (list, tuple):
        kinds = inner if origin is tuple and inner[-1] is not ... else [inner[0]] * len(plain)
        return origin(_as(one, part, tensors) for one, part in zip(kinds, plain, strict=True))
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        hints, made = typing.get_type_hints(kind), typing.cast("type[Any]", kind)
        return made(**{name: _as(hints[name], part, tensors) for name, part in plain.items()})
    if kind is float:
        return float(plain)
    if type(plain) is not kind:
        raise TypeError(f"expected {kind}, got {type(plain)}")
    return plain
