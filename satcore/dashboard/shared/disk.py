"""What took long to compute outlives the server: in files on the user's shelf, without code in them.

A file is safetensors: the tensors and arrays of a value, and in its header, as JSON, the rest. It is read as the type
that its function says it gives, and nothing else. It lies under a hash of what was asked for and of satcore's own code:
another version of either knows nothing of it. What can't be read or written is computed again, and nobody is told.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
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
MOST = 256 << 20  # bytes of all files when a server begins to write


def read(question: tuple, kind: Any) -> tuple[Any, float] | None:
    """The value of a type `kind` that answers the `question`, and how long it once took; None where it isn't there."""
    path = _place(question)
    try:
        content = read_whole(path, LARGEST)
        header = int.from_bytes(content[:8], "little")
        said = json.loads(content[8 : 8 + header])["__metadata__"]
        value = _as(kind, json.loads(said["value"]), safetensors.torch.load(content))
        os.utime(path)  # what is asked for is the last to go
        return value, float(said["seconds"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError, safetensors.SafetensorError):
        return None


def write(question: tuple, value: Any, seconds: float) -> None:
    """Keep a `value` that it took so many `seconds` to compute, where that is worth it and can be done."""
    if seconds < LONG:
        return
    _make_room(library.user_shelf() / FOLDER)
    tensors: dict[str, Tensor] = {}
    said = {"value": json.dumps(_plain(value, tensors)), "seconds": str(seconds)}
    content = safetensors.torch.save(tensors, said)
    if len(content) <= LARGEST:
        with contextlib.suppress(OSError):
            write_whole(_place(question), content)


def _place(question: tuple) -> Path:
    name = hashlib.sha256(repr((_code(), torch.__version__, question)).encode()).hexdigest()
    return library.user_shelf() / FOLDER / f"{name}{SUFFIX}"


@functools.cache
def _code() -> str:
    """A hash of all of satcore's code, as it was when this was first asked."""
    package = Path(satcore.__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))).hexdigest()


@functools.cache
def _make_room(folder: Path) -> None:
    """Once a server: of what is there, keep what was asked for last."""
    sweep(folder)
    with contextlib.suppress(OSError):
        there = [(path, path.stat()) for path in folder.glob(f"*{SUFFIX}")]
        left = MOST
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
    if origin is types.UnionType:  # X | None
        return None if plain is None else _as(inner[0], plain, tensors)
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
