"""The trained networks on disk: weights as safetensors, and beside them, as JSON, all that is known of them.

What is known can be read without torch, which takes seconds to import: a screen is drawn from it at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from satcore.files import write_whole
from satcore.recipes import FAMILIES, TRAININGS, Recipe

if TYPE_CHECKING:
    from satcore.networks import Network

FOLDER = Path(__file__).parent.parent / "checkpoints"


@dataclass(frozen=True)
class Description:
    """What a checkpoint's JSON says.

    recipe, seed     what trains it again
    measurements     `satcore.evaluation.Measurements` as a dictionary, taken when it was saved
    sha256           of the file of weights, in hexadecimal
    seconds, device  how long the training took, and on what
    versions         of Python and of the libraries that decide the numbers
    """

    recipe: Recipe
    seed: int
    measurements: dict
    sha256: str
    seconds: float
    device: str
    versions: dict[str, str]


def names(folder: Path = FOLDER) -> list[str]:
    """The names family/training of the networks in `folder`, in the order of the paper's Table 1."""
    every = [f"{family}/{training}" for family in FAMILIES for training in TRAININGS]
    return [name for name in every if _description_file(name, folder).exists()]


def describe(name: str, folder: Path = FOLDER) -> Description:
    """What is known of the network `name`, without loading it.

    Raises ValueError where there is no such network or its JSON is damaged.
    """
    if name not in names(folder):
        raise ValueError(f"expected one of the networks {', '.join(names(folder)) or '(none is there)'}, got {name!r}")
    path = _description_file(name, folder)
    try:
        fields = json.loads(path.read_bytes())
        description = Description(**(fields | {"recipe": Recipe.from_json(fields["recipe"])}))
        if not (isinstance(description.sha256, str) and isinstance(description.measurements, dict)):
            raise TypeError("a hash that is no text, or measurements that are no table")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"expected a checkpoint's description in {path}, got something else or a damaged one "
                         f"({type(error).__name__}: {_first_line(error)})") from error
    if description.recipe.name != name:
        raise ValueError(f"expected the description of {name} in {path}, got that of {description.recipe.name}")
    return description


def load(name: str, device: str = "cpu", folder: Path = FOLDER) -> Network:
    """The trained network `name`, verified, in eval mode and without parameter gradients.

    Raises ValueError where there is no such network, or its weights aren't the ones that were described.
    """
    import safetensors.torch

    from satcore.networks import build

    description = describe(name, folder)
    path = _weights_file(name, folder)
    content = path.read_bytes() if path.exists() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != description.sha256:
        raise ValueError(f"expected weights with SHA-256 {description.sha256[:12]}… in {path}, got "
                         + (f"{len(content)} bytes with {found[:12]}…" if content else "no such file or an empty one")
                         + ": damaged, truncated or another network's")
    network = build(description.recipe.family, description.recipe.hidden)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise ValueError(f"expected the weights of {name} in {path}, got a file that doesn't hold them "
                         f"({_first_line(error)})") from error
    return network.to(device).eval().requires_grad_(False)


def save(network: Network, recipe: Recipe, *, seed: int, seconds: float, device: str, measurements: dict,
         folder: Path = FOLDER) -> Description:
    """Keep `network` under its recipe's name, in place of an earlier one."""
    import safetensors.torch

    content = safetensors.torch.save({name: tensor.cpu().contiguous()
                                      for name, tensor in network.state_dict().items()})
    description = Description(
        recipe=recipe, seed=seed, measurements=measurements, sha256=hashlib.sha256(content).hexdigest(),
        seconds=round(seconds, 1), device=device,
        versions={"python": platform.python_version(),
                  **{library: importlib.metadata.version(library) for library in ("torch", "numpy")}})
    path = _description_file(recipe.name, folder)
    path.unlink(missing_ok=True)  # so that no moment shows the old description beside the new weights
    write_whole(_weights_file(recipe.name, folder), content)
    write_whole(path, json.dumps(dataclasses.asdict(description), indent=2).encode() + b"\n")
    return describe(recipe.name, folder)


def _description_file(name: str, folder: Path) -> Path:
    return folder / f"{name}.json"


def _weights_file(name: str, folder: Path) -> Path:
    return folder / f"{name}.safetensors"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")
