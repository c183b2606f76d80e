"""Networks that others made give the logits and the derivatives that their makers meant, or one sentence."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from satcore import attacks, data, geometry, networks, outside, proofs
from satcore.networks import Network
from tests import literal

STRANGERS = Path(__file__).parents[2] / "shared" / "data" / "vnncomp"
there = pytest.mark.skipif(not (STRANGERS / "README.md").exists(), reason="needs the networks of VNN-COMP beside it")

Function = Callable[[Tensor], Tensor]


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Float32 numbers whose sums are about as large as what they are taken of."""
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 1
    return (scale * np.random.default_rng(seed).normal(size=shape) / math.sqrt(fan_in)).astype(np.float32)


def model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    shape: tuple[int | str | None, ...] = ("N", 1, 28, 28),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> bytes:
    """An ONNX file that takes "x" of that `shape`; the last node's result is its output."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], kind, None)],
        [numpy_helper.from_array(np.array(array, order="C"), name) for name, array in constants.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()


def chain(*steps: tuple) -> list[onnx.NodeProto]:
    """Nodes, each of which takes the last one's result ("x" at first) where "·" stands, and others by their names."""
    nodes, before = [], "x"
    for index, (op, inputs, *attributes) in enumerate(steps):
        name = f"{op}_{index}"
        inputs = [before if name == "·" else name for name in inputs.split()]
        nodes.append(helper.make_node(op, inputs, [name], name, **(attributes[0] if attributes else {})))
        before = name
    return nodes


def images(count: int = 6) -> Tensor:
    return data.load("test").images[:count]


def reference(content: bytes, shape: tuple[int, ...], x: Tensor) -> Tensor:
    """What ONNX's own evaluator makes of the images `x`, one by one, each in that `shape`."""
    evaluator = ReferenceEvaluator(onnx.load_model_from_string(content))
    kind = helper.tensor_dtype_to_np_dtype(evaluator.proto_.graph.input[0].type.tensor_type.elem_type)
    outputs = [evaluator.run(None, {"x": image.numpy().reshape(shape).astype(kind)})[0] for image in x]
    return torch.from_numpy(np.stack(outputs)).reshape(len(x), 10).double()


def jacobian_of(function: Function, x: Tensor) -> Tensor:
    """(N, 10, 784) float64, by autograd, of a function of a batch of images (N, 1, 28, 28)."""
    rows = [torch.func.jacrev(lambda image: function(image[None])[0])(image) for image in x.double()]
    return torch.stack(rows).flatten(2)


def check_same(network: nn.Module, function: Function, x: Tensor, tolerance: float = 1e-5) -> None:
    """Logits and Jacobians are those of the `function`, in float64, but for the rounding of weights to float32."""
    assert isinstance(network, Network)
    expected = function(x.double()).detach()
    torch.testing.assert_close(network(x).double(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    found, jacobian = geometry.jacobian(network, x), jacobian_of(function, x)
    assert float(jacobian.abs().max()) > 1e-4
    torch.testing.assert_close(found, jacobian, rtol=0, atol=tolerance * float(jacobian.abs().max()))
    own = jacobian_of(network.double(), x)
    torch.testing.assert_close(found, own, rtol=0, atol=1e-9 * float(own.abs().max()))


def tensors(constants: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(array)).double() for name, array in constants.items()}


# Each gives a file, the shape of one image in it, and the same in PyTorch.
Case = tuple[bytes, tuple[int, ...], Function]


def sigmoid_mlp() -> Case:
    """Deep, on normalised pixels."""
    widths = [784, 32, 32, 32, 32, 10]
    weights = {f"w{i}": draw(m, n, seed=i, scale=2) for i, (n, m) in enumerate(zip(widths, widths[1:], strict=False))}
    biases = {f"b{i}": draw(m, seed=10 + i) for i, m in enumerate(widths[1:])}
    constants = weights | biases | {"mean": np.float32(0.1307), "std": np.float32(0.3081)}
    steps = [("Sub", "· mean"), ("Div", "· std"), ("Flatten", "·")]
    for i in range(5):
        steps += [("Gemm", f"· w{i} b{i}", {"transB": 1}), ("Sigmoid", "·")]
    t = tensors(constants)

    def function(x: Tensor) -> Tensor:
        x = ((x - t["mean"]) / t["std"]).flatten(1)
        for i in range(4):
            x = torch.sigmoid(x @ t[f"w{i}"].T + t[f"b{i}"])
        return x @ t["w4"].T + t["b4"]

    return model(chain(*steps[:-1]), constants), (1, 1, 28, 28), function


def tanh_cnn() -> Case:
    """With stride, and another padding on each side."""
    constants = {
        "w0": draw(6, 1, 5, 4, seed=0, scale=2),
        "b0": draw(6, seed=1),
        "w1": draw(8, 6, 3, 3, seed=2, scale=2),
        "w2": draw(8 * 7 * 7, 10, seed=3) * 2,
        "b2": draw(10, seed=4),
    }
    steps = (
        ("Conv", "· w0 b0", {"strides": [2, 2], "pads": [1, 0, 2, 2], "kernel_shape": [5, 4]}),
        ("Tanh", "·"),
        ("Conv", "· w1", {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
        ("Tanh", "·"),
        ("Flatten", "·"),
        ("Gemm", "· w2 b2", {"alpha": 0.5, "beta": 2.0}),
    )
    t = tensors(constants)

    def function(x: Tensor) -> Tensor:
        x = torch.tanh(F.conv2d(F.pad(x, (0, 2, 1, 2)), t["w0"], t["b0"], stride=2))  # 28 + 3 rows, 28 + 2 columns
        assert x.shape[2:] == (14, 14)
        x = torch.tanh(F.conv2d(F.pad(x, (1, 0, 1, 0)), t["w1"], stride=2))
        return 0.5 * x.flatten(1) @ t["w2"] + 2 * t["b2"]

    return model(chain(*steps), constants, (None, 1, 28, 28)), (1, 1, 28, 28), function


def keras_cnn() -> Case:
    """Channels last, transposed before and after each layer as a Keras export has it, with a softmax at the end."""
    constants = {
        "w0": draw(4, 1, 3, 3, seed=0, scale=2),
        "b0": draw(4, seed=1).reshape(4, 1, 1),
        "w1": draw(6, 4, 3, 3, seed=2, scale=2),
        "b1": draw(6, seed=3),
        "flat": np.array([-1, 6 * 7 * 7]),
        "w2": draw(6 * 7 * 7, 10, seed=4) * 2,
        "b2": draw(10, seed=5),
    }
    first, last = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "VALID"}
    steps = (
        ("Transpose", "·", first),
        ("Conv", "· w0", {"auto_pad": "SAME_UPPER"}),
        ("Add", "· b0"),
        ("Relu", "·"),
        ("MaxPool", "·", pool),
        ("Transpose", "·", last),
        ("Transpose", "·", first),
        ("Conv", "· w1", {"auto_pad": "SAME_UPPER"}),
        ("Transpose", "·", last),
        ("Add", "· b1"),
        ("Relu", "·"),
        ("Transpose", "·", first),
        ("MaxPool", "·", pool),
        ("Transpose", "·", last),
        ("Reshape", "· flat"),
        ("MatMul", "· w2"),
        ("Add", "· b2"),
        ("Softmax", "·", {"axis": -1}),
    )
    t = tensors({name: constants[name] for name in constants if name != "flat"})

    def function(x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(F.conv2d(x, t["w0"], padding=1) + t["b0"]), 2)
        x = F.max_pool2d(torch.relu(F.conv2d(x, t["w1"], t["b1"], padding=1)), 2)
        return x.permute(0, 2, 3, 1).flatten(1) @ t["w2"] + t["b2"]

    return model(chain(*steps), constants, ("N", 28, 28, 1)), (1, 28, 28, 1), function


def normalised_cnn() -> Case:
    """BatchNormalization after a convolution, after a ReLU before a padded convolution, and before a dense layer."""
    constants = {
        "w0": draw(5, 1, 3, 3, seed=0, scale=3),
        "w1": draw(6, 5, 3, 3, seed=1, scale=2),
        "b1": draw(6, seed=2),
        "w2": draw(10, 6 * 13 * 13, seed=3, scale=2),
    }
    for at, count in enumerate((5, 5, 6 * 13 * 13)):
        constants |= {
            f"g{at}": 1 + draw(count, seed=10 + at) / 4,
            f"s{at}": draw(count, seed=20 + at) / 4,
            f"m{at}": draw(count, seed=30 + at) / 4,
            f"v{at}": draw(count, seed=40 + at) ** 2 + np.float32(0.5),
        }
    norm = [(f"· g{at} s{at} m{at} v{at}", {"epsilon": 1e-3}) for at in range(3)]
    steps = (
        ("Conv", "· w0", {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        ("BatchNormalization", *norm[0]),
        ("Relu", "·"),
        ("BatchNormalization", *norm[1]),
        ("Conv", "· w1 b1", {"pads": [1, 1, 0, 0]}),
        ("Relu", "·"),
        ("Flatten", "·"),
        ("BatchNormalization", *norm[2]),
        ("Dropout", "·"),
        ("Gemm", "· w2", {"transB": 1}),
    )
    t = tensors(constants)

    def norm_of(x: Tensor, at: int) -> Tensor:
        return F.batch_norm(x, t[f"m{at}"], t[f"v{at}"], t[f"g{at}"], t[f"s{at}"], eps=1e-3)

    def function(x: Tensor) -> Tensor:
        x = norm_of(torch.relu(norm_of(F.conv2d(x, t["w0"], padding=1, stride=2), 0)), 1)
        x = torch.relu(F.conv2d(F.pad(x, (1, 0, 1, 0)), t["w1"], t["b1"]))
        return norm_of(x.flatten(1), 2) @ t["w2"].T

    return model(chain(*steps), constants), (1, 1, 28, 28), function


def pooled_cnn() -> Case:
    """Overlapping windows after a ReLU and before a sigmoid, padded, then means, then the mean of each channel."""
    constants = {
        "w0": draw(6, 1, 3, 3, seed=0, scale=2),
        "b0": draw(6, seed=1),
        "w1": draw(10, 6, 3, 3, seed=2, scale=6),
        "b1": draw(10, seed=3),
        "image": draw(28, 28, seed=4),
        "scale": np.float32(3),
    }
    steps = (
        ("Sub", "image ·"),
        ("Conv", "· w0 b0", {"pads": [1, 1, 1, 1]}),
        ("Relu", "·"),
        ("MaxPool", "·", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("MaxPool", "·", {"kernel_shape": [2, 3]}),
        ("Mul", "scale ·"),
        ("AveragePool", "·", {"kernel_shape": [2, 2], "strides": [2, 1]}),
        ("Conv", "· w1 b1"),
        ("MaxPool", "·", {"kernel_shape": [3, 3], "strides": [1, 1]}),
        ("Sigmoid", "·"),
        ("GlobalAveragePool", "·"),
        ("Squeeze", "· last"),
        ("Identity", "·"),
    )
    t = tensors(constants)
    constants["last"] = np.array([-1, 2])

    def function(x: Tensor) -> Tensor:
        x = torch.relu(F.conv2d(t["image"] - x, t["w0"], t["b0"], padding=1))
        x = 3 * F.max_pool2d(F.max_pool2d(x, 3, 2, 1), (2, 3), 1)
        x = F.conv2d(F.avg_pool2d(x, 2, (2, 1)), t["w1"], t["b1"])
        return torch.sigmoid(F.max_pool2d(x, 3, 1)).mean((2, 3))

    return model(chain(*steps), constants), (1, 1, 28, 28), function


def clipped_mlp() -> Case:
    """A Clip of each kind, as attributes and as constants, and a product from the left: (1, 784, 1)."""
    constants = {f"w{i}": draw(m, n, seed=i, scale=2) for i, (m, n) in enumerate([(24, 784)] + [(24, 24)] * 4)}
    constants |= {f"b{i}": draw(24, 1, seed=10 + i) for i in range(5)}
    constants |= {"w5": draw(10, 24, seed=20, scale=2)}
    constants |= {"-1": np.float32(-1), "1": np.float32(1), "0": np.float32(0), "6": np.float32(0.6)}
    bounds = ["-1 1", "0 6", "0", "", "-1"]
    steps = []
    for i, bound in enumerate(bounds):
        steps += [("MatMul", f"w{i} ·"), ("Add", f"b{i} ·"), ("Clip", f"· {bound}")]
    nodes = chain(*steps, ("MatMul", "w5 ·"))
    nodes[11].input.extend(["", "6"])  # no lower bound
    t = tensors(constants)

    def function(x: Tensor) -> Tensor:
        x = x.flatten(1)[:, :, None]
        for i, (low, high) in enumerate([(-1, 1), (0, 0.6), (0, None), (None, 0.6), (-1, None)]):
            x = (t[f"w{i}"] @ x + t[f"b{i}"]).clamp(low, None if high is None else np.float32(high))
        return (t["w5"] @ x)[:, :, 0]

    return model(nodes, constants, (1, 784, 1)), (1, 784, 1), function


def clipped_before_opset_11() -> Case:
    """Bounds as attributes, the largest floats for none; a batch of 64 as the file was written; weights in float16."""
    constants = {"w0": draw(784, 20, seed=0) * 2, "w1": draw(20, 10, seed=1), "flat": np.array([64, 784])}
    constants = {name: array.astype(np.float16) if name[0] == "w" else array for name, array in constants.items()}
    largest = float(np.finfo(np.float32).max)
    steps = (
        ("Reshape", "· flat"),
        ("MatMul", "· w0"),
        ("Clip", "·", {"min": 0.0, "max": 0.5}),
        ("Clip", "·", {"min": -largest, "max": largest}),
        ("Cast", "·", {"to": TensorProto.FLOAT16}),
        ("MatMul", "· w1"),
        ("LogSoftmax", "·", {"axis": 1}),
    )
    t = tensors({name: constants[name] for name in ("w0", "w1")})

    def function(x: Tensor) -> Tensor:
        return (x.flatten(1) @ t["w0"]).clamp(0, 0.5) @ t["w1"]

    content = model(chain(*steps), constants, (64, 1, 28, 28), opset=9, kind=TensorProto.FLOAT16)
    return content, (64, 1, 28, 28), function


def mean_of_channels_last() -> Case:
    """ReduceMean over the sides of what lies (N, height, width, channels), and double weights as numbers, not bytes."""
    constants = {"w0": draw(7, 1, 5, 5, seed=0, scale=2).astype(np.float64), "up": np.array([1])}
    w1, w2 = (draw(*shape, seed=1, scale=3).astype(np.float64) for shape in ((7, 7), (7, 10)))
    one = helper.make_tensor("one", TensorProto.DOUBLE, [], [1.0])
    first, last = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    nodes = [
        helper.make_node("Constant", [], ["one"], "one", value=one),
        helper.make_node("Constant", [], ["w1"], "w1", value=helper.make_tensor("w1", TensorProto.DOUBLE, [7, 7], w1)),
        helper.make_node("Constant", [], ["w2"], "w2", value=helper.make_tensor("w2", TensorProto.DOUBLE, [7, 10], w2)),
        *chain(
            ("Unsqueeze", "· up"),
            ("Sub", "one ·"),
            ("Conv", "· w0", {"strides": [3, 2]}),
            ("Tanh", "·"),
            ("Transpose", "·", last),
            ("ReduceMean", "·", {"axes": [1, -2], "keepdims": 1}),
            ("Transpose", "·", first),
            ("Reshape", "· seven"),
            ("MatMul", "· w1"),
            ("Tanh", "·"),
            ("MatMul", "· w2"),
        ),
    ]
    constants["seven"] = np.array([0, -1])
    t = tensors({"w0": constants["w0"], "w1": w1, "w2": w2})

    def function(x: Tensor) -> Tensor:
        x = torch.tanh(F.conv2d(1 - x, t["w0"], stride=(3, 2))).mean((2, 3))
        return torch.tanh(x @ t["w1"]) @ t["w2"]

    return model(nodes, constants, ("N", 28, 28), kind=TensorProto.DOUBLE), (1, 28, 28), function


def shape_put_together() -> Case:
    """`x.view(x.size(0), -1)` as PyTorch exports it for a batch of any size, and a weight transposed in the file."""
    constants = {"w": draw(10, 784, seed=0, scale=2), "zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["one"]),
        helper.make_node("Concat", ["one", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["flat", "wt"], ["h"]),
        helper.make_node("Tanh", ["h"], ["y"]),
    ]
    t = tensors({"w": constants["w"]})
    return model(nodes, constants), (1, 1, 28, 28), lambda x: torch.tanh(x.flatten(1) @ t["w"].T)


CASES = [
    sigmoid_mlp,
    tanh_cnn,
    keras_cnn,
    normalised_cnn,
    pooled_cnn,
    clipped_mlp,
    clipped_before_opset_11,
    mean_of_channels_last,
    shape_put_together,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_logits_and_jacobian_of_an_onnx_file_are_those_of_its_formulas(case):
    content, shape, function = case()
    network, x = outside.from_onnx_bytes(content), images()
    check_same(network, function, x)
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in network.float().parameters())
