"""The ladder of attacks and the worst case over them."""

import copy

import pytest
import torch

from satcore import checkpoints, data, evaluation
from satcore.evaluation import RUNGS, WRONG_BEFORE, ladder, worst_case


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
            earlier = list(first)[:list(first).index(name)]
            assert all(first[there][index] for there in earlier)


def test_nothing_is_broken_within_nothing(tiny, examples):
    assert torch.equal(worst_case(tiny, *examples, epsilon=0.0).broken, tiny(examples.images).argmax(1) != examples.labels)


def test_masking_fools_autograd_and_not_the_worst_case(tiny, masked, examples):
    honest, hidden = (left(ladder(network, *examples, epsilon=0.1)) for network in (tiny, masked))
    assert hidden["FGSM, autograd"] > honest["FGSM, autograd"] + 8
    assert hidden["FGSM, exact"] == honest["FGSM, exact"] and hidden["worst case"] <= honest["worst case"] + 1


def test_the_worst_case_falls_as_epsilon_grows(tiny, examples):
    shares = [left(rungs)["worst case"] for _, rungs in
              evaluation.accuracy_against_epsilon(tiny, *examples, epsilons=(0.0, 0.02, 0.05, 0.1))]
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "relu-mlp/saturated"])
def test_of_the_published_robustness_nothing_is_left(name, examples):
    network = checkpoints.load(name)
    found = worst_case(network, *examples)
    assert found.broken.all()
    assert (~evaluation.fgsm(network, *examples).success).float().mean() > 0.9


def test_no_images_are_refused(tiny, examples):
    with pytest.raises(ValueError):
        worst_case(tiny, examples.images[:0], examples.labels[:0])
