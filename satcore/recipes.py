"""All that it takes, with a seed, to train a network again: recipes, and those of the paper's networks."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from satcore import networks, nonlinearities
from satcore.data import CLASSES
from satcore.networks import Architecture, Block, Convolution, Dense, Elementwise

FAMILIES = ("sigmoid-mlp", "relu-mlp", "cnn")
PAPER_TRAININGS = ("vanilla", "adversarial", "saturated", "control")
TRAININGS = (*PAPER_TRAININGS, "dendritic")  # the last one: pixels that saturate, and bounds in the loss
TRAINING_IMAGES = 60_000
MOST_EPOCHS = 100_000
MOST_SHIFT = 8  # pixels
MOST_BEND = 0.5
MOST_SCALE = 1_000.0  # of the initial weights


def _check_number(what: str, value: Any, least: float, most: float = math.inf) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not least <= value <= most:
        limits = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"expected {what} {limits}, got {value!r}")


def _check_whole(what: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"expected {what} as a whole number from {least:,} to {most:,}, got {value!r}")


@dataclass(frozen=True)
class Annealing:
    """λ rises from `start` by `step` an epoch until it reaches `maximum`; all zero: no penalty."""

    start: float = 0.0
    step: float = 0.0
    maximum: float = 0.0

    def __post_init__(self):
        for name, value in vars(self).items():
            _check_number(f"λ's {name}", value, 0)

    def __call__(self, epoch: int) -> float:
        """λ in the given epoch, counted from 0."""
        return min(self.maximum, self.start + self.step * epoch)

    def times(self, factor: float) -> "Annealing":
        """The same course, with a λ so many times as large."""
        return Annealing(*(factor * value for value in vars(self).values()))


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs under one optimiser (Adam, begun anew).

    batch_size          divides 60,000
    learning_rate       held, or moved linearly, epoch by epoch, to `last_learning_rate`
    beta2, adam_epsilon Adam's β₂ and ε; small ones let it follow gradients that fade as units saturate
    penalty             λ in each epoch of the phase (Eq. 8)
    clean_share         α of Eq. 4; 1: no adversarial examples. Where bounds are trained on, κ: the share of the loss
                        that the images themselves have, held, or moved linearly to `last_clean_share`
    within              ε in each epoch of the phase, where bounds are trained on: the other share of the loss is that
                        of the worst that interval bounds allow within ε (Gowal et al. 2018); 0: no bounds
    frozen              so many blocks, from the image up, are left as they are
    shift               each image is moved by up to so many pixels, up or down and sideways, anew in every epoch
    bend                each image is turned, stretched and sheared, anew in every epoch: it shows the pixels that a
                        matrix leads to which differs from 1 by at most so much in each entry
    """

    epochs: int
    batch_size: int
    learning_rate: float
    last_learning_rate: float | None = None
    beta2: float = 0.999
    adam_epsilon: float = 1e-8
    penalty: Annealing = Annealing()
    clean_share: float = 1.0
    frozen: int = 0
    within: Annealing = Annealing()
    last_clean_share: float | None = None
    shift: int = 0
    bend: float = 0.0

    def __post_init__(self):
        _check_whole("epochs a phase", self.epochs, 1, MOST_EPOCHS)
        if type(self.batch_size) is not int or self.batch_size < 1 or TRAINING_IMAGES % self.batch_size:
            raise ValueError(f"expected a batch size that divides {TRAINING_IMAGES:,}, got {self.batch_size!r}")
        _check_number("a learning rate", self.learning_rate, 0, 1)
        if self.last_learning_rate is not None:
            _check_number("a last learning rate", self.last_learning_rate, 0, 1)
        _check_number("Adam's β₂", self.beta2, 0, math.nextafter(1, 0))
        _check_number("Adam's ε", self.adam_epsilon, 0, 1)
        _check_number("a clean share α", self.clean_share, 0, 1)
        _check_whole("frozen blocks", self.frozen, 0, networks.MOST_BLOCKS)
        _check_number("ε of the bounds", self.within.maximum, 0, 1)
        if self.last_clean_share is not None:
            _check_number("a last clean share κ", self.last_clean_share, 0, 1)
        if self.last_clean_share is not None and not self.bounded:
            raise ValueError("expected a share that changes only where bounds are trained on, got one without bounds")
        _check_whole("pixels that images are moved by", self.shift, 0, MOST_SHIFT)
        _check_number("what images are bent by", self.bend, 0, MOST_BEND)
        if self.frozen > 0 and (self.clean_share < 1 or self.bounded or self.moved):
            raise ValueError(
                "expected frozen layers, or adversarial examples, bounds or moved images, got both: what stands on "
                "frozen layers never sees the image"
            )

    @property
    def bounded(self) -> bool:
        """Whether bounds are trained on."""
        return self.within.maximum > 0

    @property
    def only_bounded(self) -> bool:
        """Whether nothing but bounds is trained on: what the images themselves come to has no share in the loss."""
        return self.bounded and self.clean_share == 0 and not self.last_clean_share and self.penalty.maximum == 0

    @property
    def moved(self) -> bool:
        """Whether images are moved or bent."""
        return self.shift > 0 or self.bend > 0

    @property
    def attacked(self) -> bool:
        """Whether adversarial examples are trained on."""
        return self.clean_share < 1 and not self.bounded

    def rate(self, epoch: int) -> float:
        """The learning rate in an epoch of the phase, counted from 0."""
        return self._moved(self.learning_rate, self.last_learning_rate, epoch)

    def share(self, epoch: int) -> float:
        """α, or κ, in an epoch of the phase, counted from 0."""
        return self._moved(self.clean_share, self.last_clean_share, epoch)

    def _moved(self, first: float, last: float | None, epoch: int) -> float:
        return first if last is None else first + epoch / max(1, self.epochs - 1) * (last - first)


@dataclass(frozen=True)
class Recipe:
    """How a network comes about.

    family, training    what it belongs to: of `FAMILIES` and `TRAININGS`, or a family of one's own
    architecture        its blocks
    phases              one after the other
    complementary       for each block the nonlinearity whose φ_c (Eq. 7) is the penalty; "identity": f(z) = z
    epsilon             size of the FGSM step that makes adversarial training examples
    initial_scale       factor on the initial weights
    for_bounds          whether those are drawn for interval bounds, and not as PyTorch does; see `networks.build`
    """

    family: str
    training: str
    architecture: Architecture
    phases: tuple[Phase, ...]
    complementary: tuple[str, ...]
    epsilon: float = 0.25
    initial_scale: float = 1.0
    for_bounds: bool = False

    def __post_init__(self):
        if not (isinstance(self.family, str) and self.family) or self.training not in TRAININGS:
            raise ValueError(
                f"expected a family's name and a training out of {', '.join(TRAININGS)}, got {self.name[:80]!r}"
            )
        networks.shapes(self.architecture)
        layers = len(self.architecture)
        if len(self.complementary) != layers or not set(self.complementary) <= set(nonlinearities.BY_NAME):
            raise ValueError(
                f"expected {layers} complementary functions out of {', '.join(nonlinearities.BY_NAME)}, "
                f"got {self.complementary}"
            )
        if not self.phases:
            raise ValueError("expected at least one phase, got none")
        if any(phase.frozen >= layers for phase in self.phases):
            raise ValueError(f"expected a block that is trained in every phase, got all {layers} frozen")
        _check_whole("epochs in all", self.epochs, 1, MOST_EPOCHS)
        _check_number("FGSM's ε", self.epsilon, 0, 1)
        _check_number("an initial scale", self.initial_scale, 0, MOST_SCALE)
        if type(self.for_bounds) is not bool:
            raise ValueError(f"expected whether weights are drawn for bounds, got {self.for_bounds!r}")

    def to_json(self) -> dict[str, Any]:
        """The recipe as what JSON holds."""
        return dataclasses.asdict(self) | {"architecture": networks.to_data(self.architecture)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Recipe":
        """The recipe that `to_json` gave. Raises ValueError, TypeError or KeyError for anything else."""
        fields = _as_they_are_now(fields)
        phases = tuple(
            Phase(**(phase | {name: Annealing(**phase.get(name, {})) for name in ("penalty", "within")}))
            for phase in fields["phases"]
        )
        made = {
            "architecture": networks.from_data(fields["architecture"]),
            "phases": phases,
            "complementary": tuple(fields["complementary"]),
        }
        return cls(**(fields | made))

    @property
    def name(self) -> str:
        """What the network is called on the shelf that ships."""
        return f"{self.family}/{self.training}"

    @property
    def identity(self) -> str:
        """What the recipe is, whatever it is called: 16 hexadecimal digits."""
        fields = _essence(dataclasses.replace(self, family="any", training="vanilla"))
        fields |= {"architecture": networks.to_data(self.architecture)}
        alike = json.loads(json.dumps(fields), parse_int=float)  # 1 and 1.0 are one number
        return hashlib.sha256(json.dumps(alike, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def epochs(self) -> int:
        """How many there are in all."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def lambda_max(self) -> float:
        """The largest λ."""
        return max(phase.penalty.maximum for phase in self.phases)

    def phase_of(self, epoch: int) -> tuple[Phase, int]:
        """The phase that an epoch of the whole recipe falls in, and which epoch of that phase it is."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase, epoch
            epoch -= phase.epochs
        raise IndexError("the recipe ends before this epoch")


def control(saturated: Recipe) -> Recipe:
    """The saturated recipe with λ = 0 throughout and all else equal: what is left is not the penalty's doing."""
    phases = tuple(dataclasses.replace(phase, penalty=Annealing()) for phase in saturated.phases)
    return dataclasses.replace(saturated, training="control", phases=phases)


def changed(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """The `recipe` with other `settings`, and the training that it is then.

    widths                 of the hidden layers of an MLP, a tuple
    nonlinearity           of all hidden layers, by its name; φ_c (Eq. 7) becomes that of the same
    step                   whether each pixel passes a step at ½ before anything is summed
    lambda_max             the largest λ: all of λ's course in proportion; where the recipe has none, λ rises evenly
                           over its last phase
    epochs                 of the longest phase, in which λ then rises so much faster or slower
    batch_size, learning_rate, clean_share
                           of every phase; a rate that changes within a phase does so in proportion; where bounds are
                           trained on, the share is held, and only in those phases
    initial_scale, epsilon
    Raises ValueError for another setting, and as `Recipe` does.
    """
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"expected a setting out of {', '.join(SETTINGS)}, got {str(name)[:40]!r}")
        recipe = SETTINGS[name](recipe, value)
    return dataclasses.replace(recipe, training=_training(recipe))


def _training(recipe: Recipe) -> str:
    if any(phase.attacked for phase in recipe.phases):
        return "adversarial"
    if any(phase.bounded for phase in recipe.phases):
        return "dendritic"
    if recipe.lambda_max > 0:
        return "saturated"
    return "control" if recipe.training in ("saturated", "control") else "vanilla"


def _with_widths(recipe: Recipe, widths: Sequence[int]) -> Recipe:
    steps = _steps(recipe)
    blocks = recipe.architecture[steps:]
    if not all(isinstance(block.affine, Dense) for block in blocks):
        raise ValueError("expected an MLP, whose widths can be chosen, got a network with other layers")
    if not widths:
        raise ValueError("expected the width of at least one hidden layer, got none")
    for width in widths:
        _check_whole("units a layer", width, 1, networks.MOST_UNITS)
    before, hidden, last = recipe.complementary[:steps], recipe.complementary[steps], recipe.complementary[-1]
    return dataclasses.replace(
        recipe,
        architecture=(*recipe.architecture[:steps], *networks.mlp(blocks[0].nonlinearity, widths)),
        complementary=(*before, *[hidden] * len(widths), last),
    )


def _with_nonlinearity(recipe: Recipe, nonlinearity: str) -> Recipe:
    blocks, complementary = [], []
    for block, penalised in zip(recipe.architecture, recipe.complementary, strict=True):
        hidden = isinstance(block.affine, Dense | Convolution) and block is not recipe.architecture[-1]
        blocks.append(dataclasses.replace(block, nonlinearity=nonlinearity) if hidden else block)
        complementary.append(penalised if penalised in ("identity", "step") else nonlinearity)
    return dataclasses.replace(recipe, architecture=tuple(blocks), complementary=tuple(complementary))


def _with_step(recipe: Recipe, step: bool) -> Recipe:
    there = _steps(recipe)
    if step == there:
        return recipe
    architecture, complementary = recipe.architecture[there:], recipe.complementary[there:]
    if step:
        architecture, complementary = (STEP, *architecture), ("step", *complementary)
    moved = 1 if step else -1
    phases = tuple(dataclasses.replace(p, frozen=p.frozen + moved) if p.frozen else p for p in recipe.phases)
    return dataclasses.replace(recipe, architecture=architecture, complementary=complementary, phases=phases)


def _steps(recipe: Recipe) -> bool:
    return recipe.architecture[0] == STEP


def _with_lambda_max(recipe: Recipe, maximum: float) -> Recipe:
    _check_number("λ's maximum", maximum, 0)
    if recipe.lambda_max > 0:
        factor = maximum / recipe.lambda_max
        return _in_all_phases(recipe, lambda phase: {"penalty": phase.penalty.times(factor)})
    *before, last = recipe.phases
    last = dataclasses.replace(last, penalty=Annealing(step=maximum / last.epochs, maximum=maximum))
    return dataclasses.replace(recipe, phases=(*before, last))


def _with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    _check_whole("epochs", epochs, 1, MOST_EPOCHS)
    longest = max(recipe.phases, key=lambda phase: phase.epochs)
    penalty, within = (
        dataclasses.replace(course, step=course.step * longest.epochs / epochs)
        for course in (longest.penalty, longest.within)
    )
    changed = dataclasses.replace(longest, epochs=epochs, penalty=penalty, within=within)
    return dataclasses.replace(recipe, phases=tuple(changed if p is longest else p for p in recipe.phases))


def _with_learning_rate(recipe: Recipe, rate: float) -> Recipe:
    _check_number("a learning rate", rate, 0, 1)

    def at(phase: Phase) -> dict[str, Any]:
        last = phase.last_learning_rate
        return {
            "learning_rate": rate,
            "last_learning_rate": last and (last * rate / phase.learning_rate if phase.learning_rate else rate),
        }

    return _in_all_phases(recipe, at)


def _with_clean_share(recipe: Recipe, share: float) -> Recipe:
    anywhere = any(phase.bounded for phase in recipe.phases)

    def at(phase: Phase) -> dict[str, Any]:
        return {"clean_share": share, "last_clean_share": None} if phase.bounded or not anywhere else {}

    return _in_all_phases(recipe, at)


def _in_all_phases(recipe: Recipe, fields: Callable[[Phase], dict[str, Any]]) -> Recipe:
    return dataclasses.replace(recipe, phases=tuple(dataclasses.replace(p, **fields(p)) for p in recipe.phases))


SETTINGS: dict[str, Callable[[Recipe, Any], Recipe]] = {
    "widths": _with_widths,
    "nonlinearity": _with_nonlinearity,
    "step": _with_step,
    "lambda_max": _with_lambda_max,
    "epochs": _with_epochs,
    "batch_size": lambda recipe, size: _in_all_phases(recipe, lambda _: {"batch_size": size}),
    "learning_rate": _with_learning_rate,
    "clean_share": _with_clean_share,
    "initial_scale": lambda recipe, scale: dataclasses.replace(recipe, initial_scale=scale),
    "epsilon": lambda recipe, epsilon: dataclasses.replace(recipe, epsilon=epsilon),
}


def _essence(part: Any) -> Any:
    """A recipe, or a part of one, but for what is as it is by default: so no later field changes what it is."""
    if isinstance(part, tuple):
        return [_essence(there) for there in part]
    if not dataclasses.is_dataclass(part):
        return part
    values = {field: getattr(part, field.name) for field in dataclasses.fields(part)}
    return {field.name: _essence(value) for field, value in values.items() if value != field.default}


def _as_they_are_now(fields: dict[str, Any]) -> dict[str, Any]:
    """The `fields` of a recipe; of one from when widths were all that could be chosen, its blocks are filled in, and
    of one from when boxes could be narrower than their ball, and weren't, that is left out.
    """
    if any("narrow" in phase for phase in fields["phases"]):
        phases = [{k: v for k, v in phase.items() if (k, v) != ("narrow", 1.0)} for phase in fields["phases"]]
        fields = fields | {"phases": phases}
    if "hidden" not in fields:
        return fields
    family, hidden = fields["family"], fields["hidden"]
    blocks = networks.cnn() if family == "cnn" else networks.mlp(family.removesuffix("-mlp"), (hidden, hidden))
    kept = {name: value for name, value in fields.items() if name not in ("hidden", "precision")}
    return kept | {"architecture": json.loads(json.dumps(networks.to_data(blocks)))}


STEP = Block(Elementwise(networks.IMAGE), "step")
_SIGMOID_MLP = {"architecture": networks.mlp("sigmoid", (400, 400)), "complementary": ("sigmoid",) * 3}
_RELU_MLP = {"architecture": networks.mlp("relu", (400, 400)), "complementary": ("relu",) * 3}
_CNN = {"architecture": networks.cnn(), "complementary": ("relu", "relu", "relu", "identity")}
_HOT = {"batch_size": 1200, "learning_rate": 1e-2, "beta2": 0.95, "adam_epsilon": 1e-15}
_CNN_DENSE = {"batch_size": 600, "learning_rate": 1e-3, "beta2": 0.95, "adam_epsilon": 1e-15, "frozen": 2}

_SATURATED = (
    Recipe(
        "sigmoid-mlp",
        "saturated",
        **_SIGMOID_MLP,
        phases=(
            Phase(epochs=5, **_HOT),
            Phase(epochs=1741, penalty=Annealing(step=0.001, maximum=1.74), **_HOT),
            Phase(epochs=60, penalty=Annealing(start=1.74, maximum=1.74), last_learning_rate=1e-4, **_HOT),
        ),
    ),
    Recipe(
        "relu-mlp",
        "saturated",
        **_RELU_MLP,
        phases=(Phase(epochs=420, batch_size=600, learning_rate=1e-2, penalty=Annealing(step=1e-10, maximum=3.99e-8)),),
    ),
    Recipe(
        "cnn",
        "saturated",
        **_CNN,
        phases=(
            Phase(epochs=14, batch_size=100, learning_rate=1e-3, last_learning_rate=1e-5),
            Phase(epochs=80, penalty=Annealing(step=1e-5, maximum=1e-5), **_CNN_DENSE),
            Phase(epochs=40, penalty=Annealing(start=1e-5, maximum=1e-5), last_learning_rate=1e-5, **_CNN_DENSE),
        ),
    ),
)
_OTHERS = (
    Recipe(
        "sigmoid-mlp",
        "vanilla",
        **_SIGMOID_MLP,
        phases=(Phase(epochs=30, batch_size=600, learning_rate=3e-3, last_learning_rate=3e-5),),
    ),
    Recipe(
        "relu-mlp",
        "vanilla",
        **_RELU_MLP,
        phases=(Phase(epochs=20, batch_size=600, learning_rate=3e-3, last_learning_rate=3e-5),),
    ),
    Recipe(
        "cnn",
        "vanilla",
        **_CNN,
        initial_scale=0.5,
        phases=(Phase(epochs=6, batch_size=100, learning_rate=1e-3, last_learning_rate=1.75e-4),),
    ),
    Recipe(
        "sigmoid-mlp",
        "adversarial",
        **_SIGMOID_MLP,
        phases=(Phase(epochs=40, batch_size=200, learning_rate=2e-3, last_learning_rate=2e-5, clean_share=0.5),),
    ),
    Recipe(
        "relu-mlp",
        "adversarial",
        **_RELU_MLP,
        phases=(Phase(epochs=40, batch_size=200, learning_rate=1e-3, last_learning_rate=1e-5, clean_share=0.5),),
    ),
    Recipe(
        "cnn",
        "adversarial",
        **_CNN,
        phases=(Phase(epochs=12, batch_size=100, learning_rate=1e-3, last_learning_rate=1e-5, clean_share=0.5),),
    ),
)


def on_bounds(
    family: str,
    architecture: Architecture,
    epochs: tuple[int, int, int],
    shares: tuple[float, float],
    learning_rate: float = 1e-3,
    **phase: Any,
) -> Recipe:
    """A network behind a step, trained on interval bounds: so many `epochs` without; while ε rises to 0.25 and the
    images' own share of the loss falls to the first of the `shares` (Gowal et al. 2018); and there, while that share
    moves to the last one and the learning rate falls.
    """
    clean, rising, falling = epochs
    middle, last_share = shares
    there, penalised = Annealing(0.25, 0, 0.25), tuple(block.nonlinearity for block in architecture)
    phases = (
        Phase(clean, learning_rate=learning_rate, **phase),
        Phase(
            rising,
            learning_rate=learning_rate,
            within=Annealing(0, 0.25 / rising, 0.25),
            last_clean_share=middle,
            **phase,
        ),
        Phase(
            falling,
            learning_rate=learning_rate,
            last_learning_rate=1e-5,
            within=there,
            clean_share=middle,
            last_clean_share=last_share,
            **phase,
        ),
    )
    return Recipe(family, "dendritic", (STEP, *architecture), phases, ("step", *penalised), for_bounds=True)


def _bent(recipe: Recipe) -> Recipe:
    """With images that are bent, once bounds are in the loss: they are else learned by heart."""
    first, *others = recipe.phases
    return dataclasses.replace(recipe, phases=(first, *(dataclasses.replace(phase, bend=0.1) for phase in others)))


def _strided_cnn() -> Architecture:
    """256 windows of 14×14 pixels in nine places, and a dense layer, of ramps: wide, and few blocks for a bound."""
    return (
        Block(Convolution(1, 256, (14, 14), (7, 7)), "ramp"),
        Block(Dense(256 * 3 * 3, 512), "ramp"),
        Block(Dense(512, CLASSES)),
    )


_DENDRITIC = (
    on_bounds("sigmoid-mlp", networks.mlp("sigmoid", (512, 512)), (2, 40, 58), (0.5, 0.0), batch_size=500, shift=1),
    on_bounds("relu-mlp", networks.mlp("ramp", (512, 512)), (2, 40, 58), (0.5, 0.0), batch_size=500, shift=1),
    _bent(on_bounds("cnn", _strided_cnn(), (2, 38, 260), (0.5, 0.0), learning_rate=3e-3, batch_size=500, shift=1)),
)

RECIPES = {
    recipe.name: recipe
    for recipe in sorted(
        (*_OTHERS, *_SATURATED, *map(control, _SATURATED), *_DENDRITIC),
        key=lambda r: (FAMILIES.index(r.family), TRAININGS.index(r.training)),
    )
}

# Quick enough to be watched, and no reproduction. As in the paper's CNN the penalty takes the logits themselves; Adam
# forgets, and follows gradients that fade.
_QUICK = Recipe(
    "quick",
    "saturated",
    networks.mlp("relu", (200, 200)),
    phases=(Phase(epochs=60, penalty=Annealing(step=2e-7, maximum=1e-5), **_HOT),),
    complementary=("relu", "relu", "identity"),
)
WATCHED = {recipe.name: recipe for recipe in (_QUICK, control(_QUICK))}
