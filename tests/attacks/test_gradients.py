"""How gradients are taken: exact is the true direction, softened its softer sister, autograd what PyTorch says."""

import copy
import math

import numpy as np
import pytest
import torch

from satcore import data, library
from satcore.attacks import fgsm, pgd
from satcore.attacks.gradients import WAYS, Way
from satcore.attacks.objective import Objective
from tests import literal
from tests.examples import of_family

COUNT = 40


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:COUNT], labels[:COUNT])


def true_slope(logits: np.ndarray, label: int, loss: str) -> tuple[np.ndarray, float]:
    """∂(objective)/∂h away from `label` (10,), as a direction and log of what it was divided by, by its definition."""
    others = np.delete(logits, label)
    slope = np.zeros(10)
    wrong = np.delete(np.arange(10), label)
    if loss == "margin":
        slope[wrong[others.argmax()]], slope[label] = -1, 1
        return slope, 0.0
    top = others.max()
    slope[wrong] = -np.exp(others - top) / np.exp(others - top).sum()
    slope[label] = 1
    every = logits.max()
    return slope, top + np.log(np.exp(others - top).sum()) - every - np.log(np.exp(logits - every).sum())


def reference(network, image, label: int, loss: str) -> tuple[np.ndarray, float]:
    """The objective's gradient (784,) by complex step through the network, over exp of the number that comes second."""
    arrays = literal.parameters(network)
    pixels = image[0].double().numpy()
    logits = literal.mlp_pre_activations(arrays, pixels.reshape(1, 784), network.activation)[-1][0]
    slope, log_factor = true_slope(logits, label, loss)
    return slope @ literal.complex_step_jacobian(arrays, pixels, network.activation), log_factor


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "sigmoid-mlp/vanilla", "relu-mlp/saturated"])
def test_exact_is_the_true_direction_however_saturated(examples, name, dtype, loss):
    network = library.load(name).to(dtype)
    objective = Objective(examples.labels, loss=loss)
    taken = Way("exact").gradient(network, examples.images.to(dtype), objective)
    agreement, sizes = [], []
    for index, (image, label) in enumerate(zip(*examples, strict=True)):
        true, log_factor = reference(network, image, int(label), loss)
        agreement.append((np.sign(true) == np.sign(taken.direction[index].numpy().ravel())).mean())
        sizes.append((np.log(np.linalg.norm(true)) + log_factor) / math.log(10))
    assert np.mean(agreement) > 0.99 and min(agreement) > 0.97  # the issue: above 99 % of pixels
    np.testing.assert_allclose(taken.log10_norm().numpy(), sizes, atol=2e-3 if dtype == torch.float32 else 1e-8)


def test_where_autograd_gives_nothing_exact_gives_a_direction(examples):
    network = library.load("sigmoid-mlp/saturated")
    objective = Objective(examples.labels)
    autograd, exact = (Way(name).gradient(network, examples.images, objective) for name in ("autograd", "exact"))
    assert autograd.zero.float().mean() > 0.8
    assert not exact.zero.any() and exact.direction.isfinite().all()
    assert (exact.log10_norm()[autograd.zero] < -35).all()  # where float32 has no numbers left


@pytest.mark.parametrize("family", ["sigmoid-mlp", "relu-mlp", "cnn"])
@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("targeted", [False, True])
def test_on_an_unsaturated_network_all_three_agree(examples, family, loss, targeted):
    network = of_family(family, hidden=32).double()
    images, objective = examples.images[:8].double(), Objective(examples.labels[:8], targeted, loss)
    plain, exact, softened = (Way(name, 1.0).gradient(network, images, objective) for name in WAYS)
    for there in (exact, softened):
        scaled = there.direction * there.log_factor.exp()[:, None, None, None]
        np.testing.assert_allclose(scaled.numpy(), plain.direction.numpy(), rtol=1e-9, atol=1e-16)
        assert torch.equal(there.logits, plain.logits)


def test_softened_takes_every_derivative_at_a_tempered_place(examples):
    network, temperature = library.load("sigmoid-mlp/saturated").double(), 10.0
    images, labels = examples.images[:10].double(), examples.labels[:10]
    taken = Way("softened", temperature).gradient(network, images, Objective(labels))
    hidden = network.pre_activations(images)
    slope, _ = zip(
        *(
            true_slope(h.numpy() / temperature, int(label), "cross-entropy")
            for h, label in zip(hidden[-1], labels, strict=True)
        ),
        strict=True,
    )
    g = torch.tensor(np.array(slope))
    for layer, h in zip(reversed(network.layers[1:]), reversed(hidden[:-1]), strict=True):
        g = (g @ layer.weight) * (torch.sigmoid(h / temperature) * torch.sigmoid(-h / temperature))
    g = g @ network.layers[0].weight
    directions = [there / there.norm(dim=1, keepdim=True) for there in (g, taken.direction.flatten(1))]
    np.testing.assert_allclose(directions[0].numpy(), directions[1].numpy(), atol=1e-10)
    np.testing.assert_array_equal(taken.logits.numpy(), hidden[-1].numpy())  # the forward pass is untouched


@pytest.mark.parametrize("way", WAYS)
def test_an_images_gradient_does_not_depend_on_the_others(examples, way):
    network = library.load("sigmoid-mlp/saturated").double()
    together = Way(way, 3.0).gradient(network, examples.images.double(), Objective(examples.labels))
    for index in range(10):
        alone = Way(way, 3.0).gradient(
            network, examples.images[index : index + 1].double(), Objective(examples.labels[index : index + 1])
        )
        scale = together.direction[index].abs().max()
        np.testing.assert_allclose(
            alone.direction[0].numpy(), together.direction[index].numpy(), atol=float(1e-9 * scale)
        )
        assert alone.log_factor[0] == pytest.approx(float(together.log_factor[index]), abs=1e-9)


def test_dead_units_pass_nothing_on_and_no_nonsense():
    network = of_family("relu-mlp", hidden=8)
    for parameter in (network.layers[1].weight, network.layers[1].bias):
        parameter.data.fill_(-1.0)
    images = torch.rand(3, 1, 28, 28)
    for way in WAYS:
        taken = Way(way).gradient(network, images, Objective(torch.tensor([0, 1, 2])))
        assert taken.zero.all() and not taken.direction.any()
        assert (taken.log10_norm() == -math.inf).all()


def test_a_gradient_below_all_numbers_still_has_a_size():
    network = copy.deepcopy(of_family("sigmoid-mlp", hidden=16)).double()
    for layer in network.layers:
        layer.weight.data.mul_(3e4)
    taken = Way("exact").gradient(network, torch.rand(4, 1, 28, 28).double(), Objective(torch.arange(4)))
    assert not taken.zero.any() and (taken.log10_norm() < -400).any()


@pytest.mark.parametrize("gradient", ["exact ", "", "Autograd", None])
def test_another_way_is_refused(tiny, examples, gradient):
    with pytest.raises(ValueError, match="expected a gradient out of autograd, exact, softened, got"):
        fgsm(tiny, *examples, gradient=gradient)


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-40, math.nan, math.inf])
def test_another_temperature_is_refused(tiny, examples, temperature):
    with pytest.raises(ValueError, match="expected a temperature of 1e-06 or more, got"):
        pgd(tiny, *examples, gradient="softened", temperature=temperature)


def test_another_loss_is_refused(tiny, examples):
    with pytest.raises(ValueError, match="expected a loss out of cross-entropy, margin, got 'hinge'"):
        fgsm(tiny, *examples, loss="hinge")
