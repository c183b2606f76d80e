"""Whatever others hand over: it is taken as what it is, or refused in one sentence; and it stays as it was."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from satcore import attacks, geometry, proofs, representations, weights
from satcore.networks import Network, build, mlp

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
