"""Derivatives by a layer's units, of which most may be exactly zero: pulled down by way of the others alone."""

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad, unfold

from satcore.networks import Convolution, Shape

COLUMNS = 128  # of a tile's product at most: fewer are slower, more make larger windows of ever more zeros


@dataclass(frozen=True)
class Cotangents:
    """The derivatives of K quantities by a layer's units.

    places  (E,) int64: the units, counted over all their dimensions, each at most once; by all others they are zero
    values  (E, K): the derivatives by these
    """

    places: Tensor
    values: Tensor

    def dense(self, units: int) -> Tensor:
        """(units, K)."""
        return self.values.new_zeros(units, self.values.shape[1]).index_copy(0, self.places, self.values)


class Tiles:
    """The transpose of a convolution, tile by tile of its input, as products that leave out what isn't there.

    One tile and the outputs that depend on it are connected by the same matrix everywhere: the kernel, shifted.
    """

    def __init__(self, weight: Tensor, spec: Convolution, inputs: Shape):
        self.weight, self.inputs, self.outputs = weight, inputs, spec.shape(inputs)
        steps = min(math.isqrt(COLUMNS // spec.inputs), min(spec.kernel) // max(spec.stride))
        self.steps = max(1, steps)  # of the stride along each side of a tile
        self.rows, self.columns = (
            _Side(self.steps, *of_side)
            for of_side in zip(spec.stride, spec.kernel, spec.padding[:2], inputs[1:], self.outputs[1:], strict=True)
        )

    @functools.cached_property
    def matrix(self) -> Tensor:
        """(out · window · window, tile · tile · in): how a window of outputs depends on its tile of inputs."""
        (top, bottom), (left, right) = self.rows.around_kernel, self.columns.around_kernel
        shifted = pad(self.weight, (left, right, top, bottom))
        for dimension, side in ((2, self.rows), (3, self.columns)):
            shifted = shifted.unfold(dimension, side.tile, side.stride).flip(dimension)
        return shifted.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(0, 2)

    @functools.cached_property
    def found_at(self) -> Tensor:
        """(in · height · width,): where each input stands, counted over (tiles, tile · tile · in)."""
        rows, columns = self.rows, self.columns
        count = rows.tiles * columns.tiles * rows.tile * columns.tile * self.inputs[0]
        at = torch.arange(count, device=self.weight.device)
        at = at.view(rows.tiles, columns.tiles, rows.tile, columns.tile, self.inputs[0]).permute(4, 0, 2, 1, 3)
        return at.flatten(3).flatten(1, 2)[:, rows.kept, columns.kept].flatten()

    def pulled(self, g: Cotangents, wanted: Tensor) -> Tensor:
        """The derivatives by the `wanted` inputs, (wanted, K), of those by outputs."""
        number = torch.zeros(math.prod(self.outputs), device=g.places.device)  # no unit's is more than float32 counts
        number[g.places] = torch.arange(1.0, len(g.places) + 1, device=g.places.device)
        around = pad(number.view(1, *self.outputs), (*self.columns.around_outputs, *self.rows.around_outputs))
        windows = unfold(around, (self.rows.window, self.columns.window), stride=self.steps)[0].mT
        tiles = []
        for window in windows:
            there = window.nonzero()[:, 0]  # elsewhere the derivatives are zero
            values = g.values.index_select(0, window[there].long() - 1)
            tiles.append(self.matrix.index_select(0, there).mT @ values)
        return torch.cat(tiles).index_select(0, self.found_at[wanted])


class _Side:
    """How tiles lie along one side, height or width; what is padding in front of the image is tiled with it."""

    def __init__(self, steps: int, stride: int, kernel: int, padding: int, inputs: int, outputs: int):
        self.stride, self.tile = stride, steps * stride
        reach = (kernel - 1) // stride  # of the windows that begin before a tile
        self.window = reach + steps
        first = padding // self.tile
        self.tiles = -(-(padding + inputs) // self.tile) - first
        self.kept = slice(padding - first * self.tile, padding - first * self.tile + inputs)
        before = reach - first * steps
        self.around_outputs = before, (self.tiles - 1) * steps + self.window - before - outputs
        self.around_kernel = stride * (steps - 1), self.tile + stride * reach - kernel
