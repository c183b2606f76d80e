"""The linear part of each affine map and its transpose, for batches of tangents and cotangents in float64."""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from satcore.networks import AveragePooling, Block, Convolution, ElementwiseModule, Shape

SIGNALS = 160  # convolved at a time, so that their spectra stay in the processor's cache


class LinearMap(Protocol):
    """A linear map of N tangents; `transposed` is its adjoint for N batches of cotangents, (N, K, …)."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def transposed(self, g: Tensor) -> Tensor: ...


def linear_part(block: Block, layer: nn.Module, inputs: Shape, *, entrywise: bool = False) -> LinearMap:
    """The linear part of a `block`'s affine map `layer`, whose inputs have the shape `inputs`.

    `entrywise`: where each entry is to keep its digits, however much smaller than others it is.
    """
    spec = block.affine
    if isinstance(layer, nn.Conv2d) and isinstance(spec, Convolution):
        if spec.stride == (1, 1) and spec.inputs > 1 and spec.kernel != (1, 1) and not entrywise:
            return FourierConvolution(layer.weight, spec.padding, inputs[1:])
        return DirectConvolution(layer.weight, spec.stride, spec.padding, inputs[1:])
    if isinstance(spec, AveragePooling):
        return Averaging(spec, inputs)
    if isinstance(layer, ElementwiseModule):
        return Scaling(layer, inputs)
    assert isinstance(layer, nn.Linear)
    return Product(layer)


class Product:
    """x ↦ Wx and g ↦ Wᵀg over all units, as in `torch.nn.Linear`; x may be an image, (N, channels, height, width)."""

    def __init__(self, layer: nn.Linear):
        self.weight = layer.weight

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.mT

    def transposed(self, g: Tensor) -> Tensor:
        return g.flatten(2) @ self.weight


class Scaling:
    """x ↦ w·x, entry by entry, and the same again."""

    def __init__(self, layer: ElementwiseModule, inputs: Shape):
        self.weight = layer.weight
        self.shape = self.weight.shape if self.weight.ndim == 1 else inputs

    def __call__(self, x: Tensor) -> Tensor:
        return self.weight * x.reshape(len(x), *self.shape)

    def transposed(self, g: Tensor) -> Tensor:
        return self.weight * g.reshape(*g.shape[:2], *self.shape)


class DirectConvolution:
    """A convolution by PyTorch: x (N, in, height, width) ↦ (N, out, …)."""

    def __init__(self, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int, int, int], sides: Shape):
        self.weight, self.stride, self.sides = weight, stride, sides
        self.top, self.left, self.bottom, self.right = padding

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


class Averaging:
    """The mean over windows of each channel."""

    def __init__(self, spec: AveragePooling, inputs: Shape):
        kernel = torch.ones(1, 1, *spec.kernel, dtype=torch.float64) / (spec.kernel[0] * spec.kernel[1])
        self.convolution = DirectConvolution(kernel, spec.stride, (0, 0, 0, 0), inputs[1:])

    def __call__(self, x: Tensor) -> Tensor:
        self.convolution.weight = self.convolution.weight.to(x.device)
        return self.convolution(x.flatten(0, 1)[:, None])[:, 0].unflatten(0, x.shape[:2])

    def transposed(self, g: Tensor) -> Tensor:
        self.convolution.weight = self.convolution.weight.to(g.device)
        return self.convolution.transposed(g.flatten(0, 2)[:, None, None])[:, 0, 0].unflatten(0, g.shape[:3])


class FourierConvolution:
    """A convolution with stride 1 of many channels as a product of matrices at each spatial frequency.

    PyTorch's own is several times slower in float64, which oneDNN doesn't know. Rounding differs from it by
    some 1e-16 of the largest output; that is right for tangents, but would break the ties of max-pooling, and it loses
    those tangents that a saturated unit has made smaller than that, which count where the next one isn't saturated.
    """

    def __init__(self, weight: Tensor, padding: tuple[int, int, int, int], sides: Shape):
        self.top, self.left, bottom, right = padding
        self.inputs = sides
        self.padded = sides[0] + self.top + bottom, sides[1] + self.left + right  # so large that nothing wraps around
        self.outputs = self.padded[0] - weight.shape[2] + 1, self.padded[1] - weight.shape[3] + 1
        spectrum = _frequencies_first(torch.fft.rfft2(weight, s=self.padded))
        self.backward = _as_real_matrices(spectrum)
        self.forward = _as_real_matrices(spectrum.mH)

    def __call__(self, x: Tensor) -> Tensor:
        height, width = self.outputs
        return torch.cat(
            [
                self._filtered(part, self.forward).roll((self.top, self.left), (2, 3))[:, :, :height, :width]
                for part in x.split(SIGNALS)
            ]
        )

    def transposed(self, g: Tensor) -> Tensor:
        rows, columns = slice(self.top, self.top + self.inputs[0]), slice(self.left, self.left + self.inputs[1])
        parts = [self._filtered(part, self.backward)[:, :, rows, columns] for part in g.flatten(0, 1).split(SIGNALS)]
        return torch.cat(parts).unflatten(0, g.shape[:2])

    def _filtered(self, signals: Tensor, matrices: Tensor) -> Tensor:
        if len(signals) == 0:  # which the Fourier transform refuses
            return signals.new_zeros(0, matrices.shape[2] // 2, *self.padded)
        spectra = torch.fft.rfft2(signals, s=self.padded)
        frequencies = spectra.shape[2:]
        flat = torch.view_as_real(_frequencies_first(spectra).contiguous()).flatten(2) @ matrices
        filtered = torch.view_as_complex(flat.unflatten(2, (-1, 2))).unflatten(0, frequencies)
        return torch.fft.irfft2(filtered.permute(2, 3, 0, 1), s=self.padded)


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
