"""The linear part of each layer and its transpose, for batches of tangents and cotangents in float64."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

SIGNALS = 160  # convolved at a time, so that their spectra stay in the processor's cache


class Dense:
    """x ↦ Wx and g ↦ Wᵀg over the last dimension, as in `torch.nn.Linear`; x may be an image, (N, channels, height, width)."""

    def __init__(self, layer: nn.Linear):
        self.weight = layer.weight

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.mT

    def transposed(self, g: Tensor) -> Tensor:
        return g.flatten(2) @ self.weight


class DirectConvolution:
    """The 5×5 convolution of one channel with many, by PyTorch: x (N, 1, height, width) ↦ (N, out, height, width)."""

    def __init__(self, layer: nn.Conv2d):
        self.weight = layer.weight

    def __call__(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, padding=2)

    def transposed(self, g: Tensor) -> Tensor:
        return conv_transpose2d(g.flatten(0, 1), self.weight, padding=2).unflatten(0, g.shape[:2])


class FourierConvolution:
    """A 5×5 convolution of many channels as a product of matrices at each spatial frequency.

    PyTorch's own is several times slower in float64, which oneDNN doesn't know. Rounding differs from it by
    some 1e-16 of the largest output; that is right for tangents, but would break the ties of max-pooling.
    """

    def __init__(self, layer: nn.Conv2d, side: int):
        self.side = side
        self.padded = side + 4, side + 4  # so large that nothing wraps around
        spectrum = _frequencies_first(torch.fft.rfft2(layer.weight, s=self.padded))
        self.backward = _as_real_matrices(spectrum)
        self.forward = _as_real_matrices(spectrum.mH)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([self._filtered(part, self.forward).roll((2, 2), (2, 3))[:, :, :self.side, :self.side]
                          for part in x.split(SIGNALS)])

    def transposed(self, g: Tensor) -> Tensor:
        parts = [self._filtered(part, self.backward)[:, :, 2:2 + self.side, 2:2 + self.side]
                 for part in g.flatten(0, 1).split(SIGNALS)]
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
    """(f, in, out) complex ↦ (f, 2·in, 2·out) real, acting on interleaved real and imaginary parts: real products are faster."""
    re, im = complex_matrices.real, complex_matrices.imag
    rows = torch.stack((torch.stack((re, im), -1), torch.stack((-im, re), -1)), 2)
    return rows.flatten(3).flatten(1, 2)
