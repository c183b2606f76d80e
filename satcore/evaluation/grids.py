"""The 10×10 grids of the paper's Fig. 5 and 8: from an image of every digit to every other digit, by a targeted
attack.
"""

import io
import itertools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from satcore import attacks, data, library
from satcore.attacks.adam import BETAS, RATE
from satcore.data import CLASSES
from satcore.files import read_whole, write_whole
from satcore.networks import Convolution, Network
from satcore.proofs import standstill

PAIRS = [(source, target) for source in range(CLASSES) for target in range(CLASSES) if source != target]
STEPS = {"L-BFGS": attacks.lbfgs_steps, "Adam": attacks.adam_steps}
SOURCES = ("most confident", "least confident")
TEST_IMAGES = 10_000
MOST_BYTES = 4 << 20  # of a grid, also when it is unpacked
PAPERS_STEPS = 1000  # of L-BFGS, in Fig. 5 and 8
PAPERS_ADAM = 30_000_000  # steps, in §7


@dataclass(frozen=True)
class Setting:
    """How a grid is filled: from which images, by which attack (a key of `STEPS`), how gradients are taken, how many
    steps.
    """

    source: str = "most confident"
    attack: str = "L-BFGS"
    gradient: str = "autograd"
    temperature: float = 1.0
    steps: int = PAPERS_STEPS

    def __post_init__(self):
        if self.source not in SOURCES:
            raise ValueError(f"expected sources out of {', '.join(SOURCES)}, got {self.source!r}")
        if self.attack not in STEPS:
            raise ValueError(f"expected an attack out of {', '.join(STEPS)}, got {self.attack!r}")


@dataclass(frozen=True)
class Grid:
    """A grid, whole or on its way; source digit by row, target by column, on the diagonal the source itself.

    images       (10, 10, 28, 28) float32 in [0, 1]: the best that each attack has come to so far
    found        (10, 10) bool: classified as the target
    iterations   (10, 10) int64
    zero         (10, 10) bool: the attack met a gradient that was exactly zero
    drift        (10, 10) float64: by how much any pixel would change, at most, if Adam went on to `PAPERS_ADAM` steps,
                 none of which would find an adversarial image; 0 where no step would change a bit, and where one is
                 found; ∞ where nothing is proven
    sources      (10,) int64: the source images' indices in the test set
    done         the share of pairs that are finished
    """

    images: np.ndarray
    found: np.ndarray
    iterations: np.ndarray
    zero: np.ndarray
    drift: np.ndarray
    sources: np.ndarray
    done: float

    @property
    def fooled(self) -> int:
        """On how many of the 90 pairs an adversarial image was found."""
        return int(self.found.sum())

    @property
    def resists(self) -> np.ndarray:
        """(10, 10) bool: no adversarial image was found."""
        return ~self.found & ~np.eye(CLASSES, dtype=bool)

    @property
    def rests(self) -> np.ndarray:
        """(10, 10) bool: nor would one be, as from here on no step would change a bit."""
        return self.resists & (self.drift == 0)

    @property
    def drifts(self) -> np.ndarray:
        """(10, 10) bool: nor would one be in `PAPERS_ADAM` steps, which would change the image by `drift` at most."""
        return self.resists & (self.drift > 0) & np.isfinite(self.drift)


@dataclass(frozen=True)
class Filling:
    """A grid on its way: the attack's `step` on the 90 pairs, from the test images at the indices `sources`.

    drift  (90,) float64: as in `Grid`
    """

    step: attacks.Step
    drift: torch.Tensor
    sources: list[int]

    @property
    def done(self) -> float:
        """The share of pairs that are finished."""
        return 1 - float(self.step.running.float().mean())

    @property
    def grid(self) -> Grid:
        """The grid as it would be if the attack were stopped here."""
        result, starts = self.step.result, data.load("test").images[self.sources][:, 0]
        return Grid(
            images=_square(result.images[:, 0].float(), starts),
            found=_square(result.success, False),
            iterations=_square(result.iterations, 0),
            zero=_square(result.zero_gradient, False),
            drift=_square(self.drift, 0),
            sources=np.array(self.sources),
            done=self.done,
        )


def fill(network: Network, setting: Setting) -> Iterator[Filling]:
    """The grid of `network` as it fills, step by step, all pairs at once; the images are chosen in its own eyes.

    Raises ValueError as the attack does, and where the network gets every image of a digit wrong.
    """
    sources = [data.choose(network, "test", digit, setting.source) for digit in range(CLASSES)]
    images = data.load("test").images[sources].to(next(network.parameters()).dtype)
    starts, targets = images[[source for source, _ in PAIRS]], torch.tensor([target for _, target in PAIRS])
    means = torch.zeros(len(PAIRS), dtype=torch.float64)  # at least the size of Adam's moving average, in any pixel
    for step in STEPS[setting.attack](
        network, starts, targets, steps=setting.steps, gradient=setting.gradient, temperature=setting.temperature
    ):
        if step.gradient is not None:
            largest = step.gradient.direction.flatten(1).abs().amax(1).double()
            means[step.seen] = BETAS[0] * means[step.seen] + (1 - BETAS[0]) * largest
        yield Filling(step, _drift(network, setting, step, targets, means), sources)


def _drift(
    network: Network, setting: Setting, step: attacks.Step, targets: torch.Tensor, means: torch.Tensor
) -> torch.Tensor:
    """As in `Grid`, (90,)."""
    found, left = step.standing.reached, PAPERS_ADAM - setting.steps
    unproven = ~found
    if setting.attack == "Adam":  # which stops before its last step where it is at rest
        unproven = step.running | (~found & (step.standing.iterations == setting.steps))
    drift = torch.zeros(len(PAIRS), dtype=torch.float64).masked_fill(unproven, torch.inf)
    if (setting.attack, setting.gradient) == ("Adam", "autograd") and left > 0 and not bool(step.running.any()):
        drift[unproven] = standstill.drift(
            network,
            step.images[unproven],
            targets[unproven],
            means[unproven],
            taken=setting.steps,
            left=left,
            learning_rate=RATE,
        )
    return drift


def _square(values: torch.Tensor, diagonal) -> np.ndarray:
    """`values` (90, …) of the pairs as (10, 10, …)."""
    square = torch.zeros(CLASSES, CLASSES, *values.shape[1:], dtype=values.dtype)
    square[[source for source, _ in PAIRS], [target for _, target in PAIRS]] = values
    square[range(CLASSES), range(CLASSES)] = torch.as_tensor(diagonal, dtype=values.dtype)
    return square.numpy()


def shipped(name: str) -> list[Setting]:
    """The settings whose grids ship for the network `name`: the paper's L-BFGS from both sources, its gradient in three
    ways; and Adam with 100,000 steps, as published, but for a user's convolutions, which might take days.
    """
    ways = (("autograd", 1.0), ("exact", 1.0), ("softened", 30.0))
    settings = [
        Setting(source, gradient=gradient, temperature=temperature)
        for source, (gradient, temperature) in itertools.product(SOURCES, ways)
    ]
    return [*settings, Setting(attack="Adam", steps=100_000)] if _affordable(name) else settings


def _affordable(name: str) -> bool:
    card = library.describe(name)
    return card.shipped or not any(isinstance(block.affine, Convolution) for block in card.architecture)


def save(name: str, setting: Setting, grid: Grid, *, ship: bool = False) -> None:
    """Keep the `grid` of the network `name` under the network's hash; `ship`, for maintainers, as `library.place`."""
    content = io.BytesIO()
    np.savez_compressed(content, sha256=np.array(library.describe(name).sha256), **vars(grid))
    write_whole(library.place(name, _file(setting), ship=ship), content.getvalue())


def load(name: str, setting: Setting) -> Grid | None:
    """The grid kept of the network `name`; None where there is none, or that of other weights.

    Raises ValueError where its file is damaged.
    """
    path = library.kept(name, _file(setting))
    if not path.exists():
        return None
    try:
        content = io.BytesIO(read_whole(path, MOST_BYTES))
        with zipfile.ZipFile(content) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError("more than a grid holds")
        with np.load(content, allow_pickle=False) as arrays:
            fields = {field: arrays[field] for field in arrays}
        kept_of = str(fields.pop("sha256"))
        fields.setdefault("drift", np.where(fields["found"] | np.eye(CLASSES, dtype=bool), 0, np.inf))
        _check_arrays(fields)
        done = float(fields.pop("done"))
        grid = Grid(**fields, done=done)
    except Exception as error:  # numpy and zipfile raise a dozen kinds
        raise ValueError(f"expected a grid in {path}, got a damaged file ({type(error).__name__})") from error
    return grid if kept_of == library.describe(name).sha256 else None


def _check_arrays(fields: dict[str, np.ndarray]) -> None:
    square = (CLASSES, CLASSES)
    wanted = {
        "images": ((*square, 28, 28), "f"),
        "found": (square, "b"),
        "iterations": (square, "i"),
        "zero": (square, "b"),
        "drift": (square, "f"),
        "sources": ((CLASSES,), "i"),
        "done": ((), "f"),
    }
    found = {name: (array.shape, array.dtype.kind) for name, array in fields.items()}
    if found != wanted or not (
        fields["images"].min() >= 0
        and fields["images"].max() <= 1
        and fields["drift"].min() >= 0
        and fields["iterations"].min() >= 0
        and fields["sources"].min() >= 0
        and fields["sources"].max() < TEST_IMAGES
        and 0 <= fields["done"] <= 1
    ):
        raise ValueError("the arrays of a grid")


def _file(setting: Setting) -> str:
    way = setting.gradient + (f" {setting.temperature:g}" if setting.gradient == "softened" else "")
    words = f"{setting.source} {setting.attack} {setting.steps} {way}"
    return f"grids/{words.lower().replace(' ', '-')}.npz"
