"""A network in the making, node by node.

A `Chain` holds the blocks so far, and which of the last block's units lies at each place of the tensor that goes on. So
reshaping and transposing only move places, and a product finds its columns in any order. Scales and shifts are folded
into what sums before or after them, in float64.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from satcore.data import CLASSES
from satcore.networks import (
    IMAGE,
    MOST_BLOCKS,
    MOST_UNITS,
    Affine,
    AveragePooling,
    Block,
    Convolution,
    Dense,
    Elementwise,
    MaxPooling,
    Network,
    Shape,
)
from satcore.nonlinearities import BY_NAME
from satcore.outside.shapes import MOST_DIMENSIONS, axes_of, broadcast

MOST_MOVED = 40_000_000  # entries that are scaled, shifted or put elsewhere, in all: some seconds
ACCEPTED = "a chain of dense, convolutional, pooling and normalising layers and known nonlinearities"


@dataclass(frozen=True)
class Stage:
    """A result on the way, the `number`th, of the `shape`, for one image; the chain goes on from the last one alone."""

    number: int
    shape: Shape


@dataclass
class Part:
    """A block in the making, its weights in float64."""

    affine: Affine
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    nonlinearity: str = "identity"
    knee: float | None = None
    pooling: MaxPooling | None = None

    @property
    def only_sums(self) -> bool:
        """Whether a scale and shift of its outputs can be folded into it."""
        return isinstance(self.affine, Dense | Convolution) and self.nonlinearity == "identity" and not self.pooling

    @property
    def only_pads(self) -> bool:
        """Whether it puts zeros around its inputs, and does nothing else."""
        match self.affine:
            case Convolution(inputs=channels, outputs=outputs, kernel=(1, 1), stride=(1, 1), groups=groups):
                alone = self.only_sums and channels == outputs == groups
                return alone and bool(np.all(self.weight == 1) and np.all(self.bias == 0))
        return False


class Chain:
    """The blocks so far, and the tensor that the next operation takes, for one image.

    outputs      the shape of the last block's outputs x, or the image's
    places       int64, in the tensor's shape: which unit of x, counted through, lies at each place; all of them, once
    pending      scale and shift, in the shape `outputs`, where the tensor is scale·x + shift; else None
    softmax      "", or the softmax that has been left away, after which nothing may change the values
    Every operation raises ValueError for what doesn't fit, before it needs memory.
    """

    def __init__(self, shape: Shape, most_weights: int):
        self.parts: list[Part] = []
        self.outputs: Shape = IMAGE
        self.places = np.arange(math.prod(IMAGE)).reshape(shape)
        self.pending: tuple[np.ndarray, np.ndarray] | None = None
        self.softmax = ""
        self.most_weights, self.weights, self.entries_moved = most_weights, 0, 0

    @property
    def shape(self) -> Shape:
        """That of the tensor."""
        return self.places.shape

    def elementwise(self, scale: np.ndarray | float = 1.0, shift: np.ndarray | float = 0.0) -> None:
        """`scale`·tensor + `shift`, either broadcast to the tensor's shape, or to one with ones before it."""
        self._go_on()
        self._count()
        shape = broadcast(self.shape, np.shape(scale), np.shape(shift))
        self.places = self.places.reshape(shape)
        w, b = self._in_units(scale), self._in_units(shift)
        last = self.parts[-1] if self.parts else None
        if (w == 1).all() and not b.any():
            return
        if self.pending:
            before, offset = self.pending
            self.pending = w * before, w * offset + b
        elif last and last.only_sums and last.weight is not None and last.bias is not None and _by_channel(w, b):
            w, b = (values.reshape(len(values), -1)[:, 0] for values in (w, b))
            last.weight *= w.reshape(-1, *[1] * (last.weight.ndim - 1))
            last.bias = w * last.bias + b
        else:
            self.pending = w, b

    def nonlinearity(self, name: str, knee: float | None = None) -> None:
        """The nonlinearity `name`, with a `knee` where it has one."""
        self._go_on()
        if self.pending or not self.parts or self.parts[-1].nonlinearity != "identity":
            self._settle()
        self.parts[-1].nonlinearity, self.parts[-1].knee = name, knee

    def clip(self, low: float | None, high: float | None) -> None:
        """min(max(tensor, `low`), `high`); None or what float32 doesn't reach: no such bound."""
        largest = float(np.finfo(np.float32).max)
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        below, above = low > -largest, high < largest
        if math.isnan(low) or math.isnan(high):
            raise ValueError(f"expected numbers as bounds to clip to, got {low} and {high}")
        if below and above:
            knee = float(np.float32(high - low))
            if not 0 < knee < math.inf:
                raise ValueError(
                    f"expected bounds to clip to with the lower one first and less than {largest:g} between them, "
                    f"got {low:g} and {high:g}"
                )
            self.elementwise(shift=-low)
            self.nonlinearity("ramp", knee)
            self.elementwise(shift=low)
        elif below:
            self.elementwise(shift=-low)
            self.nonlinearity("relu")
            self.elementwise(shift=low)
        elif above and np.float32(high) > 0 and self._ends_in_relu():
            self.parts[-1].nonlinearity, self.parts[-1].knee = "ramp", float(np.float32(high))
        elif above:  # min(x, k) = k − max(k − x, 0)
            self.elementwise(-1.0, high)
            self.nonlinearity("relu")
            self.elementwise(-1.0, high)

    def product(self, weight: np.ndarray) -> None:
        """Tensor @ `weight` (inputs, outputs): all dimensions of the tensor but the last are 1."""
        self._go_on()
        row = self.places.ndim > 0 and self.places.size == self.shape[-1]
        if weight.ndim < 2 or math.prod(weight.shape[:-2]) != 1 or not row:
            raise ValueError(f"expected one row times a matrix, got shapes {self.shape} and {weight.shape}")
        before = max(self.places.ndim, weight.ndim) - 1 if self.places.ndim > 1 else weight.ndim - 2
        self._dense(weight.reshape(weight.shape[-2:]).T)
        self.places = self.places.reshape(*[1] * before, -1)

    def product_from_left(self, weight: np.ndarray) -> None:
        """`weight` (outputs, inputs) @ tensor: all dimensions of the tensor but the last but one are 1."""
        self._go_on()
        after = 0 if self.places.ndim == 1 else 1
        column = self.places.ndim > 0 and self.places.size == self.shape[-1 - after]
        if weight.ndim < 2 or math.prod(weight.shape[:-2]) != 1 or not column:
            raise ValueError(f"expected a matrix times one column, got shapes {weight.shape} and {self.shape}")
        before = max(self.places.ndim - after, weight.ndim - 1) - 1
        self._dense(weight.reshape(weight.shape[-2:]))
        self.places = self.places.reshape(*[1] * before, -1, *[1] * after)

    def convolution(
        self,
        weight: np.ndarray,
        bias: np.ndarray | None,
        stride: tuple[int, int],
        padding: tuple[int, int, int, int],
        groups: int,
    ) -> None:
        """A convolution with `weight` (out, in / groups, rows, columns) and `bias` (out,); padding and groups as in
        `Convolution`.
        """
        self._check_channels()
        if weight.ndim != 4 or (bias is not None and bias.shape != weight.shape[:1]):
            raise ValueError(f"expected weights (out, in, rows, columns) to convolve with, got shape {weight.shape}")
        padding = self._with_zeros_taken_back(padding)
        outputs, of_group, *kernel = weight.shape
        spec = Convolution(of_group * groups, outputs, (kernel[0], kernel[1]), stride, padding, groups)
        if self.pending:
            around = any(padding) and self.pending[1].any()  # zeros that aren't shifted
            if around or not _by_channel(*self.pending):
                self._settle()
        self._make_room(spec)
        weight, bias = np.array(weight), np.zeros(outputs) if bias is None else np.array(bias)
        if self.pending:
            # What each output's own group of inputs is scaled and shifted by.
            by_group = (values[:, 0, 0].reshape(groups, of_group) for values in self.pending)
            w, b = (np.repeat(values, outputs // groups, 0) for values in by_group)
            bias += np.einsum("oirc,oi->o", weight, b)
            weight *= w[:, :, None, None]
        self._append(spec, weight, bias)
        self.places = self.places.reshape(1, *self.outputs)

    def pad(self, before: Sequence[int], after: Sequence[int]) -> None:
        """So many zeros `before` and `after` each dimension: around an image, whose channels come first or last."""
        self._count()
        last = self.places.ndim == 4 and not self._is_image(self.places)
        if last:
            self.moved(self.places.transpose(0, 3, 1, 2))
            before, after = ([pads[axis] for axis in (0, 3, 1, 2)] for pads in (before, after))
        self._check_channels()
        if any((*before[:2], *after[:2])):
            raise ValueError("expected zeros around the two sides of an image, got others")
        channels, around = self.outputs[0], (before[2], before[3], after[2], after[3])
        if any(around):
            self.convolution(np.ones((channels, 1, 1, 1)), None, (1, 1), around, channels)
        if last:
            self.moved(self.places.transpose(0, 2, 3, 1))

    def max_pool(
        self, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0), ceil: bool = False
    ) -> None:
        """The largest of each window; where it comes to the same, before a scale above 0, and before the nonlinearity,
        which makes the same of what is saturated.
        """
        self._check_channels()
        self._check_ceil(ceil, kernel, stride, padding)
        pooling = MaxPooling(kernel, stride, padding)
        last = self.parts[-1] if self.parts else None
        rising = not self.pending or (bool((self.pending[0] > 0).all()) and _by_channel(*self.pending))
        if not rising or last is None or last.pooling or not BY_NAME[last.nonlinearity].monotone:
            self._settle()
        self.outputs = pooling.shape(self.outputs)
        self.parts[-1].pooling = pooling
        if self.pending:
            w, b = (np.broadcast_to(values[:, :1, :1], self.outputs) for values in self.pending)
            self.pending = w, b
        self.places = np.arange(math.prod(self.outputs)).reshape(1, *self.outputs)

    def average(self, kernel: tuple[int, int], stride: tuple[int, int], ceil: bool = False) -> None:
        """The mean of each window."""
        self._check_channels()
        self._check_ceil(ceil, kernel, stride, (0, 0))
        self._average(kernel, stride)
        self.places = self.places.reshape(1, *self.outputs)

    def mean(self, axes: Sequence[int], keep: bool) -> None:
        """The mean over the `axes`, which must be the two sides of an image, in either order of the dimensions."""
        self._go_on()
        over = axes_of(axes, self.places.ndim)
        rest = [axis for axis in range(self.places.ndim) if axis not in over]
        grouped = self.places.transpose(*rest, *over).reshape(-1, math.prod(self.shape[axis] for axis in over))
        plane = math.prod(self.outputs[1:])
        channel = grouped // plane
        if len(self.outputs) != 3 or grouped.shape[1] != plane or (channel != channel[:, :1]).any():
            raise ValueError(f"expected a mean over the two sides of an image, got one over {over} of {self.shape}")
        shape = [1 if axis in over else side for axis, side in enumerate(self.shape) if keep or axis not in over]
        self._average((self.outputs[1], self.outputs[2]), (self.outputs[1], self.outputs[2]))
        self.places = channel[:, 0].reshape(shape)

    def batch_norm(
        self, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, variance: np.ndarray, epsilon: float
    ) -> None:
        """Normalise by the `mean` and `variance`, then scale and shift, each (channels,); they lie on dimension 1."""
        if self.places.ndim < 2 or any(values.shape != (self.shape[1],) for values in (scale, shift, mean, variance)):
            raise ValueError(f"expected one number a channel to normalise by, got others for shape {self.shape}")
        shape = (-1, *[1] * (self.places.ndim - 2))
        w = scale / np.sqrt(variance + epsilon)
        self.elementwise(w.reshape(shape), (shift - mean * w).reshape(shape))

    def leave_away(self, softmax: str, axis: int) -> None:
        """A `softmax` along the `axis`: nothing may come after it."""
        self._go_on()
        (axis,) = axes_of([axis], self.places.ndim)
        if self.shape[axis] != self.places.size:
            raise ValueError(f"expected a softmax over all that is left, got one over axis {axis} of {self.shape}")
        self.softmax = softmax

    def moved(self, places: np.ndarray) -> None:
        """The same entries at other `places`."""
        if places.ndim > MOST_DIMENSIONS:
            raise ValueError(f"expected at most {MOST_DIMENSIONS} dimensions, got {places.ndim}")
        self._count()
        self.places = places

    def at_the_end(self, logits: Tensor) -> Tensor:
        """What the softmax that was left away makes of `logits` (N, 10)."""
        functions = {"softmax": logits.softmax, "log_softmax": logits.log_softmax}
        return functions[self.softmax](1) if self.softmax else logits

    def network(self) -> Network:
        """What has been read, as a network. Raises ValueError where it doesn't end in ten finite logits."""
        if self.places.size != CLASSES:
            raise ValueError(f"expected {CLASSES} logits at the end, got shape {self.shape}")
        if (self.places.ravel() != np.arange(CLASSES)).any():
            self._dense(np.eye(CLASSES))
        elif self.pending or self.outputs != (CLASSES,) or not (self.parts and self.parts[-1].only_sums):
            self._settle((CLASSES,))
        architecture = tuple(Block(part.affine, part.nonlinearity, part.pooling) for part in self.parts)
        with torch.device("meta"):
            network = Network(architecture)
        network.load_state_dict(self._state(), assign=True)
        network.eval().requires_grad_(False)
        noise = torch.rand(IMAGE, generator=torch.Generator().manual_seed(0))
        images = torch.stack([torch.zeros(IMAGE), torch.ones(IMAGE), noise])
        with torch.no_grad():
            if not bool(network(images).isfinite().all()):
                raise ValueError("expected finite logits, got NaN or infinity, of weights too large for float32")
        return network

    def _state(self) -> dict[str, Tensor]:
        """The weights, in float32."""
        state = {}
        for index, part in enumerate(self.parts):
            for name, values in (("weight", part.weight), ("bias", part.bias)):
                if values is not None:
                    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))
                    if not bool(tensor.isfinite().all()):
                        raise ValueError(f"expected finite weights, got NaN or infinity in those of block {index + 1}")
                    state[f"layers.{index}.{name}"] = tensor
            if part.knee is not None:
                state[f"nonlinearities.{index}.knee"] = torch.tensor(part.knee)
        return state

    def _dense(self, weight: np.ndarray) -> None:
        """`weight` (outputs, inputs) times the entries in the tensor's order; then it has the shape (outputs,)."""
        spec = Dense(weight.shape[1], weight.shape[0])
        order = self.places.ravel()
        self._make_room(spec)
        by_unit = np.empty(weight.shape)
        by_unit[:, order] = weight
        bias = np.zeros(len(weight))
        if self.pending:
            w, b = (values.ravel() for values in self.pending)
            bias = by_unit @ b
            by_unit *= w
        self._append(spec, by_unit, bias)

    def _average(self, kernel: tuple[int, int], stride: tuple[int, int]) -> None:
        if self.pending:
            self._settle()
        self._make_room(AveragePooling(kernel, stride))
        self._append(AveragePooling(kernel, stride))

    def _settle(self, size: Shape | None = None) -> None:
        """A block of its own of the scale and shift, 1 and 0 where there are none, in that `size` or the least."""
        places = self.places
        ones = [1] * len(self.outputs)
        w, b = self.pending or (np.ones(ones), np.zeros(ones))
        if size or len(self.outputs) == 1:
            size = size or self.outputs
            w, b = (np.broadcast_to(values, self.outputs).reshape(size) for values in (w, b))
        else:
            for axis in range(3):  # along which one number may serve all
                first = tuple(slice(0, 1) if other == axis else slice(None) for other in range(3))
                if (w == w[first]).all() and (b == b[first]).all():
                    w, b = w[first], b[first]
            size = w.shape
        self._make_room(Elementwise(size))
        self._append(Elementwise(size), np.array(w), np.array(b))
        self.places = places

    def _go_on(self) -> None:
        if self.softmax:
            raise ValueError("expected a softmax at the very end, got something after it")

    def _ends_in_relu(self) -> bool:
        """Whether the tensor is what a ReLU gives, as it is."""
        self._go_on()
        return not self.pending and bool(self.parts) and self.parts[-1].nonlinearity == "relu"

    def _count(self) -> None:
        """Raise ValueError where so much is scaled and moved that it would take long."""
        self.entries_moved += self.places.size
        if self.entries_moved > MOST_MOVED:
            raise ValueError(
                f"expected at most {MOST_MOVED:,} entries to be scaled, shifted and moved in all, got more"
            )

    def _make_room(self, affine: Affine) -> None:
        """Raise ValueError where the network would be larger with `affine` than is taken in."""
        shape, weights = affine.shape(self.outputs), sum(map(math.prod, affine.parameter_shapes()))
        if len(self.parts) >= MOST_BLOCKS or not 1 <= math.prod(shape) <= MOST_UNITS:
            raise ValueError(
                f"expected at most {MOST_BLOCKS} blocks of 1 to {MOST_UNITS:,} units, "
                f"got {len(self.parts) + 1} and one of {math.prod(shape):,}"
            )
        self.weights += weights
        if self.weights > self.most_weights:
            raise ValueError(f"expected at most {self.most_weights:,} weights, got {self.weights:,} or more")

    def _append(self, affine: Affine, weight: np.ndarray | None = None, bias: np.ndarray | None = None) -> None:
        """A block, for which there is room, that has taken in the scale and shift."""
        self.parts.append(Part(affine, weight, bias))
        self.pending = None
        self.outputs = affine.shape(self.outputs)
        self.places = np.arange(math.prod(self.outputs))

    def _in_units(self, values: np.ndarray | float) -> np.ndarray:
        """`values`, broadcast to the tensor, in the order and shape of the units."""
        in_order = np.empty(self.places.size)
        in_order[self.places.ravel()] = np.broadcast_to(values, self.shape).ravel()
        return in_order.reshape(self.outputs)

    def _check_channels(self) -> None:
        """Raise ValueError unless the tensor is (1, channels, height, width) of the last block's, in that order."""
        self._go_on()
        if not self._is_image(self.places):
            raise ValueError(
                f"expected channels of an image, (1, channels, height, width), got shape {self.shape} of what was "
                f"{self.outputs}, or its sides exchanged"
            )

    def _is_image(self, places: np.ndarray) -> bool:
        """Whether the last block's units lie at the `places` as (1, channels, height, width), in that order."""
        there = len(self.outputs) == 3 and places.shape == (1, *self.outputs)
        return there and not (places.ravel() != np.arange(places.size)).any()

    def _with_zeros_taken_back(self, padding: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """The `padding`, and the zeros that the last block puts around an image if that is all it does: it goes."""
        last = self.parts[-1] if self.parts else None
        if last is None or self.pending or not last.only_pads or not isinstance(last.affine, Convolution):
            return padding
        top, left, bottom, right = last.affine.padding
        channels, rows, columns = self.outputs
        self.parts.pop()
        self.weights -= sum(map(math.prod, last.affine.parameter_shapes()))
        self.outputs = channels, rows - top - bottom, columns - left - right
        return padding[0] + top, padding[1] + left, padding[2] + bottom, padding[3] + right

    def _check_ceil(
        self, ceil: bool, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
    ) -> None:
        left = [n + 2 * p - k for n, k, p in zip(self.outputs[1:], kernel, padding, strict=True)]
        if ceil and any(rest % step for rest, step in zip(left, stride, strict=True)):
            raise ValueError("expected windows within the image, got ceil_mode, by which some reach over its edge")


def _by_channel(*values: np.ndarray) -> bool:
    """Whether each of the `values` (units,) or (channels, height, width) is one number a unit or channel."""
    return all(v.ndim == 1 or bool((v == v[:, :1, :1]).all()) for v in values)
