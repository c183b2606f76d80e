"""What is found beyond an L∞ ball is what is said to have been found."""

import json
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from satcore import data, library
from satcore.evaluation import beyond
from satcore.networks import Block, Network, build, mlp
from satcore.recipes import STEP


@pytest.fixture(scope="module", params=["stepping", "not stepping"])
def network(request) -> Network:
    steps = (STEP,) if request.param == "stepping" else ()
    return build((*steps, *mlp("ramp", (16,))), seed=1, scale=2.0).requires_grad_(False)


@pytest.fixture(scope="module")
def examples(network) -> data.Examples:
    images = data.load("test").images[:30]
    labels = network(images).argmax(1)
    return data.Examples(images, torch.where(torch.arange(30) < 3, (labels + 1) % 10, labels))


def test_moved_images_are_what_numpy_rolls():
    images, _ = data.sample("test", 5, 0)
    for down, right in beyond.SHIFTS:
        expected = torch.roll(images, (down, right), (2, 3))  # digits keep clear of the edge
        assert torch.equal(beyond.moved(images, down, right), expected)


def test_a_single_pixel_is_found_where_there_is_one(network, examples):
    needed = beyond.pixels_needed(network, *examples, most=3)
    assert needed[:3].tolist() == [0, 0, 0] and (needed[3:] > 0).all()
    for image, label, found in zip(*examples, needed, strict=True):
        tried = image.flatten().repeat(2 * 784, 1)
        tried[torch.arange(2 * 784), torch.arange(784).repeat(2)] = torch.tensor([0.0, 1.0]).repeat_interleave(784)
        exists = bool((network(tried.view(-1, 1, 28, 28)).argmax(1) != label).any())
        assert found > 1 or exists or found == 0  # a greedy search may miss one, but invents none
    assert (needed == 1).any()


def test_more_pixels_and_more_distance_break_more(network, examples):
    needed, distance = beyond.pixels_needed(network, *examples, most=32), beyond.nearest(network, *examples)[1]
    assert ((needed == 0) == (distance == 0)).all()
    assert set(needed.tolist()) > {0} and (distance[3:] > 0).all() and distance[3:].isfinite().any()


def test_what_is_found_is_an_image_that_is_wrong_and_as_far_away_as_is_said(network, examples):
    images, labels = examples
    found, distance = beyond.nearest(network, images, labels)
    there = distance.isfinite()
    assert there.sum() > 20 and found.min() >= 0 and found.max() <= 1
    assert (network(found[there]).argmax(1) != labels[there]).all()
    assert torch.allclose((found - images)[there].flatten(1).double().norm(dim=1), distance[there])
    changed = images != found
    assert changed[3:].any() and not changed[:3].any()
    if network.steps_first:
        assert (((images > 0.5) != (found > 0.5)) == changed).all()  # none is charged for nothing


def parameters(network: Network) -> Sequence[Tensor]:
    """Weights and biases of the two layers that sum, the lower one's first."""
    return list(network.parameters())[-4:]


def one_unit(*blocks: Block, weight: float, bias: float, above: float = 10.0) -> tuple[Network, Tensor, Tensor]:
    """A network whose only unit looks at ten pixels, and speaks for 1 where else it is 0; a black image, its label."""
    network = build(blocks).requires_grad_(False)
    for parameter in parameters(network):
        parameter.zero_()
    w, b, v, last = parameters(network)
    w[0, 700:710], b[0], v[1, 0], last[0] = weight, bias, above, 1.0
    return network, torch.zeros(1, 1, 28, 28), torch.tensor([0])


def test_a_search_goes_on_where_all_units_rest():
    """A unit that three of ten pixels wake, and nothing less: until then no gradient says which."""
    asked = one_unit(STEP, *mlp("relu", (1,)), weight=2.0, bias=-5.0)
    assert beyond.pixels_needed(*asked, most=10).tolist() == [3]
    assert beyond.nearest(*asked)[1].item() == pytest.approx(math.sqrt(3 / 4))
    asked = one_unit(*mlp("relu", (1,)), weight=2.0, bias=-5.0)
    assert beyond.pixels_needed(*asked, most=10).tolist() == [3]
    assert 2.55 / math.sqrt(10) < beyond.nearest(*asked)[1].item() < 1.0


def test_a_search_goes_where_the_gradient_points_that_float32_has_lost():
    network, *example = one_unit(*mlp("sigmoid", (2,)), weight=400.0, bias=-200.0)
    w, b, v, _ = parameters(network)
    w[1, 700:710], b[1], v[1, 1] = -2000.0, -1000.0, 10.0  # louder, but farther off
    assert beyond.nearest(network, *example)[1].item() < 0.5


def test_a_search_takes_ever_shorter_steps():
    """One pixel, and wrong only where it is between 0.203 and 0.223: steps of one size jump over that, to and fro."""
    network, *example = one_unit(*mlp("relu", (2,)), weight=0.0, bias=0.01, above=1.0)
    w, b, v, last = parameters(network)
    w[:, 400], b[1], v[1, 1] = 1.0, -0.213, -2.0
    last[0], last[2:] = 0.213, -9.0
    assert beyond.nearest(network, *example)[1].item() == pytest.approx(0.213, abs=0.01)


def test_a_pixel_that_is_on_the_right_side_of_the_step_already_is_left_alone():
    """Two hundred that are just above ½ would cost next to nothing each."""
    network, image, label = one_unit(STEP, *mlp("relu", (1,)), weight=2.0, bias=-401.0)
    parameters(network)[0][0, :200], image.view(-1)[:200] = 2.0, 0.51
    found, distance = beyond.nearest(network, image, label)
    assert distance.item() == pytest.approx(0.5) and (found != image).sum() == 1


def test_it_is_of_all_changes_kept_and_believed_where_it_can_be(monkeypatch):
    monkeypatch.setattr(beyond, "IMAGES", 20)
    tiny = build((STEP, *mlp("ramp", (8,))), seed=2).requires_grad_(False)
    name = library.add(tiny, "tiny")
    assert beyond.load(name) is None
    found = beyond.find(name)
    assert beyond.load(name) == found == beyond.find(name)
    assert beyond.in_words(found).startswith(f"right {100 * found.clean / 20:.1f} %, moved by a pixel ")
    images, labels = data.sample("test", 20, beyond.SEED)
    assert found.clean == int((tiny(images).argmax(1) == labels).sum())
    assert found.pixels == sorted(found.pixels, reverse=True) and found.radii == sorted(found.radii, reverse=True)
    assert found.shifted <= found.clean and found.ties == 0
    everything = data.load("test")
    darker = (everything.images - 0.25).clamp(0, 1)
    assert found.changed["darker by 0.25"] == int((tiny(darker).argmax(1) == everything.labels).sum())

    path = library.kept(name, beyond.FILE)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"pixels": [1]}))
    with pytest.raises(ValueError, match=r"expected what was found beyond the ball of mine.tiny in .*, got a damaged"):
        beyond.load(name)
    path.write_text(json.dumps(fields | {"sha256": "0" * 64}))
    assert beyond.load(name) is None
