"""Networks and images that several test files look at."""

import functools
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from satcore import data, library, nonlinearities
from satcore.evaluation.factorial import SHOWN, called
from satcore.networks import (
    Architecture,
    AveragePooling,
    Block,
    Convolution,
    Dense,
    Elementwise,
    MaxPooling,
    Network,
    build,
    cnn,
    mlp,
)
from satcore.recipes import FAMILIES, PAPER_TRAININGS, RECIPES, WATCHED

SHIPPED = [f"{family}/{training}" for family in FAMILIES for training in PAPER_TRAININGS]  # the paper's
ALL = [
    *RECIPES,
    *sorted(f"factorial/{called(factors)}" for factors in SHOWN),
    *sorted(f"{name}-seed-1" for name in WATCHED),
]
EVERY = list(nonlinearities.BY_NAME)
SMOOTH = [name for name, kind in nonlinearities.BY_NAME.items() if not kind.piecewise_linear]

load = functools.cache(library.load)  # shared by all tests: don't write to them


def slowly(values: Iterable, quick: Callable[[object], bool]) -> list:
    """The `values` of a parameter, or tuples of several; those that aren't `quick` as slow tests."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=[] if quick(value) else pytest.mark.slow)
        for value in values
    ]


def architecture(family: str, hidden: int = 400) -> Architecture:
    """That of one of the paper's three families."""
    return cnn() if family == "cnn" else mlp(family.removesuffix("-mlp"), (hidden, hidden))


def first_images(count: int) -> Tensor:
    return data.load("test").images[:count]


def first_examples(count: int) -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:count], labels[:count])


def first(digit: int) -> Tensor:
    """The first image of `digit` among the test images, (1, 28, 28)."""
    images, labels = data.load("test")
    return images[labels == digit][0]


def random_images(count: int, seed: int) -> Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blends(count: int) -> Tensor:
    """Halfway between one test image and another, where few networks are sure."""
    images = first_images(2 * count).double()
    return (images[:count] + images[count:]) / 2


def small_architectures(phi: str) -> dict[str, Architecture]:
    """Small networks with φ between their blocks, by what is in them: every kind of affine map and of pooling.

    Maxima are taken before anything is saturated: afterwards many an entry is as large as its neighbour but for what
    no number holds, and which one is taken is a matter of rounding.
    """
    return {
        "dense": mlp(phi, (12, 9)),
        "overlapping maxima": (  # and padding that isn't the same on any two sides
            Block(Convolution(1, 3, (5, 4), padding=(1, 0, 2, 3)), phi, MaxPooling((3, 3), (2, 2), (1, 1))),
            Block(Convolution(3, 4, (3, 3), padding=(1, 1, 1, 1)), phi),
            Block(Dense(4 * 14 * 14, 8), phi),
            Block(Dense(8, 10)),
        ),
        "strides and means": (
            Block(Convolution(1, 3, (4, 4), (2, 1), (2, 1, 0, 1)), phi, MaxPooling((2, 2), (2, 2))),
            Block(AveragePooling((2, 3), (2, 2))),
            Block(Convolution(3, 2, (2, 3), (1, 2)), phi),
            Block(Dense(2 * 2 * 2, 10)),
        ),
        "groups": (
            Block(Convolution(1, 4, (4, 4), (6, 6)), phi),
            Block(Convolution(4, 4, (3, 3), (2, 2), groups=2), phi),
            Block(Dense(4 * 2 * 2, 10)),
        ),
        "pixel by pixel": (Block(Elementwise((1, 28, 28)), phi), *mlp("sigmoid", (9,))),
    }


KINDS = list(small_architectures("relu"))


def small(kind: str, phi: str, *, seed: int = 0, scale: float = 1.0) -> Network:
    """One of the `small_architectures` in float64, its weights `scale` times those of PyTorch's initialisation.

    What is done pixel by pixel is ±((1 + u)·x − v) with u and v drawn from 0…1, times the scale.
    """
    network = build(small_architectures(phi)[kind], seed, scale).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for block, layer in zip(network.architecture, network.layers, strict=True):
        if isinstance(block.affine, Elementwise):
            u, v = torch.rand(2, *block.affine.size, generator=generator)
            sign = scale * (2 * torch.randint(2, block.affine.size, generator=generator) - 1)
            layer.weight.copy_(sign * (1 + u))
            layer.bias.copy_(-sign * v)
    return network


def of_family(family: str, hidden: int = 400, seed: int = 0, scale: float = 1.0) -> Network:
    """An untrained network of one of the paper's three families."""
    return build(architecture(family, hidden), seed, scale)
