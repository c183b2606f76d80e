"""A network computes what the paper's formulas say, and hands out every pre-activation."""

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from satcore import data, nonlinearities
from satcore.networks import (
    AveragePooling,
    Block,
    Convolution,
    ConvolutionModule,
    Dense,
    Elementwise,
    MaxPooling,
    Network,
    build,
    cnn,
    described,
    from_data,
    mlp,
    shapes,
    to_data,
)
from tests import literal
from tests.examples import EVERY, KINDS, of_family, random_images, small, small_architectures

FAMILIES = ["sigmoid-mlp", "relu-mlp", "cnn"]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return data.load("test").images[:3]


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp"])
def test_the_mlps_pre_activations_are_the_literal_ones(family, images):
    network = of_family(family, hidden=20).double()
    expected = literal.mlp_pre_activations(
        literal.parameters(network), images.double().numpy(), activation=family.removesuffix("-mlp")
    )
    found = network.pre_activations(images.double())
    assert [h.shape for h in found] == [(3, 20), (3, 20), (3, 10)]
    for h, literal_h in zip(found, expected, strict=True):
        # Sums of some hundred terms in another order: the absolute part is for those that cancel to almost zero.
        np.testing.assert_allclose(h.detach().numpy(), literal_h, rtol=1e-9, atol=1e-13)


def test_the_cnns_pre_activations_are_the_literal_ones(images):
    network = of_family("cnn").double()
    expected = literal.cnn_pre_activations(literal.parameters(network), images.double().numpy())
    found = network.pre_activations(images.double())
    assert [h.shape for h in found] == [(3, 32, 28, 28), (3, 64, 14, 14), (3, 1024), (3, 10)]
    for h, literal_h in zip(found, expected, strict=True):
        np.testing.assert_allclose(h.detach().numpy(), literal_h, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", EVERY)
def test_the_pre_activations_of_any_network_are_the_literal_ones(phi, kind):
    network, images = small(kind, phi, scale=3.0), random_images(4, seed=1)
    found = network.pre_activations(images)
    expected = literal.pre_activations(network, images.numpy())
    assert [h.shape[1:] for h in found] == [h for h, _ in shapes(network.architecture)]
    for h, literal_h in zip(found, expected, strict=True):
        np.testing.assert_allclose(h.numpy(), literal_h, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_logits_are_the_last_pre_activation(family, images):
    network = of_family(family, hidden=20)
    assert torch.equal(network(images), network.pre_activations(images)[-1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("below", [1, 2])
def test_the_pre_activations_above_a_layer_follow_from_its_output(kind, below, images):
    network = small(kind, "tanh")
    whole = network.pre_activations(images.double())
    above = network.pre_activations_above(below, network.output(below - 1, whole[below - 1]))
    assert len(above) == len(whole) - below
    assert all(torch.equal(a, b) for a, b in zip(above, whole[below:], strict=True))


def test_the_gradient_through_pooling_before_phi_is_that_through_pooling_after_it(images):
    network = of_family("cnn").double()

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
    "family, sizes",
    [
        ("sigmoid-mlp", [(20, 784), (20,), (20, 20), (20,), (10, 20), (10,)]),
        ("relu-mlp", [(20, 784), (20,), (20, 20), (20,), (10, 20), (10,)]),
        ("cnn", [(32, 1, 5, 5), (32,), (64, 32, 5, 5), (64,), (1024, 3136), (1024,), (10, 1024), (10,)]),
    ],
)
def test_parameters_come_as_weight_and_bias_layer_by_layer(family, sizes):
    named = list(of_family(family, hidden=20).named_parameters())
    assert [name for name, _ in named] == [
        f"layers.{layer}.{kind}" for layer in range(len(sizes) // 2) for kind in ("weight", "bias")
    ]
    assert [tuple(parameter.shape) for _, parameter in named] == sizes


@pytest.mark.parametrize("kind", KINDS)
def test_an_architecture_says_how_large_its_parameters_are(kind):
    network = small(kind, "relu")
    for block, layer in zip(network.architecture, network.layers, strict=True):
        assert tuple(tuple(parameter.shape) for parameter in layer.parameters()) == block.affine.parameter_shapes()
    summing = [block for block in network.architecture if isinstance(block.affine, Dense | Convolution)]
    assert [tuple(weight.shape) for weight in network.weights] == [
        block.affine.parameter_shapes()[0] for block in summing
    ]


def same(a, b) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_alone_decides_the_network_and_the_global_generator_is_left_alone(family):
    torch.manual_seed(1)
    first = of_family(family, hidden=20, seed=5)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert same(first, of_family(family, hidden=20, seed=5))
    assert not same(first, of_family(family, hidden=20, seed=6))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forward_pass_does_not_depend_on_who_else_is_in_the_batch(kind, images):
    network = small(kind, "sigmoid", scale=20.0)
    alone = torch.cat([network(image.unsqueeze(0)) for image in images.double()])
    torch.testing.assert_close(network(images.double()), alone, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 784), (2, 3, 28, 28), (2, 1, 28, 27), (2, 28, 28, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_images_of_another_shape_are_refused(kind, shape):
    with pytest.raises(ValueError) as refusal:
        small(kind, "relu")(torch.zeros(shape))
    assert str(refusal.value) == f"expected images of shape (N, 1, 28, 28), got {shape}"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_initial_scale_is_a_factor_on_the_weights_alone(family):
    plain, scaled = of_family(family, 16, seed=1), of_family(family, 16, seed=1, scale=0.5)
    for a, b in zip(plain.layers, scaled.layers, strict=True):
        assert torch.equal(0.5 * a.weight, b.weight) and torch.equal(a.bias, b.bias)


def test_an_elementwise_block_begins_as_the_identity(images):
    network = build((Block(Elementwise((1, 28, 28))), *mlp("relu", (5,))))
    assert torch.equal(network.pre_activations(images)[0], images)


def test_a_network_in_training_mode_and_a_copy_compute_the_same(images):
    network = small("overlapping maxima", "ramp")
    assert torch.equal(network.train()(images.double()), network.eval()(images.double()))
    assert torch.equal(copy.deepcopy(network)(images.double()), network(images.double()))


def test_what_a_network_can_do_is_asked_of_its_blocks():
    convolving = [kind for kind in KINDS if small(kind, "relu").convolves]
    assert convolving == ["overlapping maxima", "strides and means", "groups"]
    for phi in EVERY:
        assert small("dense", phi).softens == nonlinearities.BY_NAME[phi].softens
        assert small("pixel by pixel", phi).steps_first == (phi == "step")
    assert small("pixel by pixel", "step").hidden == ["step", "layer 1"]
    assert small("pixel by pixel", "ramp").hidden == small("dense", "step").hidden == ["layer 1", "layer 2"]


# --- the architecture as data ---------------------------------------------------------------------------------------


def through_json(architecture):
    return json.loads(json.dumps(to_data(architecture)))


PADDED = (
    Block(Convolution(1, 2, (3, 2), (2, 1), (0, 1, 2, 3)), "tanh", MaxPooling((3, 2), (2, 1), (1, 0))),
    Block(AveragePooling((2, 2), (1, 2)), "identity"),
    Block(Elementwise((2, 1, 1)), "ramp"),
    Block(Elementwise((2 * 6 * 15,)), "step"),
    Block(Dense(2 * 6 * 15, 10)),
)


@pytest.mark.parametrize(
    "convolution",
    [
        Convolution(1, 5, (14, 14), (7, 7)),
        Convolution(2, 3, (3, 2), (2, 1), (1, 0, 0, 2)),
        Convolution(6, 4, (3, 3), (3, 3), groups=2),
    ],
)
def test_what_is_learned_from_windows_is_what_a_convolution_learns(convolution):
    layer = ConvolutionModule(convolution).double()
    x = torch.rand(4, convolution.inputs, 28, 28, dtype=torch.float64, requires_grad=True)
    top, left, bottom, right = convolution.padding
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    expected = torch.nn.functional.conv2d(
        padded, layer.weight, layer.bias, convolution.stride, groups=convolution.groups
    )
    found = layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    back = torch.rand_like(found)
    for one, other in zip(
        torch.autograd.grad(found, [x, *layer.parameters()], back),
        torch.autograd.grad(expected, [x, *layer.parameters()], back),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-11)


def test_shapes_are_those_that_pytorch_comes_to():
    network = Network(PADDED)
    found = network.pre_activations(torch.zeros(2, 1, 28, 28))
    for (h, x), there in zip(shapes(PADDED), enumerate(found), strict=True):
        assert there[1].shape[1:] == h and network.output(*there).shape[1:] == x


@pytest.mark.parametrize(
    "architecture",
    [*small_architectures("sigmoid").values(), PADDED, cnn(), mlp("tanh", ()), mlp("ramp", [3] * 9)],
    ids=lambda blocks: described(blocks),
)
def test_an_architecture_survives_json(architecture):
    assert from_data(through_json(architecture)) == architecture
    hash(architecture)


def test_the_papers_architectures_are_those_of_table_2():
    assert mlp("sigmoid", [400, 300]) == (
        Block(Dense(784, 400), "sigmoid"),
        Block(Dense(400, 300), "sigmoid"),
        Block(Dense(300, 10), "identity"),
    )
    pooling = MaxPooling((2, 2), (2, 2))
    assert cnn() == (
        Block(Convolution(1, 32, (5, 5), (1, 1), (2, 2, 2, 2)), "relu", pooling),
        Block(Convolution(32, 64, (5, 5), (1, 1), (2, 2, 2, 2)), "relu", pooling),
        Block(Dense(3136, 1024), "relu"),
        Block(Dense(1024, 10), "identity"),
    )


@pytest.mark.parametrize(
    "architecture, words",
    [
        (mlp("sigmoid", (400, 400)), "784 – 400 – 400 – 10, sigmoid"),
        (mlp("tanh", ()), "784 – 10"),
        (cnn(), "28×28 – conv 5×5×32, pool 2×2 – conv 5×5×64, pool 2×2 – 1024 – 10, relu"),
        (
            (
                Block(Elementwise((1, 1, 1))),
                Block(Dense(784, 9), "ramp"),
                Block(Dense(9, 8), "step"),
                Block(Dense(8, 10)),
            ),
            "28×28 – scale – 9 ramp – 8 step – 10",
        ),
        ((Block(Elementwise((1, 28, 28)), "step"), *mlp("ramp", (9,))), "28×28 – step – 9 ramp – 10"),
        ((Block(Elementwise((1, 28, 28)), "step"), *mlp("relu", ())), "28×28 – step – 10"),
    ],
    ids=["mlp", "linear", "cnn", "mixed", "step", "step alone"],
)
def test_an_architecture_is_described_in_words(architecture, words):
    assert described(architecture) == words


TWELVE = Block(Dense(784, 12), "relu")
BAD = {
    "nothing": ((), "expected from 1 to 64 blocks, got 0"),
    "too many": (mlp("relu", [9] * 64), "expected from 1 to 64 blocks, got 65"),
    "unknown": (mlp("swish", [9]), "expected a nonlinearity out of relu, "),
    "doesn't fit": ((TWELVE, Block(Dense(11, 10))), "expected 11 inputs to a dense layer, got 12 of shape (12,)"),
    "channels": (
        (Block(Convolution(3, 2, (3, 3))), Block(Dense(1352, 10))),
        "expected 3 channels to convolve, got shape (1, 28, 28)",
    ),
    "flat": ((TWELVE, Block(Convolution(1, 1, (1, 1)))), "expected 1 channels to convolve, got shape (12,)"),
    "flat pool": ((dataclasses.replace(TWELVE, pooling=MaxPooling((2, 2), (2, 2))),), "expected channels to pool"),
    "flat mean": ((TWELVE, Block(AveragePooling((2, 2), (2, 2)))), "expected channels to pool, got shape (12,)"),
    "window": (
        (Block(AveragePooling((29, 1), (1, 1))), Block(Dense(28, 10))),
        "expected a window no larger than what it slides over, got (29, 1) on (28, 28)",
    ),
    "pool's padding": (
        (Block(Convolution(1, 1, (1, 1)), "relu", MaxPooling((2, 3), (1, 1), (2, 0))), Block(Dense(784, 10))),
        "expected a padding of at most half the kernel (2, 3), got (2, 0)",
    ),
    "scale": ((Block(Elementwise((1, 27, 28))),), "expected entries that a scale of shape (1, 27, 28) fits"),
    "flat scale": ((Block(Elementwise((783,))),), "expected entries that a scale of shape (783,) fits"),
    "nine": (mlp("relu", [9])[:1], "expected 10 logits without a nonlinearity at the end, got shape (9,)"),
    "at the end": ((Block(Dense(784, 10), "relu"),), "expected 10 logits without a nonlinearity at the end"),
    "units": ((Block(Convolution(1, 5_000, (1, 1))), Block(Dense(9, 10))), "expected at most 2,000,000 units a block"),
    "weights": (mlp("relu", [40_000]), "expected at most 2,000,000 units a block and 30,000,000 weights in all"),
}


@pytest.mark.parametrize("architecture, message", BAD.values(), ids=BAD)
def test_blocks_that_make_no_network_are_refused(architecture, message):
    for refusing in (shapes, Network, lambda blocks: from_data(through_json(blocks))):
        with pytest.raises(ValueError) as refusal:
            refusing(architecture)
        assert str(refusal.value).startswith(message)


def damaged(**changes):
    """The data of a small network whose first block is changed."""
    first, *others = through_json(small_architectures("relu")["overlapping maxima"])
    return [first | {key: change(first[key]) for key, change in changes.items()}, *others]


NOT_DATA = {
    "a table": {},
    "no blocks": [3],
    "nothing known": [{"affine": {}, "nonlinearity": "relu", "pooling": None}],
    "another kind": damaged(affine=lambda affine: affine | {"kind": "lambda"}),
    "a kind that is a list": damaged(affine=lambda affine: affine | {"kind": []}),
    "a field too many": damaged(affine=lambda affine: affine | {"dilation": [1, 1]}),
    "a field too few": damaged(affine=lambda affine: {k: v for k, v in affine.items() if k != "stride"}),
    "a text": damaged(affine=lambda affine: affine | {"inputs": "1"}),
    "a fraction": damaged(affine=lambda affine: affine | {"outputs": 3.0}),
    "true": damaged(affine=lambda affine: affine | {"inputs": True}),
    "below nothing": damaged(affine=lambda affine: affine | {"padding": [0, 0, 0, -1]}),
    "a stride of nothing": damaged(affine=lambda affine: affine | {"stride": [0, 1]}),
    "three sides": damaged(affine=lambda affine: affine | {"padding": [0, 0, 0]}),
    "one number": damaged(affine=lambda affine: affine | {"kernel": 3}),
    "enormous": damaged(affine=lambda affine: affine | {"outputs": 10**18}),
    "a nonlinearity that is none": damaged(nonlinearity=lambda name: None),
    "an unknown nonlinearity": damaged(nonlinearity=lambda name: "swish"),
    "a pooling that is none": damaged(pooling=lambda pooling: "max"),
    "a pooling by itself": damaged(pooling=lambda pooling: pooling | {"kernel": [1, 2, 3]}),
}


@pytest.mark.parametrize("blocks", NOT_DATA.values(), ids=NOT_DATA)
def test_other_data_is_no_architecture(blocks):
    with pytest.raises(ValueError, match=r"^expected .*, got ") as refusal:
        from_data(blocks)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300


def test_an_enormous_network_is_refused_before_it_takes_memory():
    with pytest.raises(ValueError, match="expected at most 2,000,000 units"):
        Network(mlp("relu", (10**9,)))  # three terabytes of weights
