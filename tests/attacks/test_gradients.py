"""How gradients are taken: exact is the true direction, softened its softer sister, autograd what PyTorch says."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from satcore import data, library
from satcore.attacks import fgsm, pgd
from satcore.attacks.apgd import apgd
from satcore.attacks.gradients import BANDS, WAYS, Gradient, Way, _Signal
from satcore.attacks.objective import Objective
from satcore.networks import Network, build, mlp
from tests import literal
from tests.examples import EVERY, KINDS, SMOOTH, load, of_family, random_images, slowly, small

COUNT = 8
SLOPED = [name for name in EVERY if name != "step"]


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


def reference(network, image, label: int, loss: str, pixels=None, dtype=complex) -> tuple[np.ndarray, float]:
    """The objective's gradient (784,) by complex step through the network, over exp of the number that comes second."""
    values = image.double().numpy()
    logits = literal.pre_activations(network, values[None].astype(dtype))[-1][0].real.astype(float)
    slope, log_factor = true_slope(logits, label, loss)
    return slope @ literal.complex_step(network, values, pixels, dtype), log_factor


@pytest.mark.parametrize("dtype, loss", [(torch.float32, "cross-entropy"), (torch.float64, "margin")])
@pytest.mark.parametrize(
    "name",
    slowly(
        ("sigmoid-mlp/saturated", "sigmoid-mlp/vanilla", "relu-mlp/saturated"),
        lambda name: name == "sigmoid-mlp/saturated",
    ),
)
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
    network = load("sigmoid-mlp/saturated")
    objective = Objective(examples.labels)
    autograd, exact = (Way(name).gradient(network, examples.images, objective) for name in ("autograd", "exact"))
    assert autograd.zero.float().mean() > 0.8
    assert not exact.zero.any() and exact.direction.isfinite().all()
    assert (exact.log10_norm()[autograd.zero] < -35).all()  # where float32 has no numbers left


PIXELS = list(range(5, 784, 31))


def check_exact(network: Network, images: Tensor, labels: Tensor, loss: str) -> Gradient:
    """That `exact` of a float64 network is the complex step's in sign, direction and size, however small; returned."""
    taken = Way("exact").gradient(network, images, Objective(labels, loss=loss))
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        true, log_factor = reference(network, image, int(label), loss, PIXELS, literal.WIDEST)
        found = taken.direction[index].numpy().ravel()[PIXELS]
        largest = np.abs(true).max()
        if largest == 0:  # between ramps that have all come to an end
            assert not found.any()
            continue
        # φ′(h) multiplies the rounding of h, some 1e-13 where h is a thousand.
        scaled = found * np.exp(np.longdouble(taken.log_factor[index].item() - log_factor))
        np.testing.assert_allclose(np.float64(scaled / largest), np.float64(true / largest), rtol=0, atol=1e-9)
        # Also of a pixel whose derivative is nothing beside the others'; but one that cancels may have either sign.
        decided = np.abs(true) > np.finfo(np.longdouble).tiny
        assert (np.sign(found) == np.sign(true))[decided].mean() >= 0.98
    return taken


@pytest.mark.parametrize("kind", slowly(KINDS, lambda kind: kind != "overlapping maxima"))
@pytest.mark.parametrize("phi", SLOPED)
def test_exact_is_the_true_gradient_through_any_block(phi, kind):
    images, labels = random_images(4, seed=2), torch.arange(4)
    assert not check_exact(small(kind, phi, seed=1), images, labels, "cross-entropy").zero.any()
    check_exact(small(kind, phi, seed=1, scale=5.0), images, labels, "margin")


@pytest.mark.slow
@pytest.mark.skipif(not literal.WIDE, reason="no numbers below float64's on this machine to compare with")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SMOOTH)
def test_exact_is_the_true_gradient_where_autograd_is_zero(phi, kind):
    """Saturated units beside others that aren't, so that a layer's derivatives lie hundreds of orders apart."""
    for scale, least in ((60.0, 0), (400.0, 0), (2500.0, 1)):
        network, images = small(kind, phi, seed=4, scale=scale), random_images(40, seed=5)
        labels = network(images).argmax(1)  # so that the cross-entropy, too, has next to no slope
        autograd = Way("autograd").gradient(network, images, Objective(labels))
        gone = autograd.zero.nonzero().flatten()[:3] if least else torch.arange(3)
        assert len(gone) >= least
        taken = check_exact(network, images[gone], labels[gone], "cross-entropy")
        assert not taken.zero.any() and taken.direction.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SMOOTH)
def test_in_single_precision_exact_has_the_true_signs(phi, kind):
    """A float32 network's own, with what its float32 pre-activations leave of them."""
    for scale in (20.0, 150.0):
        network, images, labels = small(kind, phi, seed=4, scale=scale), random_images(6, seed=5), torch.arange(6)
        single = copy.deepcopy(network).float()
        taken = Way("exact").gradient(single, images.float(), Objective(labels, loss="margin"))
        agreement = []
        for index in range(6):
            true, _ = reference(network, images[index].float(), int(labels[index]), "margin", PIXELS, literal.WIDEST)
            agreement.append((np.sign(taken.direction[index].numpy().ravel()[PIXELS]) == np.sign(true)).mean())
        assert np.mean(agreement) > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_passes_a_step_and_nothing_is_made_up(kind):
    network, images = small(kind, "step", scale=30.0), random_images(4, seed=1)
    for way in WAYS:
        taken = Way(way).gradient(network, images, Objective(torch.arange(4)))
        assert taken.zero.all() and not taken.direction.any()
        *layers, logits = Way(way).by_layer(network, images, Objective(torch.arange(4)))
        assert not logits.zero.any() and layers[0].zero.all()


@pytest.mark.parametrize("loss, targeted", [("cross-entropy", False), ("margin", True)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SLOPED)
def test_on_an_unsaturated_network_all_three_agree(examples, phi, kind, loss, targeted):
    network = small(kind, phi, seed=3)
    images, objective = examples.images[:8].double(), Objective(examples.labels[:8], targeted, loss)
    plain, exact, softened = (Way(name, 1.0).gradient(network, images, objective) for name in WAYS)
    for there in (exact, softened):
        scaled = there.direction * there.log_factor.exp()[:, None, None, None]
        np.testing.assert_allclose(scaled.numpy(), plain.direction.numpy(), rtol=1e-9, atol=1e-16)
        torch.testing.assert_close(there.logits, plain.logits, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SLOPED)
def test_softened_is_every_blocks_derivative_at_a_tempered_place(phi, kind):
    """By the chain rule, block by block; T is so large that nothing underflows on the way."""
    network, temperature, images = small(kind, phi, seed=6, scale=100.0), 4000.0, random_images(3, seed=6)
    labels = torch.tensor([1, 2, 3])
    taken = Way("softened", temperature).gradient(network, images, Objective(labels))
    x, tape = images, []
    for index, block in enumerate(network.architecture):
        before = x.detach().requires_grad_()
        h = network.affine(index, before)
        pooled = block.pooling(h) if block.pooling else h
        tape.append((before, pooled, network.nonlinearities[index]))
        x = network.nonlinearities[index](pooled)
    tempered = x.detach().numpy() / temperature
    slopes = [true_slope(h, int(y), "cross-entropy") for h, y in zip(tempered, labels, strict=True)]
    g = torch.tensor(np.array([slope for slope, _ in slopes]))
    for level, (before, pooled, nonlinearity) in reversed(list(enumerate(tape))):
        g = g * nonlinearity.slope(pooled.detach() / temperature) if level < len(tape) - 1 else g
        (g,) = torch.autograd.grad(pooled, before, g)
    sizes = g.flatten(1).norm(dim=1).log().numpy() + [log_factor for _, log_factor in slopes]
    np.testing.assert_allclose(taken.log10_norm(), sizes / math.log(10), atol=1e-9)
    directions = [there / there.norm(dim=1, keepdim=True) for there in (g.flatten(1), taken.direction.flatten(1))]
    np.testing.assert_allclose(directions[0], directions[1], atol=1e-11)
    torch.testing.assert_close(taken.logits, network(images), rtol=1e-13, atol=1e-13)  # the forward pass is untouched


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", EVERY)
def test_an_images_gradient_does_not_depend_on_who_else_is_in_the_batch(phi, kind, way):
    network, images, labels = small(kind, phi, seed=7, scale=80.0), random_images(12, seed=8), torch.arange(12) % 10
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    together = Way(way, 3.0).gradient(network, images[order], Objective(labels[order]))
    for place in range(0, 12, 4):
        one = slice(int(order[place]), int(order[place]) + 1)
        alone = Way(way, 3.0).gradient(network, images[one], Objective(labels[one]))
        scale = together.direction[place].abs().max()
        np.testing.assert_allclose(alone.direction[0], together.direction[place], rtol=0, atol=float(1e-9 * scale))
        assert alone.log_factor[0].item() == pytest.approx(together.log_factor[place].item(), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SLOPED)
def test_fgsm_of_an_image_does_not_depend_on_who_else_is_in_the_batch(phi, kind):
    network, images, labels = small(kind, phi, seed=7, scale=10.0), random_images(9, seed=9), torch.arange(9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    for way in ("autograd", "exact"):
        together = fgsm(network, images[order], labels[order], gradient=way)
        for place, index in enumerate(order.tolist()):
            one = slice(index, index + 1)
            alone = fgsm(network, images[one], labels[one], gradient=way)
            gradient = Way(way).gradient(network, images[one], Objective(labels[one])).direction[0]
            decided = gradient.abs() > 1e-9 * gradient.abs().max()  # the others' sign is a matter of rounding
            assert torch.equal(alone.images[0][decided], together.images[place][decided])
            assert alone.success[0] == together.success[place]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", SLOPED)
def test_layer_by_layer_the_gradient_is_autograds_where_nothing_underflows(phi, kind):
    network, images, labels = small(kind, phi, seed=3), random_images(4, seed=4), torch.arange(4)
    there = images.clone().requires_grad_()
    x, layers = there, []
    for index in range(len(network.layers)):
        layers.append(network.affine(index, x))
        x = network.output(index, layers[-1])
    loss = -torch.nn.functional.cross_entropy(x, labels, reduction="sum")
    expected = torch.autograd.grad(loss, [there, *layers])
    for way in WAYS:
        found = Way(way).by_layer(network, images, Objective(labels))
        assert len(found) == len(expected)
        for taken, true in zip(found, expected, strict=True):
            assert taken.direction.shape == true.shape
            scaled = taken.direction * taken.log_factor.exp().view(-1, *[1] * (true.ndim - 1))
            torch.testing.assert_close(scaled, true, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_the_lowest_layer_of_all(kind):
    network, images, labels = small(kind, "tanh", seed=3, scale=200.0), random_images(4, seed=4), torch.arange(4)
    for way in WAYS:
        whole = Way(way).gradient(network, images, Objective(labels))
        lowest = Way(way).by_layer(network, images, Objective(labels))[0]
        torch.testing.assert_close(lowest.direction, whole.direction, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(lowest.log_factor, whole.log_factor, rtol=1e-12, atol=1e-9)


@pytest.mark.skipif(not literal.WIDE, reason="no numbers below float64's on this machine to compare with")
@pytest.mark.parametrize("dtype, rounding", [(torch.float32, 1e-4), (torch.float64, 1e-11)])
@pytest.mark.parametrize("spread", [1.0, 100.0, 300.0, 3000.0])
def test_a_signal_goes_through_a_sparse_map_whatever_the_sizes_of_its_entries(dtype, rounding, spread):
    generator = torch.Generator().manual_seed(int(spread))
    sign = 2 * torch.randint(2, (6, 60), generator=generator).to(dtype) - 1
    log = -spread * torch.rand(6, 60, generator=generator).to(dtype) - 50
    sign[:, :3], log[:, :3] = 0, -torch.inf  # and some that pass nothing on
    sign[0], log[0] = 0, -torch.inf
    weight = torch.randn(60, 500, generator=generator).to(dtype)
    weight *= torch.rand(60, 500, generator=generator) < 0.05  # three entries each, on average
    inputs = torch.zeros(6, 500, dtype=dtype, requires_grad=True)
    found = _Signal(sign, log).through(inputs @ weight.T, inputs)
    terms = (sign.numpy() * np.exp(log.numpy().astype(np.longdouble)))[:, :, None] * weight.numpy()
    expected, size = terms.sum(1), np.abs(terms).sum(1)
    assert (expected == 0).mean() > 0.1 and (expected != 0).mean() > 0.5
    there = found.sign.numpy() * np.exp(found.log.detach().numpy().astype(np.longdouble))
    assert (np.abs(there - expected) <= rounding * max(1, spread / 100) * size).all()


@pytest.mark.parametrize("dtype, border", BANDS.items())
def test_what_lies_on_both_sides_of_a_band_is_added_up(dtype, border):
    log = torch.tensor([[0.0, -border + 0.5, -border - 0.5]], dtype=dtype)
    weight = torch.tensor([[1.0, 0, 0], [0, 1, 1]], dtype=dtype)
    inputs = torch.zeros(1, 2, dtype=dtype, requires_grad=True)
    found = _Signal(torch.ones_like(log), log).through(inputs @ weight, inputs)
    expected = [0, -border + math.log(math.exp(0.5) + math.exp(-0.5))]
    np.testing.assert_allclose(found.log.detach()[0], expected, rtol=3 * torch.finfo(dtype).eps)
    assert found.sign.tolist() == [[1, 1]] and found.log.dtype.itemsize >= 4


def test_weights_of_zero_keep_signals_apart_and_small_ones_are_not_lost():
    """Two halves of a network that share nothing, one so saturated that its signal is nothing beside the other's."""
    network = build(mlp("sigmoid", (8, 8)), seed=2).double().requires_grad_(False)
    first, second, _ = network.layers
    first.weight[:4, 392:], first.weight[4:, :392] = 0, 0
    second.weight[:4, 4:], second.weight[4:, :4] = 0, 0
    first.weight[4:] *= 1e4
    second.weight[:4] *= 3e3
    images = random_images(5, seed=3)
    labels = network(images).argmax(1)
    check_exact(network, images, labels, "margin")
    single = Way("exact").gradient(copy.deepcopy(network).float(), images.float(), Objective(labels, loss="margin"))
    assert (single.direction != 0).float().mean() > 0.99


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


@pytest.mark.parametrize("attack", [fgsm, pgd])
@pytest.mark.parametrize("gradient", ["autograd", "exact"])
def test_where_pytorch_keeps_no_gradients_none_is_made_up(tiny, examples, attack, gradient):
    images, labels = examples
    with torch.inference_mode(), pytest.raises(ValueError, match="expected images of which a gradient can be taken"):
        attack(tiny, images, labels, gradient=gradient)
    with torch.inference_mode():
        images = images.clone()
    with pytest.raises(ValueError, match="expected images of which a gradient can be taken"):
        attack(tiny, images, labels, gradient=gradient)


def test_another_loss_is_refused(tiny, examples):
    with pytest.raises(ValueError, match="expected a loss out of cross-entropy, margin, got 'hinge'"):
        fgsm(tiny, *examples, loss="hinge")


def test_a_loss_in_place_of_whether_labels_are_targets_is_refused(tiny, examples):
    with pytest.raises(ValueError, match="expected whether the labels are targets, true or false, got 'margin'"):
        fgsm(tiny, *examples, targeted="margin")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype, other", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_images_of_another_dtype_than_the_networks_are_attacked_and_keep_theirs(kind, dtype, other):
    network, images = small(kind, "sigmoid").to(dtype), random_images(3, 1).to(other)
    with torch.no_grad():
        labels = network(images).argmax(1)
    for gradient in WAYS:
        assert fgsm(network, images, labels, gradient=gradient).images.dtype == other
        assert pgd(network, images, labels, gradient=gradient, steps=2).images.dtype == other
        assert apgd(network, images, labels, ways=[Way(gradient)] * 3, epsilon=0.01).images.dtype == other


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_the_images_dtype_cannot_hold_beside_the_largest_keeps_its_sign(dtype):
    network, images = small("strides and means", "sigmoid", scale=600.0), random_images(3, 1).to(dtype)
    objective = Objective(torch.tensor([3, 4, 5]), targeted=True, loss="margin")
    found, expected = (Way("exact").gradient(network, x, objective).direction for x in (images, images.double()))
    beyond = (expected != 0) & (expected.abs() < torch.finfo(dtype).tiny / 2)
    assert beyond.any() and torch.equal(found.sign().double(), expected.sign())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_in_half_precision_has_nearly_the_direction_that_it_has_in_double(dtype):
    network, images = small("strides and means", "sigmoid").to(dtype), random_images(3, 1).to(dtype)
    objective = Objective(torch.tensor([3, 4, 5]), targeted=True, loss="margin")
    for way in (Way("exact"), Way("softened", 10.0)):
        found = way.gradient(network, images, objective).direction.double().flatten(1)
        expected = way.gradient(copy.deepcopy(network).double(), images.double(), objective).direction.flatten(1)
        assert (torch.cosine_similarity(found, expected) > 1 - 30 * torch.finfo(dtype).eps).all()


def test_units_however_far_beyond_saturation_have_a_direction():
    """Log φ′ ≈ −10²⁰: between two such units lie more bands of sizes than can be counted."""
    network = build(mlp("tanh", (6, 6)), seed=1).requires_grad_(False)
    network.layers[1].weight.mul_(1e20)[0, 0] = 0  # so that more than the largest signals count
    images = random_images(2, 1).float()
    found = Way("exact").gradient(network, images, Objective(torch.tensor([3, 4]), targeted=True, loss="margin"))
    assert found.direction.isfinite().all() and (found.direction != 0).any()
