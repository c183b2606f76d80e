"""The ladder of attacks and the worst case over them."""

import copy

import pytest
import torch

from satcore import checkpoints, data, evaluation
from satcore.evaluation import RUNGS, WRONG_BEFORE, ladder, worst_case
from satcore.networks import build


@pytest.fixture(scope="module")
def examples() -> data.Examples:
    images, labels = data.load("test")
    return data.Examples(images[:24], labels[:24])


@pytest.fixture(scope="module")
def masked(tiny):
    """What `tiny` says, its logits so far apart that the cross-entropy's float32 gradient is exactly zero."""
    network = copy.deepcopy(tiny)
    for parameter in (network.layers[-1].weight, network.layers[-1].bias):
        parameter.data.mul_(1e4)
    return network


def left(rungs) -> dict[str, int]:
    return {rung.name: int(rung.right.sum()) for rung in rungs}


@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_the_worst_case_is_never_above_a_rung(tiny, examples, epsilon):
    rungs = list(ladder(tiny, *examples, epsilon=epsilon, source=checkpoints.load("relu-mlp/vanilla")))
    assert [rung.name for rung in rungs] == list(RUNGS)
    for rung in rungs[:-1]:
        assert (rung.right | ~rungs[-1].right).all()


def test_without_a_source_nothing_is_transferred(tiny, examples):
    rungs = ladder(tiny, examples.images[:3], examples.labels[:3], epsilon=0.1)
    assert [rung.name for rung in rungs] == [name for name in RUNGS if name != "transfer"]


def test_worst_case_and_ladder_agree_and_each_image_has_its_breaker(tiny, examples):
    found = worst_case(tiny, *examples, epsilon=0.06)
    *rungs, last = ladder(tiny, *examples, epsilon=0.06)
    assert torch.equal(found.broken, ~last.right)
    wrong_before = tiny(examples.images).argmax(1) != examples.labels
    first = {rung.name: rung.right for rung in rungs}
    for index, name in enumerate(found.by):
        assert (name is not None) == bool(found.broken[index]) and (name == WRONG_BEFORE) == bool(wrong_before[index])
        if name in first:
            assert not first[name][index]
            earlier = list(first)[: list(first).index(name)]
            assert all(first[there][index] for there in earlier)


def test_nothing_is_broken_within_nothing(tiny, examples):
    assert torch.equal(
        worst_case(tiny, *examples, epsilon=0.0).broken, tiny(examples.images).argmax(1) != examples.labels
    )


def test_masking_fools_autograd_and_not_the_worst_case(tiny, masked, examples):
    honest, hidden = (left(ladder(network, *examples, epsilon=0.1)) for network in (tiny, masked))
    assert hidden["FGSM, autograd"] > honest["FGSM, autograd"] + 8
    assert hidden["FGSM, exact"] == honest["FGSM, exact"] and hidden["worst case"] <= honest["worst case"] + 1


def test_the_worst_case_falls_as_epsilon_grows(tiny, examples):
    brackets = list(evaluation.accuracy_against_epsilon(tiny, *examples, epsilons=(0.0, 0.01, 0.05, 0.1)))
    for shares in (
        [left(bracket.rungs)["worst case"] for bracket in brackets],
        [int(bracket.proven.sum()) for bracket in brackets],
    ):
        assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    for bracket in brackets:
        assert (bracket.rungs[-1].right | ~bracket.proven).all()  # what is proven is right


def test_a_cnn_has_no_proof(examples):
    (bracket,) = evaluation.accuracy_against_epsilon(
        build("cnn"), examples.images[:2], examples.labels[:2], epsilons=(0.3,)
    )
    assert bracket.proven is None


def test_one_rung_alone_is_the_ladders(tiny, examples):
    source = checkpoints.load("relu-mlp/vanilla")
    rungs = left(ladder(tiny, *examples, epsilon=0.06, source=source)) | {
        "clean": int((tiny(examples.images).argmax(1) == examples.labels).sum())
    }
    for name, count in rungs.items():
        reached = list(evaluation.one_rung(name, tiny, *examples, epsilon=0.06, source=source, at_a_time=10))
        assert [there.total for there in reached] == [10, 20, 24]
        assert reached[-1].count == count, name


def test_a_rung_that_is_not_softened_looks_for_no_temperature(tiny, examples, monkeypatch):
    monkeypatch.setattr(evaluation, "best_temperature", None)
    for name in ("noise", "FGSM, autograd", "PGD, exact", "Square"):
        assert len(list(evaluation.one_rung(name, tiny, examples.images[:3], examples.labels[:3]))) == 1


def test_an_image_that_an_attack_puts_right_is_right_after_it_and_not_in_the_worst_case():
    network = checkpoints.load("sigmoid-mlp/saturated")
    images, labels = (tensor[:400] for tensor in data.load("test"))
    after = evaluation.fgsm(network, images, labels)
    put_right = (~after.correct_before & ~after.success).nonzero().flatten()[:3]
    assert len(put_right) == 3
    there = images[put_right], labels[put_right]
    for name, count in (("clean", 0), ("FGSM, autograd", 3), ("worst case", 0)):
        *_, alone = evaluation.one_rung(name, network, *there)
        assert alone.count == count
    assert next(rung for rung in ladder(network, *there) if rung.name == "FGSM, autograd").right.all()
    assert set(worst_case(network, *there).by) == {WRONG_BEFORE}


@pytest.mark.parametrize("name", ["transfer", "FGSM", ""])
def test_a_rung_that_is_not_there_is_refused(name, tiny, examples):
    with pytest.raises(ValueError, match="expected a rung out of clean, noise"):
        list(evaluation.one_rung(name, tiny, *examples))


def test_softening_is_the_softened_rungs(tiny, examples):
    for fgsm, pgd in evaluation.accuracy_against_temperature(tiny, *examples, epsilon=0.06, temperatures=(1.0, 10.0)):
        for rung, attack in ((fgsm, evaluation.fgsm), (pgd, evaluation.pgd)):
            wrong = [
                attack(
                    tiny, *examples, epsilon=0.06, gradient="softened", temperature=rung.temperature, loss=loss
                ).success
                for loss in ("cross-entropy", "margin")
            ]
            assert torch.equal(rung.right, ~(wrong[0] | wrong[1]))


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/saturated"])
def test_of_the_published_robustness_nothing_is_left(name, examples):
    network = checkpoints.load(name)
    found = worst_case(network, *examples)
    assert found.broken.all()
    assert (~evaluation.fgsm(network, *examples).success).float().mean() > 0.9


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
        lambda: list(evaluation.one_rung("clean", tiny, images, labels, epsilon=epsilon)),
        lambda: list(evaluation.accuracy_against_epsilon(tiny, images, labels, epsilons=(epsilon,))),
        lambda: list(evaluation.accuracy_against_temperature(tiny, images, labels, epsilon=epsilon)),
        lambda: evaluation.right_in_noise(tiny, images, labels, epsilon=epsilon),
        lambda: evaluation.still_right(evaluation.fgsm, tiny, images, labels, epsilon=epsilon),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_no_images_are_refused(tiny, examples):
    with pytest.raises(ValueError):
        worst_case(tiny, examples.images[:0], examples.labels[:0])
