"""ONNX files, read node by node; no other file is ever read, and no code in them is run."""

import math
import os
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from satcore.data import check_kind
from satcore.files import read_whole
from satcore.networks import IMAGE, Network, Shape
from satcore.outside.chain import ACCEPTED, Chain, Stage
from satcore.outside.operations import CONSTANT_OPERATIONS, OPERATIONS, Node, Operation, Value, constant_of, label_of
from satcore.outside.shapes import MOST_DIMENSIONS, few
from satcore.outside.tensors import FLOATS, MOST_NUMBERS, NO_ONNX, array_of, check_fields, quoted

MOST_BYTES = 16 << 20  # of an ONNX file
MOST_NODES = 500
OLDEST_OPSET = 7  # before, broadcasting was another


def from_onnx(path: str | Path) -> Network:
    """The network in the ONNX file `path`, in eval mode and without parameter gradients; as `from_onnx_bytes`.

    Raises ValueError as it does, for what is no path, and where there is no such file, or no plain one.
    """
    check_kind(path, str | os.PathLike, "the path of an ONNX file")
    return from_onnx_bytes(read_whole(Path(path), MOST_BYTES))


def from_onnx_bytes(content: bytes) -> Network:
    """The network in the `content` of an ONNX file, in float32, in eval mode and without parameter gradients.

    It takes one image of 784 pixels, in [0, 1], in any of the usual shapes, through a chain of Gemm, MatMul, Conv, Pad,
    Add, Sub, Mul, Div by constants, BatchNormalization, MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Relu,
    Sigmoid, Tanh, Clip, Max or Min with a constant and what only reshapes, to ten numbers; a softmax at the end is left
    away. No other file is ever read.
    Raises ValueError, in one sentence that names the node, for anything else.
    """
    check_kind(content, bytes | bytearray | memoryview, "the bytes of an ONNX file")
    content = bytes(content)  # parts of a memoryview can't be decoded
    if not content:
        raise ValueError("expected an ONNX file, got an empty one")
    if len(content) > MOST_BYTES:
        raise ValueError(f"expected at most {MOST_BYTES:,} bytes of ONNX, got {len(content):,}")
    check_fields(content)
    try:
        model = onnx.ModelProto.FromString(content)
        with np.errstate(all="ignore"):  # what overflows is found where finiteness is asked for
            return _Reader(model).network()
    except DecodeError as error:
        raise ValueError(NO_ONNX) from error


class _Reader:
    """Reads a model, node by node. Raises ValueError for what it can't read, before it needs memory for it."""

    def __init__(self, model: onnx.ModelProto):
        graph = model.graph
        if len(graph.node) > MOST_NODES:
            raise ValueError(f"expected at most {MOST_NODES} nodes, got {len(graph.node):,}")
        if model.functions or model.training_info or graph.sparse_initializer:
            raise ValueError("expected nothing but nodes and dense tensors, got functions, sparse tensors or training")
        self.graph, self.opset = graph, _opset(model)
        self.values: dict[str, Value] = {tensor.name: array_of(tensor) for tensor in graph.initializer}
        self.computed = 0
        inputs = [value for value in graph.input if value.name not in self.values]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ValueError(f"expected one input and one output, got {len(inputs)} and {len(graph.output)}")
        shape, self.batch = _input_shape(inputs[0])
        self.chain = Chain(shape, MOST_NUMBERS)
        self.stage = self.values[inputs[0].name] = Stage(0, shape)

    def network(self) -> Network:
        """The network that the nodes make up."""
        for index, proto in enumerate(self.graph.node):
            self._read(index, proto)
        name = self.graph.output[0].name
        if self.values.get(name) is not self.stage:
            raise ValueError(f"expected the last node's result as the output, got {quoted(name)}")
        return self.chain.network()

    def _read(self, index: int, proto: onnx.NodeProto) -> None:
        node = Node(proto, index, self.opset, [self._value(name, proto, index) for name in proto.input])
        stages = [value for value in node.values if isinstance(value, Stage)]
        constant = not stages or proto.op_type == "Shape"
        operation = OPERATIONS.get(proto.op_type)
        if proto.domain not in ("", "ai.onnx") or (
            proto.op_type not in CONSTANT_OPERATIONS if constant else operation is None
        ):
            raise ValueError(f"expected {ACCEPTED}, got the node {node.label}")
        allowed = CONSTANT_OPERATIONS[proto.op_type] if constant or operation is None else operation.attributes
        unknown = sorted(set(node.attributes) - set(allowed.split()))
        if unknown:
            raise ValueError(f"expected known attributes, got {quoted(unknown[0])} at the node {node.label}")
        if not proto.output or not proto.output[0] or set(proto.output) & self.values.keys():
            raise ValueError(f"expected a result with a name of its own, got none at the node {node.label}")
        try:
            if constant:
                self.values[proto.output[0]] = self._constant(node)
            elif operation is not None:
                self._go_on(node, stages, operation)
                self.values[proto.output[0]] = self.stage
        except ValueError as error:
            raise ValueError(f"{error}, at the node {node.label}") from error

    def _value(self, name: str, proto: onnx.NodeProto, index: int) -> Value:
        if name and name not in self.values:
            raise ValueError(
                f"expected nodes after those whose results they take, got the node {label_of(proto, index)}, "
                f"which takes {quoted(name)}"
            )
        return self.values[name] if name else None

    def _constant(self, node: Node) -> np.ndarray:
        stage = node.values[0] if node.values else None
        if node.op == "Shape" and stage is not None:
            if node.attributes:
                raise ValueError("expected a whole shape, got a part of one")
            return np.array(stage.shape, np.int64)
        self.computed += max([value.size for value in node.values if isinstance(value, np.ndarray)], default=0)
        if self.computed > MOST_NUMBERS:
            raise ValueError(f"expected at most {MOST_NUMBERS:,} numbers computed from constants, got more")
        return constant_of(node)

    def _go_on(self, node: Node, stages: list[Stage], operation: Operation) -> None:
        if len(stages) != 1 or stages[0] is not self.stage:
            raise ValueError(f"expected {ACCEPTED}, got a branch")
        if len(node.values) > operation.inputs or (node.at > 0 and not operation.either_side):
            raise ValueError(f"expected one tensor and at most {operation.inputs - 1} constants after it, got others")
        if node.op == "Reshape" and self.batch > 1:
            self._as_one_image(node)
        operation.read(self.chain, node)
        self.stage = Stage(self.stage.number + 1, self.chain.shape)

    def _as_one_image(self, node: Node) -> None:
        """Take the size of a batch that the file was written for out of a shape."""
        target = node.whole_numbers(1)
        if target and target[0] == self.batch:
            node.values[1] = np.array([1, *target[1:]], np.int64)


def _opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    found = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if len(found) != 1 or not OLDEST_OPSET <= found[0] <= newest:
        raise ValueError(f"expected one set of operators from version {OLDEST_OPSET} to {newest}, got {few(found)}")
    return found[0]


def _input_shape(value: onnx.ValueInfoProto) -> tuple[Shape, int]:
    """The input's shape for one image, and for how many the file was written (1: for any number)."""
    tensor = value.type.tensor_type
    if tensor.elem_type not in FLOATS or not tensor.HasField("shape"):
        raise ValueError(f"expected an input of floats and of a known shape, got another in {quoted(value.name)}")
    sides = [side.dim_value if side.HasField("dim_value") else 0 for side in tensor.shape.dim]
    batch, rest = (sides[0] if sides else 0), tuple(sides[1:])
    pixels = math.prod(IMAGE)
    one_image = math.prod(sides) == pixels
    shape = tuple(sides) if one_image else (1, *rest)
    if [side for side in shape if side != 1] not in ([pixels], [*IMAGE[1:]]) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"expected an input of {pixels} pixels an image, 784 or 28×28, got shape {few(sides)}")
    return shape, 1 if one_image else max(1, batch)
