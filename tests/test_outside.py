"""Networks that others made give the logits and the derivatives that their makers meant, or one sentence."""

import itertools
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

from satcore import attacks, data, evaluation, geometry, library, networks, outside, proofs
from satcore.networks import Network

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
    batches = [image.expand(max(1, shape[0]), *image.shape).numpy().reshape(shape).astype(kind) for image in x]
    outputs = [evaluator.run(None, {"x": batch})[0].reshape(-1, 10)[0] for batch in batches]
    return torch.from_numpy(np.stack(outputs)).double()


def jacobian_of(function: Function, x: Tensor) -> Tensor:
    """(N, 10, 784) float64, by autograd, of a function of a batch of images (N, 1, 28, 28)."""
    rows = [torch.func.jacrev(lambda image: function(image[None])[0])(image) for image in x.double()]
    return torch.stack(rows).detach().flatten(2)


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
    weights = {f"w{i}": draw(m, n, seed=i, scale=2) for i, (n, m) in enumerate(itertools.pairwise(widths))}
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
    )
    shape = (  # of the batch, as its exports have it, whatever that is
        ("Shape", "MaxPool_12"),
        ("Gather", "· order", {"axis": 0}),
        ("Cast", "·", {"to": TensorProto.INT32}),
        ("Slice", "· start end start"),
        ("Concat", "· flat", {"axis": 0}),
        ("Cast", "·", {"to": TensorProto.INT64}),
    )
    above = (("Reshape", "Transpose_13 ·"), ("MatMul", "· w2"), ("Add", "· b2"), ("Softmax", "·", {"axis": -1}))
    t = tensors(constants)
    constants |= {"order": np.array([0, 2, 3, 1]), "start": np.array([0]), "end": np.array([1])}
    constants |= {"flat": np.array([6 * 7 * 7], np.int32)}

    def function(x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(F.conv2d(x, t["w0"], padding=1) + t["b0"]), 2)
        x = F.max_pool2d(torch.relu(F.conv2d(x, t["w1"], t["b1"], padding=1)), 2)
        return x.permute(0, 2, 3, 1).flatten(1) @ t["w2"] + t["b2"]

    return model(chain(*steps, *shape, *above), constants, ("N", 28, 28, 1)), (1, 28, 28, 1), function


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


def jax_mlp() -> Case:
    """A ReLU as Max with 0 and a ReLU6 as Min of that, as JAX writes them, the bounds in any shape and on either side;
    mean and deviation put together from numbers without dimensions.
    """
    sizes = itertools.pairwise([784, *[20] * 5, 10])
    constants = {f"w{i}": draw(n, m, seed=i, scale=2) for i, (n, m) in enumerate(sizes)}
    constants |= {"half": np.float32(0.5), "low": np.zeros((1, 1, 1), np.float32), "one": np.ones(1, np.float32)}
    steps = (
        ("Add", "half half"),
        ("Sub", "half Add_0"),
        ("Mul", "x half"),
        ("Sub", "· Sub_1"),
        ("MatMul", "· w0"),
        ("Max", "·"),
        ("Max", "· half"),
        ("MatMul", "· w1"),
        ("Min", "one ·"),
        ("MatMul", "· w2"),
        ("Max", "low ·"),
        ("Min", "· half"),
        ("MatMul", "· w3"),
        ("Clip", "·", {"min": 0.0}),
        ("Mul", "· half"),
        ("Min", "half ·"),
        ("MatMul", "· w4"),
        ("Relu", "·"),
        ("Min", "half ·"),
        ("MatMul", "· w5"),
    )
    t = tensors(constants)

    def function(x: Tensor) -> Tensor:
        x = (x.flatten(1) * 0.5 + 0.5) @ t["w0"]
        x = x.clamp(min=0.5) @ t["w1"]
        x = x.clamp(max=1) @ t["w2"]
        x = x.clamp(0, 0.5) @ t["w3"]
        x = (x.clamp(min=0) * 0.5).clamp(max=0.5) @ t["w4"]
        return x.clamp(0, 0.5) @ t["w5"]

    return model(chain(*steps), constants, ("N", 784), opset=10), (1, 784), function


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
    constants = {
        "w": draw(10, 784, seed=0, scale=2),
        "zero": np.array(0),
        "axes": np.array([0]),
        "rest": np.array([-1]),
    }
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


def padded_cnn() -> Case:
    """Zeros around the image of their own, as Keras 3 has them for a stride with padding "same": how many is computed
    from the image's shape, in whole numbers, and turned around; channels last, and, shifted, before another layer.
    """
    constants = {"w0": draw(4, 1, 5, 5, seed=0, scale=2), "w1": draw(6, 4, 3, 3, seed=1, scale=2)}
    constants |= {"w2": draw(6 * 17 * 14, 10, seed=2, scale=20), "shift": draw(4, 1, 1, seed=3)}
    constants |= {"1": np.array(1), "2": np.array(2), "5": np.array(5), "[0]": np.array([0]), "[-1]": np.array([-1])}
    constants |= {"[2]": np.array([2]), "[8]": np.array([8]), "least": np.array([1 - 2**63])}
    constants |= {"pairs": np.array([-1, 2]), "row": np.array([1, -1]), "more": np.array([0, 0, 1, 0, 0, 0, 2, 1])}
    zeros = {"value": helper.make_tensor("zero", TensorProto.INT64, [1], [0])}
    first, last = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    steps = (
        ("Shape", "x"),
        ("Gather", "· 1", {"axis": 0}),
        ("Add", "· 2"),
        ("Sub", "· 1"),
        ("Div", "· 2"),  # 14 places: it is rounded down
        ("Sub", "· 1"),
        ("Mul", "· 2"),
        ("Add", "· 5"),
        ("Sub", "· Gather_1"),  # 3 zeros in all
        ("Div", "· 2"),
        ("Sub", "Sub_8 ·"),
        ("Unsqueeze", "Div_9 [0]"),
        ("Unsqueeze", "Sub_10 [0]"),
        ("ConstantOfShape", "[2]", zeros),
        ("Concat", "· Unsqueeze_11 Unsqueeze_12 Unsqueeze_11 Unsqueeze_12 ·", {"axis": 0}),
        ("Reshape", "· pairs"),
        ("Slice", "· [-1] least [0] [-1]"),
        ("Transpose", "·", {"perm": [1, 0]}),
        ("Reshape", "· [-1]"),
        ("Slice", "· [0] [8]"),
        ("Pad", "x ·", {"mode": "constant"}),
        ("Transpose", "·", first),
        ("Conv", "· w0", {"strides": [2, 2]}),
        ("Tanh", "·"),
        ("Pad", "· more"),
        ("Add", "· shift"),
        ("Conv", "· w1", {"pads": [1, 1, 1, 0]}),
        ("Tanh", "·"),
        ("Transpose", "·", last),
        ("Reshape", "· row"),
        ("MatMul", "· w2"),
    )
    t = tensors(constants)

    def function(x: Tensor) -> Tensor:
        x = torch.tanh(F.conv2d(F.pad(x, (1, 2, 1, 2)), t["w0"], stride=2))
        x = F.pad(x, (0, 1, 1, 2)) + t["shift"]
        x = torch.tanh(F.conv2d(F.pad(x, (1, 0, 1, 1)), t["w1"]))
        return x.permute(0, 2, 3, 1).flatten(1) @ t["w2"]

    return model(chain(*steps), constants, ("N", 28, 28, 1)), (1, 28, 28, 1), function


CASES = [
    sigmoid_mlp,
    tanh_cnn,
    keras_cnn,
    normalised_cnn,
    pooled_cnn,
    clipped_mlp,
    clipped_before_opset_11,
    jax_mlp,
    mean_of_channels_last,
    shape_put_together,
    padded_cnn,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_logits_and_jacobian_of_an_onnx_file_are_those_of_its_formulas(case):
    content, shape, function = case()
    network, x = outside.from_onnx_bytes(content), images()
    last = onnx.load_model_from_string(content).graph.node[-1].op_type
    at_the_end = {"Softmax": torch.softmax, "LogSoftmax": torch.log_softmax}.get(last, lambda logits, dim: logits)
    expected, half = reference(content, shape, x), shape[0] == 64  # whose evaluation rounds to float16
    found = at_the_end(network(x).double(), 1)
    torch.testing.assert_close(found, expected, rtol=0, atol=(1e-2 if half else 1e-4) * float(expected.abs().max()))
    check_same(network, function, x)
    assert not network.training and not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in network.float().parameters())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_read_is_kept_on_the_shelf_as_it_is(case):
    network = outside.from_onnx_bytes(memoryview(case()[0]))
    kept = library.load(library.add(network, case.__name__))
    assert kept.architecture == network.architecture
    assert torch.equal(kept(images()), network(images()))


@pytest.mark.parametrize("case", [sigmoid_mlp, clipped_mlp, shape_put_together], ids=lambda case: case.__name__)
def test_the_image_itself_is_proven_to_be_what_the_network_sees(case):
    network, x = outside.from_onnx_bytes(case()[0]), images()
    assert bool(proofs.certified(network, x, network(x).argmax(1), epsilon=0).all())


@there
def test_a_network_by_strangers_is_as_accurate_as_they_say():
    network, (x, labels) = outside.from_onnx(STRANGERS / "mnist-net_256x2.onnx"), data.load("test")
    assert networks.described(network.architecture) == "784 – 256 – 256 – 10, relu"
    assert int((network(x).argmax(1) == labels).sum()) == 9808


@there
def test_a_network_by_strangers_has_the_logits_and_the_jacobian_of_its_weights():
    content, x = (STRANGERS / "mnist-net_256x2.onnx").read_bytes(), images(3)
    network = outside.from_onnx_bytes(content)
    model = onnx.load_model_from_string(content)
    evaluator = ReferenceEvaluator(model)
    expected = np.concatenate([evaluator.run(None, {"0": image.numpy().reshape(1, 784, 1)})[0] for image in x])
    torch.testing.assert_close(network(x), torch.from_numpy(expected), rtol=0, atol=1e-4 * float(abs(expected).max()))

    arrays = {array.name: numpy_helper.to_array(array).astype(float) for array in model.graph.initializer}
    for image, jacobian in zip(x.double().flatten(1).numpy(), geometry.jacobian(network, x), strict=True):
        h = image + 1e-30j * np.eye(784)  # a complex step along each pixel
        for layer in ("layers.0", "layers.2", "layers.4"):
            x_below = h if layer == "layers.0" else np.where(h.real > 0, h, 0)
            h = x_below @ arrays[f"{layer}.weight"].T + arrays[f"{layer}.bias"]
        np.testing.assert_allclose(jacobian.numpy(), h.imag.T / 1e-30, rtol=0, atol=1e-9)


@there
def test_nothing_is_said_of_strangers_instances_that_their_verifiers_know_better():
    network = outside.from_onnx(STRANGERS / "mnist-net_256x2.onnx")
    instances = np.load(STRANGERS / "mnist-net_256x2.npz")
    low, high = (torch.from_numpy(instances[end]).view(-1, 1, 28, 28) for end in ("lower", "upper"))
    radius = torch.from_numpy(instances["epsilon"]).view(-1, 1, 1, 1)
    # An instance is the box [x − ε, x + ε] cut to [0, 1], and the label that no other logit may reach in it.
    x = torch.where(low > 0, low + radius, high - radius).clamp(0, 1)
    labels, violated = torch.from_numpy(instances["label"]), torch.from_numpy(instances["verdict"] == "violated")
    assert bool((network(x.float()).argmax(1) == labels).all())
    proven, broken = torch.zeros(30, dtype=torch.bool), torch.zeros(30, dtype=torch.bool)
    for epsilon in (0.03, 0.05):
        of_it = (radius.flatten() == epsilon).nonzero().flatten()
        proven[of_it] = proofs.certified(network, x[of_it], labels[of_it], epsilon=epsilon)
        for attack, settings in ((attacks.pgd, {"steps": 40, "loss": "margin"}), (attacks.square, {"queries": 100})):
            found = attack(network, x[of_it].float(), labels[of_it], epsilon=epsilon, **settings)
            inside = torch.maximum(torch.minimum(found.images.double(), high[of_it]), low[of_it])
            broken[of_it] |= network.double()(inside).argmax(1) != labels[of_it]
            network.float()
    assert not bool((proven & violated).any()) and not bool((broken & ~violated).any())
    assert int(proven.sum()) >= 9 and int(broken.sum()) >= 9  # of the 18 that hold, and of the 12 that don't


@pytest.mark.parametrize("value, name", [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_weights_that_are_not_finite_are_refused(value, name):
    weights = {"w": draw(784, 10)}
    weights["w"][3, 4] = value
    with pytest.raises(ValueError, match="expected finite weights as input 2, got NaN or infinity, at the node"):
        outside.from_onnx_bytes(model(chain(("Flatten", "·"), ("MatMul", "· w")), weights))


def test_weights_too_large_for_float32_are_refused():
    wide = {"w": draw(784, 10).astype(np.float64) * 1e300}
    with pytest.raises(ValueError, match="expected finite weights, got NaN or infinity in those of block 1"):
        outside.from_onnx_bytes(model(chain(("Flatten", "·"), ("MatMul", "· w")), wide, kind=TensorProto.DOUBLE))
    deep = {f"w{i}": draw(784 if i == 0 else 10, 10) * np.float32(1e30) for i in range(3)}
    steps = [step for i in range(3) for step in (("MatMul", f"· w{i}"), ("Relu", "·"))][:-1]
    with pytest.raises(ValueError, match="expected finite logits, got NaN or infinity"):
        outside.from_onnx_bytes(model(chain(("Flatten", "·"), *steps), deep))


ENDING = (("Flatten", "·"), ("MatMul", "· w"))
REFUSED = {
    "an operator that isn't known": (
        ["expected a chain of dense", "got the node 'Softplus_1' (Softplus)"],
        chain(("Flatten", "·"), ("Softplus", "·"), ("MatMul", "· w")),
    ),
    "one without a name": (
        ["got the node 1 (Softplus)"],
        [helper.make_node("Softplus", ["x"], ["y"]), helper.make_node("Flatten", ["y"], ["z"])],
    ),
    "a branch": (
        ["got a branch, at the node 'Add_2' (Add)"],
        chain(("Relu", "·"), ("Tanh", "·"), ("Add", "· x"), *ENDING),
    ),
    "an earlier result": (["got a branch, at the node 'Sigmoid_1'"], chain(("Relu", "·"), ("Sigmoid", "x"), *ENDING)),
    "a square": (["got a branch, at the node 'Mul_0'"], chain(("Mul", "· ·"), *ENDING)),
    "a division by what goes on": (["expected a division by a constant"], chain(("Div", "w ·"), *ENDING)),
    "a sum that grows": (
        ["expected constants that broadcast to the shape (1, 1, 28, 28)"],
        chain(("Add", "· w"), *ENDING),
    ),
    "a cycle": (
        ["expected nodes after those whose results they take", "'A' (Relu), which takes 'b'"],
        [helper.make_node("Relu", ["b"], ["a"], "A"), helper.make_node("Relu", ["a"], ["b"], "B")],
    ),
    "another domain": (
        ["got the node 'F' (Gelu)"],
        [helper.make_node("Gelu", ["x"], ["y"], "F", domain="com.microsoft"), *chain(*ENDING)],
    ),
    "an unknown attribute": (
        ["expected known attributes, got 'body' at the node"],
        chain(("Relu", "·", {"body": helper.make_graph([], "g", [], [])}), *ENDING),
    ),
    "something after the softmax": (
        ["expected a softmax at the very end, got something after it, at the node 'Relu_3'"],
        chain(*ENDING, ("Softmax", "·"), ("Relu", "·")),
    ),
    "a softmax over something else": (
        ["expected a softmax over all that is left, got one over axis 0 of (1, 10)"],
        chain(*ENDING, ("Softmax", "·", {"axis": 0})),
    ),
    "not ten logits": (["expected 10 logits at the end, got shape (1, 784)"], chain(("Flatten", "·"))),
    "no image": (
        ["expected channels of an image, (1, channels, height, width), got shape (1, 1, 28, 28) of what was"],
        chain(("Transpose", "·", {"perm": [0, 1, 3, 2]}), ("MaxPool", "·", {"kernel_shape": [2, 2]}), *ENDING),
    ),
    "groups": (["expected groups that divide", "got 0"], chain(("Conv", "· c", {"group": 0}))),
    "dilation": (["without dilation"], chain(("Conv", "· c", {"dilations": [2, 2]}))),
    "padded means": (
        ["expected means without padding or dilation"],
        chain(("AveragePool", "·", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]})),
    ),
    "uneven padding to pool": (
        ["expected the same padding on both sides to pool the largest, got (0, 0, 1, 1)"],
        chain(("MaxPool", "·", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"})),
    ),
    "windows over the edge": (
        ["got ceil_mode"],
        chain(("MaxPool", "·", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})),
    ),
    "a huge stride": (["expected 2 strides from 1 to 1000"], chain(("Conv", "· c", {"strides": [1, 2**62]}))),
    "a shape of other size": (["expected a shape of 784 entries, got [3, -1]"], chain(("Reshape", "· s"))),
    "a mirrored edge": (
        ["expected zeros around an image", "at the node 'Pad_0'"],
        chain(("Pad", "· pads", {"mode": "reflect"}), *ENDING),
    ),
    "ones around an image": (["expected zeros around an image"], chain(("Pad", "· pads one"), *ENDING)),
    "zeros around something else": (["expected zeros around the two sides"], chain(("Pad", "· batch"), *ENDING)),
    "zeros for other dimensions": (["expected 8 pads from 0 to 1000, got [3, -1]"], chain(("Pad", "· s"), *ENDING)),
    "a division by nothing": (
        ["expected a division of whole numbers from 0 on", "at the node 'Div_0'"],
        chain(("Div", "s s"), ("Reshape", "x ·"), *ENDING),
    ),
    "a shape of millions": (
        ["expected a number up to 8 times"],
        chain(("ConstantOfShape", "many"), ("Reshape", "x ·"), *ENDING),
    ),
    "a stretch in steps": (
        ["expected one stretch of numbers"],
        chain(("Slice", "pads s2 pads2 s2 two"), ("Reshape", "x ·"), *ENDING),
    ),
    "no number to take the larger of": (
        ["expected one number as input 2, got 40, at the node 'Max_0'"],
        chain(("Max", "· s40"), *ENDING),
    ),
    "bounds the wrong way round": (
        ["with the lower one first and less than 3.40282e+38 between them, got 1 and -1"],
        chain(("Clip", "· one minus")),
    ),
    "training": (["as it is after training"], chain(("Dropout", "· one true"), *ENDING)),
    "a cast to whole numbers": (["expected a cast to a floating-point type"], chain(("Cast", "·", {"to": 7}), *ENDING)),
    "weights of a shape that is not": (
        ["expected one row times a matrix, got shapes (1, 1, 28, 28) and (784, 10)"],
        chain(("MatMul", "· w")),
    ),
    "a name on two lines": (
        ["got the node 'two\\nlines' (Softplus)"],
        [helper.make_node("Softplus", ["x"], ["y"], "two\nlines")],
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_a_chain_of_known_layers_is_refused_in_one_sentence_that_names_the_node(what):
    parts, nodes = REFUSED[what]
    constants = {"w": draw(784, 10), "c": draw(4, 1, 3, 3), "s": np.array([3, -1]), "true": np.array(True)}
    constants |= {"one": np.float32(1), "minus": np.float32(-1), "s40": draw(40)}
    constants |= {"pads": np.array([0, 0, 1, 1] * 2), "batch": np.array([1, 0, 0, 0] * 2), "many": np.array([10**7])}
    constants |= {"s2": np.array([0]), "pads2": np.array([4]), "two": np.array([2])}
    with pytest.raises(ValueError) as refusal:
        outside.from_onnx_bytes(model(nodes, constants))
    said = str(refusal.value)
    assert said.startswith("expected ") and "\n" not in said and all(part in said for part in parts), said


@pytest.mark.parametrize(
    "shape", [("N", 3, 28, 28), ("N", 3, 32, 32), ("N", "C", 28, 28), (28,), (), (1, 4, 14, 14), (10, 785), (784, "N")]
)
def test_an_input_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="expected an input of 784 pixels an image"):
        outside.from_onnx_bytes(model(chain(*ENDING), {"w": draw(784, 10)}, shape))


@pytest.mark.parametrize(
    "shape",
    [
        ("N", 784),
        (1, 784),
        (None, 784),
        (784,),
        (784, 1),
        (28, 28),
        ("N", 28, 28),
        (32, 28, 28),
        (1, 1, 784),
        (-1, 784),
    ],
)
def test_an_image_may_come_in_any_of_the_usual_shapes(shape):
    constants = {"w": draw(784, 10), "flat": np.array([1, -1])}
    network = outside.from_onnx_bytes(model(chain(("Reshape", "· flat"), ("MatMul", "· w")), constants, shape))
    expected = images().flatten(1) @ torch.from_numpy(constants["w"])
    torch.testing.assert_close(network(images()), expected, rtol=1e-5, atol=1e-5)


def test_scales_and_shifts_take_a_block_of_their_own_only_where_they_must():
    constants = {"mean": np.float32(0.1), "std": np.float32(0.3), "w": draw(10, 784), "c": draw(10, 1, 28, 28)}
    normalised, end = (("Sub", "· mean"), ("Div", "· std")), (("Flatten", "·"),)
    dense = outside.from_onnx_bytes(model(chain(*normalised, *end, ("Gemm", "· w", {"transB": 1})), constants))
    assert networks.described(dense.architecture) == "784 – 10"
    unpadded = outside.from_onnx_bytes(model(chain(*normalised, ("Conv", "· c"), *end), constants))
    assert networks.described(unpadded.architecture) == "28×28 – conv 28×28×10 – scale"
    constants["c"] = draw(10, 1, 30, 30)
    padded = model(chain(*normalised, ("Conv", "· c", {"pads": [1, 1, 1, 1]}), *end), constants)
    found = outside.from_onnx_bytes(padded).architecture
    assert networks.described(found) == "28×28 – scale – conv 30×30×10 – scale"
    assert found[0].affine == networks.Elementwise((1, 1, 1))


def test_zeros_around_an_image_are_the_padding_of_the_layer_that_comes_next_unless_something_is_between():
    network = outside.from_onnx_bytes(padded_cnn()[0])
    paddings = [block.affine.padding for block in network.architecture[:3]]
    assert paddings == [(1, 1, 2, 2), (1, 0, 2, 1), (1, 1, 1, 0)]


def test_zeros_around_an_image_and_parts_of_a_shape_may_be_attributes():
    constants = {"w": draw(10, 1, 30, 31)}
    steps = (
        ("Pad", "·", {"pads": [0, 0, 1, 2, 0, 0, 1, 1]}),
        ("Conv", "· w"),
        ("Shape", "·"),
        ("Slice", "·", {"axes": [0], "starts": [0], "ends": [2]}),
        ("Reshape", "Conv_1 ·"),
    )
    network = outside.from_onnx_bytes(model(chain(*steps), constants, opset=9))
    check_same(network, lambda x: F.conv2d(F.pad(x, (2, 1, 1, 1)), tensors(constants)["w"]).flatten(1), images())


def test_the_largest_of_saturated_units_is_found_below_a_scale_that_comes_before_pooling():
    constants = {"w0": draw(4, 1, 5, 5, seed=0, scale=60), "w1": draw(4 * 12 * 12, 10, seed=1, scale=9)}
    constants |= {"scale": draw(4, 1, 1, seed=2) ** 2 + 1, "shift": draw(4, 1, 1, seed=3)}
    pool = ("MaxPool", "·", {"kernel_shape": [2, 2], "strides": [2, 2]})
    steps = [("Conv", "· w0"), ("Tanh", "·"), ("Mul", "· scale"), ("Add", "· shift"), pool]
    steps += [("Flatten", "·"), ("MatMul", "· w1")]
    t = tensors(constants)
    network, x = outside.from_onnx_bytes(model(chain(*steps), constants)), images()
    assert networks.described(network.architecture) == "28×28 – conv 5×5×4, pool 2×2 – 10, tanh"

    def function(x: Tensor) -> Tensor:
        y = torch.tanh(F.max_pool2d(F.conv2d(x, t["w0"]), 2))
        return (t["scale"] * y + t["shift"]).flatten(1) @ t["w1"]

    check_same(network, function, x)
    constants["scale"][2] *= -1
    t["scale"] = torch.from_numpy(constants["scale"]).double()
    falling = outside.from_onnx_bytes(model(chain(*steps), constants))
    y = t["scale"] * torch.tanh(F.conv2d(x.double(), t["w0"])) + t["shift"]
    expected = F.max_pool2d(y, 2).flatten(1) @ t["w1"]
    torch.testing.assert_close(falling(x).double(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_a_relu_below_a_bound_is_a_ramp():
    network = outside.from_onnx_bytes(jax_mlp()[0])
    assert networks.described(network.architecture).count("ramp") == 2


def test_a_file_is_read_whole_and_nothing_else(tmp_path):
    content = model(chain(*ENDING), {"w": draw(784, 10)})
    (tmp_path / "network.onnx").write_bytes(content)
    same = outside.from_onnx(str(tmp_path / "network.onnx"))
    torch.testing.assert_close(same(images()), outside.from_onnx_bytes(content)(images()), rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"missing\.onnx, got none"):
        outside.from_onnx(tmp_path / "missing.onnx")
    (tmp_path / "large.onnx").write_bytes(bytes(outside.MOST_BYTES + 1))
    with pytest.raises(ValueError, match="expected at most 16,777,216 bytes"):
        outside.from_onnx(tmp_path / "large.onnx")
    with pytest.raises(ValueError, match="expected an ONNX file, got something else"):
        outside.from_onnx_bytes(b"no protobuf")


# Torch modules.


class Convolutional(nn.Module):
    """As people write them: functions and layers, a view, in-place operations, a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1307]).view(1, 1, 1))
        self.first, self.norm = nn.Conv2d(1, 6, (5, 3), stride=2, padding=(2, 0), bias=False), nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 8, 3, padding="same", groups=2)
        self.dropout, self.last, self.softmax = nn.Dropout(0.5), nn.Linear(8 * 3 * 3, 10), True

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / 0.3081
        x = F.relu(self.norm(self.first(x)), inplace=True)
        x = F.max_pool2d(torch.tanh(self.second(x)), 3, stride=2)
        x = F.avg_pool2d(x, 2)
        x = self.dropout(x).view(x.size(0), -1)
        x *= 2.0
        return F.log_softmax(self.last(x), dim=1) if self.softmax else self.last(x)


class Functional(nn.Module):
    """Parameters and functions alone."""

    def __init__(self):
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.randn(784, 20) / 28), nn.Parameter(torch.randn(10, 20) / 4)
        self.b1 = nn.Parameter(torch.randn(20))

    def forward(self, x: Tensor) -> Tensor:
        h = 1 - x.squeeze(1).transpose(1, 2).reshape(x.shape[0], 784)
        h = (h @ self.w1 + self.b1).sigmoid()
        h = torch.clamp(-h, min=-0.9, max=-0.2).unsqueeze(-1)
        return torch.matmul(self.w2 * 2, h).flatten(1).contiguous()


def trained(module: nn.Module) -> nn.Module:
    """As it might be after training: with statistics and larger weights, and still in training mode."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(), part.running_var.uniform_(0.5, 2)
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.weight.data.mul_(3)
    return module


def sigmoid_module() -> nn.Module:
    layers = [layer for i in range(4) for layer in (nn.Linear(784 if i == 0 else 24, 24), nn.Sigmoid())]
    return nn.Sequential(nn.Flatten(), *layers, nn.BatchNorm1d(24), nn.Linear(24, 10))


def pooled_module() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.ReLU6(),
        nn.MaxPool2d(3, 2, 1),
        nn.BatchNorm2d(6, affine=False),
        nn.Conv2d(6, 10, 3, groups=2),
        nn.Hardtanh(0, 0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Identity(),
        nn.Flatten(),
        nn.Softmax(dim=-1),
    )


MODULES = [Convolutional, Functional, sigmoid_module, pooled_module]


@pytest.mark.parametrize("make", MODULES, ids=lambda make: make.__name__)
def test_a_module_becomes_a_network_with_its_logits_and_its_jacobian(make):
    module = trained(make()).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    network = outside.from_module(module)
    assert module.training and all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    function = module.eval().double()
    if isinstance(function, nn.Sequential) and isinstance(function[-1], nn.Softmax):
        function = function[:-1]
    function.softmax = False  # which is left away
    check_same(network, function, images())


def test_a_network_stays_one_and_is_a_copy(tiny):
    found = outside.from_module(tiny.train())
    assert isinstance(found, Network) and found is not tiny and not found.training and tiny.training
    assert torch.equal(found(images()), tiny.eval()(images()))


class Residual(nn.Module):
    """What no chain is."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 784), nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.last(x + torch.relu(self.first(x)))


class Undecided(nn.Module):
    """Which no tracing can follow: it looks at the pixels first."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(x.flatten(1)) if x.mean() > 0.1 else self.last(1 - x.flatten(1))


def doubled() -> nn.Module:
    """One whose trace has other logits than itself: it doesn't see the hook."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    module[1].register_forward_hook(lambda layer, inputs, output: 2 * output)
    return module


def unknown() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.GELU(), nn.Linear(20, 10))


@pytest.mark.parametrize("make", [Residual, Undecided, doubled, unknown], ids=lambda make: make.__name__)
def test_what_cannot_be_taken_apart_still_gives_logits(make):
    module, x = make(), images()
    found = outside.from_module(module)
    assert isinstance(found, outside.LogitsOnly) and not isinstance(found, Network) and not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert torch.equal(found(x), module.eval()(x))
    assert isinstance(outside.from_module(found), outside.LogitsOnly)
    for image in (x[:, 0], x[:, :, 1:]):
        with pytest.raises(ValueError, match="expected images of shape"):
            found(image)


def test_autograd_square_and_transfer_need_logits_alone():
    found, (x, labels) = outside.from_module(unknown()), data.load("test")
    x, labels = x[:20], found(x[:20]).argmax(1)
    source = networks.build(networks.mlp("relu", [16]))
    assert bool(attacks.fgsm(found, x, labels, epsilon=0.25).success.any())
    assert bool(attacks.pgd(found, x, labels, epsilon=0.25, steps=5, loss="margin").success.any())
    assert attacks.square(found, x, labels, epsilon=0.25, queries=20).images.shape == x.shape
    assert attacks.transfer(found, x, labels, source=source, epsilon=0.25, steps=3).images.shape == x.shape
    for gradient in ("exact", "softened"):
        with pytest.raises(ValueError, match=f"of which the {gradient} gradient can be taken, got a LogitsOnly, which"):
            attacks.pgd(found, x, labels, gradient=gradient)
    with pytest.raises(ValueError, match=r"expected a network of blocks.*got a LogitsOnly, which only gives logits"):
        geometry.jacobian(found, x)
    with pytest.raises(ValueError, match="expected a network of blocks to certify, got a LogitsOnly"):
        proofs.certified(found, x, labels, epsilon=0.1)


class Binarised(nn.Module):
    """Whose comparison no gradient passes."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.last((x.flatten(1) > 0.5).to(self.last.weight))


def test_where_a_module_cuts_the_graph_the_gradient_is_zero_and_other_attacks_go_on():
    found, (x, _) = outside.from_module(Binarised()), data.sample("test", 20)
    labels = found(x).argmax(1)
    assert isinstance(found, outside.LogitsOnly)
    assert evaluation.measure(found, x, labels).zero_gradient == 1
    assert not attacks.pgd(found, x, labels, steps=3).success.any()
    assert evaluation.worst_case(found, x, labels, epsilon=0.5).broken.any()


def test_logits_are_those_of_the_module_whatever_the_images_dtype():
    module, (x, labels) = unknown().double(), data.sample("test", 20)
    found = outside.from_module(module)
    assert torch.equal(found(x), module(x.double())) and found.dtype == torch.float64
    assert attacks.fgsm(found, x, labels).images.dtype == torch.float32
    assert 0 <= evaluation.measure(found, x, labels).accuracy <= 1


class Tuple(nn.Module):
    """More than logits."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1)[:, :10], x


@pytest.mark.parametrize(
    "module, said",
    [
        (nn.Flatten(), r"ValueError: expected logits of shape \(16, 10\) from the module, got shape \(16, 784\)"),
        (Tuple(), "expected logits of shape .* from the module, got a tuple"),
        (nn.Linear(784, 10), "expected a module that maps images .* got RuntimeError: mat1 and mat2"),
        (torch.relu, "expected a torch module, got a builtin_function_or_method"),
    ],
)
def test_what_gives_no_logits_is_refused_in_one_sentence(module, said):
    with pytest.raises(ValueError, match=said) as refusal:
        outside.from_module(module)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("make", [sigmoid_module, pooled_module], ids=lambda make: make.__name__)
def test_a_module_in_double_becomes_a_network_in_double(make):
    module = trained(make()).double().eval().requires_grad_(False)
    network = outside.from_module(module)
    assert isinstance(network, Network) and {parameter.dtype for parameter in network.parameters()} == {torch.float64}
    logits, expected = network(images()), module(images().double())
    if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.Softmax):
        logits = logits.softmax(1)
    assert (logits - expected).abs().max() <= 1e-12 * expected.abs().max()
