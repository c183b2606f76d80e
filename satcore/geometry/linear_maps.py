"""The linear part of each affine map and its transpose, for batches of tangents and cotangents in float64."""

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from satcore.geometry.cotangents import Cotangents, Tiles
from satcore.networks import AveragePooling, Block, Convolution, ElementwiseModule, Shape

SIGNALS = 160  # convolved at a time, so that their spectra stay in the processor's cache


class LinearMap:
    """A linear map of N tangents, and its adjoint."""

    outputs: Shape

    def __call__(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def transposed(self, g: Tensor) -> Tensor:
        """For N batches of cotangents, (N, K, …)."""
        raise NotImplementedError

    def pulled(self, g: Cotangents, wanted: Tensor) -> Tensor:
        """For cotangents that are mostly zero: the derivatives by the inputs `wanted` (W,), int64, (W, K)."""
        rows = g.dense(math.prod(self.outputs)).mT.reshape(1, -1, *self.outputs)
        return self.transposed(rows).flatten(2)[0].mT[wanted]


def linear_part(block: Block, layer: nn.Module, inputs: Shape, *, entrywise: bool = False) -> LinearMap:
    """The linear part of a `block`'s affine map `layer`, whose inputs have the shape `inputs`.

    `entrywise`: where each entry is to keep its digits, however much smaller than others it is.
    """
    spec = block.affine
    if isinstance(layer, nn.Conv2d) and isinstance(spec, Convolution):
        weight = _of_all_channels(layer.weight, spec.groups)
        if spec.stride == (1, 1) and spec.inputs > 1 and spec.kernel != (1, 1) and not entrywise:
            return FourierConvolution(weight, spec, inputs)
        return DirectConvolution(weight, spec, inputs)
    if isinstance(spec, AveragePooling):
        return Averaging(spec, inputs)
    if isinstance(layer, ElementwiseModule):
        return Scaling(layer, inputs)
    assert isinstance(layer, nn.Linear)
    return Product(layer)


def _of_all_channels(weight: Tensor, groups: int) -> Tensor:
    """The `weight` (out, in, rows, columns) of a convolution in `groups` with zeros for inputs of another group."""
    if groups == 1:
        return weight
    each = torch.arange(groups)
    apart = weight.unflatten(0, (groups, -1))  # (groups, out of one, in of one, …)
    full = weight.new_zeros(groups, apart.shape[1], groups, *apart.shape[2:])
    full[each, :, each] = apart
    return full.flatten(0, 1).flatten(1, 2)


class Product(LinearMap):
    """x ↦ Wx and g ↦ Wᵀg over all units, as in `torch.nn.Linear`; x may be an image, (N, channels, height, width)."""

    def __init__(self, layer: nn.Linear):
        self.weight, self.outputs = layer.weight, (layer.out_features,)

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.mT

    def transposed(self, g: Tensor) -> Tensor:
        return g.flatten(2) @ self.weight

    def pulled(self, g: Cotangents, wanted: Tensor) -> Tensor:
        if (len(g.places), len(wanted)) == self.weight.shape:  # all of them, in order
            return self.weight.mT @ g.values
        return self.weight[g.places[:, None], wanted].mT @ g.values


class Scaling(LinearMap):
    """x ↦ w·x, entry by entry, and the same again."""

    def __init__(self, layer: ElementwiseModule, inputs: Shape):
        self.weight = layer.weight
        self.outputs = self.weight.shape if self.weight.ndim == 1 else inputs

    def __call__(self, x: Tensor) -> Tensor:
        return self.weight * x.reshape(len(x), *self.outputs)

    def transposed(self, g: Tensor) -> Tensor:
        return self.weight * g.reshape(*g.shape[:2], *self.outputs)


class DirectConvolution(LinearMap):
    """A convolution by PyTorch, in one group: x (N, in, height, width) ↦ (N, out, …)."""

    def __init__(self, weight: Tensor, spec: Convolution, inputs: Shape):
        self.weight, self.stride, self.sides, self.outputs = weight, spec.stride, inputs[1:], spec.shape(inputs)
        self.top, self.left, self.bottom, self.right = spec.padding
        self.tiles = Tiles(weight, spec, inputs)

    def __call__(self, x: Tensor) -> Tensor:
        return conv2d(pad(x, (self.left, self.right, self.top, self.bottom)), self.weight, stride=self.stride)

    def transposed(self, g: Tensor) -> Tensor:
        full = conv_transpose2d(g.flatten(0, 1), self.weight, stride=self.stride)
        height, width = self.sides
        # What the last window didn't reach has no part in it; what was padding is left away.
        missing = max(0, self.top + height - full.shape[2]), max(0, self.left + width - full.shape[3])
        full = pad(full, (0, missing[1], 0, missing[0]))
        kept = full[:, :, self.top : self.top + height, self.left : self.left + width]
        return kept.unflatten(0, g.shape[:2])

    def pulled(self, g: Cotangents, wanted: Tensor) -> Tensor:
        return self.tiles.pulled(g, wanted)


class Averaging(LinearMap):
    """The mean over windows of each channel."""

    def __init__(self, spec: AveragePooling, inputs: Shape):
        kernel = torch.ones(1, 1, *spec.kernel, dtype=torch.float64) / (spec.kernel[0] * spec.kernel[1])
        one_channel = Convolution(1, 1, spec.kernel, spec.stride)
        self.convolution, self.outputs = DirectConvolution(kernel, one_channel, (1, *inputs[1:])), spec.shape(inputs)

    def __call__(self, x: Tensor) -> Tensor:
        self.convolution.weight = self.convolution.weight.to(x.device)
        return self.convolution(x.flatten(0, 1)[:, None])[:, 0].unflatten(0, x.shape[:2])

    def transposed(self, g: Tensor) -> Tensor:
        self.convolution.weight = self.convolution.weight.to(g.device)
        return self.convolution.transposed(g.flatten(0, 2)[:, None, None])[:, 0, 0].unflatten(0, g.shape[:3])


class FourierConvolution(DirectConvolution):
    """A convolution with stride 1 of many channels as a product of matrices at each spatial frequency.

    PyTorch's own is several times slower in float64, which oneDNN doesn't know. Rounding differs from it by
    some 1e-16 of the largest output; that is right for tangents, but would break the ties of max-pooling, and it loses
    those tangents that a saturated unit has made smaller than that, which count where the next one isn't saturated.
    """

    def __init__(self, weight: Tensor, spec: Convolution, inputs: Shape):
        super().__init__(weight, spec, inputs)
        padding = max(self.top, self.bottom), max(self.left, self.right)
        # So large that nothing wraps around onto what is kept.
        self.period = [max(n + p, k) for n, p, k in zip(self.sides, padding, spec.kernel, strict=True)]
        height, width = (period - k for period, k in zip(self.period, spec.kernel, strict=True))
        kernel = pad(weight, (0, width, 0, height)).roll((-self.top, -self.left), (2, 3))
        self.spectrum = _frequencies_first(torch.fft.rfft2(kernel))

    @functools.cached_property
    def forward(self) -> Tensor:
        return _as_real_matrices(self.spectrum.mH)

    @functools.cached_property
    def backward(self) -> Tensor:
        return _as_real_matrices(self.spectrum)

    def __call__(self, x: Tensor) -> Tensor:
        _, height, width = self.outputs
        return torch.cat([self._filtered(part, self.forward)[:, :, :height, :width] for part in x.split(SIGNALS)])

    def transposed(self, g: Tensor) -> Tensor:
        height, width = self.sides
        parts = [self._filtered(part, self.backward)[:, :, :height, :width] for part in g.flatten(0, 1).split(SIGNALS)]
        return torch.cat(parts).unflatten(0, g.shape[:2])

    def _filtered(self, signals: Tensor, matrices: Tensor) -> Tensor:
        if len(signals) == 0:  # which the Fourier transform refuses
            return signals.new_zeros(0, matrices.shape[2] // 2, *self.period)
        spectra = torch.fft.rfft2(signals, s=self.period)
        frequencies = spectra.shape[2:]
        flat = torch.view_as_real(_frequencies_first(spectra).contiguous()).flatten(2) @ matrices
        filtered = torch.view_as_complex(flat.unflatten(2, (-1, 2))).unflatten(0, frequencies)
        return torch.fft.irfft2(filtered.permute(2, 3, 0, 1), s=self.period)


def _frequencies_first(spectra: Tensor) -> Tensor:
    """(N, channels, rows, columns) ↦ (rows·columns, N, channels)."""
    return spectra.permute(2, 3, 0, 1).flatten(0, 1)


def _as_real_matrices(complex_matrices: Tensor) -> Tensor:
    """(f, in, out) complex ↦ (f, 2·in, 2·out) real, acting on interleaved real and imaginary parts.

    Real products are faster.
    """
    re, im = complex_matrices.real, complex_matrices.imag
    rows = torch.stack((torch.stack((re, im), -1), torch.stack((-im, re), -1)), 2)
    return rows.flatten(3).flatten(1, 2)
