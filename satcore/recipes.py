"""One frozen recipe a network: all that it takes, with a seed, to train it again."""

import dataclasses
from dataclasses import dataclass

from satcore import networks, nonlinearities
from satcore.networks import Architecture

FAMILIES = ("sigmoid-mlp", "relu-mlp", "cnn")
TRAININGS = ("vanilla", "adversarial", "saturated", "control")
TRAINING_IMAGES = 60_000


@dataclass(frozen=True)
class Annealing:
    """λ rises from `start` by `step` an epoch until it reaches `maximum`; all zero: no penalty."""

    start: float = 0.0
    step: float = 0.0
    maximum: float = 0.0

    def __call__(self, epoch: int) -> float:
        """λ in the given epoch, counted from 0."""
        return min(self.maximum, self.start + self.step * epoch)


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs under one optimiser (Adam, begun anew).

    batch_size          divides 60,000
    learning_rate       held, or moved linearly, epoch by epoch, to `last_learning_rate`
    beta2, adam_epsilon Adam's β₂ and ε; small ones let it follow gradients that fade as units saturate
    penalty             λ in each epoch of the phase (Eq. 8)
    clean_share         α of Eq. 4; 1: no adversarial examples
    frozen              so many layers, from the image up, are left as they are
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

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError(f"expected at least one epoch a phase, got {self.epochs}")
        if self.batch_size < 1 or TRAINING_IMAGES % self.batch_size:
            raise ValueError(f"expected a batch size that divides {TRAINING_IMAGES}, got {self.batch_size}")
        if self.frozen > 0 and self.clean_share < 1:
            raise ValueError(
                "expected adversarial examples or frozen layers, got both: what stands on frozen layers "
                "never sees the image that would have to be attacked"
            )

    def rate(self, epoch: int) -> float:
        """The learning rate in an epoch of the phase, counted from 0."""
        if self.last_learning_rate is None:
            return self.learning_rate
        done = epoch / max(1, self.epochs - 1)
        return self.learning_rate + done * (self.last_learning_rate - self.learning_rate)


@dataclass(frozen=True)
class Recipe:
    """How the network `family/training` comes about.

    family, training    out of `FAMILIES` and `TRAININGS`
    hidden              width of an MLP's hidden layers (0 for the CNN)
    complementary       for each layer the nonlinearity whose φ_c (Eq. 7) is the penalty; "identity": f(z) = z
    epsilon             size of the FGSM step that makes adversarial training examples
    precision           of training's forward and backward pass: "float32", or "bfloat16" by autocast; the weights
                        themselves, the loss and Adam are float32 in either
    initial_scale       factor on the weights of PyTorch's initialisation
    """

    family: str
    training: str
    hidden: int
    phases: tuple[Phase, ...]
    complementary: tuple[str, ...]
    epsilon: float = 0.25
    precision: str = "bfloat16"
    initial_scale: float = 1.0

    def __post_init__(self):
        if self.family not in FAMILIES or self.training not in TRAININGS:
            raise ValueError(
                f"expected a family out of {', '.join(FAMILIES)} and a training out of "
                f"{', '.join(TRAININGS)}, got {self.name!r}"
            )
        layers = 4 if self.family == "cnn" else 3
        if len(self.complementary) != layers or not set(self.complementary) <= set(nonlinearities.BY_NAME):
            raise ValueError(
                f"expected {layers} complementary functions out of {', '.join(nonlinearities.BY_NAME)}, "
                f"got {self.complementary}"
            )
        if not isinstance(self.hidden, int) or self.hidden < (self.family != "cnn"):
            raise ValueError(f"expected a hidden width of at least 1, or 0 for the CNN, got {self.hidden!r}")
        if not self.phases:
            raise ValueError("expected at least one phase, got none")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f'expected the precision "float32" or "bfloat16", got {self.precision!r}')

    @classmethod
    def from_json(cls, fields: dict) -> "Recipe":
        """The recipe whose `dataclasses.asdict` went through JSON. Raises TypeError or KeyError for anything else."""
        phases = tuple(Phase(**(phase | {"penalty": Annealing(**phase["penalty"])})) for phase in fields["phases"])
        return cls(**(fields | {"phases": phases, "complementary": tuple(fields["complementary"])}))

    @property
    def name(self) -> str:
        """What the network is called on the shelf that ships."""
        return f"{self.family}/{self.training}"

    @property
    def architecture(self) -> Architecture:
        """The network's blocks."""
        if self.family == "cnn":
            return networks.cnn()
        return networks.mlp(self.family.removesuffix("-mlp"), (self.hidden, self.hidden))

    @property
    def epochs(self) -> int:
        """How many there are in all."""
        return sum(phase.epochs for phase in self.phases)

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


_SIGMOID_MLP = {"hidden": 400, "complementary": ("sigmoid",) * 3}
_RELU_MLP = {"hidden": 400, "complementary": ("relu",) * 3}
_CNN = {"hidden": 0, "complementary": ("relu", "relu", "relu", "identity")}
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

RECIPES = {
    recipe.name: recipe
    for recipe in sorted(
        (*_OTHERS, *_SATURATED, *map(control, _SATURATED)),
        key=lambda r: (FAMILIES.index(r.family), TRAININGS.index(r.training)),
    )
}
