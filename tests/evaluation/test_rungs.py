"""The ladder of attacks and the worst case over them."""

import copy

import pytest
import torch

from satcore import data, proofs
from satcore.attacks import fgsm, fgsm_steps, pgd, square
from satcore.evaluation import rungs, strongest
from satcore.evaluation.rungs import RUNGS, ladder, one_rung
from satcore.evaluation.strongest import WRONG_BEFORE, worst_case
from satcore.networks import build, mlp
from satcore.recipes import STEP
from tests.examples import load, small


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:24], labels[:24])


@pytest.fixture
def fewer_queries(monkeypatch):
    """A tenth of the Square attack's queries, where it doesn't matter how good it is."""
    for module in (rungs, strongest):
        monkeypatch.setattr(
            module, "square", lambda *there, queries=1000, **settings: square(*there, queries=queries // 10, **settings)
        )


@pytest.fixture(scope="module")
def masked(tiny):
    """What `tiny` says, its logits so far apart that the cross-entropy's float32 gradient is exactly zero."""
    network = copy.deepcopy(tiny)
    for parameter in (network.layers[-1].weight, network.layers[-1].bias):
        parameter.data.mul_(1e4)
    return network


OF_RELUS = [name for name in RUNGS if not name.endswith("margin, softened")]  # where there is nothing to soften


def left(climbed) -> dict[str, int]:
    return {rung.name: int(rung.right.sum()) for rung in climbed}


@pytest.mark.parametrize("epsilon", [pytest.param(0.02, marks=pytest.mark.slow), 0.1])
def test_the_worst_case_is_never_above_a_rung(tiny, examples, epsilon, fewer_queries):
    climbed = list(ladder(tiny, *examples, epsilon=epsilon, source=load("relu-mlp/vanilla")))
    assert [rung.name for rung in climbed] == OF_RELUS
    for rung in climbed[:-1]:
        assert (rung.right | ~climbed[-1].right).all()


def test_without_a_source_nothing_is_transferred(tiny, examples, fewer_queries):
    climbed = ladder(tiny, examples.images[:3], examples.labels[:3], epsilon=0.1)
    assert [rung.name for rung in climbed] == [name for name in OF_RELUS if name != "transfer"]


@pytest.mark.slow
def test_nothing_is_broken_within_nothing(tiny, examples, fewer_queries):
    assert torch.equal(
        worst_case(tiny, *examples, epsilon=0.0).broken, tiny(examples.images).argmax(1) != examples.labels
    )


def test_masking_fools_autograd_and_not_the_worst_case(tiny, masked, examples):
    honest, hidden = (left(ladder(network, *examples, epsilon=0.1)) for network in (tiny, masked))
    for attack in ("FGSM", "PGD"):
        published, other = f"{attack}, cross-entropy, autograd", f"{attack}, margin, autograd"
        assert hidden[published] > honest[published] + 8
        assert hidden[other] == honest[other]  # the margin's gradient doesn't know how far apart the logits are
        for loss in ("cross-entropy", "margin"):
            assert hidden[f"{attack}, {loss}, exact"] <= honest[f"{attack}, {loss}, exact"] + 1
    assert hidden["worst case"] <= honest["worst case"] + 1


@pytest.mark.slow
def test_the_worst_case_falls_as_epsilon_grows(tiny, examples, fewer_queries):
    brackets = list(rungs.accuracy_against_epsilon(tiny, *examples, epsilons=(0.0, 0.01, 0.05, 0.1)))
    for shares in (
        [left(bracket.rungs)["worst case"] for bracket in brackets],
        [int(bracket.proven.sum()) for bracket in brackets],
    ):
        assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    for bracket in brackets:
        assert (bracket.rungs[-1].right | ~bracket.proven).all()  # what is proven is right


def test_of_a_network_with_convolutions_intervals_prove_what_they_can(examples, fewer_queries):
    network = small("strides and means", "relu").float()
    images = examples.images[:3]
    labels = network(images).argmax(1)
    brackets = list(rungs.accuracy_against_epsilon(network, images, labels, epsilons=(1e-5, 0.3)))
    for bracket, most in zip(brackets, (3, 2), strict=True):
        assert torch.equal(bracket.proven, proofs.by_intervals(network, images, labels, epsilon=bracket.epsilon))
        assert bracket.proven.sum() <= most
    bracket = brackets[0]
    assert bracket.proven.any() and [rung.name for rung in bracket.rungs] == [
        name for name in OF_RELUS if name != "transfer"
    ]


def test_behind_a_step_what_no_search_breaks_is_proven(examples, fewer_queries, monkeypatch):
    monkeypatch.setattr(rungs, "SECONDS", 20.0)  # whatever else the processor does meanwhile
    network = build((STEP, *mlp("ramp", (16,))), seed=2, for_bounds=True).requires_grad_(False)
    images = examples.images[:6]
    labels = network(images).argmax(1)
    for bracket in rungs.accuracy_against_epsilon(network, images, labels, epsilons=(0.02, 0.1)):
        assert torch.equal(bracket.proven, bracket.rungs[-1].right), bracket.epsilon


@pytest.mark.parametrize("epsilons", [(0.3, 0.1), (0.05, 0.1, 0.05)])
def test_epsilons_that_do_not_ascend_are_refused(tiny, examples, epsilons):
    with pytest.raises(ValueError, match=f"expected ascending epsilons, got {epsilons[-1]} after {epsilons[-2]}"):
        next(rungs.accuracy_against_epsilon(tiny, *examples, epsilons=epsilons))


@pytest.mark.parametrize("dtype, other", [(torch.float32, torch.float64), (torch.float64, torch.float32)])
def test_images_of_another_dtype_climb_the_ladder_as_well(examples, dtype, other, fewer_queries, monkeypatch):
    monkeypatch.setattr(rungs, "best_temperature", lambda *_, **settings: 3.0)
    network = build((STEP, *mlp("ramp", (8,))), seed=2, for_bounds=True).to(dtype).requires_grad_(False)
    images = examples.images[:2].to(other)
    labels = network(images).argmax(1)
    (bracket,) = rungs.accuracy_against_epsilon(network, images, labels, epsilons=(0.02,))
    assert [rung.name for rung in bracket.rungs] == [name for name in RUNGS if name != "transfer"]
    (alone,) = one_rung("worst case", network, images, labels, epsilon=0.02)
    assert alone.count == int(bracket.rungs[-1].right.sum()) > 0


@pytest.mark.slow
def test_what_only_gives_logits_has_the_rungs_that_need_no_more_and_no_proof(tiny, examples, fewer_queries):
    class Logits(torch.nn.Module):
        def forward(self, images):
            return tiny(images)

    there = Logits(), *examples
    (bracket,) = rungs.accuracy_against_epsilon(*there, epsilons=(0.06,), source=tiny)
    assert bracket.proven is None
    assert [rung.name for rung in bracket.rungs] == [
        name for name in RUNGS if "exact" not in name and "softened" not in name
    ]
    same = {rung.name: rung.right for rung in ladder(tiny, *examples, epsilon=0.06, source=tiny)}
    for rung in bracket.rungs[:-1]:
        assert torch.equal(rung.right, same[rung.name])
    assert (bracket.rungs[-1].right | ~same["worst case"]).all()  # who knows less breaks less
    with pytest.raises(ValueError, match="expected a rung out of clean, noise"):
        list(one_rung("PGD, margin, exact", *there))


@pytest.mark.slow
def test_one_rung_alone_is_the_ladders(tiny, examples, fewer_queries):
    source = load("relu-mlp/vanilla")
    counts = left(ladder(tiny, *examples, epsilon=0.06, source=source)) | {
        "clean": int((tiny(examples.images).argmax(1) == examples.labels).sum())
    }
    for name, count in counts.items():
        reached = list(one_rung(name, tiny, *examples, epsilon=0.06, source=source, at_a_time=10))
        assert [there.total for there in reached] == [10, 20, 24]
        assert reached[-1].count == count, name


def test_a_rung_that_is_not_softened_looks_for_no_temperature(tiny, examples, monkeypatch):
    monkeypatch.setattr(rungs, "best_temperature", None)
    for name in ("noise", "FGSM, cross-entropy, autograd", "PGD, margin, exact", "Square"):
        assert len(list(one_rung(name, tiny, examples.images[:3], examples.labels[:3]))) == 1


def test_an_image_that_fgsm_puts_right_was_wrong_before_and_counts_as_broken_by_every_rung():
    network = load("sigmoid-mlp/saturated")
    images, labels = (tensor[:400] for tensor in data.load("test"))
    *_, step = fgsm_steps(network, images, labels)
    put_right = (~step.result.correct_before & (step.logits.argmax(1) == labels)).nonzero().flatten()[:3]
    assert len(put_right) == 3
    there = images[put_right], labels[put_right]
    for name in ("clean", "FGSM, cross-entropy, autograd", "PGD, cross-entropy, autograd", "worst case"):
        *_, alone = one_rung(name, network, *there)
        assert alone.count == 0
    assert set(worst_case(network, *there).by) == {WRONG_BEFORE}


@pytest.mark.parametrize("name", ["transfer", "FGSM", ""])
def test_a_rung_that_is_not_there_is_refused(name, tiny, examples):
    with pytest.raises(ValueError, match="expected a rung out of clean, noise"):
        list(one_rung(name, tiny, *examples))


@pytest.mark.parametrize("phi", ["relu", "tanh"])
def test_softening_is_the_softened_rungs(phi, examples):
    network = build(mlp(phi, (16,)), seed=1)
    losses = ("cross-entropy",) if phi == "relu" else ("cross-entropy", "margin")
    softened = rungs.accuracy_against_temperature(network, *examples, epsilon=0.06, temperatures=(1.0, 10.0))
    for there, temperature in zip(softened, (1.0, 10.0), strict=True):
        expected = {
            f"{name}, {loss}, softened": attack(
                network, *examples, epsilon=0.06, gradient="softened", temperature=temperature, loss=loss
            ).success
            for name, attack in (("FGSM", fgsm), ("PGD", pgd))
            for loss in losses
        }
        assert {rung.name for rung in there} == set(expected)
        for rung in there:
            assert rung.temperature == temperature and torch.equal(rung.right, ~expected[rung.name])


def test_where_nothing_can_be_softened_the_margins_direction_is_the_same_at_any_temperature(tiny, examples):
    exact, softened = (
        pgd(tiny, *examples, epsilon=0.06, loss="margin", gradient="softened", temperature=t).images
        for t in (1.0, 30.0)
    )
    assert torch.equal(exact, softened)


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/saturated"])
def test_of_the_published_robustness_nothing_is_left(name, examples):
    network = load(name)
    found = worst_case(network, *examples)
    assert found.broken.all()
    assert (~fgsm(network, *examples).success).float().mean() > 0.9


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda x, y: (x * torch.nan, y, 0.1), "expected pixels"),
        (lambda x, y: (x * 255, y, 0.1), "expected pixels"),
        (lambda x, y: (x, y + 20, 0.1), "expected labels"),
        (lambda x, y: (x, y[:-1], 0.1), "expected int64 labels of shape"),
        (lambda x, y: (x, y, float("nan")), "expected an epsilon"),
        (lambda x, y: (x, y, 7.0), "expected an epsilon"),
        (lambda x, y: (x[:0], y[:0], 0.1), "expected at least one image"),
    ],
)
def test_what_the_attacks_refuse_is_refused_by_all(spoil, message, tiny, examples):
    images, labels, epsilon = spoil(*examples)
    for call in (
        lambda: worst_case(tiny, images, labels, epsilon=epsilon),
        lambda: list(ladder(tiny, images, labels, epsilon=epsilon)),
        lambda: list(one_rung("clean", tiny, images, labels, epsilon=epsilon)),
        lambda: list(rungs.accuracy_against_epsilon(tiny, images, labels, epsilons=(epsilon,))),
        lambda: list(rungs.accuracy_against_temperature(tiny, images, labels, epsilon=epsilon)),
        lambda: rungs.right_in_noise(tiny, images, labels, epsilon=epsilon),
        lambda: rungs.still_right(fgsm, tiny, images, labels, epsilon=epsilon),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_no_images_are_refused(tiny, examples):
    with pytest.raises(ValueError):
        worst_case(tiny, examples.images[:0], examples.labels[:0])
