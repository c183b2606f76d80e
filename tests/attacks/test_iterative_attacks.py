"""PGD, Adam, L-BFGS, Square and transfer do what they say, image by image, and stop when they should."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from satcore import attacks, data, library
from satcore.attacks.adam import _Moments
from satcore.attacks.objective import Objective
from tests import literal
from tests.examples import load, of_family

COUNT = 30


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:COUNT], labels[:COUNT])


@pytest.fixture(scope="module")
def exact_tiny(tiny):
    return copy.deepcopy(tiny).double()


def goals(network, examples) -> torch.Tensor:
    """Targets (N,) other than the label and than what the network sees."""
    seen = network(examples.images.to(next(network.parameters()).dtype)).argmax(1)
    targets = (examples.labels + 1) % 10
    return torch.where(targets == seen, (examples.labels + 2) % 10, targets)


def loss_gradient(network, image, label) -> torch.Tensor:
    x = image.clone().requires_grad_()
    return torch.autograd.grad(cross_entropy(network(x), label), x)[0]


def test_pgd_is_the_literal_loop(tiny, examples):
    size, steps, epsilon = 0.02, 12, 0.1
    for image, label in zip(examples.images.split(1), examples.labels.split(1), strict=True):
        found = attacks.pgd(tiny, image, label, epsilon=epsilon, steps=steps, step_size=size)
        x, taken = image, 0
        while taken < steps and tiny(x).argmax(1) == label:
            before, far = x, x + size * loss_gradient(tiny, x, label).sign()
            x = torch.minimum(torch.maximum(far, (image - epsilon).clamp(0, 1)), (image + epsilon).clamp(0, 1))
            if torch.equal(before, x):
                break
            taken += 1
        assert int(found.iterations) == taken
        assert bool(found.success) == bool(tiny(x).argmax(1) != label)
        if bool(found.success):
            np.testing.assert_allclose(found.images.numpy(), x.numpy(), atol=1e-6)


@pytest.mark.parametrize("size", [0.004, 0.012, 0.02])  # the larger, the more images are worse after a step
def test_what_was_never_fooled_is_returned_as_its_best_iterate(size):
    network = load("relu-mlp/adversarial")
    images, labels = (part[:200] for part in data.load("test"))
    trail, values, worse = [], [], []
    objective = Objective(labels)
    for step in attacks.pgd_steps(network, images, labels, epsilon=0.02, steps=12, step_size=size):
        trail.append(step.images.clone())
        values.append(objective.values(step.logits))
        worse.append((values[-1] > torch.stack(values).amin(0)).float().mean())
    best = torch.stack(values).min(0).indices
    standing = (~step.result.success).nonzero().flatten()
    assert len(standing) > 100 and max(worse) > 0.01
    assert torch.equal(step.result.images[standing], torch.stack(trail)[best[standing], standing])


@settings(deadline=None, max_examples=25)
@given(
    epsilon=st.floats(0, 1),
    steps=st.integers(1, 8),
    restarts=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    gradient=st.sampled_from(["autograd", "exact", "softened"]),
    loss=st.sampled_from(["cross-entropy", "margin"]),
)
def test_pgd_stays_within_epsilon_and_the_range(epsilon, steps, restarts, seed, gradient, loss):
    network, generator = of_family("sigmoid-mlp", 16), torch.Generator().manual_seed(seed)
    images, labels = torch.rand(4, 1, 28, 28, generator=generator), torch.randint(10, (4,), generator=generator)
    result = attacks.pgd(
        network,
        images,
        labels,
        epsilon=epsilon,
        steps=steps,
        restarts=restarts,
        seed=seed,
        gradient=gradient,
        temperature=2.0,
        loss=loss,
    )
    assert result.images.min() >= 0 and result.images.max() <= 1
    assert (result.images - images).abs().max() <= epsilon + 2e-7
    assert torch.equal(result.success, network(result.images).argmax(1) != labels)


def test_more_restarts_never_break_less_and_the_seed_decides(tiny):
    images, labels = data.load("test")
    examples = images[:600], labels[:600]
    once, thrice, again, other = (
        attacks.pgd(tiny, *examples, epsilon=0.04, steps=4, restarts=restarts, seed=seed)
        for restarts, seed in ((1, 0), (6, 0), (6, 0), (6, 1))
    )
    assert (thrice.success | ~once.success).all() and thrice.success.sum() > once.success.sum()
    assert torch.equal(thrice.images, again.images) and not torch.equal(thrice.images, other.images)


def test_adam_is_torchs_adam_on_the_image(exact_tiny, examples):
    targets = goals(exact_tiny, examples)
    for image, target in list(zip(examples.images.double().split(1), targets.split(1), strict=True))[:8]:
        steps = list(attacks.adam_steps(exact_tiny, image, target, steps=40, learning_rate=0.02))
        x = image.clone().requires_grad_()
        optimiser = torch.optim.Adam([x], lr=0.02)
        for step in steps[1:]:
            optimiser.zero_grad()
            cross_entropy(exact_tiny(x), target).backward()
            optimiser.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            np.testing.assert_allclose(step.images.numpy(), x.detach().numpy(), atol=1e-9)
        assert bool(steps[-1].result.success) == bool(exact_tiny(x).argmax(1) == target)
        assert not any(bool(step.result.success) for step in steps[:-1])


def literally(network, image, target, steps: int) -> list[torch.Tensor]:
    """The image (1, 1, 28, 28) before each step of Adam and after the last, whatever the network sees."""
    x, m, v = [image], torch.zeros_like(image), torch.zeros_like(image)
    for t in range(1, steps + 1):
        g = loss_gradient(network, x[-1], target)
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g**2
        first, second = (torch.tensor(1 - beta**t, dtype=torch.float64).to(m) for beta in (0.9, 0.999))
        x.append((x[-1] - 0.01 * (m / first) / ((v / second).sqrt() + 1e-8)).clamp(0, 1))
    return x


def starts(network, pairs) -> tuple[torch.Tensor, torch.Tensor]:
    """The images that the grids' attacks start from, and their targets."""
    chosen = [data.choose(network, "test", source, "most confident") for source, _ in pairs]
    return data.load("test").images[chosen], torch.tensor([target for _, target in pairs])


@pytest.mark.slow
@pytest.mark.parametrize("pair", [(3, 7), (6, 2)])
def test_what_adam_proves_at_rest_no_later_step_changes(pair):
    network = load("relu-mlp/saturated")
    image, target = starts(network, [pair])
    *_, last = attacks.adam_steps(network, image, target, steps=30_000_000)
    count = int(last.result.iterations)
    assert last.iteration < 1000 and 100 < count < last.iteration and not bool(last.result.success)
    images = literally(network, image, target, last.iteration + 2000)
    assert not torch.equal(images[count - 1], images[count])
    assert all(torch.equal(there, last.images) for there in images[count:])


def test_an_image_that_stands_still_only_for_a_while_is_not_at_rest():
    network, idle, longest = load("sigmoid-mlp/saturated"), torch.zeros(2), torch.zeros(2)
    images, targets = starts(network, [(8, 2), (8, 3)])
    before = images
    for step in attacks.adam_steps(network, images, targets, steps=500):
        moved = (step.images != before).flatten(1).any(1)
        longest = torch.where(moved, torch.maximum(longest, idle), longest)
        idle, before = torch.where(moved, 0, idle + 1), step.images
    assert longest.min() > 100 and step.result.iterations.tolist() == [500] * 2  # √v was large, and is no more


class Slope(torch.nn.Module):
    """Logits whose cross-entropy towards class 1 has the gradient −w, bit for bit, wherever the image is."""

    def __init__(self, w: torch.Tensor):
        super().__init__()
        self.w = w

    def forward(self, images):
        logits = torch.full((len(images), 10), -1000.0)
        logits[:, 0] = 1000
        logits[:, 1] = 0
        one = torch.zeros(10).index_fill(0, torch.tensor([1]), 1)
        return logits + (images * self.w).flatten(1).sum(1)[:, None] * one


def test_an_image_that_is_pushed_against_the_edges_of_the_range_is_at_rest():
    w = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)) - 0.5
    image, target = (w > 0).float(), torch.tensor([1])
    *_, last = attacks.adam_steps(Slope(w), image, target, steps=30_000_000)
    assert not int(last.result.iterations) and not bool(last.result.zero_gradient)
    *_, last = attacks.adam_steps(Slope(w), 0.9 * image + 0.05, target, steps=30_000_000)
    count, images = int(last.result.iterations), literally(Slope(w), 0.9 * image + 0.05, target, 3000)
    assert 5 < count < 20 and not torch.equal(images[count - 1], images[count])
    assert all(torch.equal(there, image) for there in images[count:])


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    gradient=st.floats(-46, -5),
    mean=st.floats(-46, -5),
    square=st.floats(-20, 4),
    spread=st.floats(0, 20),
    count=st.integers(1, 30_000),
    dark=st.sampled_from([0.0, 0.5, 1.0]),
    constant=st.sampled_from([0.0, 1.0]),
)
def test_what_is_at_rest_stays_whatever_adam_remembers(seed, gradient, mean, square, spread, count, dark, constant):
    random = torch.Generator().manual_seed(seed)

    def sized(exponent: float) -> torch.Tensor:
        exponents = exponent - spread * torch.rand(4, 1, 28, 28, generator=random)
        return torch.pow(10, exponents) * torch.randn(4, 1, 28, 28, generator=random)

    images = torch.rand(4, 1, 28, 28, generator=random)
    images = torch.where(torch.rand(4, 1, 28, 28, generator=random) < dark, images.round(), images)
    moments, index, g = _Moments(images, 0.01, scales=False), torch.arange(4), constant * sized(gradient)
    moments.mean, moments.square, moments.count = sized(mean), sized(square) ** 2, moments.count + count
    moved = moments.update(images, g, index)
    rest = (moved == images).flatten(1).all(1) & moments.rest(images, g, index)
    for _ in range(2):
        there = images
        for _ in range(500):
            there = moments.update(there, g, index)
            assert torch.equal(there[rest], images[rest])
        moments.mean, moments.square, moments.count = g.clone(), g**2, moments.count + 1_000_000  # where it ends


@pytest.mark.parametrize(
    "attack, more",
    [
        (attacks.pgd_steps, {"steps": 15}),
        (attacks.adam_steps, {"steps": 15}),
        (attacks.lbfgs_steps, {"steps": 15}),
        (attacks.square_steps, {"queries": 40}),
        (attacks.fgsm_steps, {}),
    ],
)
class TestEveryAttack:
    def targeted(self, network, examples, attack, more):
        return attack(
            network,
            examples.images.to(next(network.parameters()).dtype),
            goals(network, examples),
            targeted=True,
            **more,
        )

    def test_says_what_is_so(self, tiny, examples, attack, more):
        *_, last = self.targeted(tiny, examples, attack, more)
        result = last.result
        assert torch.equal(result.success, tiny(result.images).argmax(1) == goals(tiny, examples))
        assert result.correct_before.all() and not last.running.any()
        moved = (result.images - examples.images).flatten(1)
        np.testing.assert_allclose(result.l2.numpy(), moved.norm(dim=1).numpy(), rtol=1e-5)
        np.testing.assert_allclose(result.linf.numpy(), moved.abs().amax(1).numpy(), rtol=1e-6)
        assert result.images.min() >= 0 and result.images.max() <= 1

    def test_yields_steps_that_do_not_change(self, tiny, examples, attack, more):
        kept = [
            (step, step.images.clone(), step.logits.clone(), step.running.clone(), step.result.images.clone())
            for step in self.targeted(tiny, examples, attack, more)
        ]
        assert [kept[0][0].iteration, kept[0][1].equal(examples.images)] == [0, True]
        for step, images, logits, running, best in kept:
            assert torch.equal(step.images, images) and torch.equal(step.logits, logits)
            assert torch.equal(step.running, running) and torch.equal(step.result.images, best)

    def test_stops_each_image_by_itself_and_keeps_its_success(self, tiny, examples, attack, more):
        before = None
        for step in self.targeted(tiny, examples, attack, more):
            if before is not None:
                stopped = ~before.running
                assert torch.equal(step.images[stopped], before.images[stopped])
                assert (step.result.success | ~before.result.success).all()
            assert not (step.running & step.result.success).any() or attack is attacks.fgsm_steps
            before = step

    def test_attacks_an_image_alone_as_among_others(self, exact_tiny, examples, attack, more):
        *_, together = self.targeted(exact_tiny, examples, attack, more)
        for index in range(0, COUNT, 6):
            one = data.Examples(examples.images[index : index + 1], examples.labels[index : index + 1])
            *_, alone = self.targeted(exact_tiny, one, attack, more)
            # In a step of ±ε the sign of a gradient that is zero but for rounding is anyone's guess.
            apart = (alone.result.images[0] - together.result.images[index]).abs() > 1e-6
            assert apart.float().mean() < 0.01
            assert alone.result.success[0] == together.result.success[index]

    def test_leaves_network_and_images_as_they_were(self, tiny, examples, attack, more):
        parameters, images = [parameter.clone() for parameter in tiny.parameters()], examples.images.clone()
        with torch.no_grad():
            *_, last = self.targeted(tiny, examples, attack, more)
        assert torch.equal(images, examples.images) and not last.result.images.requires_grad
        assert all(torch.equal(*pair) for pair in zip(parameters, tiny.parameters(), strict=True))

    def test_of_no_images_has_none(self, tiny, examples, attack, more):
        *_, last = attack(tiny, examples.images[:0], examples.labels[:0], targeted=True, **more)
        assert last.result.images.shape == (0, 1, 28, 28) and last.result.success.shape == (0,)

    def test_refuses_bad_input_in_a_sentence(self, tiny, examples, attack, more):
        images, labels = examples
        seen = tiny(images).argmax(1)
        for wrong, message in (
            ((images + 0.5, labels), "expected pixels in [0, 1], got values from 0.5 to 1.5"),
            ((images[:, 0], labels), "expected images of shape (N, 1, 28, 28), got (30, 28, 28)"),
            ((images, labels + 5), "expected labels in 0…9, got values from 5 to 14"),
            (
                (images, seen),
                "expected targets that the network doesn't see yet, "
                f"got {int(seen[0])} for image 0, which it sees as that",
            ),
        ):
            with pytest.raises(ValueError) as refusal:
                next(attack(tiny, *wrong, targeted=True, **more))
            assert str(refusal.value) == message
        for name in more:
            for count in (0, -1, 1.5):
                with pytest.raises(ValueError, match=f"expected 1 or more {name}, got"):
                    next(attack(tiny, images, labels, **{name: count}))


@pytest.mark.parametrize("rate", [0, -0.1, 1.5, math.nan, math.inf])
def test_adam_refuses_a_learning_rate_that_is_no_number_above_0_and_up_to_1(tiny, examples, rate):
    with pytest.raises(ValueError, match="expected a learning rate above 0 and up to 1, got"):
        attacks.adam(tiny, examples.images, goals(tiny, examples), learning_rate=rate)


def test_adam_refuses_images_in_which_squares_of_gradients_underflow(tiny, examples):
    with pytest.raises(ValueError, match=r"expected images in float32 or float64 for Adam, got torch\.float16"):
        attacks.adam(tiny, examples.images.half(), goals(tiny, examples))


@pytest.mark.parametrize("size", [0, -0.1, 1.5, math.nan, math.inf])
def test_pgd_refuses_a_step_of_nothing_and_one_beyond_white(tiny, examples, size):
    with pytest.raises(ValueError, match="expected a step size above 0 and up to 1, got"):
        attacks.pgd(tiny, *examples, step_size=size)


def test_a_gradient_that_is_exactly_zero_ends_the_attack(examples):
    network = load("sigmoid-mlp/saturated")
    result = attacks.pgd(network, *examples, steps=40)
    stuck = result.zero_gradient & ~result.success
    assert stuck.float().mean() > 0.8
    assert (result.iterations[stuck] < 40).all() and not result.linf[stuck & (result.iterations == 0)].any()


def test_what_autograd_cannot_move_is_moved_exactly_and_fooled_softened(examples):
    network = load("sigmoid-mlp/saturated")
    autograd, exact, softened = (
        attacks.pgd(network, *examples, gradient=way, temperature=30.0).success.float().mean()
        for way in ("autograd", "exact", "softened")
    )
    assert autograd < 0.2 < 0.5 < exact < softened == 1


def test_lbfgs_fools_where_scipys_does_and_ends_at_the_same_loss(examples):
    network = library.load("relu-mlp/adversarial").double()
    images, targets = examples.images.double()[:10], goals(network, examples)[:10]
    ours = attacks.lbfgs(network, images, targets, steps=100)
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        scipys = literal.scipys_lbfgs(network, image, target, 100)
        assert bool(network(scipys[None]).argmax() == target) == bool(ours.success[index])
        losses = [float(cross_entropy(network(there[None]), target[None])) for there in (scipys, ours.images[index])]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_square_needs_no_gradient_and_its_margin_never_rises(tiny, examples):
    class NoGradient(torch.nn.Module):
        def forward(self, images):
            assert not torch.is_grad_enabled()
            return tiny(images)

    objective, before = Objective(examples.labels, loss="margin"), None
    for step in attacks.square_steps(NoGradient(), *examples, epsilon=0.1, queries=60):
        with torch.no_grad():
            margin = objective.values(tiny(step.result.images))
        assert before is None or (margin <= before + 1e-5).all()
        assert (step.result.images - examples.images).abs().max() <= 0.1 + 2e-7
        before = margin
    assert step.result.success.sum() > attacks.fgsm(tiny, *examples, epsilon=0.0).success.sum()


def test_what_fools_one_network_is_tried_on_another(tiny, examples):
    other = of_family("relu-mlp", 32, seed=3)
    images, labels = examples
    result = attacks.transfer(tiny, images.clone().requires_grad_(), labels, source=other, epsilon=0.3, steps=10)
    assert not result.images.requires_grad
    itself = attacks.transfer(tiny, *examples, source=tiny, epsilon=0.3, steps=10)
    assert torch.equal(result.success, tiny(result.images).argmax(1) != examples.labels)
    assert (result.images - examples.images).abs().max() <= 0.3 + 2e-7
    assert itself.success.float().mean() > 0.9 > result.success.float().mean()


@pytest.mark.slow
def test_networks_work_under_foolbox_as_they_are(examples):
    import foolbox

    for name in ("sigmoid-mlp/vanilla", "relu-mlp/adversarial", "cnn/vanilla"):
        network = load(name)
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        _, images, fooled = foolbox.attacks.FGSM()(model, *examples, epsilons=0.25)
        ours = attacks.fgsm(network, *examples, epsilon=0.25)
        assert torch.equal(fooled, ours.success) and (images == ours.images).float().mean() > 0.999
        _, _, fooled = foolbox.attacks.LinfPGD(abs_stepsize=0.02, steps=20, random_start=False)(
            model, *examples, epsilons=0.1
        )
        assert (fooled <= attacks.pgd(network, *examples, epsilon=0.1, steps=20, step_size=0.02).success).all()


def test_a_transfer_can_be_followed_and_takes_its_gradient_in_any_way(tiny, examples):
    source = load("sigmoid-mlp/saturated")
    broken = {}
    for way in ("autograd", "softened"):
        *_, last = attacks.transfer_steps(tiny, *examples, source=source, steps=10, gradient=way, temperature=30.0)
        broken[way] = int(last.result.success.sum())
        assert not last.running.any()
        assert last.result.success.equal(
            attacks.transfer(tiny, *examples, source=source, steps=10, gradient=way, temperature=30.0).success
        )
    assert broken["softened"] > broken["autograd"]  # the margin of a saturated network has a gradient, and a poor one
