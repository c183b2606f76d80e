"""A certificate says of every test image what is known of it, and is believed only where it can be one."""

import json

import pytest
import torch

from satcore import data, library
from satcore.evaluation import certificates
from satcore.evaluation.certificates import Certificate
from satcore.networks import Network, build, mlp
from satcore.proofs import by_intervals, decide
from satcore.recipes import STEP

IMAGES = 60


@pytest.fixture(scope="module")
def stepping() -> Network:
    return build((STEP, *mlp("ramp", (16,))), seed=1, scale=1.0).requires_grad_(False)


@pytest.fixture
def own(stepping) -> str:
    return library.add(stepping, "stepping")


@pytest.fixture
def few(monkeypatch):
    """The test set as its first images, each given next to no time."""
    examples = data.load("test")
    monkeypatch.setattr(data, "load", lambda split: data.Examples(*(part[:IMAGES] for part in examples)))
    monkeypatch.setattr(certificates, "AT_A_TIME", 25)


def test_every_image_gets_its_letter(stepping):
    images, _ = data.load("test")
    images, labels = images[:IMAGES], stepping(images[:IMAGES]).argmax(1)
    labels = torch.where(torch.arange(IMAGES) < 5, (labels + 1) % 10, labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda split: data.Examples(images, labels))
        verdicts = "".join(certificates.certify(stepping, epsilon=0.1, seconds=0.2))
    proven = by_intervals(stepping, images, labels, epsilon=0.1)
    decided = decide(stepping, images, labels, epsilon=0.1, seconds=0.2)
    assert verdicts[:5] == "wwwww" and len(verdicts) == IMAGES
    for letter, cheaply, verdict in zip(verdicts[5:], proven[5:], decided.verdicts[5:], strict=True):
        assert letter == ("i" if cheaply else verdict[0])
    assert {"b"} < set(verdicts[5:])


def test_its_shares_are_of_all_images():
    there = Certificate(0.25, 1.0, "wwwiiiippbbbbbo", took=3.0)
    assert there.images == 15
    shares = [share.count for share in (there.clean, there.intervals, there.proven, there.standing)]
    assert shares == [12, 4, 6, 7]


def test_what_does_not_step_first_is_refused():
    with pytest.raises(ValueError, match="expected a network that steps pixel by pixel"):
        next(certificates.certify(build(mlp("ramp", (16,))), epsilon=0.1, seconds=1))


def test_each_epsilon_is_kept_as_it_is_done_and_not_found_again(few, own, monkeypatch):
    monkeypatch.setattr(certificates, "EPSILONS", (0.1, 0.6))
    following = certificates.find(own, seconds=0.001)
    done = [next(following) for _ in range(4)]  # three parts, and the next ε is begun
    assert done == [(25 / 120, "ε = 0.1"), (50 / 120, "ε = 0.1"), (60 / 120, "ε = 0.1"), (85 / 120, "ε = 0.6")]
    (first,) = certificates.load(own)
    assert first.epsilon == 0.1 and first.images == IMAGES
    assert [says for _, says in certificates.find(own, seconds=0.001)] == ["ε = 0.6"] * 3
    again, everywhere = certificates.load(own)
    assert again == first
    assert everywhere.proven.count == 0  # past ½ every pixel is free
    assert not list(certificates.find(own, seconds=0.001))


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_seconds_that_are_none_are_refused(own, seconds):
    with pytest.raises(ValueError, match="expected seconds above 0, got"):
        next(certificates.find(own, seconds=seconds))


def test_what_was_left_open_is_tried_again_with_more_time(few, own, stepping, monkeypatch):
    images, _ = data.load("test")
    monkeypatch.setattr(data, "load", lambda split: data.Examples(images, stepping(images).argmax(1)))
    monkeypatch.setattr(certificates, "EPSILONS", (0.01,))
    list(certificates.find(own, seconds=5))
    (decided,) = certificates.load(own)
    assert decided.complete and {"i", "p"} <= set(decided.verdicts)
    opened = "".join("o" if index % 2 else letter for index, letter in enumerate(decided.verdicts))
    certificates.save(own, [Certificate(0.01, 0.01, "w" + opened[1:], took=5.0)])  # its first letter is a lie
    assert not list(certificates.find(own, seconds=0.01))
    assert len(list(certificates.find(own, seconds=5))) == 3
    (again,) = certificates.load(own)
    assert again.seconds == 5 and again.took > 5
    assert again.verdicts[0] == "w"  # what was decided isn't looked at again
    for index in range(1, IMAGES):
        letter = decided.verdicts[index]
        assert again.verdicts[index] == ("p" if index % 2 and letter == "i" else letter)
    assert not list(certificates.find(own, seconds=6))  # nothing is open


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:50],
        lambda text: "[]",
        lambda text: text.replace('"verdicts": "', '"verdicts": "?'),
        lambda text: text.replace('"epsilon": 0.1', '"epsilon": 3'),
        lambda text: text.replace('"took"', '"taken"'),
    ],
)
def test_a_damaged_file_is_refused(own, damage):
    certificates.save(own, [Certificate(0.1, 1.0, "iw", 2.0)])
    path = library.kept(own, certificates.FILE)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=f"expected the certificates of {own} in .*, got a damaged file"):
        certificates.load(own)


def test_what_was_found_of_other_weights_is_not_believed(own):
    certificates.save(own, [Certificate(0.1, 1.0, "iw", 2.0)])
    path = library.kept(own, certificates.FILE)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    assert certificates.load(own) == []


def test_what_is_found_of_a_network_that_is_another_one_by_then_is_not_kept(few, own, monkeypatch):
    monkeypatch.setattr(certificates, "EPSILONS", (0.01,))
    following = certificates.find(own, seconds=0.001)
    next(following)
    library.remove(own)
    other = build((STEP, *mlp("ramp", (16,))), seed=2).requires_grad_(False)
    assert library.add(other, "stepping") == own
    with pytest.raises(ValueError, match=f"expected {own} to stay the same while it was looked into"):
        list(following)
    assert certificates.load(own) == []
