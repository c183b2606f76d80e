"""The digits are LeCun's, bit for bit, and an example is chosen as it says."""

import hashlib
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from satcore import data, library


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(data.FILE, allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize(
    "name, md5",
    [
        ("x_train", "6bbc9ace898e44ae57da46a324031adb"),
        ("y_train", "a25bea736e30d166cdddb491f175f624"),
        ("x_test", "2646ac647ad5339dbf082846283269ea"),
        ("y_test", "27ae3e4e09519cfbb04c329615203637"),
    ],
)
def test_the_arrays_in_idx_format_are_the_original_files(arrays, name, md5):
    array = arrays[name]
    magic = 2051 if array.ndim == 3 else 2049
    header = struct.pack(f">{1 + array.ndim}i", magic, *array.shape)
    assert array.dtype == np.uint8
    assert hashlib.md5(header + array.tobytes()).hexdigest() == md5


@pytest.mark.parametrize("split, count", [("train", 60_000), ("test", 10_000)])
def test_load_gives_pixels_as_exactly_byte_over_255(arrays, split, count):
    images, labels = data.load(split)
    assert images.shape == (count, 1, 28, 28) and images.dtype == torch.float32
    assert labels.shape == (count,) and labels.dtype == torch.int64
    # The quotient of two float32 is correctly rounded, so there is one right answer a byte.
    shades = np.arange(256).astype(np.float32) / np.float32(255)
    assert torch.equal(images[:, 0], torch.from_numpy(shades[arrays[f"x_{split}"]]))
    np.testing.assert_array_equal(labels.numpy(), arrays[f"y_{split}"])
    assert images.min() == 0 and images.max() == 1
    assert labels.unique().tolist() == list(range(10))


def test_load_can_be_unpacked_or_named():
    images, labels = examples = data.load("test")
    assert examples.images is images and examples.labels is labels


def test_some_examples_and_all_labels_are_those_of_load():
    chosen = torch.tensor([9_999, 0, 17])
    images, labels = data.some("test", chosen)
    assert torch.equal(images, data.load("test").images[chosen]) and torch.equal(labels, data.labels("test")[chosen])
    assert torch.equal(data.labels("test"), data.load("test").labels)


@pytest.mark.parametrize("ask", [data.load, data.labels, lambda split: data.some(split, torch.tensor([0]))])
def test_another_split_is_refused(ask):
    with pytest.raises(ValueError, match='expected the split "train" or "test", got \'validation\''):
        ask("validation")


# Logits of five examples of the digit 3, then one of another digit that is surer to be a 3 than any.
CERTAINTIES = torch.zeros(6, 10)
CERTAINTIES[:, 3] = torch.tensor([200.0, 220.0, 190.0, 240.0, 210.0, 900.0])
CERTAIN_LABELS = torch.tensor([3, 3, 3, 3, 3, 8])


def test_most_and_least_confident_tell_probabilities_of_exactly_one_apart():
    # Even log p is exactly 0 for them all, and so is 1 − p: only the log-odds differ.
    assert (CERTAINTIES.softmax(1)[:, 3] == 1).all() and (CERTAINTIES.double().log_softmax(1)[:, 3] == 0).all()
    assert data.most_confident(CERTAINTIES, CERTAIN_LABELS, 3) == 3
    assert data.least_confident(CERTAINTIES, CERTAIN_LABELS, 3) == 2


def test_confidence_is_the_probability_and_not_the_logit():
    logits = torch.zeros(2, 10)
    logits[0, 0] = 3.0
    logits[1, :] = 50.0
    logits[1, 0] = 51.0
    assert data.most_confident(logits, torch.tensor([0, 0]), 0) == 0
    assert data.least_confident(logits, torch.tensor([0, 0]), 0) == 1


def test_only_correctly_classified_examples_of_the_digit_are_chosen():
    logits = torch.zeros(4, 10)
    logits[0, 5] = 9.0  # another digit, rightly taken for a 5
    logits[1, 6] = 9.0  # a 4 taken for a 6
    logits[2, 4] = 1.0
    logits[3, 4] = 2.0
    labels = torch.tensor([5, 4, 4, 4])
    assert data.least_confident(logits, labels, 4) == 2
    assert data.most_confident(logits, labels, 4) == 3


def test_a_random_example_is_the_same_for_the_same_seed_whatever_was_drawn_before():
    labels = torch.arange(100) % 10
    first = [data.random_example(labels, 2, seed) for seed in range(50)]
    torch.rand(7)
    assert [data.random_example(labels, 2, seed) for seed in range(50)] == first


def test_drawing_a_random_example_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    data.random_example(torch.zeros(5, dtype=torch.int64), 0, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_each_example_of_the_digit_is_equally_likely():
    labels = torch.tensor([1, 7, 1, 7, 7, 1, 7, 7])
    draws = 2_000
    drawn = [data.random_example(labels, 7, seed) for seed in range(draws)]
    counts = np.bincount(drawn, minlength=8)
    assert counts[labels.numpy() != 7].sum() == 0
    five = counts[labels.numpy() == 7]
    # Each count is binomial, p = 1/5: five standard deviations either way. The seeds are fixed, so is the outcome.
    assert (abs(five - draws / 5) < 5 * (draws * 0.2 * 0.8) ** 0.5).all(), five


@pytest.mark.parametrize("how, extreme", [("most confident", max), ("least confident", min)])
def test_choose_finds_the_extreme_among_all_images_of_the_digit(tiny, how, extreme):
    images, labels = data.load("test")
    logits = tiny(images).double().numpy()
    log_odds = {}
    for index in np.flatnonzero(labels.numpy() == 9):
        if logits[index].argmax() == 9:
            others = np.delete(logits[index], 9)
            log_odds[index] = logits[index, 9] - np.log(np.exp(others).sum())
    assert data.choose(tiny, "test", 9, how) == extreme(log_odds, key=log_odds.get)


def test_choose_at_random_is_the_random_example_of_the_split(tiny):
    labels = data.load("test").labels
    chosen = [data.choose(tiny, "test", 6, "random", seed) for seed in range(20)]
    assert chosen == [data.random_example(labels, 6, seed) for seed in range(20)]
    assert set(labels[chosen].tolist()) == {6} and len(set(chosen)) > 1


def test_an_example_is_a_batch_of_one():
    images, labels = data.load("test")
    for index in (0, 4_711, 9_999):
        one = data.example("test", index)
        assert one.images.shape == (1, 1, 28, 28) and one.labels.shape == (1,)
        assert torch.equal(one.images[0], images[index]) and one.labels[0] == labels[index]


class AlwaysTwo(torch.nn.Module):
    """Takes every image for a 2."""

    def forward(self, images):
        return torch.nn.functional.one_hot(torch.full((len(images),), 2), 10).float()


REFUSALS = {
    "a way": (
        lambda: data.choose(AlwaysTwo(), "test", 2, "any"),
        "expected a way to choose out of most confident, least confident, random, got 'any'",
    ),
    "a digit": (lambda: data.choose(AlwaysTwo(), "test", 10, "random"), "expected a digit from 0 to 9, got 10"),
    "a negative digit": (
        lambda: data.choose(AlwaysTwo(), "test", -1, "most confident"),
        "expected a digit from 0 to 9, got -1",
    ),
    "a split to choose from": (
        lambda: data.choose(AlwaysTwo(), "validation", 2, "random"),
        'expected the split "train" or "test", got \'validation\'',
    ),
    "no digit right": (
        lambda: data.choose(AlwaysTwo(), "test", 5, "most confident"),
        "expected a correctly classified 5, but the network gets every one wrong",
    ),
    "none right to be unsure of": (
        lambda: data.choose(AlwaysTwo(), "test", 5, "least confident"),
        "expected a correctly classified 5, but the network gets every one wrong",
    ),
    "no such digit": (
        lambda: data.random_example(torch.tensor([1, 2]), 3, seed=0),
        "expected at least one example of the digit 3, got none",
    ),
    "a negative seed": (
        lambda: data.random_example(torch.tensor([1, 2]), 1, seed=-1),
        "expected a seed from 0 to 2⁶³−1, got -1",
    ),
    "a seed too large": (
        lambda: data.choose(AlwaysTwo(), "test", 2, "random", seed=2**63),
        "expected a seed from 0 to 2⁶³−1, got 9223372036854775808",
    ),
    "a negative index": (lambda: data.example("test", -1), "expected an index from 0 to 9999, got -1"),
    "an index past the end": (lambda: data.example("train", 60_000), "expected an index from 0 to 59999, got 60000"),
}


@pytest.mark.parametrize("call, message", REFUSALS.values(), ids=REFUSALS)
def test_bad_input_is_refused_with_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError) as refusal:
        call()
    assert str(refusal.value) == message


def test_a_digit_of_mnist_is_still_seen_as_what_it_is_when_centred_again():
    images, labels = (part[:300] for part in data.load("test"))
    network = library.load("cnn/vanilla")

    def right(drawings) -> float:
        return float((network(drawings).argmax(1) == labels).float().mean())

    again = torch.stack([data.centred(image) for image in images[:, 0]])[:, None]
    assert again.shape == (300, 1, 28, 28) and again.dtype == torch.float32 and right(again) > 0.97
    # Far off the centre and half the size, too, as somebody may draw it.
    small = torch.zeros(300, 28, 28)
    small[:, 14:, :14] = interpolate(images, (14, 14), mode="bilinear", antialias=True)[:, 0].clamp(0, 1)
    assert right(torch.stack([data.centred(image) for image in small])[:, None]) > 0.9
    assert right(small[:, None]) < 0.6


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 28), st.integers(1, 28), st.integers(0, 27), st.integers(0, 27))
def test_wherever_it_was_drawn_its_mass_comes_to_the_centre(seed, height, width, top, left):
    drawing = torch.zeros(28, 28)
    box = drawing[top : top + height, left : left + width]
    box[:] = 0.2 + 0.8 * torch.rand(box.shape, generator=torch.Generator().manual_seed(seed))
    field = data.centred(drawing)
    assert field.min() >= 0 and field.max() <= 1
    rows, columns = field.amax(1).nonzero().flatten(), field.amax(0).nonzero().flatten()
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    place = torch.arange(28.0)
    for axis in (0, 1):
        assert abs(float((field.sum(1 - axis) * place).sum() / field.sum()) - 13.5) <= 0.51


@pytest.mark.parametrize(
    "drawing, message",
    [
        (torch.zeros(28, 28), "expected a drawing, got an empty field"),
        (torch.zeros(0, 5), "expected a drawing, got an empty field"),
        (torch.full((28, 28), 2.0), "values in"),
        (torch.full((28, 28), torch.nan), "values in"),
        (torch.ones(1, 28, 28), "two dimensions"),
    ],
)
def test_other_drawings_are_refused(drawing, message):
    with pytest.raises(ValueError, match=message):
        data.centred(drawing)
