"""Networks as blocks: an affine map, a pooling or none, a nonlinearity; the architecture is data, the weights are not.

hˡ = Aˡ(xˡ⁻¹), xˡ = φˡ(pooled hˡ), x⁰ the image, hᴰ the logits.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import linear, max_pool2d, pad

from satcore import nonlinearities
from satcore.data import CLASSES
from satcore.nonlinearities import Nonlinearity

IMAGE = (1, 28, 28)
MOST_BLOCKS, MOST_UNITS, MOST_WEIGHTS = 64, 2_000_000, 30_000_000  # of a network that is taken in
MOST_PRODUCTS = 2_000_000_000  # for one image, about a second on one core
Shape = tuple[int, ...]
Activation = Callable[[Nonlinearity, Tensor], Tensor]


@dataclass(frozen=True)
class Dense:
    """Wx + b of all units of x, in the order of its dimensions."""

    inputs: int
    outputs: int

    def shape(self, x: Shape) -> Shape:
        """That of hˡ, of an xˡ⁻¹ of shape `x`. Raises ValueError where it doesn't fit."""
        if math.prod(x) != self.inputs:
            raise ValueError(f"expected {self.inputs} inputs to a dense layer, got {math.prod(x)} of shape {x}")
        return (self.outputs,)

    def parameter_shapes(self) -> tuple[Shape, ...]:
        return (self.outputs, self.inputs), (self.outputs,)

    def module(self) -> nn.Module:
        return nn.Linear(self.inputs, self.outputs)


@dataclass(frozen=True)
class Convolution:
    """A convolution of `inputs` with `outputs` channels; `padding` with zeros on top, left, bottom, right.

    In `groups`, an equal share of the outputs sees an equal share of the inputs alone, as in PyTorch.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1

    def shape(self, x: Shape) -> Shape:
        if self.groups < 1 or self.inputs % self.groups or self.outputs % self.groups:
            raise ValueError(
                f"expected groups that divide {self.inputs} inputs and {self.outputs} outputs, got {self.groups}"
            )
        if len(x) != 3 or x[0] != self.inputs:
            raise ValueError(f"expected {self.inputs} channels to convolve, got shape {x}")
        top, left, bottom, right = self.padding
        rows, columns = x[1] + top + bottom, x[2] + left + right
        if x[0] * rows * columns > MOST_UNITS:
            raise ValueError(f"expected at most {MOST_UNITS:,} units with their padding, got {x[0] * rows * columns:,}")
        return (self.outputs, *_slid((rows, columns), self.kernel, self.stride))

    def parameter_shapes(self) -> tuple[Shape, ...]:
        return (self.outputs, self.inputs // self.groups, *self.kernel), (self.outputs,)

    def module(self) -> nn.Module:
        return ConvolutionModule(self)


@dataclass(frozen=True)
class Elementwise:
    """w·x + b, entry by entry; w and b have the `size` (units,), or (channels, height, width), 1 where one serves
    all.
    """

    size: Shape

    def shape(self, x: Shape) -> Shape:
        if len(self.size) == 1 and math.prod(x) == self.size[0]:
            return self.size
        if len(x) != len(self.size) or any(w not in (1, n) for w, n in zip(self.size, x, strict=True)):
            raise ValueError(f"expected entries that a scale of shape {self.size} fits, got shape {x}")
        return x

    def parameter_shapes(self) -> tuple[Shape, ...]:
        return self.size, self.size

    def module(self) -> nn.Module:
        return ElementwiseModule(self.size)


@dataclass(frozen=True)
class AveragePooling:
    """The mean over windows of each channel, none of which reaches over the edge."""

    kernel: tuple[int, int]
    stride: tuple[int, int]

    def shape(self, x: Shape) -> Shape:
        if len(x) != 3:
            raise ValueError(f"expected channels to pool, got shape {x}")
        return (x[0], *_slid(x[1:], self.kernel, self.stride))

    def parameter_shapes(self) -> tuple[Shape, ...]:
        return ()

    def module(self) -> nn.Module:
        return nn.AvgPool2d(self.kernel, self.stride)


@dataclass(frozen=True)
class MaxPooling:
    """The largest entry of windows of each channel; `padding` of rows and columns on either side counts as −∞."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    def shape(self, h: Shape) -> Shape:
        if len(h) != 3:
            raise ValueError(f"expected channels to pool, got shape {h}")
        if any(2 * edge > side for edge, side in zip(self.padding, self.kernel, strict=True)):
            raise ValueError(f"expected a padding of at most half the kernel {self.kernel}, got {self.padding}")
        return (
            h[0],
            *_slid(tuple(n + 2 * edge for n, edge in zip(h[1:], self.padding, strict=True)), self.kernel, self.stride),
        )

    def __call__(self, h: Tensor) -> Tensor:
        return max_pool2d(h, self.kernel, self.stride, self.padding)

    def taken(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """What is pooled, and which place of its channel each entry was taken from, int64."""
        return max_pool2d(h, self.kernel, self.stride, self.padding, return_indices=True)


Affine = Dense | Convolution | Elementwise | AveragePooling
AFFINE: dict[str, type[Affine]] = {
    "dense": Dense,
    "convolution": Convolution,
    "elementwise": Elementwise,
    "average": AveragePooling,
}


@dataclass(frozen=True)
class Block:
    """One block: hˡ by the `affine` map, then the `pooling`, then the `nonlinearity`, by its name."""

    affine: Affine
    nonlinearity: str = "identity"
    pooling: MaxPooling | None = None


Architecture = tuple[Block, ...]


def shapes(architecture: Architecture) -> list[tuple[Shape, Shape]]:
    """The shapes of hˡ and xˡ, block by block, for one image.

    Raises ValueError where the blocks don't fit together or don't end in ten logits, where a nonlinearity is unknown,
    and where the network would be larger than is taken in.
    """
    if not 1 <= len(architecture) <= MOST_BLOCKS:
        raise ValueError(f"expected from 1 to {MOST_BLOCKS} blocks, got {len(architecture)}")
    x: Shape = IMAGE
    found, weights, products = [], 0, 0
    for block in architecture:
        if block.nonlinearity not in nonlinearities.BY_NAME:
            raise ValueError(
                f"expected a nonlinearity out of {', '.join(nonlinearities.BY_NAME)}, got {block.nonlinearity!r}"
            )
        h = block.affine.shape(x)
        x = block.pooling.shape(h) if block.pooling else h
        found.append((h, x))
        products += _products(block, h, x)
        weights += sum(map(math.prod, block.affine.parameter_shapes()))
        if math.prod(h) > MOST_UNITS or weights > MOST_WEIGHTS:
            raise ValueError(
                f"expected at most {MOST_UNITS:,} units a block and {MOST_WEIGHTS:,} weights in all, "
                f"got {math.prod(h):,} and {weights:,} or more"
            )
        if products > MOST_PRODUCTS:
            raise ValueError(f"expected at most {MOST_PRODUCTS:,} products an image, got {products:,} or more")
    last = architecture[-1]
    if found[-1][0] != (CLASSES,) or last.pooling or last.nonlinearity != "identity":
        raise ValueError(f"expected {CLASSES} logits without a nonlinearity at the end, got shape {found[-1][0]}")
    return found


def steps_first(architecture: Architecture) -> bool:
    """Whether each pixel passes a step of its own before anything is summed."""
    first = architecture[0]
    return isinstance(first.affine, Elementwise) and first.nonlinearity == "step" and first.pooling is None


def to_data(architecture: Architecture) -> list[dict[str, Any]]:
    """The architecture as what JSON holds."""
    names = {kind: name for name, kind in AFFINE.items()}
    return [
        {
            "affine": {"kind": names[type(block.affine)]} | _without_one_group(dataclasses.asdict(block.affine)),
            "nonlinearity": block.nonlinearity,
            "pooling": dataclasses.asdict(block.pooling) if block.pooling else None,
        }
        for block in architecture
    ]


def from_data(blocks: object) -> Architecture:
    """The architecture that `to_data` gave. Raises ValueError for anything else, `shapes`' included."""
    if not isinstance(blocks, list):
        raise ValueError(f"expected a list of blocks, got {type(blocks).__name__}")
    architecture = tuple(_block(fields) for fields in blocks[: MOST_BLOCKS + 1])
    shapes(architecture)
    return architecture


class Network(nn.Module):
    """A network of blocks, which hands out every pre-activation.

    `layers` are the affine maps A¹ … Aᴰ, `nonlinearities` φ¹ … φᴰ, the last of them the identity. No state changes in
    a forward pass, so one network can serve many threads.
    """

    def __init__(self, architecture: Architecture):
        """With PyTorch's initial weights. Raises ValueError as `shapes` does."""
        super().__init__()
        shapes(architecture)
        self.architecture = architecture
        self.layers = nn.ModuleList(block.affine.module() for block in architecture)
        self.nonlinearities = nn.ModuleList(nonlinearities.named(block.nonlinearity) for block in architecture)

    def forward(self, images: Tensor) -> Tensor:
        """Logits hᴰ, (N, 10), of `images` (N, 1, 28, 28)."""
        return self.pre_activations(images)[-1]

    def pre_activations(self, images: Tensor) -> list[Tensor]:
        """[h¹, …, hᴰ] of `images` (N, 1, 28, 28); hˡ is (N, units), or (N, channels, height, width).

        Raises ValueError for another shape.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != IMAGE:
            raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
        return self.pre_activations_above(0, images)

    def pre_activations_above(self, below: int, x: Tensor, activation: Activation | None = None) -> list[Tensor]:
        """[h^(below+1), …, hᴰ], from the outputs x^below of the block they stand on (0: the images, of any dtype).

        `activation`(φ, h) takes the place of φ(h): of the same values, with a derivative taken in another way.
        """
        found: list[Tensor] = []
        if below == 0:
            x = x.to(next(self.parameters()).dtype)
        for index in range(below, len(self.layers)):
            if found:
                x = self.output(index - 1, found[-1], activation)
            found.append(self.affine(index, x))
        return found

    def affine(self, index: int, x: Tensor) -> Tensor:
        """hˡ of xˡ⁻¹ (N, …), of the block at `index`, counted from 0."""
        return self.layers[index](x.flatten(1) if self._flattens(index) else x)

    def _flattens(self, index: int) -> bool:
        layer = self.layers[index]
        return isinstance(layer, nn.Linear) or (isinstance(layer, ElementwiseModule) and layer.weight.ndim == 1)

    def spread(self, index: int, radius: Tensor) -> Tensor:
        """|Aˡ| of `radius` (N, …): at most how far hˡ strays where no entry of xˡ⁻¹ strays farther than that."""
        layer = self.layers[index]
        absolute = {
            name: parameter.abs() if name == "weight" else torch.zeros_like(parameter)
            for name, parameter in layer.named_parameters()
        }
        return functional_call(layer, absolute, (radius.flatten(1) if self._flattens(index) else radius,))

    def output(self, index: int, h: Tensor, activation: Activation | None = None) -> Tensor:
        """xˡ = φ(hˡ), pooled first, of the block at `index`, counted from 0."""
        pooling, phi = self.architecture[index].pooling, self.phi(index)
        h = pooling(h) if pooling else h  # where φ is monotone the same as after it, on a quarter of the units
        return activation(phi, h) if activation else phi(h)

    def phi(self, index: int) -> Nonlinearity:
        """φˡ of the block at `index`, counted from 0."""
        phi = self.nonlinearities[index]
        assert isinstance(phi, Nonlinearity)
        return phi

    @property
    def weights(self) -> list[Tensor]:
        """W of each block that sums, dense or convolutional, from the image up."""
        return [layer.weight for layer in self.layers if isinstance(layer, nn.Linear | nn.Conv2d)]

    @property
    def convolves(self) -> bool:
        """Whether any block is a convolution."""
        return any(isinstance(block.affine, Convolution) for block in self.architecture)

    @property
    def steps_first(self) -> bool:
        """Whether each pixel passes a step of its own before anything is summed."""
        return steps_first(self.architecture)

    @property
    def hidden(self) -> list[str]:
        """What the blocks below the logits are called: "layer 1", …; below these "step", where it steps first."""
        step = ["step"] * self.steps_first
        return [*step, *(f"layer {number}" for number in range(1, len(self.architecture) - len(step)))]

    @property
    def softens(self) -> bool:
        """Whether any derivative taken at h/T differs from that at h."""
        return any(phi.softens for phi in self.nonlinearities)


class ConvolutionModule(nn.Conv2d):
    """PyTorch's convolution, with a padding of its own on each side.

    While its weights are learned, one whose windows hardly overlap is a product of these with the weights: the
    convolution's own gradient in bfloat16 takes up to thirty times as long.
    """

    def __init__(self, spec: Convolution):
        padding = spec.padding[:2]
        super().__init__(spec.inputs, spec.outputs, spec.kernel, spec.stride, padding, groups=spec.groups)
        self.uneven = spec.padding[:2] != spec.padding[2:]
        if self.uneven:
            top, left, bottom, right = spec.padding
            self.padding, self.edges = (0, 0), (left, right, top, bottom)

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, self.edges) if self.uneven else x
        if self.weight.requires_grad and self.padding == (0, 0) and self._apart():
            return self._of_windows(x)
        return super().forward(x)

    def _apart(self) -> bool:
        return all(kernel <= 2 * stride for kernel, stride in zip(self.kernel_size, self.stride, strict=True))

    def _of_windows(self, x: Tensor) -> Tensor:
        (rows, columns), (down, across) = self.kernel_size, self.stride
        windows = x.unfold(2, rows, down).unfold(3, columns, across).permute(0, 2, 3, 1, 4, 5)
        groups = zip(windows.chunk(self.groups, 3), self.weight.chunk(self.groups), strict=True)
        h = torch.cat([linear(x.flatten(3), weight.flatten(1)) for x, weight in groups], 3)
        return (h if self.bias is None else h + self.bias).permute(0, 3, 1, 2)


class ElementwiseModule(nn.Module):
    """w·x + b, entry by entry; at first the identity."""

    def __init__(self, size: Shape):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.bias


def mlp(nonlinearity: str, widths: Sequence[int]) -> Architecture:
    """784 – widths – 10, dense, with the `nonlinearity` between."""
    sizes = [math.prod(IMAGE), *widths, CLASSES]
    blocks = [Block(Dense(inputs, outputs), nonlinearity) for inputs, outputs in itertools.pairwise(sizes)]
    return (*blocks[:-1], dataclasses.replace(blocks[-1], nonlinearity="identity"))


def cnn() -> Architecture:
    """That of the paper's Table 2: two convolutions 5×5 with 2×2 max-pooling, two dense layers."""
    pooling, even = MaxPooling((2, 2), (2, 2)), (2, 2, 2, 2)
    return (
        Block(Convolution(1, 32, (5, 5), padding=even), "relu", pooling),
        Block(Convolution(32, 64, (5, 5), padding=even), "relu", pooling),
        Block(Dense(64 * 7 * 7, 1024), "relu"),
        Block(Dense(1024, CLASSES)),
    )


def build(architecture: Architecture, seed: int = 0, scale: float = 1.0, *, for_bounds: bool = False) -> Network:
    """An untrained network with PyTorch's uniform initialisation, the same for the same `seed`.

    `for_bounds`: N(0, √(2π)/fan-in) instead and no biases, so that interval bounds neither grow nor fade from layer to
    layer (Shi et al. 2021, Eq. 10). The weights of what sums, but not the biases, are multiplied by `scale`; a step
    right behind the image stands at ½. Raises ValueError as `shapes` does.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(architecture)
        if for_bounds:
            for weight in network.weights:
                nn.init.normal_(weight, std=math.sqrt(2 * math.pi) / weight[0].numel())
    for layer in network.layers:
        if for_bounds and isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for weight in network.weights:
        weight.data.mul_(scale)
    first = network.layers[0]
    if isinstance(first, ElementwiseModule) and architecture[0].nonlinearity == "step":
        first.bias.data.fill_(-0.5)
    return network


def described(architecture: Architecture) -> str:
    """The architecture in words, such as "784 – 400 – 400 – 10, sigmoid"."""
    used = {block.nonlinearity for block in architecture} - {"identity"}
    parts = ["784" if isinstance(architecture[0].affine, Dense) else "28×28"]
    for block in architecture:
        match block.affine:
            case Dense(outputs=outputs):
                words = str(outputs)
            case Convolution(outputs=outputs, kernel=(rows, columns), stride=stride, groups=groups):
                words = f"conv {rows}×{columns}×{outputs}" + (f" /{stride[0]}" if stride != (1, 1) else "")
                words += f" in {groups} groups" if groups > 1 else ""
            case AveragePooling(kernel=(rows, columns)):
                words = f"mean {rows}×{columns}"
            case _:
                words = "step" if block.nonlinearity == "step" else "scale"
        pool = block.pooling and f", pool {block.pooling.kernel[0]}×{block.pooling.kernel[1]}"
        named = len(used) > 1 and block.nonlinearity in used and words != "step"
        parts.append(words + (pool or "") + f" {block.nonlinearity}" * named)
    return " – ".join(parts) + (f", {next(iter(used))}" if len(used) == 1 and "step" not in parts else "")


def _products(block: Block, h: Shape, x: Shape) -> int:
    """How many products, or comparisons, it takes to compute hˡ and xˡ for one image."""
    match block.affine:
        case Dense(inputs=inputs):
            terms = inputs
        case Convolution(inputs=inputs, kernel=kernel, groups=groups):
            terms = inputs // groups * math.prod(kernel)
        case AveragePooling(kernel=kernel):
            terms = math.prod(kernel)
        case _:
            terms = 1
    return terms * math.prod(h) + (math.prod(block.pooling.kernel) * math.prod(x) if block.pooling else 0)


def _without_one_group(fields: dict[str, Any]) -> dict[str, Any]:
    """As architectures have been kept since before there were any."""
    return {name: value for name, value in fields.items() if (name, value) != ("groups", 1)}


def _slid(sides: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    counts = tuple((n - k) // step + 1 for n, k, step in zip(sides, kernel, stride, strict=True))
    if min(counts) < 1:
        raise ValueError(f"expected a window no larger than what it slides over, got {tuple(kernel)} on {tuple(sides)}")
    return counts


def _block(fields: object) -> Block:
    fields = _fields(fields, {"affine", "nonlinearity", "pooling"})
    affine = dict(_fields(fields["affine"], None))
    kind = affine.pop("kind", None)
    if not isinstance(kind, str) or kind not in AFFINE:
        raise ValueError(f"expected an affine map out of {', '.join(AFFINE)}, got {str(kind)[:40]!r}")
    if kind == "convolution":
        affine.setdefault("groups", 1)
    if not isinstance(fields["nonlinearity"], str):
        raise ValueError(f"expected the name of a nonlinearity, got {type(fields['nonlinearity']).__name__}")
    pooling = fields["pooling"]
    return Block(
        _record(AFFINE[kind], affine), fields["nonlinearity"], None if pooling is None else _record(MaxPooling, pooling)
    )


def _record(kind: type, fields: object) -> Any:
    """A record of whole numbers, and tuples of them, of as many as it has."""
    defaults = {"kernel": 2, "stride": 2, "padding": 4 if kind is Convolution else 2, "size": (1, 3)}
    found = {}
    for name, value in _fields(fields, {field.name for field in dataclasses.fields(kind)}).items():
        least = 0 if name == "padding" else 1
        numbers = value if isinstance(value, list) else [value]
        lengths = defaults.get(name)
        allowed = lengths if isinstance(lengths, tuple) else (lengths,)
        whole = all(type(number) is int and least <= number <= MOST_WEIGHTS for number in numbers)
        if (
            not whole
            or isinstance(value, list) != (name in defaults)
            or (name in defaults and len(value) not in allowed)
        ):
            raise ValueError(
                f"expected whole numbers of at least {least} as the {name} of a layer, got {str(value)[:40]}"
            )
        found[name] = tuple(value) if isinstance(value, list) else value
    return kind(**found)


def _fields(fields: object, names: set[str] | None) -> dict[str, Any]:
    if not isinstance(fields, dict) or (names is not None and set(fields) != names):
        expected = ", ".join(sorted(names or {"kind"}))
        raise ValueError(f"expected the fields {expected}, got {str(fields)[:80]}")
    return fields
