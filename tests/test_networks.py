"""A network computes what the paper's formulas say, and hands out every pre-activation."""

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from satcore import data
from satcore.networks import build
from tests import literal

FAMILIES = ["sigmoid-mlp", "relu-mlp", "cnn"]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return data.load("test").images[:3]


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp"])
def test_the_mlps_pre_activations_are_the_literal_ones(family, images):
    network = build(family, hidden=20).double()
    expected = literal.mlp_pre_activations(
        literal.parameters(network), images.double().numpy(), activation=family.removesuffix("-mlp")
    )
    found = network.pre_activations(images.double())
    assert [h.shape for h in found] == [(3, 20), (3, 20), (3, 10)]
    for h, literal_h in zip(found, expected, strict=True):
        # Sums of some hundred terms in another order: the absolute part is for those that cancel to almost zero.
        np.testing.assert_allclose(h.detach().numpy(), literal_h, rtol=1e-9, atol=1e-13)


def test_the_cnns_pre_activations_are_the_literal_ones(images):
    network = build("cnn").double()
    expected = literal.cnn_pre_activations(literal.parameters(network), images.double().numpy())
    found = network.pre_activations(images.double())
    assert [h.shape for h in found] == [(3, 32, 28, 28), (3, 64, 14, 14), (3, 1024), (3, 10)]
    for h, literal_h in zip(found, expected, strict=True):
        np.testing.assert_allclose(h.detach().numpy(), literal_h, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_the_last_pre_activation(family, images):
    network = build(family, hidden=20)
    assert torch.equal(network(images), network.pre_activations(images)[-1])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("below", [1, 2])
def test_the_pre_activations_above_a_layer_follow_from_its_output(family, below, images):
    network = build(family, hidden=20)
    whole = network.pre_activations(images)
    above = network.pre_activations_above(below, network.output(whole[below - 1]))
    assert len(above) == len(whole) - below
    assert all(torch.equal(a, b) for a, b in zip(above, whole[below:], strict=True))


def test_the_gradient_through_pooling_before_phi_is_that_through_pooling_after_it(images):
    network = build("cnn").double()

    def gradient(logits_of):
        x = images.double().requires_grad_()
        # Weights that differ from logit to logit, so that no two can be mixed up unnoticed.
        (logits_of(x) * torch.arange(1.0, 11.0, dtype=torch.float64)).sum().backward()
        return x.grad

    def pooling_after_phi(x):
        conv_1, conv_2, dense_1, dense_2 = network.layers
        x = max_pool2d(torch.relu(conv_1(x)), 2)
        x = max_pool2d(torch.relu(conv_2(x)), 2)
        return dense_2(torch.relu(dense_1(x.flatten(1))))

    found, expected = gradient(network), gradient(pooling_after_phi)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "family, shapes",
    [
        ("sigmoid-mlp", [(20, 784), (20,), (20, 20), (20,), (10, 20), (10,)]),
        ("relu-mlp", [(20, 784), (20,), (20, 20), (20,), (10, 20), (10,)]),
        ("cnn", [(32, 1, 5, 5), (32,), (64, 32, 5, 5), (64,), (1024, 3136), (1024,), (10, 1024), (10,)]),
    ],
)
def test_parameters_come_as_weight_and_bias_layer_by_layer(family, shapes):
    named = list(build(family, hidden=20).named_parameters())
    assert [name for name, _ in named] == [
        f"layers.{layer}.{kind}" for layer in range(len(shapes) // 2) for kind in ("weight", "bias")
    ]
    assert [tuple(parameter.shape) for _, parameter in named] == shapes


def same(a, b) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_alone_decides_the_network(family):
    torch.manual_seed(1)
    first = build(family, hidden=20, seed=5)
    torch.manual_seed(2)
    assert same(first, build(family, hidden=20, seed=5))
    assert not same(first, build(family, hidden=20, seed=6))


@pytest.mark.parametrize("family", FAMILIES)
def test_building_a_network_leaves_the_global_generator_alone(family):
    before = torch.get_rng_state()
    build(family, hidden=20, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_forward_pass_does_not_depend_on_who_else_is_in_the_batch(images):
    for family in FAMILIES:
        network = build(family, hidden=20).double()
        alone = torch.cat([network(image.unsqueeze(0)) for image in images.double()])
        torch.testing.assert_close(network(images.double()), alone, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 784), (2, 3, 28, 28), (2, 1, 28, 27), (2, 28, 28, 1)])
@pytest.mark.parametrize("family", FAMILIES)
def test_images_of_another_shape_are_refused(family, shape):
    with pytest.raises(ValueError) as refusal:
        build(family, hidden=20)(torch.zeros(shape))
    assert str(refusal.value) == f"expected images of shape (N, 1, 28, 28), got {shape}"


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="expected the family sigmoid-mlp, relu-mlp or cnn, got 'tanh-mlp'"):
        build("tanh-mlp", hidden=20)


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp", "cnn"])
def test_the_initial_scale_is_a_factor_on_the_weights_alone(family):
    plain, scaled = build(family, 16, seed=1), build(family, 16, seed=1, scale=0.5)
    for a, b in zip(plain.layers, scaled.layers, strict=True):
        assert torch.equal(0.5 * a.weight, b.weight) and torch.equal(a.bias, b.bias)
