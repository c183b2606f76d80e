"""Whatever others hand over: it is taken as what it is, or refused in one sentence; and it stays as it was."""

import math
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from satcore import attacks, background, data, evaluation, geometry, library, outside, proofs, representations, weights
from satcore.evaluation.attack_checks import signals, zero_gradients
from satcore.networks import Block, Dense, Elementwise, Network, build, mlp

IMAGES = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([4, 5, 6])  # none of which the network sees
Results = list[Tensor]


def _attack(name: str, **settings) -> Callable[[Network, Tensor, Tensor], Results]:
    def attack(network: Network, images: Tensor, labels: Tensor) -> Results:
        result = getattr(attacks, name)(network, images, labels, **settings)
        return [result.images, result.success, result.linf]

    return attack


TAKE_LABELS: dict[str, Callable[[Network, Tensor, Tensor], Results]] = {
    "fgsm": _attack("fgsm"),
    "fgsm, exact": _attack("fgsm", gradient="exact"),
    "pgd": _attack("pgd", steps=3),
    "adam": _attack("adam", steps=3),
    "lbfgs": _attack("lbfgs", steps=3),
    "square": _attack("square", queries=5),
    "by_intervals": lambda network, images, labels: [proofs.by_intervals(network, images, labels, epsilon=0.01)],
    "certified": lambda network, images, labels: [proofs.certified(network, images, labels, epsilon=0.01)],
}
FUNCTIONS = TAKE_LABELS | {
    "logits": lambda network, images, _: [network(images)] if _checked(images) else [],
    "jacobian": lambda network, images, _: [geometry.jacobian(network, images)],
    "singular_values": lambda network, images, _: [geometry.singular_values(geometry.jacobian(network, images))],
    "length_element": lambda network, images, _: [geometry.length_element(network, images, _direction(images))],
    "layers": lambda network, images, _: list(representations.layers(network, images).values()),
}
TAKEN: dict[str, Callable[[Tensor], Tensor]] = {
    "every second": lambda images: images.repeat_interleave(2, 0)[::2],
    "turned twice": lambda images: images.mT.contiguous().mT,
    "channels last": lambda images: images.contiguous(memory_format=torch.channels_last),
    "in double": lambda images: images.double(),
    "gradients required": lambda images: images.clone().requires_grad_(),
    "on the way to a gradient": lambda images: images.clone().requires_grad_() * 1,
}
REFUSED: dict[str, object] = {
    "an array": IMAGES.numpy(),
    "a list": IMAGES.tolist(),
    "nothing": None,
    "text": "images",
    "whole numbers": torch.zeros(3, 1, 28, 28, dtype=torch.int64),
    "bits": IMAGES > 0.5,
    "complex numbers": IMAGES.to(torch.complex64),
    "one image without a batch": IMAGES[0],
    "flat": IMAGES.flatten(1),
    "in colour": IMAGES.expand(3, 3, 28, 28),
    "NaN": IMAGES * torch.nan,
    "infinity": IMAGES / 0,
    "below 0": IMAGES - 1,
    "bytes": IMAGES * 255,
    "sparse": IMAGES.to_sparse(),
    "no numbers": IMAGES.to("meta"),
}
NO_LABELS: dict[str, object] = {
    "int32": LABELS.int(),
    "floats": LABELS.float(),
    "a list": LABELS.tolist(),
    "an array": LABELS.numpy(),
    "nothing": None,
    "too few": LABELS[:2],
    "a column": LABELS[:, None],
    "a tenth class": LABELS + 6,
    "below 0": LABELS - 6,
    "none": LABELS[:0],
}


def _ten(images: Tensor) -> Tensor:
    return images.flatten(1)[:, :10] + torch.eye(10)[LABELS[: len(images)]]  # which are right


TAKE_MODULES: dict[str, Callable] = {
    **{name: function for name, function in TAKE_LABELS.items() if name in ("fgsm", "pgd", "adam", "lbfgs", "square")},
    "transfer": lambda network, *examples: attacks.transfer(network, *examples, source=_ten),
    "transfer's source": lambda network, *examples: attacks.transfer(_ten, *examples, source=network),
    "measure": lambda network, *examples: evaluation.measure(network, *examples),
    "checks": lambda network, *examples: evaluation.checks(network, *examples),
    "worst_case": lambda network, *examples: evaluation.worst_case(network, *examples),
    "ladder": lambda network, *examples: next(evaluation.ladder(network, *examples)),
    "zero_gradients": lambda network, *examples: zero_gradients(network, *examples),
    "choose": lambda network, *_: data.choose(network, "test", 3, "most confident"),
}
NO_MODULES: dict[str, object] = {
    "nothing": None,
    "text": "relu-mlp/vanilla",
    "five logits": nn.Sequential(nn.Flatten(), nn.Linear(784, 5)),
    "784 logits": nn.Flatten(),
    "a logit": lambda images: images.flatten(1).sum(1),
    "whole numbers": lambda images: torch.zeros(len(images), 10, dtype=torch.int64),
    "a tuple": lambda images: (images.flatten(1)[:, :10],),
}
TAKE_BLOCKS: dict[str, Callable] = {
    "layers": lambda network: representations.layers(network, IMAGES),
    "saturation": lambda network: next(weights.saturation(network, IMAGES)),
    "jacobian": lambda network: geometry.jacobian(network, IMAGES),
    "length_element": lambda network: geometry.length_element(network, IMAGES, IMAGES),
    "path": lambda network: geometry.path(network, IMAGES[0], IMAGES[1]),
    "plane": lambda network: next(geometry.plane(network, *IMAGES)),
    "certified": lambda network: proofs.certified(network, IMAGES, LABELS),
    "signals": lambda network: signals(network, IMAGES, LABELS),
    "fgsm, exact": lambda network: attacks.fgsm(network, IMAGES, LABELS, gradient="exact"),
    "add": lambda network: library.add(network, "a name"),
}
NO_NUMBERS: dict[str, object] = {
    "text": "0.25",
    "nothing": None,
    "True": True,
    "a list": [0.25],
    "a complex number": 0.25j,
    "NaN": math.nan,
    "below 0": -0.25,
    "of 401 digits": 10**400,
    "of more digits than Python writes": 10**5000,
}
TOO_MUCH = {"infinity": math.inf, "1e300": 1e300}
TAKE_EPSILON: dict[str, Callable] = {
    name: lambda network, epsilon, function=function: function(network, IMAGES, LABELS, epsilon=epsilon)
    for name, function in {
        **{name: getattr(attacks, name) for name in ("fgsm", "pgd", "square")},
        "transfer": lambda network, *rest, **settings: attacks.transfer(network, *rest, source=network, **settings),
        "by_intervals": proofs.by_intervals,
        "certified": proofs.certified,
        "decide": lambda *rest, **settings: proofs.decide(*rest, **settings, seconds=1),
        "measure": evaluation.measure,
        "worst_case": evaluation.worst_case,
        "ladder": lambda *rest, **settings: next(evaluation.ladder(*rest, **settings)),
    }.items()
}
TAKE_NUMBERS: dict[str, Callable] = TAKE_EPSILON | {
    "step_size": lambda network, size: attacks.pgd(network, IMAGES, LABELS, step_size="none" if size is None else size),
    "learning_rate": lambda network, rate: attacks.adam(network, IMAGES, LABELS, learning_rate=rate),
}
TAKE_ANY_SIZE: dict[str, Callable] = {
    "temperature": lambda network, t: attacks.fgsm(network, IMAGES, LABELS, gradient="softened", temperature=t),
    "seconds": lambda network, time: proofs.decide(network, IMAGES, LABELS, epsilon=0.01, seconds=time),
    "kurtosis": lambda _, kurtosis: weights.pearson_vii(kurtosis),
}
TAKE_SEEDS: dict[str, Callable] = {
    "pgd": lambda network, seed: attacks.pgd(network, IMAGES, LABELS, seed=seed),
    "square": lambda network, seed: attacks.square(network, IMAGES, LABELS, seed=seed),
    "cube": lambda _, seed: attacks.cube(stepping(), IMAGES, LABELS, seed=seed),
    "data.sample": lambda _, seed: data.sample("test", 5, seed),
    "choose": lambda network, seed: data.choose(network, "test", 3, "random", seed),
    "representations.sample": lambda _, seed: representations.sample("test", 5, seed),
    "scaled_ratios": lambda _, seed: weights.scaled_ratios(weights.pearson_vii(1), repeats=1, seed=seed),
}
TAKE_WHOLE_NUMBERS: dict[str, Callable] = TAKE_SEEDS | {
    "points": lambda network, points: geometry.path(network, IMAGES[0], IMAGES[1], points),
    "side": lambda network, side: next(geometry.plane(network, *IMAGES, side=side)),
    "steps": lambda network, steps: attacks.pgd(network, IMAGES, LABELS, steps=steps),
    "queries": lambda network, queries: attacks.square(network, IMAGES, LABELS, queries=queries),
    "restarts": lambda network, restarts: attacks.pgd(network, IMAGES, LABELS, restarts=restarts),
    "index": lambda _, index: data.example("test", index),
    "count": lambda _, count: data.sample("test", count),
    "digit": lambda network, digit: data.choose(network, "test", digit, "most confident"),
    "per_class": lambda _, per_class: representations.sample("test", per_class),
    "repeats": lambda _, repeats: weights.scaled_ratios(weights.pearson_vii(1), repeats=repeats, seed=0),
}
NO_WHOLE_NUMBERS: dict[str, object] = NO_NUMBERS | TOO_MUCH | {"1.5": 1.5, "2.0": 2.0, "of 31 digits": 10**30}
TAKE_TENSORS: dict[str, Callable] = {
    "rdm": lambda _, values: representations.rdm(values),
    "excess_kurtosis": lambda _, values: weights.excess_kurtosis(values),
    "shape": lambda _, values: weights.shape(values),
    "resampled": lambda _, values: weights.resampled(values),
    "linear_robustness, the first": lambda _, values: weights.linear_robustness(values, torch.ones(4)),
    "linear_robustness, the second": lambda _, values: weights.linear_robustness(torch.ones(4), values),
    "singular_values": lambda _, values: geometry.singular_values(values),
    "length_element": lambda network, values: geometry.length_element(network, IMAGES, values),
    "path": lambda network, values: geometry.path(network, IMAGES[0], values),
    "plane": lambda network, values: next(geometry.plane(network, IMAGES[0], IMAGES[1], values)),
}
TAKE_RDMS: dict[str, Callable] = {
    "separation": lambda _, values: representations.separation(values, LABELS),
    "class_means": lambda _, values: representations.class_means(values, LABELS),
    "rsa, one": lambda _, values: representations.rsa(values, torch.eye(3)),
    "rsa, other": lambda _, values: representations.rsa(torch.eye(3), values),
    "centred": lambda _, values: data.centred(values),
}
NO_TENSORS: dict[str, object] = {
    "nothing": None,
    "text": "values",
    "a number": 1.0,
    "a tuple": (1.0, 0.0),
    "an array": np.ones((3, 1, 28, 28)),
    "sparse": torch.eye(3).to_sparse(),
}
NOT_FINITE: dict[str, object] = {
    "NaN": torch.full((3, 10, 784), math.nan),
    "infinity": torch.full((3, 10, 784), math.inf),
    "complex": torch.ones(3, 10, 784, dtype=torch.complex64),
}
OTHERS: dict[str, Callable] = {
    "a device that torch doesn't know": lambda _: library.load("relu-mlp/vanilla", "foo"),
    "a device that isn't there": lambda _: library.load("relu-mlp/vanilla", "cuda:99"),
    "no device": lambda _: library.load("relu-mlp/vanilla", ["cpu"]),
    "no label": lambda network: library.add(network, None),
    "no path": lambda _: outside.from_onnx(None),
    "the bytes of a file for its path": lambda _: outside.from_onnx(b"onnx"),
    "an open file for its path": lambda _: outside.from_onnx(BytesIO()),
    "an empty file": lambda _: outside.from_onnx_bytes(b""),
    "no bytes": lambda _: outside.from_onnx_bytes(None),
    "half precision": lambda network: evaluation.worst_case(network, IMAGES.half(), LABELS),
    "half precision for the ladder": lambda network: next(evaluation.ladder(network, IMAGES.bfloat16(), LABELS)),
}


def stepping() -> Network:
    """A network that steps pixel by pixel first."""
    return build((Block(Elementwise((784,)), "step"), Block(Dense(784, 10))))


def _direction(images: object) -> Tensor:
    return torch.ones(images.shape) if isinstance(images, Tensor) else torch.ones_like(IMAGES)


def _checked(images: object) -> bool:
    """Of logits alone nothing is promised but for images."""
    if not isinstance(images, Tensor):
        raise ValueError("expected images")
    return True


@pytest.fixture(scope="module")
def network() -> Network:
    return build(mlp("sigmoid", (8, 8)), scale=4).eval().requires_grad_(False)


def sentences(network: Network, functions: dict, images: object, labels: object) -> Iterator[tuple[str, str]]:
    for name, function in functions.items():
        with pytest.raises(ValueError, match=r"^expected ") as refused:
            function(network, images, labels)
        yield name, str(refused.value)


@pytest.mark.parametrize("what", REFUSED)
def test_what_are_no_images_is_refused_in_one_sentence(network, what):
    functions = {name: function for name, function in FUNCTIONS.items() if name != "logits"}
    for name, said in sentences(network, functions, REFUSED[what], LABELS):
        assert len(said.splitlines()) == 1 and len(said) < 200, name


@pytest.mark.parametrize("what", NO_LABELS)
def test_what_are_no_labels_is_refused_in_one_sentence(network, what):
    for name, said in sentences(network, TAKE_LABELS, IMAGES, NO_LABELS[what]):
        assert len(said.splitlines()) == 1 and len(said) < 200, name


def _refused(call: Callable, *arguments: object) -> str:
    with pytest.raises(ValueError, match=r"^expected ") as refused:
        call(*arguments)
    said = str(refused.value)
    assert len(said.splitlines()) == 1 and len(said) < 250
    return said


@pytest.mark.parametrize("what", NO_MODULES)
@pytest.mark.parametrize("name", TAKE_MODULES)
def test_what_gives_no_ten_logits_is_refused(name, what):
    assert " from the network, " in (said := _refused(TAKE_MODULES[name], NO_MODULES[what], IMAGES, LABELS)) or (
        "expected a network that maps images to logits, got " in said
    )


@pytest.mark.parametrize("what", ["nothing", "text", "784 logits"])
@pytest.mark.parametrize("name", TAKE_BLOCKS)
def test_what_is_no_network_of_blocks_is_refused(name, what):
    assert "expected a network " in _refused(TAKE_BLOCKS[name], NO_MODULES[what])


@pytest.mark.parametrize("what", NO_NUMBERS | TOO_MUCH)
@pytest.mark.parametrize("name", TAKE_NUMBERS)
def test_what_is_no_number_within_its_limits_is_refused(network, name, what):
    _refused(TAKE_NUMBERS[name], network, (NO_NUMBERS | TOO_MUCH)[what])


@pytest.mark.parametrize("what", NO_NUMBERS)
@pytest.mark.parametrize("name", TAKE_ANY_SIZE)
def test_what_is_no_number_is_refused(network, name, what):
    _refused(TAKE_ANY_SIZE[name], network, NO_NUMBERS[what])


@pytest.mark.parametrize("what", NO_WHOLE_NUMBERS)
@pytest.mark.parametrize("name", TAKE_WHOLE_NUMBERS)
def test_what_is_no_whole_number_within_its_limits_is_refused(network, name, what):
    _refused(TAKE_WHOLE_NUMBERS[name], network, NO_WHOLE_NUMBERS[what])


@pytest.mark.parametrize("what", NO_TENSORS)
@pytest.mark.parametrize("name", TAKE_TENSORS | TAKE_RDMS)
def test_what_is_no_tensor_is_refused(network, name, what):
    _refused((TAKE_TENSORS | TAKE_RDMS)[name], network, NO_TENSORS[what])


@pytest.mark.parametrize("what", NOT_FINITE)
@pytest.mark.parametrize("name", TAKE_TENSORS)
def test_what_is_not_finite_is_refused(network, name, what):
    _refused(TAKE_TENSORS[name], network, NOT_FINITE[what])


@pytest.mark.parametrize("what", OTHERS)
def test_what_else_does_not_fit_is_refused(network, what):
    _refused(OTHERS[what], network)


def test_numbers_of_numpy_are_taken(network):
    attacks.pgd(network, IMAGES, LABELS, epsilon=np.float32(0.1), steps=np.int64(2), seed=np.int64(1))
    assert torch.equal(data.example("test", np.int64(3)).images, data.example("test", 3).images)
    assert geometry.path(network, IMAGES[0], IMAGES[1], np.int64(5)).t.shape == (5,)


def test_a_lock_that_is_none_is_named_in_one_sentence():
    (background.folder("dig") / background.LOCK).mkdir(parents=True)
    sentence = r"^expected a place that can be written in .*lock, got none \(.*\)$"
    with pytest.raises(OSError, match=sentence):
        background.report("dig")
    with pytest.raises(OSError, match=sentence), background.at_work("dig"):
        pass


@pytest.mark.parametrize("what", TAKEN)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_images_are_taken_however_they_lie_in_memory(network, name, what):
    function, given = FUNCTIONS[name], TAKEN[what](IMAGES)
    before = given.detach().clone()
    for found, expected in zip(function(network, given, LABELS), function(network, IMAGES, LABELS), strict=True):
        assert torch.allclose(found.double(), expected.double(), rtol=1e-5, atol=1e-6)
    assert torch.equal(given, before) and given.requires_grad == (what in list(TAKEN)[-2:])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_images_come_to_no_results(network, name):
    for found in FUNCTIONS[name](network, IMAGES[:0], LABELS[:0]):
        assert len(found) == 0


@pytest.mark.parametrize("values", [IMAGES.tolist(), None, np.zeros((3, 4)), torch.zeros(3), torch.zeros(0, 4)])
def test_what_are_no_activations_is_refused(values):
    with pytest.raises(ValueError, match=r"^expected activations"):
        representations.rdm(values)


def test_a_network_stays_as_it_was(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for function in FUNCTIONS.values():
        function(network, IMAGES.double(), LABELS)
    list(weights.saturation(network, IMAGES.double()))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in network.parameters())
