"""What is found beyond an L∞ ball is what is said to have been found."""

import json
import math

import pytest
import torch

from satcore import data, library
from satcore.evaluation import beyond
from satcore.networks import Network, build, mlp
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
    needed, distance = beyond.pixels_needed(network, *examples, most=32), beyond.distances(network, *examples)
    assert ((needed == 0) == (distance == 0)).all()
    assert set(needed.tolist()) > {0} and (distance[3:] > 0).all() and distance[3:].isfinite().any()


def test_a_search_goes_on_where_all_units_rest():
    """A unit that three of ten pixels wake, and nothing less: until then no gradient says which."""
    network = build((STEP, *mlp("relu", (1,)))).requires_grad_(False)
    weight, (bias, last) = network.weights, (layer.bias for layer in network.layers[1:])
    for tensor in (*weight, bias, last):
        tensor.zero_()
    weight[0][0, 700:710], bias[0], weight[1][1, 0], last[0] = 2.0, -5.0, 10.0, 1.0
    black, label = torch.zeros(1, 1, 28, 28), torch.tensor([0])
    assert beyond.pixels_needed(network, black, label, most=10).tolist() == [3]
    assert beyond.distances(network, black, label).item() == pytest.approx(math.sqrt(3 / 4))


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
