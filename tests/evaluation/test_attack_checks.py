"""The checks tell an attack that failed from a network that withstood; signals show where the gradient died."""

import copy
import math

import numpy as np
import pytest
import torch

from satcore import data
from satcore.evaluation.attack_checks import MEANINGS, checks, signals, zero_gradients
from tests import literal
from tests.examples import load, of_family


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:40], labels[:40])


@pytest.fixture(scope="module")
def masked(tiny):
    """What `tiny` says, its logits so far apart that the cross-entropy's float32 gradient is exactly zero."""
    network = copy.deepcopy(tiny)
    for parameter in (network.layers[-1].weight, network.layers[-1].bias):
        parameter.data.mul_(1e4)
    return network


def failed(found) -> set[str]:
    return {check.name for check in found if not check.passed}


def test_an_honest_network_passes_every_check(tiny, examples):
    found = checks(tiny, *examples, source=load("relu-mlp/vanilla"))
    assert [check.name for check in found] == list(MEANINGS) and failed(found) == set()


def test_a_masked_network_is_caught(masked, examples):
    found = checks(masked, *examples, source=load("relu-mlp/vanilla"))
    assert failed(found) >= {
        "nothing is left at ε = 0.5",
        "no gradient is needed less",
        "no gradient is exactly zero",
        "iterating beats one step",
        "success grows with ε",
    }
    assert zero_gradients(masked, *examples) > 0.9


@pytest.mark.slow
def test_masking_is_caught_in_the_papers_networks_and_not_in_the_vanilla_one(examples):
    for name in ("sigmoid-mlp/saturated", "relu-mlp/saturated"):
        found = {check.name: check for check in checks(load(name), *examples)}
        assert {
            "nothing is left at ε = 0.5",
            "no gradient is needed less",
            "noise is weaker",
            "no gradient is exactly zero",
        } <= failed(found.values())
        assert (
            found["no gradient is needed less"].figures["PGD"]
            > 0.9
            > 0.1
            > found["no gradient is needed less"].figures["Square"]
        )
    assert failed(checks(load("sigmoid-mlp/vanilla"), *examples)) == set()


def test_without_a_source_nothing_is_said_of_transfer(tiny, examples):
    assert "no stranger knows better" not in {
        check.name for check in checks(tiny, examples.images[:5], examples.labels[:5])
    }


def test_a_random_network_and_one_of_probabilities_are_caught(tiny, examples):
    class Noisy(type(tiny)):
        def forward(self, images):
            return super().forward(images) + torch.rand(len(images), 10)

    class Probable(type(tiny)):
        def forward(self, images):
            return super().forward(images).softmax(1)

    for kind, name in ((Noisy, "the same answer twice"), (Probable, "its outputs are logits")):
        network = copy.deepcopy(tiny)
        network.__class__ = kind
        assert name in failed(checks(network, *examples))


def test_the_share_of_zero_gradients_is_that_of_images_asked_one_by_one(masked, examples):
    """As the Adversarial Robustness Toolbox asks."""
    network = load("sigmoid-mlp/saturated")
    for there in (network, masked):
        zero = 0
        for image, label in zip(*examples, strict=True):
            x = image[None].clone().requires_grad_()
            torch.nn.functional.cross_entropy(there(x), label[None]).backward()
            zero += int(x.grad.min() == 0 and x.grad.max() == 0)
        assert zero_gradients(there, *examples) == pytest.approx(zero / len(examples.labels))


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp", "cnn"])
def test_signals_are_the_gradients_that_autograd_finds_where_nothing_underflows(family, examples):
    network = of_family(family, hidden=20, seed=2)
    images, labels = examples.images[:5], examples.labels[:5]
    x = images.double().requires_grad_()
    layers = network.double().pre_activations(x)
    loss = torch.nn.functional.cross_entropy(layers[-1], labels, reduction="sum")
    expected = [gradient.flatten(1).norm(dim=1).log10() for gradient in torch.autograd.grad(loss, [x, *layers])]
    found = signals(network, images, labels)
    assert [signal.layer for signal in found] == ["image", *network.hidden, "logits"]
    for signal, true in zip(found, expected, strict=True):
        assert torch.allclose(signal.log10_norm, true, atol=1e-9)
        assert signal.zero_single == signal.zero_double == 0


def test_signals_are_true_where_autograd_has_only_zeros(examples):
    """The image's gradient as J (complex step) times the slope of the cross-entropy in logarithms."""
    network = load("sigmoid-mlp/saturated")
    images, labels = examples.images[:6], examples.labels[:6]
    found = {signal.layer: signal for signal in signals(network, images, labels)}
    assert found["image"].zero_single > 0.8 and found["logits"].zero_single > 0.8
    exact = copy.deepcopy(network).double()
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        logits = exact(image[None].double())[0]
        others = torch.cat((logits[:label], logits[label + 1 :]))
        log_wrong = float(others.logsumexp(0) - logits.logsumexp(0))  # log(1 − p_y)
        slope = np.insert(others.softmax(0).numpy(), int(label), -1.0)
        jacobian = literal.complex_step(exact, image.double().numpy())
        for layer, norm in (("logits", np.linalg.norm(slope)), ("image", np.linalg.norm(slope @ jacobian))):
            assert float(found[layer].log10_norm[k]) == pytest.approx(
                (math.log(norm) + log_wrong) / math.log(10), abs=1e-3
            )
