"""The complementary functions, the penalty and its annealing are those of Eq. 6–8."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satcore.networks import build, mlp
from satcore.nonlinearities import named
from satcore.recipes import RECIPES, Annealing
from satcore.training import penalty, saturated_share
from satcore.training.penalty import penalised_by

NAMES = ("relu", "sigmoid", "identity")


def closed_form(z: float, name: str) -> float:
    if name == "sigmoid":
        return math.exp(-abs(z)) / (1 + math.exp(-abs(z))) ** 2
    return max(0.0, z) if name == "relu" else z


def closed_form_derivative(z: float, name: str) -> float:
    if name == "sigmoid":
        return closed_form(z, name) * (1 - 2 / (1 + math.exp(-z)))  # σ′(1 − 2σ)
    return float(z > 0) if name == "relu" else 1.0


@pytest.mark.parametrize("name", NAMES)
def test_complementary_functions_are_their_closed_forms(name):
    z = torch.linspace(-30, 30, 601, dtype=torch.float64)
    expected = [closed_form(value, name) for value in z.tolist()]
    np.testing.assert_allclose(named(name).complementary(z).numpy(), expected, rtol=1e-14, atol=0)


def test_the_relus_is_the_distance_to_the_nearest_point_without_slope():
    grid = (torch.arange(-400, 401) / 100).double().requires_grad_()
    torch.relu(grid).sum().backward()
    flat = grid.detach()[grid.grad == 0]
    assert 0 < len(flat) < len(grid)
    for z in grid.detach():
        assert named("relu").complementary(z) == (z - flat).abs().min()  # Eq. 7


def test_the_sigmoids_stays_right_where_the_sigmoid_rounds_to_one():
    h = torch.tensor(
        [sign * size for size in (1.0, 16.0, 37.0, 100.0, 400.0, 700.0) for sign in (1, -1)], dtype=torch.float64
    )
    y = torch.sigmoid(h)
    assert (y * (1 - y))[4] == 0  # what the form y(1 − y) makes of h = 37
    expected = [closed_form(value, "sigmoid") for value in h.tolist()]
    # A handful of roundings, and exp's own error of about one unit in the last place.
    np.testing.assert_allclose(named("sigmoid").complementary(h).numpy(), expected, rtol=2e-15, atol=0)


def layers(seed: int, count: int = 6) -> list[torch.Tensor]:
    """Pre-activations of a convolution and two dense layers, none so near 0 that the ReLU's kink matters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, 2, 4, 4), (count, 5), (count, 10)]
    return [3 * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_the_penalty_is_the_sum_over_layers_and_units_and_the_mean_over_images():
    hs = layers(seed=1)
    total = 0.0
    for h, name in zip(hs, NAMES, strict=True):
        for image in h:
            for value in image.flatten().tolist():
                total += closed_form(value, name)
    assert penalty(hs, NAMES).item() == pytest.approx(total / 6, rel=1e-13)


def test_the_penaltys_gradient_is_the_closed_forms():
    hs = [h.requires_grad_() for h in layers(seed=2)]
    gradients = torch.autograd.grad(penalty(hs, NAMES), hs)
    for h, gradient, name in zip(hs, gradients, NAMES, strict=True):
        expected = [closed_form_derivative(value, name) / 6 for value in h.flatten().tolist()]
        # σ′ is near 1/4 where its own slope vanishes: an error of a rounding there is 1e-17, in absolute terms.
        np.testing.assert_allclose(gradient.flatten().numpy(), expected, rtol=1e-12, atol=1e-17)


def test_the_penaltys_gradient_is_that_of_central_differences():
    hs = [h.requires_grad_() for h in layers(seed=3, count=2)]
    gradients = torch.autograd.grad(penalty(hs, NAMES), hs)
    width = 1e-5
    for layer, gradient in enumerate(gradients):
        for unit in range(gradient.numel()):
            slope = (shifted(hs, layer, unit, width) - shifted(hs, layer, unit, -width)) / (2 * width)
            # Rounding of a sum of some 50, 1e-14, over the width; the cubic term is far below that.
            assert gradient.flatten()[unit].item() == pytest.approx(slope, abs=2e-9)


def shifted(hs: list[torch.Tensor], layer: int, unit: int, by: float) -> float:
    """The penalty with one pre-activation moved."""
    moved = [h.detach().clone() for h in hs]
    moved[layer].view(-1)[unit] += by
    return penalty(moved, NAMES).item()


def test_the_penaltys_gradient_survives_where_autograd_of_the_sigmoid_is_zero():
    h = torch.tensor([[20.0]], requires_grad=True)
    assert torch.autograd.grad(torch.sigmoid(h).sum(), h)[0] == 0
    (gradient,) = torch.autograd.grad(penalty([h], ("sigmoid",)), h)
    assert gradient.item() == pytest.approx(closed_form_derivative(20.0, "sigmoid"), rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 12), copies=st.integers(1, 5))
def test_the_penalty_does_not_depend_on_the_batch_size(seed, count, copies):
    hs = layers(seed, count)
    whole = penalty(hs, NAMES).item()
    alone = [penalty([h[i : i + 1] for h in hs], NAMES).item() for i in range(count)]
    repeated = penalty([torch.cat([h] * copies) for h in hs], NAMES).item()
    # f(z) = z has either sign, so the sum may cancel: rounding is relative to some hundred terms of size 3.
    assert whole == pytest.approx(sum(alone) / count, rel=1e-12, abs=1e-12)
    assert whole == pytest.approx(repeated, rel=1e-12, abs=1e-12)


def test_a_layer_without_a_complementary_function_is_refused():
    with pytest.raises(ValueError):
        penalty(layers(seed=1), NAMES[:2])


def test_an_unknown_complementary_function_is_refused():
    with pytest.raises(ValueError, match=r"expected a nonlinearity out of relu, .*, got 'linear'"):
        penalty(layers(seed=1), ("relu", "sigmoid", "linear"))
    with pytest.raises(ValueError, match=r"expected a nonlinearity out of relu, .*, got 'linear'"):
        saturated_share(torch.zeros(2, 3), "linear")


def test_the_saturated_share_counts_values_below_the_threshold():
    h = torch.tensor([[-3.0, 0.0005], [0.002, 5.0]])
    assert saturated_share(h, "relu") == 0.5
    assert saturated_share(h, "relu", threshold=3e-3) == 0.75
    assert saturated_share(h, "identity") == 0.5
    # σ′(6.9) = 0.00101 and σ′(7) = 0.00091.
    assert saturated_share(torch.tensor([-7.0, -6.9, 0.0, 6.9, 7.0]), "sigmoid").item() == pytest.approx(0.4)


@pytest.mark.parametrize(
    "family, denominator, steps", [("sigmoid-mlp", 1_000, 1740), ("relu-mlp", 10**10, 399), ("cnn", 10**5, 1)]
)
def test_the_recipes_lambda_rises_as_the_paper_says_and_stays_there(family, denominator, steps):
    recipe = RECIPES[f"{family}/saturated"]
    lams = []
    for epoch in range(recipe.epochs):
        phase, epoch_of_phase = recipe.phase_of(epoch)
        lams.append(phase.penalty(epoch_of_phase))
    first = next(epoch for epoch, lam in enumerate(lams) if lam > 0)
    maximum = steps / denominator
    assert maximum == {"sigmoid-mlp": 1.74, "relu-mlp": 3.99e-8, "cnn": 1e-5}[family]
    assert lams[:first] == [0] * first and first >= 1
    rising = lams[first - 1 : first + steps]
    # k·step and k/denominator round differently, by a unit or two in the last place.
    assert rising == pytest.approx([k / denominator for k in range(steps + 1)], rel=1e-15, abs=0)
    assert rising[-1] == maximum
    assert lams[first + steps :] == [maximum] * (recipe.epochs - first - steps)
    assert lams == sorted(lams)


@given(start=st.floats(0, 1), step=st.floats(0, 1), rise=st.floats(0, 10), epoch=st.integers(0, 10_000))
def test_an_annealing_never_falls_and_never_passes_its_maximum(start, step, rise, epoch):
    annealing = Annealing(start, step, maximum=start + rise)
    assert annealing(0) == start
    assert annealing(epoch) <= annealing(epoch + 1) <= start + rise


def test_without_arguments_there_is_no_penalty():
    assert [Annealing()(epoch) for epoch in (0, 1, 10_000)] == [0, 0, 0]


def test_a_network_is_penalised_by_the_knees_that_it_has_learned():
    network = build(mlp("ramp", (3, 3)))
    network.nonlinearities[0].knee.data.fill_(0.6)
    first, second, logits = penalised_by(network, ("ramp", "relu", "ramp"))
    h = torch.tensor([[-1.0, 0.2, 0.5, 0.8]], requires_grad=True)
    assert first.complementary(h)[0].tolist() == pytest.approx([0, 0.2, 0.1, 0])
    assert second.complementary(h)[0].tolist() == pytest.approx([0, 0.2, 0.5, 0.8])
    assert logits.complementary(h)[0].tolist() == pytest.approx([0, 0.2, 0.5, 0.2])
    assert saturated_share(h, first) == 0.5
    penalty([h], [first]).backward()
    assert h.grad[0].tolist() == [0, 1, -1, 0]
    assert network.nonlinearities[0].knee.grad is None  # inputs are to move, and not the knee
