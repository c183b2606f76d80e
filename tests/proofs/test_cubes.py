"""Behind a step, what is decided is what trying every corner decides."""

import time

import pytest
import torch
from torch import Tensor

from satcore import checkpoints, data
from satcore.attacks import cube, square
from satcore.evaluation import certificates
from satcore.networks import Block, Convolution, Dense, Elementwise, Network, build
from satcore.proofs import Decision, by_intervals, certified, cubes, decide, decide_boxes
from satcore.proofs.cubes import CubeSearch, behind_step, stepped
from satcore.recipes import STEP
from tests.examples import slowly

EPSILON = 0.25
MOST_FREE = 12  # of which all corners are tried
AT_A_TIME = 4_096  # corners
DENDRITIC = [name for name in checkpoints.names() if name.endswith("/dendritic")]


def made(phi: str) -> Network:
    """A small network that steps first, its classes so evenly balanced that some cubes hold and some don't; in float64,
    in which no corner is too near a tie to be bounded.
    """
    blocks = (Block(Convolution(1, 4, (5, 5), (2, 2), (2, 2, 2, 2)), phi), Block(Dense(784, 20), phi))
    network = build((STEP, *blocks, Block(Dense(20, 10))), 0, 3.0).requires_grad_(False)
    towards = {"ramp": 0.0, "sigmoid": 0.9}[phi] * network(data.load("test").images[:1_000]).mean(0)
    network.get_parameter("layers.3.bias").sub_(towards)
    return network.double()


def ends(images: Tensor, epsilon: float = EPSILON) -> tuple[Tensor, Tensor]:
    x = images.double().flatten(1)
    return (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)


@pytest.fixture(scope="module", params=["ramp", "sigmoid"])
def network(request) -> Network:
    return made(request.param)


@pytest.fixture(scope="module")
def examples(network) -> tuple[Tensor, Tensor]:
    """Forty images with few free pixels, and what the network takes them for."""
    images = data.load("test").images[:3_000].double()
    low, high = stepped(network, *ends(images))
    few = ((low < high).sum(1) <= MOST_FREE).nonzero().flatten()[:40]
    return images[few], network(images[few]).argmax(1)


@pytest.fixture(scope="module")
def decided(network, examples) -> Decision:
    """What is decided of these images within `EPSILON`."""
    return decide(network, *examples, epsilon=EPSILON, seconds=5)


def survives(network: Network, low: Tensor, high: Tensor, label: Tensor) -> bool:
    """Whether every corner of the cube from `low` to `high` is classified as the label, by trying them all."""
    low, high = stepped(network, low[None], high[None])
    free = (low[0] < high[0]).nonzero().flatten()
    behind, dtype = behind_step(network), next(network.parameters()).dtype
    for some in torch.arange(2 ** len(free)).split(AT_A_TIME):
        corners = low.to(dtype).repeat(len(some), 1)
        corners[:, free] = (some[:, None] >> torch.arange(len(free)) & 1).to(dtype)
        if not (behind(corners.view(-1, 1, 28, 28)).argmax(1) == label).all():
            return False
    return True


def test_it_is_what_trying_every_corner_decides(network, examples, decided):
    expected = [survives(network, *one) for one in zip(*ends(examples[0]), examples[1], strict=True)]
    assert decided.proven.tolist() == expected and decided.broken.tolist() == [not there for there in expected]
    assert 0 < sum(expected) < len(expected)


@pytest.mark.parametrize("name", slowly(DENDRITIC, lambda name: name == DENDRITIC[0]))
def test_what_ships_is_decided_as_trying_every_corner_decides(name):
    """In boxes in which the sixteen pixels that lie nearest to their step may vary, of the CNN thirteen."""
    network = checkpoints.load(name)
    count = 13 if network.convolves else 16
    verdicts = next(there for there in certificates.load(name) if there.epsilon == EPSILON).verdicts
    index = torch.tensor([verdicts.index("p"), verdicts.index("b"), verdicts.index("b", 5_000)])
    images, labels = (part[index] for part in data.load("test"))
    nearest = (images.flatten(1) - 0.5).abs().topk(count, largest=False).indices
    free = torch.zeros(len(images), 784, dtype=torch.bool).scatter(1, nearest, True)
    low, high = (torch.where(free, end, images.double().flatten(1)) for end in ends(images))
    decided = decide_boxes(network, *(end.view(-1, 1, 28, 28) for end in (low, high)), labels, seconds=10)
    assert decided.proven.tolist() == [survives(network, *one) for one in zip(low, high, labels, strict=True)]
    assert "open" not in decided.verdicts


def test_whoever_proves_more_cheaply_proves_nothing_else(network, examples, decided):
    assert not (by_intervals(network, *examples, epsilon=EPSILON) & ~decided.proven).any()
    assert not (certified(network, *examples, epsilon=EPSILON) & ~decided.proven).any()


def test_what_breaks_an_image_lies_in_its_ball_and_is_classified_wrongly(network, examples, decided):
    images, labels = examples
    moved, broken = decided.images, decided.broken
    assert (network(moved[broken]).argmax(1) != labels[broken]).all()
    assert (moved.double() - images.double()).abs().amax() <= EPSILON and moved.min() >= 0 and moved.max() <= 1
    assert torch.equal(moved[~broken], images[~broken])
    changed = network.output(0, network.affine(0, moved)) != network.output(0, network.affine(0, images))
    assert torch.equal(changed, moved != images)  # nothing moves but what passes its step


def test_no_attack_breaks_what_is_proven(network, examples, decided):
    images, labels = (part[decided.proven] for part in examples)
    for attacked in (
        cube(network, images, labels, epsilon=EPSILON),
        square(network, images, labels, epsilon=EPSILON, queries=300, seed=0),
    ):
        assert not attacked.success.any()


def test_a_box_is_decided_as_its_ball_is(network, examples, decided):
    images, labels = examples
    low, high = (end.view(-1, 1, 28, 28) for end in ends(images))
    boxes = decide_boxes(network, low, high, labels, seconds=5)
    assert boxes.verdicts == decided.verdicts


def test_the_ends_of_a_ball_are_rounded_outwards_before_the_step():
    network = made("ramp").float()
    above = torch.tensor(0.5 + 2.0**-40, dtype=torch.float64)  # nearer to ½ than any other number of float32
    low, high = stepped(network, torch.full((1, 784), 0.5, dtype=torch.float64), above.expand(1, 784))
    assert not low.any() and high.all()
    low, high = stepped(network, *(torch.full((1, 784), 0.5, dtype=torch.float64),) * 2)
    assert not low.any() and not high.any()  # a tie counts as below


def test_a_step_that_falls_with_its_pixel_is_decided_as_well(examples):
    images, labels = examples
    network = made("ramp")
    network.get_parameter("layers.0.weight").neg_()
    network.get_parameter("layers.0.bias").neg_()  # 1 where a pixel lies below one half
    labels = network(images).argmax(1)
    decided = decide(network, images, labels, epsilon=EPSILON, seconds=5)
    expected = [survives(network, *one) for one in zip(*ends(images), labels, strict=True)]
    assert decided.proven.tolist() == expected and decided.broken.tolist() == [not there for there in expected]


def test_a_network_that_ends_in_an_elementwise_block_is_decided_as_with_a_dense_one(examples):
    images, network = examples[0][:12], made("ramp")
    scaled = Network((*network.architecture, Block(Elementwise((10,))))).double().requires_grad_(False)
    scaled.load_state_dict(scaled.state_dict() | network.state_dict())
    scales = scaled.layers[-1].weight.copy_(torch.linspace(0.5, 1.5, 10))
    last = network.layers[-1]
    last.weight.mul_(scales[:, None])
    last.bias.mul_(scales)
    labels = network(images).argmax(1)
    expected = decide(network, images, labels, epsilon=EPSILON, seconds=5).verdicts
    assert decide(scaled, images, labels, epsilon=EPSILON, seconds=5).verdicts == expected
    assert set(expected) == {"proven", "broken"}


def test_behind_the_step_stands_the_same_network(network, examples):
    images, _ = examples
    binary = (images > 0.5).double()
    assert torch.equal(behind_step(network)(binary), network(images))


def test_without_time_what_bounds_leave_open_stays_open(network, examples):
    images, labels = examples
    search = CubeSearch(behind_step(network), *stepped(network, *ends(images)), labels)
    before = len(search.open)
    assert before > 0
    search.run(time.monotonic())
    assert len(search.open) == before
    assert sum(map(search.proven, range(len(labels)))) + before + len(search.broken) == len(labels)


def test_a_cube_in_too_many_parts_is_given_up_and_neither_proven_nor_kept(network, examples, monkeypatch):
    images, labels = examples
    monkeypatch.setattr(cubes, "MOST_PARTS", 0)
    search = CubeSearch(behind_step(network), *stepped(network, *ends(images)), labels)
    assert search.given_up and not search.open
    assert not any(map(search.proven, search.given_up))
    assert sum(map(search.proven, range(len(labels)))) + len(search.given_up) + len(search.broken) == len(labels)
