"""L-BFGS-B on many problems at once, beside scipy's on one at a time."""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn.functional import cross_entropy

from satcore import data
from satcore.attacks.lbfgsb import minimise


def ended(function, start, steps):
    *_, last = minimise(function, start, steps)
    return last


def scipys(function, start, steps):
    """Points, values and iterations of each problem, by scipy with as little tolerance."""
    results = []
    for number, row in enumerate(start):

        def one(x, number=number):
            values, gradients, _ = function(torch.from_numpy(x)[None], torch.tensor([number]))
            return float(values), gradients[0].numpy()

        results.append(
            minimize(
                one,
                row.numpy(),
                jac=True,
                method="L-BFGS-B",
                bounds=[(0, 1)] * len(row),
                options={"maxiter": steps, "ftol": 0, "gtol": 0},
            )
        )
    return np.array([r.x for r in results]), np.array([r.fun for r in results]), np.array([r.nit for r in results])


def never(points):
    return torch.zeros(len(points), dtype=torch.bool)


def quadratics(count=12, n=40, seed=0):
    """½(x−c)ᵀA(x−c), whose minimum lies outside the box in about half of its variables."""
    generator = torch.Generator().manual_seed(seed)
    roots = torch.randn(count, n, n, generator=generator, dtype=torch.float64)
    a = roots @ roots.mT / n + 0.1 * torch.eye(n, dtype=torch.float64)
    centre = 2 * torch.rand(count, n, generator=generator, dtype=torch.float64) - 0.5

    def function(points, index):
        off = points - centre[index]
        gradients = (a[index] @ off[:, :, None])[:, :, 0]
        return (gradients * off).sum(1) / 2, gradients, never(points)

    return function, torch.rand(count, n, generator=generator, dtype=torch.float64)


def rosenbrock(points, index):
    """In 0…1 what is −2…2 of Rosenbrock's valley."""
    x = (4 * points - 2).requires_grad_()
    with torch.enable_grad():
        values = (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(1)
    return values.detach(), 4 * torch.autograd.grad(values.sum(), x)[0], never(points)


@pytest.fixture(scope="module")
def attack(tiny):
    """The targeted cross-entropy of a small trained network in float64, from 20 digits to the next digit each."""
    images, labels = data.load("test")
    network, targets = copy.deepcopy(tiny).double(), (labels[:20] + 1) % 10

    def function(points, index):
        x = points.view(-1, 1, 28, 28).requires_grad_()
        with torch.enable_grad():
            values = cross_entropy(network(x), targets[index], reduction="none")
        return values.detach(), torch.autograd.grad(values.sum(), x)[0].flatten(1), never(points)

    return function, images[:20].flatten(1).double()


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 40])
def test_convex_quadratics_go_scipys_way(steps):
    function, start = quadratics()
    ours, (points, values, iterations) = ended(function, start, steps), scipys(function, start, steps)
    np.testing.assert_allclose(ours.points.numpy(), points, atol=1e-7)
    np.testing.assert_allclose(ours.values.numpy(), values, rtol=1e-9)
    if steps <= 10:  # later the last digits decide when a minimum has been reached
        np.testing.assert_array_equal(ours.iterations.numpy(), iterations)


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_rosenbrocks_valley_goes_scipys_way(steps):
    start = torch.rand(15, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours, (points, values, _) = ended(rosenbrock, start, steps), scipys(rosenbrock, start, steps)
    np.testing.assert_allclose(ours.points.numpy(), points, atol=1e-6)
    np.testing.assert_allclose(ours.values.numpy(), values, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_an_attack_on_a_network_goes_scipys_way(attack, steps):
    ours, (points, values, iterations) = ended(*attack, steps), scipys(*attack, steps)
    np.testing.assert_array_equal(ours.iterations.numpy(), iterations)
    # A relu's kink, passed on one side by the one and on the other by the other, parts their ways: in few problems.
    together = np.abs(ours.points.numpy() - points).max(1) < 1e-6
    assert together.mean() >= 0.9
    np.testing.assert_allclose(ours.values.numpy()[together], values[together], rtol=1e-5, atol=1e-12)


def test_it_ends_in_the_minimum_of_a_quadratic():
    function, start = quadratics()
    last = ended(function, start, 500)
    assert not last.running.any()
    projected = (last.points - last.gradients).clamp(0, 1) - last.points
    assert projected.abs().max() < 1e-6


def test_a_problem_alone_goes_as_it_does_among_others():
    function, start = quadratics()
    together = ended(function, start, 8)
    for number in range(len(start)):
        alone = ended(
            lambda points, index, number=number: function(points, index + number), start[number : number + 1], 8
        )
        np.testing.assert_allclose(alone.points[0].numpy(), together.points[number].numpy(), atol=1e-9)


def test_points_stay_in_the_box_and_values_never_rise():
    function, start = quadratics(seed=3)
    values = None
    for iterate in minimise(function, start, 60):
        assert iterate.points.min() >= 0 and iterate.points.max() <= 1
        assert values is None or (iterate.values <= values + 1e-12).all()  # but by rounding
        values = iterate.values


def test_a_start_where_nothing_can_move_ends_at_once():
    def downhill_is_outside(points, index):
        return points.sum(1), torch.ones_like(points), never(points)

    iterates = list(minimise(downhill_is_outside, torch.zeros(3, 5, dtype=torch.float64), 10))
    assert len(iterates) == 1 and not iterates[0].running.any() and not iterates[0].iterations.any()


def test_who_is_content_stops_and_the_others_go_on():
    function, start = quadratics()

    def content_with_less(points, index):
        values, gradients, _ = function(points, index)
        return values, gradients, (values < 3.0) & (index < 6)

    last, all_the_way = ended(content_with_less, start, 30), ended(function, start, 30)
    assert (last.values[:6] < 3.0).all()
    assert (last.iterations[:6] < all_the_way.iterations[:6]).all()
    np.testing.assert_allclose(last.points[6:].numpy(), all_the_way.points[6:].numpy(), atol=1e-9)


def test_no_number_in_one_problem_is_none_of_the_others_business():
    function, start = quadratics()

    def torn(points, index):
        values, gradients, content = function(points, index)
        away = (index == 4) & (points != start[index]).any(1)
        return torch.where(away, torch.nan, values), torch.where(away[:, None], torch.nan, gradients), content

    last, whole = ended(torn, start, 10), ended(function, start, 10)
    others = torch.arange(len(start)) != 4
    np.testing.assert_allclose(last.points[others].numpy(), whole.points[others].numpy(), atol=1e-9)
    assert torch.equal(last.points[4], start[4]) and not last.running[4]


def test_what_was_yielded_does_not_change_afterwards():
    function, start = quadratics()
    kept = [(iterate, iterate.points.clone(), iterate.running.clone()) for iterate in minimise(function, start, 12)]
    for iterate, points, running in kept:
        assert torch.equal(iterate.points, points) and torch.equal(iterate.running, running)
