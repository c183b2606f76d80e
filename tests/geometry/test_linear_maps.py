"""Each block's linear part is that of its affine map, and its transpose is its adjoint."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from satcore.geometry.cotangents import Cotangents
from satcore.geometry.linear_maps import (
    SIGNALS,
    Averaging,
    DirectConvolution,
    FourierConvolution,
    Product,
    Scaling,
    linear_part,
)
from satcore.networks import Affine, AveragePooling, Block, Convolution, Dense, Elementwise, Shape

MAPS: dict[str, tuple[Affine, Shape, type]] = {
    "dense": (Dense(90, 10), (90,), Product),
    "dense, of an image": (Dense(2 * 5 * 4, 7), (2, 5, 4), Product),
    "one channel": (Convolution(1, 3, (5, 5), padding=(2, 2, 2, 2)), (1, 28, 28), DirectConvolution),
    "a pixel at a time": (Convolution(4, 3, (1, 1)), (4, 6, 5), DirectConvolution),
    "stride": (Convolution(3, 4, (3, 3), (2, 2), (1, 1, 1, 1)), (3, 9, 8), DirectConvolution),
    "uneven stride and padding": (Convolution(3, 2, (4, 3), (3, 2), (1, 0, 2, 3)), (3, 9, 8), DirectConvolution),
    "a rest that no window reaches": (Convolution(2, 2, (3, 2), (4, 3)), (2, 10, 10), DirectConvolution),
    "a stride larger than the kernel": (Convolution(2, 3, (1, 1), (3, 4)), (2, 9, 9), DirectConvolution),
    "many channels": (Convolution(5, 4, (5, 5), padding=(2, 2, 2, 2)), (5, 14, 14), FourierConvolution),
    "many channels, uneven": (Convolution(3, 4, (4, 3), padding=(1, 0, 3, 2)), (3, 9, 6), FourierConvolution),
    "many channels, no padding": (Convolution(3, 2, (5, 2)), (3, 6, 9), FourierConvolution),
    "a whole image": (Convolution(2, 6, (4, 4)), (2, 4, 4), FourierConvolution),
    "groups": (Convolution(6, 4, (3, 2), (2, 2), (1, 0, 1, 1), groups=2), (6, 7, 5), DirectConvolution),
    "a group a channel": (Convolution(3, 6, (3, 3), groups=3), (3, 6, 5), FourierConvolution),
    "means": (AveragePooling((2, 2), (2, 2)), (3, 8, 8), Averaging),
    "overlapping means and a rest": (AveragePooling((3, 2), (2, 3)), (3, 8, 9), Averaging),
    "a scale for each pixel": (Elementwise((1, 28, 28)), (1, 28, 28), Scaling),
    "a scale for each channel": (Elementwise((3, 1, 1)), (3, 5, 4), Scaling),
    "a scale for each unit": (Elementwise((60,)), (3, 5, 4), Scaling),
}


@pytest.mark.parametrize("spec, inputs, kind", MAPS.values(), ids=MAPS)
def test_a_linear_part_is_the_affine_map_without_its_constant_and_its_transpose_is_adjoint(spec, inputs, kind):
    layer = spec.module().double().requires_grad_(False)
    for parameter in layer.parameters():
        parameter.normal_()
    linear = linear_part(Block(spec), layer, inputs)
    assert isinstance(linear, kind)
    flat = kind is Product or len(getattr(spec, "size", ())) == 1

    def affine(x: Tensor) -> Tensor:
        return layer(x.flatten(1) if flat else x)

    x = torch.randn(30, *inputs, dtype=torch.float64)
    found, expected = linear(x), affine(x) - affine(torch.zeros_like(x))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-13 * expected.abs().max()

    g = torch.randn(3, 10, *found.shape[1:], dtype=torch.float64)
    pulled = linear.transposed(g)
    assert pulled.shape[:2] == (3, 10)
    wx, g, wtg = found.flatten(1), g.flatten(0, 1).flatten(1), pulled.flatten(0, 1).flatten(1)
    difference = (wx * g).sum(1) - (x.flatten(1) * wtg).sum(1)  # ⟨Wx, g⟩ − ⟨x, Wᵀg⟩
    assert (difference.abs() <= 1e-13 * wx.norm(dim=1) * g.norm(dim=1)).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("spec, inputs, kind", MAPS.values(), ids=MAPS)
def test_the_few_cotangents_that_are_not_zero_are_pulled_as_by_autograd(spec, inputs, kind, share):
    layer = spec.module().double().requires_grad_(False)
    for parameter in layer.parameters():
        parameter.normal_()
    linear = linear_part(Block(spec), layer, inputs)
    outputs = spec.shape(inputs)
    units = math.prod(outputs)
    places = torch.randperm(units)[: math.ceil(share * units)]
    g = Cotangents(places, torch.randn(len(places), 30, dtype=torch.float64))
    wanted = torch.randperm(math.prod(inputs))[1:]
    flat = kind is Product or len(getattr(spec, "size", ())) == 1

    x = torch.zeros(30, *inputs, dtype=torch.float64, requires_grad=True)
    h = layer(x.flatten(1) if flat else x)
    dense = torch.zeros(units, 30, dtype=torch.float64)
    dense[places] = g.values
    (expected,) = torch.autograd.grad(h, x, dense.mT.reshape(h.shape))
    found = linear.pulled(g, wanted)
    assert found.shape == (len(wanted), 30)
    expected = expected.flatten(1).mT
    assert (found - expected[wanted]).abs().max() <= 1e-13 * expected.abs().max()


def test_a_convolution_pulls_each_cotangent_to_its_own_rounding_however_small_it_is():
    spec, inputs = Convolution(3, 4, (3, 3), padding=(1, 1, 1, 1)), (3, 8, 8)
    layer = spec.module().double().requires_grad_(False)
    size = torch.logspace(0, -280, 4 * 64, dtype=torch.float64)[:, None]
    g = Cotangents(torch.arange(4 * 64), size * torch.randn(4 * 64, 5, dtype=torch.float64))
    linear = linear_part(Block(spec), layer, inputs)
    matrix = linear.pulled(Cotangents(g.places, torch.eye(4 * 64, dtype=torch.float64)), torch.arange(3 * 64))
    terms = matrix[:, :, None] * g.values
    error = (linear.pulled(g, torch.arange(3 * 64)) - terms.sum(1)).abs()
    assert (error <= 1e-14 * terms.abs().sum(1)).all()


@pytest.mark.parametrize("channels, out, side", [(12, 16, 14), (3, 5, 7), (2, 1, 4)])
def test_more_signals_than_are_convolved_at_a_time_are_convolved_alike(channels, out, side):
    weight = torch.randn(out, channels, 5, 5, dtype=torch.float64)
    spec = Convolution(channels, out, (5, 5), padding=(2, 2, 2, 2))
    convolution = FourierConvolution(weight, spec, (channels, side, side))
    x = torch.randn(SIGNALS + 3, channels, side, side, dtype=torch.float64)
    expected = conv2d(x, weight, padding=2)
    assert convolution(x).shape == expected.shape
    assert (convolution(x) - expected).abs().max() <= 1e-13 * expected.abs().max()

    g = torch.randn(17, 10, out, side, side, dtype=torch.float64)
    assert SIGNALS < 17 * 10
    expected = conv_transpose2d(g.flatten(0, 1), weight, padding=2).unflatten(0, (17, 10))
    assert convolution.transposed(g).shape == expected.shape
    assert (convolution.transposed(g) - expected).abs().max() <= 1e-13 * expected.abs().max()
