"""What does it: the step, the ramp, the bounds or the penalty? Sixteen networks of one shape, trained with and without
each, and what each contributes to what is attacked and proven.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from scipy import stats

from satcore import data, library, networks
from satcore.evaluation.strongest import worst_case
from satcore.evaluation.table_1 import measure
from satcore.files import read_whole, write_whole, written
from satcore.networks import Network
from satcore.proofs import decide
from satcore.proportions import Proportion
from satcore.recipes import STEP, Annealing, Phase, Recipe, on_bounds

FACTORS = ("step", "ramp", "bounds", "penalty")
CELLS = tuple(
    tuple(itertools.compress(FACTORS, chosen)) for chosen in itertools.product((False, True), repeat=len(FACTORS))
)
SHOWN = (("step",), ("bounds",), ("step", "penalty"), ("step", "ramp", "bounds"))  # those whose weights ship
GROUP, FILE, LOCK, MOST_BYTES = "factorial", "factorial.jsonl", ".factorial.lock", 1 << 20
WIDTHS, EPOCHS, SHARES = (256, 256), (2, 10, 10), (0.5, 0.0)
LAMBDA = 1e-3  # at which most hidden units saturate in so few epochs, and the network still learns
EPSILON, IMAGES, SEED, SECONDS = 0.25, 500, 0, 1.0


@dataclass(frozen=True)
class Cell:
    """One of the networks: its `factors`, and what was measured of it.

    accuracy, fgsm_accuracy, zero_gradient
               shares of all test images, as of `satcore.evaluation.Measurements`
    standing   of `images` random test images those that nothing has broken within `epsilon`, neither the worst case of
               all attacks nor the search for a proof
    proven     of the same images those that are proven, by linear bounds and branch and bound
    """

    factors: tuple[str, ...]
    accuracy: float
    fgsm_accuracy: float
    zero_gradient: float
    standing: int
    proven: int
    images: int
    epsilon: float


@dataclass(frozen=True)
class Effect:
    """What a `factor` contributes to a share: the mean over the eight pairs of networks that differ in it alone, and
    the 95 % interval of that mean, by Student's t.
    """

    factor: str
    mean: float
    low: float
    high: float


def recipe(factors: Iterable[str]) -> Recipe:
    """The recipe of the network with these of the `FACTORS`.

    step     each pixel passes a step at ½ before anything is summed
    ramp     hidden units are ramps, with learned upper knees; else ReLUs
    bounds   the loss is that of interval bounds, on initial weights for bounds; else the images' own
    penalty  λ rises to `LAMBDA` over the last two phases (Eq. 8)
    """
    factors = set(factors)
    architecture = networks.mlp("ramp" if "ramp" in factors else "relu", WIDTHS)
    whole = on_bounds(GROUP, architecture, EPOCHS, SHARES, batch_size=500)
    phases = whole.phases
    if "bounds" not in factors:
        phases = tuple(
            dataclasses.replace(phase, within=Annealing(), clean_share=1.0, last_clean_share=None) for phase in phases
        )
    if "penalty" in factors:
        phases = (phases[0], *_penalised(phases[1:]))
    stepping, penalised = "step" in factors, (architecture[0].nonlinearity,) * len(architecture)
    return dataclasses.replace(
        whole,
        architecture=(STEP, *architecture) if stepping else architecture,
        complementary=("step", *penalised) if stepping else penalised,
        phases=phases,
        training="dendritic" if "bounds" in factors else "saturated" if "penalty" in factors else "vanilla",
        for_bounds="bounds" in factors,
    )


def _penalised(phases: Sequence[Phase]) -> list[Phase]:
    step = LAMBDA / sum(phase.epochs for phase in phases)
    starts = itertools.accumulate((phase.epochs for phase in phases[:-1]), initial=0)
    return [
        dataclasses.replace(phase, penalty=Annealing(step * start, step, LAMBDA))
        for phase, start in zip(phases, starts, strict=True)
    ]


def measured(factors: tuple[str, ...], network: Network) -> Cell:
    """What is attacked and proven of the `network` with these `factors`, between seconds and minutes on one core."""
    row = measure(network, *data.load("test"))
    images, labels = data.sample("test", IMAGES, SEED)
    broken = worst_case(network, images, labels, epsilon=EPSILON).broken
    left = (~broken).nonzero().flatten()
    decided = decide(network, images[left], labels[left], epsilon=EPSILON, seconds=SECONDS)
    return Cell(
        factors,
        row.accuracy,
        row.fgsm_accuracy,
        row.zero_gradient,
        standing=len(left) - int(decided.broken.sum()),
        proven=int(decided.proven.sum()),
        images=IMAGES,
        epsilon=EPSILON,
    )


def effects(cells: Sequence[Cell], figure: str) -> list[Effect]:
    """What each factor contributes to "standing" or "proven", as shares of their images, over all pairs of `cells`.

    Raises ValueError unless all sixteen are there.
    """
    share = {frozenset(cell.factors): getattr(cell, figure) / cell.images for cell in cells}
    if len(share) != len(CELLS):
        raise ValueError(f"expected {len(CELLS)} networks, one for each choice of factors, got {len(share)}")
    found = []
    for factor in FACTORS:
        differences = [share[there | {factor}] - share[there] for there in share if factor not in there]
        mean, error = sum(differences) / len(differences), stats.sem(differences)
        half = float(error * stats.t.ppf(0.975, len(differences) - 1))
        found.append(Effect(factor, mean, mean - half, mean + half))
    return found


def called(factors: Iterable[str]) -> str:
    """The network's name within its group, such as "step-bounds"."""
    return "-".join(factors) or "nothing"


def in_words(cell: Cell) -> str:
    """What was measured of a network, in one line."""
    standing, proven = (Proportion(count, cell.images) for count in (cell.standing, cell.proven))
    return (
        f"clean {100 * cell.accuracy:.2f} %, after FGSM {100 * cell.fgsm_accuracy:.2f} %, gradient exactly zero "
        f"{100 * cell.zero_gradient:.1f} %; within ε = {cell.epsilon:g} not broken {100 * standing.share:.1f} %, "
        f"proven {100 * proven.share:.1f} % of {cell.images} random test images"
    )


def append(cell: Cell, path: Path) -> None:
    """Add what was measured to the file at `path`, a line a network. Raises OSError where it can't be written."""
    shelf = library.user_shelf()
    for folder in (shelf, path.parent):
        with written(folder):
            folder.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf / LOCK):
        content = read_whole(path, MOST_BYTES) if path.exists() else b""
        line = json.dumps(dataclasses.asdict(cell), ensure_ascii=False).encode() + b"\n"
        write_whole(path, content + b"\n" * (content[-1:] not in (b"", b"\n")) + line)


def place(*, ship: bool = False) -> Path:
    """The file of the user's own factorial, or of the one that ships."""
    return (library.SHIPPED if ship else library.user_shelf()) / FILE


def load(path: Path | None = None) -> list[Cell]:
    """What was measured, of the networks that ship unless another `path` is given.

    Raises ValueError where the file is damaged.
    """
    path = path or place(ship=True)
    try:
        lines = read_whole(path, MOST_BYTES).decode().splitlines() if path.exists() else []
        return [_believed(json.loads(line)) for line in lines]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"expected what was measured of the factorial in {path}, got a damaged file ({type(error).__name__})"
        ) from error


def _believed(fields: dict[str, Any]) -> Cell:
    factors = tuple(fields.pop("factors"))
    cell = Cell(factors=factors, **fields)
    shares = (cell.accuracy, cell.fgsm_accuracy, cell.zero_gradient)
    if cell.factors not in CELLS or not all(0 <= share <= 1 and math.isfinite(share) for share in shares):
        raise ValueError("factors and shares")
    if not 0 <= cell.proven <= cell.standing <= cell.images:
        raise ValueError("counts of images")
    return cell
