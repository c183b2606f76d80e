"""Files from strangers, damaged or made to do harm: one sentence each, soon, and without much memory."""

import contextlib
import copy
import json
import os
import random
import resource
import signal
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper, numpy_helper

from satcore import library, networks, outside
from tests import test_outside
from tests.test_outside import chain, draw, model

SECONDS = 30  # a case, on a slow machine
MEGABYTES = 500
EXTREMES = (-(2**63), -(2**31), -785, -28, -1, 0, 1, 2, 3, 7, 28, 784, 785, 10**6, 2**31, 2**62, 2**63 - 1)


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Resident memory never grows by more than `MEGABYTES`."""
    black = torch.zeros(1, 1, 28, 28)
    outside.from_onnx_bytes(test_outside.keras_cnn()[0])(black)  # what is only needed once is there
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES, f"{grown:.0f} MB more"


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """It ends within `SECONDS`."""

    def too_late(*_: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def said_of(load: Callable[[], torch.nn.Module]) -> str:
    """The one sentence by which `load` refuses; "" where what it loads is whole: finite weights and logits."""
    with soon():
        try:
            network = load()
        except ValueError as error:
            said = str(error)
            assert said.startswith("expected ") and len(said.splitlines()) == 1 and len(said) < 1000, said
            return said
    assert all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values())
    assert bool(network(torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))).isfinite().all())
    return ""


def small_files() -> list[bytes]:
    """Whole ones, of every kind of node."""
    return [case()[0] for case in test_outside.CASES]


# What can happen to the bytes of a file.


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flipped(content: bytes, rng: random.Random, where: list[int] | None = None) -> bytes:
    """With some bits flipped, anywhere, or at the places `where`."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.choice(where) if where else rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def mixed(content: bytes, rng: random.Random) -> bytes:
    """With a piece of itself left out, doubled, or put elsewhere."""
    start, end, place = sorted(rng.randrange(len(content)) for _ in range(3))
    return content[:start] + rng.choice((b"", 2 * content[start:end], content[end:place])) + content[end:]


def outside_of_weights(content: bytes) -> list[int]:
    """The places of the bytes that aren't weights, but say what is done with them."""
    places = set(range(len(content)))
    for tensor in onnx.load_model_from_string(content).graph.initializer:
        start = content.find(tensor.raw_data) if len(tensor.raw_data) > 64 else -1
        places -= set(range(start, start + len(tensor.raw_data))) if start >= 0 else set()
    return sorted(places)


# What someone can write on purpose.


def some_tensor(file: onnx.ModelProto, rng: random.Random) -> TensorProto:
    return rng.choice(list(file.graph.initializer))


def elsewhere(file: onnx.ModelProto, rng: random.Random) -> None:
    """Weights in another file."""
    tensor = some_tensor(file, rng)
    tensor.data_location = TensorProto.EXTERNAL
    paths = ("../../etc/passwd", "/etc/passwd", "weights.bin", "", "C:\\x", "../" * 1000, "a\0b", "\n")
    for key, value in (("location", rng.choice(paths)), ("offset", str(rng.choice(EXTREMES))), ("length", "9" * 30)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    if rng.random() < 0.5:
        tensor.ClearField("raw_data")


def other_dimensions(file: onnx.ModelProto, rng: random.Random) -> None:
    """More, or less, than there is: gigabytes among them."""
    tensor = some_tensor(file, rng)
    dims = list(tensor.dims) + [rng.choice(EXTREMES)] * rng.randrange(3)
    for _ in range(rng.randrange(1, 3)):
        if dims:
            dims[rng.randrange(len(dims))] = rng.choice(EXTREMES)
    del tensor.dims[:]
    tensor.dims.extend(dims * rng.choice((1, 1, 1, 20)))


def other_type(file: onnx.ModelProto, rng: random.Random) -> None:
    some_tensor(file, rng).data_type = rng.randrange(30)


def not_finite(file: onnx.ModelProto, rng: random.Random) -> None:
    tensor = some_tensor(file, rng)
    array = numpy_helper.to_array(tensor).copy()
    if array.dtype.kind == "f" and array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -np.inf, np.finfo(array.dtype).max))
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def other_numbers(file: onnx.ModelProto, rng: random.Random) -> None:
    """Nonsense where a shape, axes or bounds are constants."""
    whole = [t for t in file.graph.initializer if t.data_type in (TensorProto.INT64, TensorProto.INT32)]
    tensor = rng.choice(whole) if whole else some_tensor(file, rng)
    array = np.array([rng.choice(EXTREMES) for _ in range(rng.choice((0, 1, 2, 3, 4, 9, 40)))], np.int64)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def other_attribute(file: onnx.ModelProto, rng: random.Random) -> None:
    nodes = [node for node in file.graph.node if node.attribute]
    if not nodes:
        return
    attribute = rng.choice(list(rng.choice(nodes).attribute))
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(EXTREMES)
    elif rng.random() < 0.5:
        attribute.i, attribute.f = rng.choice(EXTREMES), rng.choice((0.0, -1.0, np.inf, np.nan, 3e38))
    else:
        attribute.CopyFrom(
            helper.make_attribute(
                attribute.name, rng.choice((1, 0.5, "x", [1] * 9, [0.5], helper.make_graph([], "g", [], [])))
            )
        )


def other_operator(file: onnx.ModelProto, rng: random.Random) -> None:
    known = ("ConstantOfShape", "Expand", "Tile", "Loop", "If", "Scan", "Range", "Pad", "Resize", "Einsum", "Shape", "")
    rng.choice(list(file.graph.node)).op_type = rng.choice((*known, *(node.op_type for node in file.graph.node)))


def other_wiring(file: onnx.ModelProto, rng: random.Random) -> None:
    """Cycles, branches, names that are nobody's or another's."""
    nodes = list(file.graph.node)
    names = [name for node in nodes for name in (*node.input, *node.output)] + ["", "nobody", "x", "\n", "ü" * 500]
    for _ in range(rng.randrange(1, 4)):
        node = rng.choice(nodes)
        wires = rng.choice((node.input, node.output))
        if wires and rng.random() < 0.8:
            wires[rng.randrange(len(wires))] = rng.choice(names)
        else:
            wires.append(rng.choice(names))


def other_order(file: onnx.ModelProto, rng: random.Random) -> None:
    nodes = list(copy.deepcopy(file.graph).node)
    rng.shuffle(nodes)
    del file.graph.node[:]
    file.graph.node.extend(nodes[: rng.randrange(1, len(nodes) + 1)])


def other_frame(file: onnx.ModelProto, rng: random.Random) -> None:
    """Another version, another input, functions, sparse tensors."""
    kind = rng.randrange(6)
    if kind == 0:
        file.opset_import[0].version = rng.choice(EXTREMES)
    elif kind == 1:
        file.opset_import.add().version = 17
    elif kind == 2:
        shape = file.graph.input[0].type.tensor_type.shape
        if shape.dim:
            shape.dim[rng.randrange(len(shape.dim))].dim_value = rng.choice(EXTREMES)
    elif kind == 3:
        file.graph.input[0].type.tensor_type.elem_type = rng.randrange(25)
    elif kind == 4:
        file.functions.add().name = "f"
    else:
        file.graph.sparse_initializer.add()


BYTES = (truncated, flipped, mixed)
PURPOSES = (
    elsewhere,
    other_dimensions,
    other_type,
    not_finite,
    other_numbers,
    other_attribute,
    other_operator,
    other_wiring,
    other_order,
    other_frame,
)


@pytest.mark.slow
def test_a_thousand_damaged_and_hostile_files_are_refused_in_one_sentence_each_or_loaded_whole():
    rng, files = random.Random(0), small_files()
    structures, parsed = [outside_of_weights(file) for file in files], list(map(onnx.load_model_from_string, files))
    refused = count = 0
    with little_memory():
        for turn in range(45):
            for index, content in enumerate(files):
                damage = rng.choice(BYTES)
                damaged = [damage(content, rng), flipped(content, rng, structures[index])]
                file = copy.deepcopy(parsed[index])
                PURPOSES[(turn + index) % len(PURPOSES)](file, rng)
                damaged.append(file.SerializeToString())
                for one in damaged:
                    refused += said_of(lambda one=one: outside.from_onnx_bytes(one)) != ""
                    count += 1
    assert count >= 1000 and refused > count / 2


def varint(number: int) -> bytes:
    parts = [number >> shift & 127 for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(part | 128 for part in parts[:-1]), parts[-1]])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(depth: int) -> bytes:
    """Graphs in attributes of nodes in graphs."""
    content = b""
    for _ in range(depth):
        content = field(1, field(5, field(6, content)))
    return field(7, content)


WIDE = draw(1000, 1000)
TO_TEN = (("GlobalAveragePool", "·"), ("Flatten", "·"), ("MatMul", "· one"))
LARGE = {
    "a file of nothing": lambda: b"",
    "of zeros": lambda: bytes(outside.MOST_BYTES),
    "of ones": lambda: b"\xff" * 1000,
    "too large": lambda: bytes(outside.MOST_BYTES + 1),
    "eight million empty nodes": lambda: field(7, b"\x0a\x00" * (outside.MOST_BYTES // 2 - 8)),
    "eight million empty attributes": lambda: field(7, field(1, b"\x2a\x00" * (outside.MOST_BYTES // 2 - 16))),
    "eight million empty names": lambda: field(7, field(1, b"\x0a\x00" * (outside.MOST_BYTES // 2 - 16))),
    "sixteen million whole numbers": lambda: field(7, field(5, field(7, b"\x01" * (outside.MOST_BYTES - 32)))),
    "graphs in graphs": lambda: nested(2000),
    "501 nodes": lambda: model(chain(*[("Relu", "·")] * 501), {}),
    "a thousand dimensions": lambda: model(chain(("Reshape", "· s"), ("Flatten", "·")), {"s": np.ones(1000, np.int64)}),
    "dimensions one by one": lambda: model(chain(*[("Unsqueeze", "· a")] * 200), {"a": np.zeros(1, np.int64)}),
    "a gigabyte said to be there": lambda: without_data(TensorProto.FLOAT, [1 << 15, 1 << 13]),
    "more than memory holds": lambda: without_data(TensorProto.DOUBLE, [1 << 40, 1 << 40, 0, 1 << 62]),
    "a gigabyte to be filled": lambda: model(
        [helper.make_node("ConstantOfShape", ["s"], ["c"]), *chain(("Flatten", "·"), ("MatMul", "· c"))],
        {"s": np.array([1 << 15, 1 << 13])},
    ),
    "one matrix again and again": lambda: model(
        chain(("Flatten", "·"), ("MatMul", "· first"), *[("MatMul", "· wide")] * 400),
        {"first": draw(784, 1000), "wide": WIDE},
    ),
    "a sum that doubles": lambda: model(
        chain(*[("Concat", "s s", {"axis": 0})] * 1, *[("Concat", "· ·", {"axis": 0})] * 60),
        {"s": np.ones(4, np.int64)},
    ),
    "constants added for ever": lambda: model(chain(("Add", "wide wide"), *[("Add", "· wide")] * 400), {"wide": WIDE}),
    "more channels than fit": lambda: model(
        chain(*[("Conv", "· c", {"pads": [1000] * 4})] * 3), {"c": draw(4000, 1, 1, 1)}
    ),
    "wide padding": lambda: model(
        chain(*[("Conv", "· c", {"pads": [1000] * 4, "strides": [1000, 1000]})] * 3), {"c": draw(1, 1, 1, 1)}
    ),
    "so many products that it would take minutes": lambda: model(
        chain(("Conv", "· a", {"pads": [600] * 4}), ("Conv", "· b"), *TO_TEN),
        {"a": draw(1, 1, 3, 3), "b": draw(1, 1, 401, 401), "one": draw(1, 10)},
    ),
    "a window as large as a field": lambda: model(
        chain(
            ("Conv", "· a", {"pads": [600] * 4}),
            ("MaxPool", "·", {"kernel_shape": [900, 900], "pads": [450] * 4}),
            *TO_TEN,
        ),
        {"a": draw(1, 1, 3, 3), "one": draw(1, 10)},
    ),
    "a million units, again and again": lambda: model(
        chain(("Conv", "· a", {"pads": [600] * 4}), *[("Mul", "· b"), ("Add", "· c")] * 240),
        {"a": draw(1, 1, 3, 3), "b": draw(1, 1226), "c": draw(1226, 1)},
    ),
    "zeros around two million units, again and again": lambda: model(
        chain(("Pad", "· wide"), *[("Pad", "· one")] * 490, ("Flatten", "·")),
        {"wide": np.array([0, 0, 400, 400, 0, 0, 900, 600]), "one": np.array([0] * 7 + [1])},
    ),
    "nothing but nonlinearities": lambda: model(
        chain(*[("Tanh", "·")] * 400, ("Flatten", "·"), ("MatMul", "· w")), {"w": draw(784, 10)}
    ),
}


def without_data(kind: int, dims: list[int]) -> bytes:
    """A tensor of those dimensions that holds nothing."""
    file = onnx.load_model_from_string(model(chain(("Flatten", "·"), ("MatMul", "· w")), {"w": draw(784, 10)}))
    file.graph.initializer[0].CopyFrom(TensorProto(name="w", data_type=kind, dims=dims))
    return file.SerializeToString()


@pytest.mark.parametrize("what", LARGE)
def test_what_would_take_more_time_or_memory_than_there_is_is_refused_first(what):
    content = LARGE[what]()
    with little_memory():
        before = time.process_time()
        assert said_of(lambda: outside.from_onnx_bytes(content))
        assert time.process_time() - before < 5


def test_no_other_file_is_opened(tmp_path, monkeypatch):
    file = onnx.load_model_from_string(model(chain(("Flatten", "·"), ("MatMul", "· w")), {"w": draw(784, 10)}))
    (tmp_path / "weights.bin").write_bytes(file.graph.initializer[0].raw_data)
    tensor = file.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"
    (tmp_path / "network.onnx").write_bytes(file.SerializeToString())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"got 'w' in another one .*external_data=False"):
        outside.from_onnx("network.onnx")


def test_what_is_no_plain_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    for name in ("pipe.onnx", "loop.onnx", "zero.onnx", "."):
        assert said_of(lambda name=name: outside.from_onnx(tmp_path / name))


# The user's shelf.


def on_the_shelf() -> tuple[str, Path]:
    """A small network with a convolution on the user's shelf: its name, and its folder."""
    architecture = (
        networks.Block(networks.Convolution(1, 2, (5, 5), (3, 3)), "ramp", networks.MaxPooling((2, 2), (2, 2))),
        networks.Block(networks.Dense(32, 10)),
    )
    name = library.add(networks.build(architecture), "hostile")
    return name, library.folder_of(name)


def damaged_card(card: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind < 2:
        return (truncated, flipped)[kind](card, rng)
    fields = json.loads(card)
    values = (
        None,
        [],
        {},
        "",
        "x" * 5000,
        -1,
        10**8,
        10**40,
        1e308,
        float("nan"),
        float("inf"),
        True,
        [[[]]],
        {"a": 1},
    )
    spots = list(places_in(fields))
    for _ in range(rng.choice((1, 1, 3))):
        holder, key = rng.choice(spots)
        holder[key] = copy.deepcopy(rng.choice(values))
    if kind == 3 and isinstance(fields, dict):
        fields["surprise"] = 1
    return json.dumps(fields).encode()


def places_in(fields: dict | list) -> Iterator[tuple[dict | list, str | int]]:
    """Every place in nested tables and lists."""
    for key, value in list(fields.items()) if isinstance(fields, dict) else list(enumerate(fields)):
        yield fields, key
        if isinstance(value, dict | list):
            yield from places_in(value)


def damaged_weights(weights: bytes, rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind < 2:
        return (truncated, flipped)[kind](weights, rng)
    tensors = safetensors.torch.load(weights)
    name = rng.choice(sorted(tensors))
    if kind == 3:
        del tensors[name]
        tensors[rng.choice(("other", "layers.0.weight", name))] = torch.ones(rng.choice(((), (0,), (3,), (10, 32))))
    else:
        value = tensors[name]
        tensors[name] = rng.choice(
            (value.double(), value.half(), value.int(), value.bool(), value[..., None], value * np.nan, value * np.inf)
        ).contiguous()
    return safetensors.torch.save(tensors)


def rehashed(card: bytes, weights: bytes) -> bytes:
    """The card with the hash that fits the weights, where its architecture is one."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fields = json.loads(card)
        fields["sha256"] = library.content_hash(networks.from_data(fields["architecture"]), weights)
        return json.dumps(fields).encode()
    return card


def check_shelf(name: str) -> str:
    """What is said of the network when it is loaded; the shelf itself can be read in any case."""
    with soon():
        shelf = library.catalogue()
    assert all(len(said.splitlines()) == 1 for said in shelf.damaged.values())
    return said_of(lambda: library.load(name))


@pytest.mark.slow
def test_damaged_cards_and_weights_are_refused_in_one_sentence_each_or_loaded_whole():
    rng, (name, folder) = random.Random(0), on_the_shelf()
    assert check_shelf(name) == ""
    card, weights = ((folder / file).read_bytes() for file in (library.CARD, library.WEIGHTS))
    refused = 0
    with little_memory():
        for turn in range(300):
            bad_card = damaged_card(card, rng) if turn % 3 != 1 else card
            bad_weights = damaged_weights(weights, rng) if turn % 3 != 0 else weights
            (folder / library.CARD).write_bytes(rehashed(bad_card, bad_weights) if turn % 2 else bad_card)
            (folder / library.WEIGHTS).write_bytes(bad_weights)
            refused += check_shelf(name) != ""
    assert refused > 200
    (folder / library.CARD).write_bytes(card)
    (folder / library.WEIGHTS).write_bytes(weights)
    assert check_shelf(name) == ""


def with_architecture(change: Callable[[list], object]) -> Callable[[bytes], bytes]:
    def changed(card: bytes) -> bytes:
        fields = json.loads(card)
        change(fields["architecture"])
        return json.dumps(fields).encode()

    return changed


CARDS: dict[str, Callable[[bytes], bytes]] = {
    "nested lists": lambda card: b"[" * 500_000 + b"]" * 500_000,
    "nested tables": lambda card: b'{"architecture":' * 60_000 + b"1" + b"}" * 60_000,
    "a huge number": lambda card: b'{"seed": ' + b"9" * 1_000_000 + b"}",
    "too large": lambda card: card + b" " * library.MOST_CARD,
    "no table": lambda card: b"[1, 2, 3]",
    "no text": lambda card: b"\xff\xfe\x00" * 1000,
    "a hundred million units": with_architecture(
        lambda blocks: blocks[1]["affine"].update(inputs=10**8, outputs=10**8)
    ),
    "a hundred million channels": with_architecture(lambda blocks: blocks[0]["affine"].update(outputs=10**8)),
    "wide padding": with_architecture(
        lambda blocks: blocks[0]["affine"].update(padding=[10**7] * 4, stride=[10**7] * 2)
    ),
    "a wide window": with_architecture(
        lambda blocks: blocks[0]["pooling"].update(kernel=[10**7] * 2, padding=[10**6] * 2)
    ),
    "a million blocks": with_architecture(lambda blocks: blocks.extend([None] * 100_000)),
    "a true number": with_architecture(lambda blocks: blocks[0]["affine"].update(outputs=True)),
    "a number with a point": with_architecture(lambda blocks: blocks[1]["affine"].update(outputs=10.0)),
    "an unknown nonlinearity": with_architecture(lambda blocks: blocks[0].update(nonlinearity="__class__")),
    "an unknown layer": with_architecture(lambda blocks: blocks[0]["affine"].update(kind="torch.nn.Linear")),
    "a hash in capitals": lambda card: card.replace(b'"sha256": "', b'"sha256": "A'),
}


@pytest.mark.parametrize("what", CARDS)
def test_a_hostile_card_is_refused_before_anything_is_built(what):
    name, folder = on_the_shelf()
    (folder / library.CARD).write_bytes(CARDS[what]((folder / library.CARD).read_bytes()))
    with little_memory():
        assert check_shelf(name)


def header(entries: dict, length: int | None = None) -> bytes:
    """A file of weights with that header and little after it."""
    content = json.dumps(entries).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content + bytes(64)


WEIGHTS: dict[str, bytes] = {
    "nothing": b"",
    "a header that is said to be huge": header({}, length=2**62),
    "a terabyte said to be there": header(
        {"layers.0.weight": {"dtype": "F32", "shape": [2**19, 2**19], "data_offsets": [0, 2**40]}}
    ),
    "tensors that overlap": header(
        {
            name: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}
            for name in ("layers.0.weight", "layers.0.bias")
        }
    ),
    "nested": struct.pack("<Q", 200_000) + b'{"a":' * 40_000,
    "a pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("what", WEIGHTS)
def test_hostile_weights_are_refused_although_their_hash_is_right(what):
    name, folder = on_the_shelf()
    (folder / library.WEIGHTS).write_bytes(WEIGHTS[what])
    (folder / library.CARD).write_bytes(rehashed((folder / library.CARD).read_bytes(), WEIGHTS[what]))
    with little_memory():
        assert "expected a file of weights in" in check_shelf(name)


@pytest.mark.parametrize("file", [library.CARD, library.WEIGHTS])
def test_what_is_no_plain_file_on_the_shelf_is_refused(file):
    name, folder = on_the_shelf()
    content = (folder / file).read_bytes()
    for make in (
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
        lambda path: path.mkdir(),
    ):
        (folder / file).unlink()
        make(folder / file)
        assert check_shelf(name)
        (folder / file).rmdir() if (folder / file).is_dir() else (folder / file).unlink()
        (folder / file).write_bytes(content)
    assert check_shelf(name) == ""


@pytest.mark.parametrize(
    "name", ["mine/../../x", "../mine/hostile", "/etc", "mine/.hidden", "", "mine/hostile\n", "mine"]
)
def test_a_name_that_leads_elsewhere_is_nobodys(name):
    on_the_shelf()
    assert said_of(lambda: library.load(name)).startswith("expected one of the networks")
