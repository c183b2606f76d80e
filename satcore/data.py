"""MNIST, shipped inside the package, and how one example is chosen from it.

The arrays are byte for byte those of LeCun, Cortes and Burges (CC BY-SA 3.0).
"""

import functools
import math
import sys
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

FILE = Path(__file__).with_name("mnist.npz")
CLASSES = 10
WAYS = ("most confident", "least confident", "random")


class Examples(NamedTuple):
    """`images` (N, 1, 28, 28) float32 in [0, 1], `labels` (N,) int64 in 0…9."""

    images: Tensor
    labels: Tensor


@functools.cache
def load(split: str) -> Examples:
    """The 60,000 "train" or the 10,000 "test" examples of MNIST, pixels as byte/255.

    The tensors are shared by all callers: don't write to them. Raises ValueError for another split.
    """
    pixels, labels = _bytes(split)
    return Examples(_images(pixels), labels)


def labels(split: str) -> Tensor:
    """The labels of `load`, without its images."""
    return _bytes(split)[1]


def some(split: str, indices: Tensor) -> Examples:
    """The examples of `split` at the `indices` (N,) int64, without `load`, which keeps four bytes a pixel of all."""
    pixels, labels = _bytes(split)
    return Examples(_images(pixels[indices]), labels[indices])


@functools.cache
def _bytes(split: str) -> tuple[Tensor, Tensor]:
    """Pixels (N, 28, 28) uint8, and labels (N,) int64."""
    if split not in ("train", "test"):
        raise ValueError(f'expected the split "train" or "test", got {split!r}')
    with np.load(FILE, allow_pickle=False) as arrays:
        pixels, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    return torch.from_numpy(pixels), torch.from_numpy(labels).to(torch.int64)


def _images(pixels: Tensor) -> Tensor:
    return pixels.unsqueeze(1).to(torch.float32) / 255


def check_images(images: Tensor) -> None:
    """Raise ValueError unless `images` is a float (N, 1, 28, 28) with every pixel in [0, 1]."""
    check_tensor(images, "images")
    if images.ndim != 4 or tuple(images.shape[1:]) != (1, 28, 28):
        raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"expected images of a floating-point dtype, got {images.dtype}")
    if images.numel() == 0:
        return
    low, high = (extreme.item() for extreme in images.aminmax())
    if not (low >= 0 and high <= 1):  # asked this way round, so that a NaN is refused too
        raise ValueError(f"expected pixels in [0, 1], got values from {low:.4g} to {high:.4g}")


def check_labels(labels: Tensor, count: int) -> None:
    """Raise ValueError unless `labels` is an int64 (count,) with values in 0…9."""
    check_tensor(labels, "labels")
    if labels.dtype != torch.int64 or tuple(labels.shape) != (count,):
        raise ValueError(
            f"expected int64 labels of shape ({count},), got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if not bool(((labels >= 0) & (labels < CLASSES)).all()):
        raise ValueError(f"expected labels in 0…9, got values from {labels.min().item()} to {labels.max().item()}")


def check_tensor(values: object, what: str) -> None:
    """Raise ValueError unless `values`, of which a sentence speaks as `what`, are in a dense torch tensor."""
    if not isinstance(values, Tensor):
        raise ValueError(f"expected {what} in a torch tensor, got {type(values).__name__}")
    if values.layout != torch.strided or values.is_meta:
        raise ValueError(f"expected {what} in a dense tensor, got one of {values.layout} on {values.device}")


def check_finite(values: Tensor, what: str) -> None:
    """Raise ValueError as `check_tensor` does, and for complex numbers, NaN and infinity."""
    check_tensor(values, what)
    if values.is_complex():
        raise ValueError(f"expected real {what}, got {values.dtype}")
    if not bool(values.isfinite().all()):
        raise ValueError(f"expected finite {what}, got NaN or infinity")


def check_number(value: float, expected: str, least: float, most: float = sys.float_info.max) -> None:
    """Raise ValueError unless `value` is a number from `least` to `most`; `expected` is how a sentence calls that.

    Infinity is one where it is `most`. True and False are none, nor is a whole number that no float holds.
    """
    value = value.item() if isinstance(value, np.generic) else value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= most or sys.float_info.max < value < math.inf:
        raise ValueError(f"expected {expected}, got {said(value)}")


def check_whole(value: int, expected: str, least: int, most: int = 2**63 - 1) -> None:
    """As `check_number`, for a whole number."""
    value = value.item() if isinstance(value, np.generic) else value
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise ValueError(f"expected {expected}, got {said(value)}")


def check_seed(seed: int) -> None:
    """Raise ValueError unless `seed` is a whole number in 0…2⁶³−1."""
    check_whole(seed, "a seed from 0 to 2⁶³−1", 0)


def seeded(seed: int) -> torch.Generator:
    """What draws at random from the `seed`. Raises ValueError as `check_seed` does."""
    check_seed(seed)
    return torch.Generator().manual_seed(int(seed))


def check_epsilon(epsilon: float) -> None:
    """Raise ValueError unless `epsilon` is a number in [0, 1]: pixels lie no farther apart."""
    check_number(epsilon, "an epsilon in [0, 1]", 0, 1)


def check_kind(value: object, kind: type | UnionType, expected: str) -> None:
    """Raise ValueError, which says what was `expected`, unless `value` is of that `kind`."""
    if not isinstance(value, kind):
        raise ValueError(f"expected {expected}, got {said(value)}")


def check_network(network: object) -> None:
    """Raise ValueError unless `network` can be called."""
    if not callable(network):
        raise ValueError(f"expected a network that maps images to logits, got {said(network)}")


def check_logits(logits: Tensor, count: int) -> None:
    """Raise ValueError unless `logits` is a float (count, 10), as a network gives of so many images."""
    check_kind(logits, Tensor, "logits in a torch tensor from the network")
    if tuple(logits.shape) != (count, CLASSES) or not logits.is_floating_point():
        raise ValueError(
            f"expected floating-point logits of shape ({count}, {CLASSES}) from the network, "
            f"got {logits.dtype} of shape {tuple(logits.shape)}"
        )


@torch.no_grad()
def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """The logits (N, 10) that `network` gives of `images` (N, 1, 28, 28).

    Raises ValueError where it can't be called, or gives something else.
    """
    check_network(network)
    logits = network(images)
    check_logits(logits, len(images))
    return logits


def said(value: Any) -> str:
    """What came, for the end of a sentence: a number or a text as it is, but not at length, else what kind of thing."""
    if isinstance(value, int) and value.bit_length() > 200:  # Python won't write out the longest
        return f"a whole number of {value.bit_length():,} bits"
    if isinstance(value, str):
        return repr(value[:60])
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if number else f"a {type(value).__name__}"


def most_confident(logits: Tensor, labels: Tensor, digit: int) -> int:
    """Index of the correctly classified `digit` whose probability is highest.

    `logits` (N, 10), `labels` (N,). Compares log p/(1−p), which still tells examples apart where
    p itself is 1 to machine precision. Raises ValueError where none is classified correctly.
    """
    return _by_confidence(logits, labels, digit)[-1]


def least_confident(logits: Tensor, labels: Tensor, digit: int) -> int:
    """As `most_confident`, for the correctly classified `digit` whose probability is lowest."""
    return _by_confidence(logits, labels, digit)[0]


def random_example(labels: Tensor, digit: int, seed: int) -> int:
    """Index of one example of `digit`, each equally likely, the same for the same `seed`.

    Raises ValueError where `labels` (N,) hold no such digit, or the seed is outside 0…2⁶³−1.
    """
    generator, candidates = seeded(seed), _indices(labels, digit)
    return int(candidates[torch.randint(len(candidates), (), generator=generator)])


def choose(network: nn.Module, split: str, digit: int, how: str, seed: int = 0) -> int:
    """Index in `split` of a `digit` chosen in one of the `WAYS`; `seed` is for "random".

    Runs `network` on the examples of that digit alone. Raises ValueError for another digit, way or seed, and for what
    isn't a network.
    """
    if how not in WAYS:
        raise ValueError(f"expected a way to choose out of {', '.join(WAYS)}, got {how!r}")
    images, labels = load(split)
    if how == "random":
        return random_example(labels, digit, seed)
    candidates = _indices(labels, digit)
    by_confidence = most_confident if how == "most confident" else least_confident
    return int(candidates[by_confidence(logits_of(network, images[candidates]), labels[candidates], digit)])


def example(split: str, index: int) -> Examples:
    """The example at `index` of `split`, as a batch of one. Raises ValueError for an index outside it."""
    examples = load(split)
    last = len(examples.labels) - 1
    check_whole(index, f"an index from 0 to {last}", 0, last)
    return Examples(examples.images[index : index + 1], examples.labels[index : index + 1])


def sample(split: str, count: int, seed: int = 0) -> Examples:
    """`count` examples of `split`, drawn at random without repetition; fewer ones are the first of more.

    Raises ValueError for a count below 1 or above what there is, and for a seed outside 0…2⁶³−1.
    """
    examples = load(split)
    check_whole(count, f"a count from 1 to {len(examples.labels)}", 1, len(examples.labels))
    drawn = torch.randperm(len(examples.labels), generator=seeded(seed))[:count]
    return Examples(examples.images[drawn], examples.labels[drawn])


def centred(drawing: Tensor) -> Tensor:
    """A `drawing` (height, width) in [0, 1], not all black, as MNIST's digits are placed: (28, 28) float32 in [0, 1].

    Its bounding box is scaled into 20×20, keeping its proportions, and its centre of mass put at the field's centre
    (LeCun et al. 1998). Raises ValueError for another shape, other values, and for nothing drawn.
    """
    check_tensor(drawing, "a drawing")
    if drawing.ndim != 2 or not bool(((drawing >= 0) & (drawing <= 1)).all()):
        raise ValueError(
            f"expected a drawing of two dimensions with values in [0, 1], got shape {tuple(drawing.shape)}"
        )
    if not bool(drawing.any()):
        raise ValueError("expected a drawing, got an empty field")
    rows, columns = drawing.amax(1).nonzero().flatten(), drawing.amax(0).nonzero().flatten()
    box = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].float()
    size = [max(1, round(20 * side / max(box.shape))) for side in box.shape]
    scaled = interpolate(box[None, None], size, mode="bilinear", antialias=True)[0, 0].clamp(0, 1)
    middle = [(scaled.sum(1 - axis) * torch.arange(size[axis])).sum() / scaled.sum() for axis in (0, 1)]
    top, left = (min(28 - side, max(0, round(13.5 - float(centre)))) for centre, side in zip(middle, size, strict=True))
    field = torch.zeros(28, 28)
    field[top : top + size[0], left : left + size[1]] = scaled
    return field


def _indices(labels: Tensor, digit: int) -> Tensor:
    check_whole(digit, "a digit from 0 to 9", 0, CLASSES - 1)
    candidates = (labels == digit).nonzero().squeeze(1)
    if len(candidates) == 0:
        raise ValueError(f"expected at least one example of the digit {digit}, got none")
    return candidates


def _by_confidence(logits: Tensor, labels: Tensor, digit: int) -> list[int]:
    candidates = _indices(labels, digit)
    right = candidates[logits[candidates].argmax(1) == digit]
    if len(right) == 0:
        raise ValueError(f"expected a correctly classified {digit}, but the network gets every one wrong")
    scores = logits[right].double()
    others = scores.clone()
    others[:, digit] = -torch.inf
    log_odds = scores[:, digit] - others.logsumexp(1)
    return right[log_odds.argsort(stable=True)].tolist()
