"""How each kind of ONNX node is read: onto the chain, or, where it has only constants for inputs, into another one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto

from satcore.outside.chain import Chain, Stage
from satcore.outside.shapes import MOST_DIMENSIONS, axes_of, broadcast, few, reshaped, squeezed, transposed, unsqueezed
from satcore.outside.tensors import DTYPES, FLOATS, array_of, quoted

MOST_SIDE = 1000  # of a kernel, a stride, a padding
Value = np.ndarray | Stage | None  # what a node's input is; None: left out


def label_of(proto: onnx.NodeProto, index: int) -> str:
    """What a node is called, or which one it is where it has no name."""
    return f"{quoted(proto.name) if proto.name else index + 1} ({quoted(proto.op_type)[1:-1]})"


class Node:
    """One node: its attributes, each of the type that is asked for, and its inputs' `values`."""

    def __init__(self, proto: onnx.NodeProto, index: int, opset: int, values: list[Value]):
        self.op, self.opset, self.values = proto.op_type, opset, values
        self.label = label_of(proto, index)
        self.attributes = {attribute.name: attribute for attribute in proto.attribute}

    @property
    def at(self) -> int:
        """Which of the inputs is the tensor that goes on."""
        return next(at for at, value in enumerate(self.values) if isinstance(value, Stage))

    def constant(self, at: int) -> np.ndarray | None:
        """The constant input `at`; None where it is left out."""
        value = self.values[at] if at < len(self.values) else None
        if isinstance(value, Stage):
            raise ValueError(f"expected a constant as input {at + 1}, got what was computed from the image")
        return value

    def weights(self, at: int) -> np.ndarray:
        """The constant input `at`, in float64."""
        found = self.constant(at)
        if found is None or found.dtype.kind != "f":
            raise ValueError(f"expected float weights as input {at + 1}, got {'none' if found is None else 'others'}")
        if not np.isfinite(found).all():
            raise ValueError(f"expected finite weights as input {at + 1}, got NaN or infinity")
        return found.astype(np.float64)

    def whole_numbers(self, at: int) -> list[int] | None:
        """The few whole numbers of the constant input `at`; None where it is left out."""
        found = self.constant(at)
        if found is None:
            return None
        if found.dtype.kind != "i" or found.ndim > 1 or found.size > MOST_DIMENSIONS:
            raise ValueError(f"expected at most {MOST_DIMENSIONS} whole numbers as input {at + 1}, got others")
        return found.reshape(-1).tolist()

    def number(self, at: int) -> float | None:
        """The one number of the constant input `at`; None where it is left out."""
        found = self.constant(at)
        if found is None:
            return None
        if found.size != 1:
            raise ValueError(f"expected one number as input {at + 1}, got {found.size}")
        return float(found.reshape(-1)[0])

    def whole(self, name: str, default: int) -> int:
        """The attribute `name`, a whole number."""
        return self._attribute(name, AttributeProto.INT, "i", default)

    def real(self, name: str, default: float | None) -> Any:
        """The attribute `name`, a number."""
        return self._attribute(name, AttributeProto.FLOAT, "f", default)

    def text(self, name: str, default: str) -> str:
        """The attribute `name`, a text."""
        return self._attribute(name, AttributeProto.STRING, "s", default.encode()).decode("utf-8", "replace")

    def wholes(self, name: str) -> list[int] | None:
        """The attribute `name`, whole numbers; None where it is left out."""
        found = self._attribute(name, AttributeProto.INTS, "ints", None)
        return None if found is None else list(found)

    def reals(self, name: str) -> list[float]:
        """The attribute `name`, numbers."""
        return list(self._attribute(name, AttributeProto.FLOATS, "floats", None))

    def tensor(self, name: str) -> TensorProto:
        """The attribute `name`, a tensor."""
        return self._attribute(name, AttributeProto.TENSOR, "t", None)

    def sizes(self, name: str, count: int, least: int, default: list[int] | None = None) -> tuple[int, ...]:
        """`count` whole numbers, each from `least` to `MOST_SIDE`."""
        found = self.wholes(name) or default or []
        if len(found) != count or not all(least <= size <= MOST_SIDE for size in found):
            raise ValueError(f"expected {count} {name} from {least} to {MOST_SIDE}, got {few(found)}")
        return tuple(found)

    def axes(self) -> list[int] | None:
        """The axes, which were an attribute once and are an input now."""
        return self.wholes("axes") if "axes" in self.attributes else self.whole_numbers(1)

    def _attribute(self, name: str, kind: int, field: str, default: Any) -> Any:
        attribute = self.attributes.get(name)
        if attribute is None:
            return default
        if attribute.type != kind or attribute.ref_attr_name:
            raise ValueError(f"expected the attribute {name} as {AttributeProto.AttributeType.Name(kind)}, got another")
        return getattr(attribute, field)


@dataclass(frozen=True)
class Operation:
    """How a node is read onto the chain.

    attributes   those that it may have
    inputs       how many at most
    either_side  whether a constant may come before what goes on
    """

    read: Callable[[Chain, Node], None]
    attributes: str = ""
    inputs: int = 1
    either_side: bool = False


def _read_gemm(chain: Chain, node: Node) -> None:
    if node.at == 2:
        raise ValueError("expected a constant to add, got what was computed from the image")
    transposed = [node.whole("transA", 0), node.whole("transB", 0)]
    if len(chain.shape) != 2:
        raise ValueError(f"expected a matrix, got shape {chain.shape}")
    if transposed[node.at]:
        chain.moved(chain.places.T)
    weight = node.real("alpha", 1.0) * node.weights(1 - node.at)
    weight = weight.T if transposed[1 - node.at] else weight
    if node.at == 0:
        chain.product(weight)
    else:
        chain.product_from_left(weight)
    if node.constant(2) is not None:
        shape = chain.shape
        chain.elementwise(shift=node.real("beta", 1.0) * node.weights(2))
        if chain.shape != shape:
            raise ValueError(f"expected a constant that broadcasts to {shape}, got one of {chain.shape}")


def _read_matmul(chain: Chain, node: Node) -> None:
    if node.at == 0:
        chain.product(node.weights(1))
    else:
        chain.product_from_left(node.weights(0))


def _read_add(chain: Chain, node: Node) -> None:
    chain.elementwise(shift=node.weights(1 - node.at))


def _read_sub(chain: Chain, node: Node) -> None:
    constant = node.weights(1 - node.at)
    if node.at == 0:
        chain.elementwise(shift=-constant)
    else:
        chain.elementwise(-1.0, constant)


def _read_mul(chain: Chain, node: Node) -> None:
    chain.elementwise(node.weights(1 - node.at))


def _read_div(chain: Chain, node: Node) -> None:
    if node.at != 0:
        raise ValueError("expected a division by a constant, got one by what was computed from the image")
    chain.elementwise(1 / node.weights(1))


def _read_conv(chain: Chain, node: Node) -> None:
    weight = node.weights(1)
    if weight.ndim != 4 or node.at != 0:
        raise ValueError(f"expected weights (out, in, rows, columns) to convolve with, got shape {weight.shape}")
    kernel = list(weight.shape[2:])
    if list(node.sizes("kernel_shape", 2, 1, kernel)) != kernel:
        raise ValueError(f"expected the kernel's shape {kernel}, got {node.wholes('kernel_shape')}")
    if node.sizes("dilations", 2, 1, [1, 1]) != (1, 1):
        raise ValueError("expected a convolution without dilation, got another")
    rows, columns = node.sizes("strides", 2, 1, [1, 1])
    bias = None if node.constant(2) is None else node.weights(2)
    padding = _padding(chain, node, kernel, (rows, columns))
    chain.convolution(weight, bias, (rows, columns), padding, node.whole("group", 1))


def _padding(chain: Chain, node: Node, kernel: Sequence[int], stride: tuple[int, int]) -> tuple[int, int, int, int]:
    """On top, left, bottom, right."""
    automatic, given = node.text("auto_pad", "NOTSET"), node.sizes("pads", 4, 0, [0] * 4)
    if automatic not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER") or (automatic != "NOTSET" and any(given)):
        raise ValueError(f"expected a padding that is known, got {quoted(automatic)} and {list(given)}")
    if automatic in ("NOTSET", "VALID") or len(chain.shape) != 4:
        return given[0], given[1], given[2], given[3]
    missing = [
        max(0, (-(-side // step) - 1) * step + size - side)
        for side, size, step in zip(chain.shape[2:], kernel, stride, strict=True)
    ]
    less, more = [total // 2 for total in missing], [total - total // 2 for total in missing]
    before, after = (less, more) if automatic == "SAME_UPPER" else (more, less)
    return before[0], before[1], after[0], after[1]


def _read_pad(chain: Chain, node: Node) -> None:
    pads = node.wholes("pads") if node.opset < 11 else node.whole_numbers(1)
    value = node.real("value", 0.0) if node.opset < 11 else node.number(2)
    sides = len(chain.shape)
    if node.text("mode", "constant") != "constant" or value or node.constant(3) is not None:
        raise ValueError("expected zeros around an image, got something else")
    if pads is None or len(pads) != 2 * sides or not all(0 <= pad <= MOST_SIDE for pad in pads):
        raise ValueError(f"expected {2 * sides} pads from 0 to {MOST_SIDE}, got {few(pads or [])}")
    chain.pad(pads[:sides], pads[sides:])


def _read_max_pool(chain: Chain, node: Node) -> None:
    rows, columns = node.sizes("kernel_shape", 2, 1)
    down, right = node.sizes("strides", 2, 1, [1, 1])
    if node.sizes("dilations", 2, 1, [1, 1]) != (1, 1) or node.whole("storage_order", 0):
        raise ValueError("expected pooling without dilation, got another")
    padding = _padding(chain, node, (rows, columns), (down, right))
    if padding[:2] != padding[2:]:
        raise ValueError(f"expected the same padding on both sides to pool the largest, got {padding}")
    chain.max_pool((rows, columns), (down, right), padding[:2], bool(node.whole("ceil_mode", 0)))


def _read_average_pool(chain: Chain, node: Node) -> None:
    rows, columns = node.sizes("kernel_shape", 2, 1)
    down, right = node.sizes("strides", 2, 1, [1, 1])
    padding = _padding(chain, node, (rows, columns), (down, right))
    if any(padding) or node.sizes("dilations", 2, 1, [1, 1]) != (1, 1):
        raise ValueError("expected means without padding or dilation, got others")
    chain.average((rows, columns), (down, right), bool(node.whole("ceil_mode", 0)))


def _read_global_average_pool(chain: Chain, node: Node) -> None:
    if len(chain.shape) != 4:
        raise ValueError(f"expected channels of an image, got shape {chain.shape}")
    chain.mean((2, 3), keep=True)


def _read_global_max_pool(chain: Chain, node: Node) -> None:
    if len(chain.shape) != 4:
        raise ValueError(f"expected channels of an image, got shape {chain.shape}")
    sides = chain.shape[2], chain.shape[3]
    chain.max_pool(sides, sides)


def _read_reduce_mean(chain: Chain, node: Node) -> None:
    axes = node.axes()
    if not axes:
        raise ValueError("expected axes to take the mean over, got none")
    chain.mean(axes, keep=bool(node.whole("keepdims", 1)))


def _read_batch_norm(chain: Chain, node: Node) -> None:
    if node.whole("training_mode", 0) or node.whole("spatial", 1) != 1:
        raise ValueError("expected a normalisation as it is after training, one number a channel, got another")
    scale, shift, mean, variance = (node.weights(at) for at in range(1, 5))
    chain.batch_norm(scale, shift, mean, variance, node.real("epsilon", 1e-5))


def _read_clip(chain: Chain, node: Node) -> None:
    low, high = (
        node.real(name, None) if name in node.attributes else node.number(at) for at, name in ((1, "min"), (2, "max"))
    )
    chain.clip(low, high)


def _read_max(chain: Chain, node: Node) -> None:
    chain.clip(_bound(chain, node), None)


def _read_min(chain: Chain, node: Node) -> None:
    chain.clip(None, _bound(chain, node))


def _bound(chain: Chain, node: Node) -> float | None:
    """The one number that a Max or Min is of, beside what goes on; None where that is alone."""
    bound, constant = node.number(1 - node.at), node.constant(1 - node.at)
    if constant is not None:
        chain.elementwise(shift=np.zeros(constant.shape))  # its dimensions are broadcast to
    return bound


def _read_softmax(chain: Chain, node: Node) -> None:
    axis = node.whole("axis", -1 if node.opset >= 13 else 1)
    if node.opset < 13:  # over all dimensions from the axis on
        (axis,) = axes_of([axis], len(chain.shape))
        chain.moved(chain.places.reshape(math.prod(chain.shape[:axis]), -1))
        axis = 1
    chain.leave_away("softmax" if node.op == "Softmax" else "log_softmax", axis)


def _read_dropout(chain: Chain, node: Node) -> None:
    if node.number(2):
        raise ValueError("expected dropout as it is after training, got it as in training")


def _read_cast(chain: Chain, node: Node) -> None:
    if node.whole("to", 0) not in FLOATS:
        raise ValueError("expected a cast to a floating-point type, got another")


def _read_shape_only(chain: Chain, node: Node) -> None:
    chain.moved(_same_entries(chain.places, node))


POOLED = "kernel_shape strides pads auto_pad dilations ceil_mode"
OPERATIONS = {
    "Gemm": Operation(_read_gemm, "alpha beta transA transB", 3, either_side=True),
    "MatMul": Operation(_read_matmul, inputs=2, either_side=True),
    "Add": Operation(_read_add, inputs=2, either_side=True),
    "Sub": Operation(_read_sub, inputs=2, either_side=True),
    "Mul": Operation(_read_mul, inputs=2, either_side=True),
    "Div": Operation(_read_div, inputs=2, either_side=True),
    "Conv": Operation(_read_conv, "kernel_shape strides pads auto_pad dilations group", 3),
    "Pad": Operation(_read_pad, "mode pads value", 4),
    "Relu": Operation(lambda chain, node: chain.nonlinearity("relu")),
    "Sigmoid": Operation(lambda chain, node: chain.nonlinearity("sigmoid")),
    "Tanh": Operation(lambda chain, node: chain.nonlinearity("tanh")),
    "Clip": Operation(_read_clip, "min max", 3),
    "Max": Operation(_read_max, inputs=2, either_side=True),  # how JAX writes a ReLU
    "Min": Operation(_read_min, inputs=2, either_side=True),
    "MaxPool": Operation(_read_max_pool, POOLED + " storage_order"),
    "AveragePool": Operation(_read_average_pool, POOLED + " count_include_pad"),
    "GlobalAveragePool": Operation(_read_global_average_pool),
    "GlobalMaxPool": Operation(_read_global_max_pool),
    "ReduceMean": Operation(_read_reduce_mean, "axes keepdims noop_with_empty_axes", 2),
    "BatchNormalization": Operation(_read_batch_norm, "epsilon momentum training_mode spatial", 5),
    "Softmax": Operation(_read_softmax, "axis"),
    "LogSoftmax": Operation(_read_softmax, "axis"),
    "Dropout": Operation(_read_dropout, "ratio seed", 3),
    "Cast": Operation(_read_cast, "to saturate round_mode"),
    "Identity": Operation(lambda chain, node: None),
    "Flatten": Operation(_read_shape_only, "axis"),
    "Reshape": Operation(_read_shape_only, "allowzero", 2),
    "Transpose": Operation(_read_shape_only, "perm"),
    "Squeeze": Operation(_read_shape_only, "axes", 2),
    "Unsqueeze": Operation(_read_shape_only, "axes", 2),
}


def _same_entries(array: np.ndarray, node: Node) -> np.ndarray:
    """`array` after a node that only reshapes or transposes."""
    match node.op:
        case "Flatten":
            axis = node.whole("axis", 1)
            axis = axis if axis == array.ndim else axes_of([axis], array.ndim)[0]
            return array.reshape(math.prod(array.shape[:axis]), math.prod(array.shape[axis:]))
        case "Reshape":
            return reshaped(array, node.whole_numbers(1) or [], zero_copies=not node.whole("allowzero", 0))
        case "Transpose":
            order = node.wholes("perm")
            return transposed(array, list(range(array.ndim))[::-1] if order is None else order)
        case "Squeeze":
            return squeezed(array, node.axes())
        case "Unsqueeze":
            return unsqueezed(array, node.axes() or [])
        case _:
            return array


CONSTANT_OPERATIONS = {
    **{op: OPERATIONS[op].attributes for op in ("Identity", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze")},
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), ""),
    "Constant": "value value_float value_floats value_int value_ints",
    "Cast": OPERATIONS["Cast"].attributes,
    "Gather": "axis",
    "Slice": "axes ends starts",
    "Concat": "axis",
    "Shape": "start end",
    "ConstantOfShape": "value",
}
ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


def constant_of(node: Node) -> np.ndarray:
    """What a node gives that has only constants for inputs, among them the few whole numbers that are shapes."""
    if node.op == "Constant":
        return _given(node)
    first = node.constant(0)
    if first is None:
        raise ValueError("expected an input, got none")
    if node.op in ARITHMETIC:
        second = node.constant(1)
        if second is None or second.dtype != first.dtype or first.dtype.kind not in "fi":
            raise ValueError("expected two constants of one type, got others")
        broadcast(*sorted((first.shape, second.shape), key=math.prod, reverse=True))
        if node.op == "Div" and first.dtype.kind == "i":
            if (second <= 0).any() or (first < 0).any():
                raise ValueError("expected a division of whole numbers from 0 on, by others than 0, got another")
            return first // second
        return ARITHMETIC[node.op](first, second)
    if node.op == "Cast":
        kind = node.whole("to", 0)
        if kind not in DTYPES or (first.dtype.kind == "f" and kind not in FLOATS):
            raise ValueError("expected a cast to a floating-point type, got another")
        return first.astype(DTYPES[kind][0])
    if node.op == "ConstantOfShape":
        return _repeated(node)
    if node.op == "Slice":
        return _cut(node)
    if node.op in ("Gather", "Concat"):
        return _of_few(node)
    return _same_entries(first, node)


def _given(node: Node) -> np.ndarray:
    """What a Constant holds."""
    if len(node.attributes) != 1:
        raise ValueError(f"expected one constant, got {len(node.attributes)}")
    (name,) = node.attributes
    match name:
        case "value":
            return array_of(node.tensor(name))
        case "value_float":
            return np.array(node.real(name, None), np.float32)
        case "value_int":
            return np.array(node.whole(name, 0), np.int64)
        case "value_ints":
            return np.array(node.wholes(name), np.int64)
        case _:
            return np.array(node.reals(name), np.float32)


def _repeated(node: Node) -> np.ndarray:
    """A few times the one number that a ConstantOfShape gives."""
    sides = node.whole_numbers(0) or []
    value = array_of(node.tensor("value")) if "value" in node.attributes else np.zeros(1, np.float32)
    if len(sides) > 1 or not all(0 <= side <= MOST_DIMENSIONS for side in sides) or value.size != 1:
        raise ValueError(f"expected a number up to {MOST_DIMENSIONS} times, got another shape, {few(sides)}")
    return np.full(sides, value.reshape(-1)[0])


def _of_few(node: Node) -> np.ndarray:
    """A Gather from, or a Concat of, a few whole numbers: how exporters put a shape together."""
    inputs = [node.whole_numbers(at) for at in range(len(node.values))]
    if node.whole("axis", 0) != 0 or None in inputs:
        raise ValueError("expected the axis 0, got another, or no numbers")
    if node.op == "Concat":
        found = [number for numbers in inputs for number in numbers or []]
        if len(found) > MOST_DIMENSIONS:
            raise ValueError(f"expected at most {MOST_DIMENSIONS} numbers put together, got {len(found)}")
        return np.array(found, np.int64)
    numbers, *where = [numbers or [] for numbers in inputs]
    index = node.constant(1) if len(where) == 1 else None
    if index is None:
        raise ValueError(f"expected numbers and which of them to take, got {len(inputs)} inputs")
    return np.array([numbers[at] for at in axes_of(where[0], len(numbers))], np.int64).reshape(index.shape)


def _cut(node: Node) -> np.ndarray:
    """What a Slice takes out of a few whole numbers: a stretch along the axis 0, forwards or backwards."""
    array, names = node.constant(0), ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (  # which were attributes once and are inputs now
        node.wholes(name) if name in node.attributes else node.whole_numbers(at) for at, name in enumerate(names, 1)
    )
    if array is None or array.dtype.kind != "i" or array.ndim == 0 or array.size > MOST_DIMENSIONS:
        raise ValueError(f"expected at most {MOST_DIMENSIONS} whole numbers to cut from, got others")
    along = axes in (None, [0]) and steps in (None, [1], [-1])
    if starts is None or ends is None or not len(starts) == len(ends) == 1 or not along:
        raise ValueError("expected one stretch of numbers to cut out, got something else")
    return array[starts[0] : ends[0] : 1 if steps is None else steps[0]]
