"""The tensors in an ONNX file, and what is checked of the file before it is parsed."""

import math
from typing import Any

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from onnx import TensorProto

from satcore.outside.shapes import MOST_DIMENSIONS, few

MOST_FIELDS = 100_000  # of a file's structure
MOST_NUMBERS = 10_000_000  # of weights in all: one tensor of a small file can be used again and again
NO_ONNX = "expected an ONNX file, got something else or a damaged one"
VARINT, COUNTED, FIXED_SIZES = 0, 2, {1: 8, 5: 4}  # protobuf's kinds of fields: a number, so many bytes, 8 or 4 bytes


def check_fields(content: bytes) -> None:
    """Raise ValueError for what isn't a message of protobuf, or one that would take many times its size in memory.

    An empty message takes two bytes in a file and a hundred or more where it is parsed, so they are counted before.
    """
    parts: list[tuple[int, int, Any]] = [(0, len(content), onnx.ModelProto.DESCRIPTOR)]
    fields = 0
    while parts:
        at, end, message = parts.pop()
        while at < end:
            tag, at = _varint(content, at)
            number, kind = tag >> 3, tag & 7
            field, size = message.fields_by_number.get(number), FIXED_SIZES.get(kind, 0)
            if kind == VARINT:
                _, at = _varint(content, at)
            elif kind == COUNTED:
                size, at = _varint(content, at)
                if field is not None and field.type == FieldDescriptor.TYPE_INT64 and size > MOST_FIELDS:
                    raise ValueError(f"expected whole numbers of at most {MOST_FIELDS:,} bytes, got {size:,}")
                if field is not None and field.type == FieldDescriptor.TYPE_STRING:
                    _check_text(content[at : at + size])
                if field is not None and field.message_type is not None:
                    parts.append((at, at + size, field.message_type))
            elif kind not in FIXED_SIZES:
                raise ValueError(NO_ONNX)
            at += size
            fields += 1
            if at > end:
                raise ValueError(NO_ONNX)
            if fields > MOST_FIELDS:
                raise ValueError(f"expected an ONNX file of at most {MOST_FIELDS:,} fields, got more")


def _check_text(content: bytes) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("expected an ONNX file with names in UTF-8, got other bytes in one") from error


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    number = 0
    for byte, value in enumerate(content[at : at + 10]):
        number |= (value & 127) << 7 * byte
        if value < 128:
            return number, at + byte + 1
    raise ValueError(NO_ONNX)


# The dtype of a tensor, and where it holds its numbers when they aren't raw bytes.
DTYPES: dict[int, tuple[np.dtype, str]] = {
    TensorProto.FLOAT: (np.dtype("<f4"), "float_data"),
    TensorProto.DOUBLE: (np.dtype("<f8"), "double_data"),
    TensorProto.FLOAT16: (np.dtype("<f2"), "int32_data"),
    TensorProto.INT32: (np.dtype("<i4"), "int32_data"),
    TensorProto.INT64: (np.dtype("<i8"), "int64_data"),
    TensorProto.BOOL: (np.dtype("?"), "int32_data"),
}
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def array_of(tensor: TensorProto) -> np.ndarray:
    """What the `tensor` holds.

    Raises ValueError where that is in another file, of another type, or not as much as its dimensions say.
    """
    name = quoted(tensor.name)
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise ValueError(
            f"expected all weights within the file, got {name} in another one "
            "(PyTorch keeps them within with torch.onnx.export(…, external_data=False))"
        )
    if tensor.data_type not in DTYPES or tensor.HasField("segment"):
        raise ValueError(f"expected float32, float64 or float16 weights, got another type of data in {name}")
    dtype, field = DTYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    raw, numbers = tensor.raw_data, getattr(tensor, field)
    held = len(raw) / dtype.itemsize if raw else len(numbers)
    fits = len(shape) <= MOST_DIMENSIONS and all(0 <= side <= MOST_NUMBERS for side in shape)
    if not fits or math.prod(shape) != held:
        raise ValueError(f"expected as many numbers as its dimensions say in {name}, got {few(shape)} for {held:g}")
    if raw:
        return np.frombuffer(raw, dtype).reshape(shape)
    if tensor.data_type == TensorProto.FLOAT16:  # whose bits stand in the lower half of each number
        return np.fromiter(numbers, np.int32, len(numbers)).astype(np.uint16).view(dtype).reshape(shape)
    return np.fromiter(numbers, dtype, len(numbers)).reshape(shape)


def quoted(name: str) -> str:
    """A stranger's `name` on one line and not too long."""
    return repr(name if len(name) <= 60 else name[:60] + "…")
