"""The file in which a run that isn't finished keeps its state: safetensors, with what it belongs to in the header.

It may be damaged, or put there by someone else: nothing in it is believed before it was looked at.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from satcore.files import read_whole, write_whole
from satcore.networks import MOST_WEIGHTS
from satcore.recipes import Recipe

MOST_HEADER = 1 << 20  # bytes
MOST_FILE = MOST_HEADER + 3 * 4 * MOST_WEIGHTS  # the weights in float32, and Adam's two moments of each


@dataclass(frozen=True)
class State:
    """Where a run stands: its `tensors` by name, after so many of its epochs, and so many seconds of training."""

    tensors: dict[str, Tensor]
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Origin:
    """What a state belongs to: a run of this recipe and seed on this device, its products in this precision."""

    recipe: Recipe
    seed: int
    device: torch.device
    precision: str

    @property
    def machine(self) -> str:
        """That on which the run ends in the same bits, as far as can be said."""
        return f"{self.device.type} with torch {torch.__version__} in {self.precision}"

    def __str__(self) -> str:
        return json.dumps({"recipe": self.recipe.to_json(), "seed": self.seed}, sort_keys=True)


def write(path: Path, state: State, run: Origin) -> None:
    """Keep the `state` of the `run`. Raises OSError where that can't be written."""
    metadata = {
        "run": str(run),
        "machine": run.machine,
        "epoch": str(state.epochs),
        "seconds": str(state.seconds),
    }
    contiguous = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    write_whole(path, safetensors.torch.save(contiguous, metadata))


def read(path: Path, run: Origin) -> State:
    """The state of the `run` that `write` kept.

    Raises ValueError where the file can't be read, is of another recipe, seed, kind of device, precision or version of
    PyTorch, in which the run would not end in the same bits, or holds what is no number.
    """
    recipe = run.recipe
    try:
        content = read_whole(path, MOST_FILE)
        metadata = _metadata(content)
        tensors = safetensors.torch.load(content)
        state = State(tensors, int(metadata["epoch"]), float(metadata["seconds"]))
        kept_of, machine = json.loads(metadata["run"]), metadata["machine"]
        same = (Recipe.from_json(kept_of["recipe"]).identity, kept_of["seed"]) == (recipe.identity, run.seed)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
        RecursionError,
        safetensors.SafetensorError,
    ) as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"expected the state of an interrupted run in {path}, got a file that can't be read "
            f"({next(iter(said.splitlines()), '')}); delete it to start again"
        ) from error
    if not same:
        raise ValueError(
            f"expected the state of {recipe.name} with seed {run.seed} in {path}, got that of another "
            "recipe or seed; delete it to start again"
        )
    if machine != run.machine:
        raise ValueError(
            f"expected the state of a run on {run.machine} in {path}, got that of one on {machine[:80]}, which "
            "would not go on to the same bits; delete it to start again"
        )
    if not (0 < state.epochs < recipe.epochs and 0 <= state.seconds < math.inf):
        raise ValueError(
            f"expected a state within a run of {recipe.epochs} epochs in {path}, got one after {state.epochs} and "
            f"{state.seconds:g} seconds; delete it to start again"
        )
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise ValueError(
                f"expected a state in float32 in {path}, got {name[:80]} in {tensor.dtype}; delete it to start again"
            )
        if not bool(tensor.isfinite().all()):
            raise ValueError(
                f"expected a state of finite numbers in {path}, got NaN or infinity in {name[:80]}; "
                "delete it to start again"
            )
    return state


def restore(tensors: dict[str, Tensor], state: State, path: Path) -> None:
    """Fill `tensors`, by name, from the `state` in `path`. Raises ValueError where it doesn't hold them."""
    for name, tensor in tensors.items():
        found = state.tensors.get(name)
        if found is None or (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            got = "none" if found is None else f"{found.dtype} {tuple(found.shape)}"
            raise ValueError(
                f"expected {tensor.dtype} {tuple(tensor.shape)} as {name} of the run in {path}, got {got}; "
                "delete it to start again"
            )
        tensor.copy_(found)


def _metadata(content: bytes) -> dict[str, str]:
    """What the header says of the tensors. Raises ValueError where there is no such header."""
    length = int.from_bytes(content[:8], "little")
    if length > min(MOST_HEADER, len(content)):
        raise ValueError("no header, or one that is too long")
    return json.loads(content[8 : 8 + length])["__metadata__"]
