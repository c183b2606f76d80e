"""A straight path between two images is what Eq. 13 makes of it, and its length is found in two ways (Eq. 10–12)."""

import copy
import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from satcore import data, geometry
from satcore.geometry import paths
from satcore.geometry.metric import Affine
from tests import literal
from tests.examples import EVERY, KINDS, SHIPPED, first, load, slowly, small

OF_PATHS = [name for name in SHIPPED if name not in ("cnn/adversarial", "cnn/control")]  # whose paths take seconds


@functools.cache
def path_of(name: str, source: int = 0, target: int = 6, points: int = 11) -> geometry.Path:
    """Between the first image of one digit and of another."""
    return geometry.path(load(name), first(source), first(target), points=points)


@pytest.mark.parametrize("name", slowly(OF_PATHS, lambda name: not name.startswith("cnn/")))
def test_both_ways_of_measuring_a_path_agree(name):
    path = path_of(name)
    assert path.length > 0 and len(path.nodes) > 11
    # Between each two nodes, so that no disagreement makes up for another.
    arcs = literal.arcs(path.probabilities_at_nodes.numpy())
    assert np.abs(np.diff(path.length_so_far) - arcs).sum() <= 1e-3 * arcs.sum()
    assert path.arc_length == pytest.approx(arcs.sum(), rel=1e-9)
    if name.endswith("saturated"):  # it is spiky: the eleven points wouldn't have done
        assert abs(float(torch.trapezoid(path.length_element, path.t)) - path.length) > 0.5 * path.length


@pytest.mark.parametrize("name", slowly(OF_PATHS, lambda name: not name.startswith("cnn/")))
def test_a_path_is_no_shorter_than_the_geodesic(name):
    path = path_of(name)
    assert path.geodesic <= path.arc_length * (1 + 1e-12)
    p, q = path.probabilities[[0, -1]].numpy()
    assert path.geodesic == pytest.approx(2 * np.arccos(np.sqrt(p * q).sum()), rel=1e-12)
    assert 0 < path.geodesic <= math.pi * (1 + 1e-15)
    inner = np.sqrt(path.probabilities_at_nodes[1:].numpy() * path.probabilities_at_nodes[:-1].numpy()).sum(1)
    # 1 − cos of a short arc has no more digits than this.
    assert path.arc_length == pytest.approx(2 * np.arccos(inner.clip(max=1)).sum(), abs=1e-7 * len(inner))


@pytest.mark.parametrize(
    "name", slowly(("sigmoid-mlp/saturated", "relu-mlp/vanilla", "cnn/vanilla"), lambda name: name != "cnn/vanilla")
)
def test_a_path_has_what_it_promises_at_its_points_and_nodes(name):
    network, path = load(name), path_of(name)
    source, target = first(0).double(), first(6).double()
    count = len(path.nodes)
    shapes = {
        "t": (11,),
        "images": (11, 1, 28, 28),
        "probabilities": (11, 10),
        "length_element": (11,),
        "singular_values": (11, 10),
        "nodes": (count,),
        "probabilities_at_nodes": (count, 10),
        "element_at_nodes": (count,),
        "length_so_far": (count,),
        "spectrum": (10,),
    }
    for field, shape in shapes.items():
        assert getattr(path, field).shape == shape and getattr(path, field).dtype == torch.float64, field
    for field in ("length", "arc_length", "geodesic", "flatness", "transition", "participation"):
        assert type(getattr(path, field)) is float, field

    np.testing.assert_allclose(path.t, np.arange(11) / 10, rtol=1e-15)
    assert path.t[0] == 0 and path.t[-1] == 1
    assert torch.equal(path.images[0], source) and torch.equal(path.images[-1], target)
    for t, image in zip(path.t, path.images, strict=True):
        np.testing.assert_allclose(image, (1 - t) * source + t * target, rtol=1e-15, atol=1e-16)

    with torch.no_grad():
        expected = copy.deepcopy(network).double()(path.images).softmax(1)
    np.testing.assert_allclose(path.probabilities, expected, rtol=1e-10)
    expected = geometry.length_element(network, path.images, (target - source).expand(11, 1, 28, 28))
    np.testing.assert_allclose(path.length_element, expected, rtol=1e-9, atol=0)
    expected = geometry.singular_values(geometry.jacobian(network, path.images))
    assert ((path.singular_values - expected).abs().amax(1) <= 1e-10 * expected[:, 0]).all()

    assert (path.nodes.diff() > 0).all() and path.nodes[0] == 0 and path.nodes[-1] == 1
    among = torch.isin(path.nodes, path.t)
    assert torch.equal(path.nodes[among], path.t)
    assert torch.equal(path.probabilities_at_nodes[among], path.probabilities)
    assert torch.equal(path.element_at_nodes[among], path.length_element)
    some = slice(1, -1, max(1, count // 20))
    between = torch.stack([(1 - t) * source + t * target for t in path.nodes[some]])
    expected = geometry.length_element(network, between, (target - source).expand_as(between))
    np.testing.assert_allclose(path.element_at_nodes[some], expected, rtol=1e-8, atol=0)

    trapezoids = np.diff(path.nodes) * (path.element_at_nodes[1:] + path.element_at_nodes[:-1]).numpy() / 2
    arcs = literal.arcs(path.probabilities_at_nodes.numpy())
    steps = np.where(arcs > trapezoids + 1e-12, arcs, trapezoids)  # no way is shorter than the arc
    np.testing.assert_allclose(path.length_so_far, np.append(0, np.cumsum(steps)), rtol=1e-12)
    assert path.disagreement == pytest.approx(np.abs(trapezoids - arcs).sum(), rel=1e-6, abs=1e-12)
    assert path.converged and path.disagreement <= 1e-3 * path.arc_length + 1e-12 * count
    assert path.length >= path.arc_length - 1e-12 * count
    assert path.length == path.length_so_far[-1] and (path.length_so_far.diff() >= 0).all()
    assert path.flatness == pytest.approx(literal.flatness(path.nodes.diff().tolist(), steps.tolist()), rel=1e-9)

    assert path.element_at_nodes[path.nodes == path.transition] == path.element_at_nodes.max()
    there = (1 - path.transition) * source + path.transition * target
    (expected,) = geometry.singular_values(geometry.jacobian(network, there[None]))
    assert ((path.spectrum - expected).abs() <= 1e-9 * expected[0]).all()
    squares = [value**2 for value in path.spectrum.tolist()]
    assert path.participation == pytest.approx(sum(squares) ** 2 / sum(s * s for s in squares), rel=1e-12)
    assert 1 <= path.participation <= 10


@pytest.mark.parametrize("name, source, target", [("sigmoid-mlp/saturated", 3, 7), ("relu-mlp/saturated", 3, 7)])
@pytest.mark.slow
def test_the_length_is_that_of_a_polygon_of_very_many_sides(name, source, target):
    expected = literal.chord_length(
        literal.parameters(load(name)),
        first(source).double().numpy(),
        first(target).double().numpy(),
        name.removesuffix("-mlp/saturated"),
        steps=2**16,
    )
    found = path_of(name, source, target, points=201)
    assert expected > 5  # through several classes
    assert found.length == pytest.approx(expected, rel=2e-3)


def test_half_the_squared_length_element_is_the_divergence_of_a_small_step():
    network = load("sigmoid-mlp/vanilla")
    path = path_of("sigmoid-mlp/vanilla", 3, 7, points=201)
    weights_and_biases = literal.parameters(network)
    source, target = first(3).double().numpy(), first(7).double().numpy()
    half = 5e-5
    checked = 0
    for t, element in zip(path.t.tolist(), path.length_element.tolist(), strict=True):
        if element < 0.1 or not half <= t <= 1 - half:
            continue
        around = np.stack([(1 - t_) * source + t_ * target for t_ in (t - half, t + half)])
        p, q = literal.mlp_probabilities(weights_and_biases, around, "sigmoid")
        # The mean of both directions, so that the terms of third order cancel.
        divergence = (literal.kl(p, q) + literal.kl(q, p)) / 2
        assert divergence == pytest.approx(element**2 * (2 * half) ** 2 / 2, rel=1e-3)
        checked += 1
    assert checked > 50


@pytest.mark.parametrize(
    "name",
    slowly(
        ("sigmoid-mlp/vanilla", "sigmoid-mlp/saturated", "relu-mlp/saturated"),
        lambda name: name == "sigmoid-mlp/vanilla",
    ),
)
def test_lengths_add_up_and_are_the_same_backwards(name):
    network, source, target = load(name), first(3).double(), first(7).double()
    whole = path_of(name, 3, 7, points=201)
    for t in (0.25, 0.37, whole.transition):
        between = (1 - t) * source + t * target
        parts = geometry.path(network, source, between), geometry.path(network, between, target)
        assert parts[0].length + parts[1].length == pytest.approx(whole.length, rel=2e-3)
    back = geometry.path(network, target, source)
    assert back.length == pytest.approx(whole.length, rel=1e-9)
    assert back.transition == pytest.approx(1 - whole.transition, abs=1e-9)
    assert back.participation == pytest.approx(whole.participation, rel=1e-6)
    np.testing.assert_allclose(back.probabilities.flip(0), whole.probabilities, rtol=1e-7)


@pytest.mark.parametrize("name", ["sigmoid-mlp/vanilla", "sigmoid-mlp/saturated", "cnn/vanilla"])
def test_a_path_that_stays_where_it_is_has_no_length(name):
    path = geometry.path(load(name), first(3), first(3), points=5)
    assert path.length == 0 and path.flatness == 1
    # The same image gives logits that differ in their last digits, depending on where in the batch it is.
    assert 0 <= path.arc_length < 1e-12 and 0 <= path.geodesic < 1e-12
    for field, value in vars(path).items():
        assert torch.as_tensor(value).isfinite().all(), field
    assert 1 <= path.participation <= 10


@pytest.fixture
def patience(monkeypatch):
    """A path that asks for 10,000 points would never come to an end."""
    measured, asked = Affine.measured, []

    def counted(line, weights: Tensor, **options):
        asked.append(len(weights))
        assert sum(asked) < 10_000
        return measured(line, weights, **options)

    monkeypatch.setattr(Affine, "measured", counted)


@pytest.mark.parametrize(
    "name, source, target", [("sigmoid-mlp/saturated", 5105, 4401), ("relu-mlp/saturated", 3179, 5087)]
)
def test_a_path_that_the_network_does_not_notice_comes_to_an_end(name, source, target, patience):
    images = data.load("test").images
    path = geometry.path(load(name), images[source], images[target], points=11)
    assert 0 <= path.length < 1e-9 and 0 <= path.arc_length < 1e-9
    assert len(path.nodes) == 161  # those of 11 points, halved until they are `FEWEST`


def test_an_image_may_come_alone_or_as_a_batch_of_one():
    network = load("sigmoid-mlp/vanilla")
    alone = geometry.path(network, first(3), first(7), points=3)
    batch = geometry.path(network, first(3)[None], first(7)[None].double(), points=3)
    assert alone.length == batch.length and torch.equal(alone.images, batch.images)
    assert alone.images.shape == (3, 1, 28, 28)
    *_, from_alone = geometry.plane(network, first(3), first(7), first(0), side=3)
    *_, from_batch = geometry.plane(network, first(3)[None], first(7)[None], first(0)[None], side=3)
    assert torch.equal(from_alone.predicted, from_batch.predicted)


@pytest.mark.parametrize("points", [1, 0, -3, 10**9])
def test_a_path_of_fewer_than_two_points_or_of_too_many_is_refused(tiny, points):
    with pytest.raises(ValueError, match=rf"^expected from 2 to 100,000 points, got {points}$"):
        geometry.path(tiny, first(3), first(7), points=points)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 1, 28, 28),
        torch.zeros(0, 1, 28, 28),
        torch.zeros(28, 28),
        torch.zeros(2, 28, 28),
        torch.zeros(1, 1, 28, 29),
    ],
    ids=lambda image: str(tuple(image.shape)),
)
def test_anything_but_one_image_is_refused(tiny, wrong):
    for refused in (
        lambda: geometry.path(tiny, wrong, first(7)),
        lambda: geometry.path(tiny, first(7), wrong),
        lambda: next(geometry.plane(tiny, wrong, first(7), first(3))),
    ):
        with pytest.raises(ValueError, match=r"^expected (one image|images of shape)"):
            refused()


@pytest.mark.parametrize("parts", [1, 7, 200])
def test_a_path_alike_everywhere_is_as_flat_as_its_hundredth_part(parts):
    widths = torch.arange(1, parts + 1, dtype=torch.float64)
    widths /= widths.sum()
    assert paths._flatness(widths, 5 * widths) == pytest.approx(0.01, rel=1e-12)


@pytest.mark.parametrize("parts, width", [(2, 0.5), (10, 0.1), (1000, 0.001)])
def test_a_path_of_one_spike_is_flat_but_for_the_spike(parts, width):
    lengths = torch.zeros(parts, dtype=torch.float64)
    lengths[parts // 2] = 3.0
    widths = torch.full((parts,), width, dtype=torch.float64)
    assert paths._flatness(widths, lengths) == pytest.approx(1 - width + 0.01 * width, rel=1e-12)


def test_a_path_of_two_even_parts_is_flat_in_proportion():
    widths = torch.tensor([0.2, 0.8], dtype=torch.float64)
    # The wide part carries 0.4 %; of the narrow one's 99.6 %, 0.6 % are missing.
    found = paths._flatness(widths, torch.tensor([99.6, 0.4], dtype=torch.float64))
    assert found == pytest.approx(0.8 + 0.2 * 0.6 / 99.6, rel=1e-12)


@settings(deadline=None, max_examples=100)
@given(parts=st.lists(st.tuples(st.floats(1e-6, 1), st.floats(1e-6, 1e6) | st.just(0.0)), min_size=1, max_size=30))
def test_flatness_is_the_literal_one(parts):
    widths, slopes = (torch.tensor(values, dtype=torch.float64) for values in zip(*parts, strict=True))
    assume(slopes.any())
    widths = widths / widths.sum()
    lengths = widths * slopes
    found = paths._flatness(widths, lengths)
    assert found == pytest.approx(literal.flatness(widths.tolist(), lengths.tolist()), rel=1e-9)
    # Its flattest parts: no more than their share of the width carries less than their share of the length.
    assert 0.01 * (1 - 1e-9) <= found <= 1


@pytest.mark.parametrize(
    "spectrum, expected",
    [
        ([1.0] * 10, 10),
        ([1.0] + [0.0] * 9, 1),
        ([3.0, 3.0] + [0.0] * 8, 2),
        ([2.0, 1.0] + [0.0] * 8, 25 / 17),
        ([1e-200] * 5 + [0.0] * 5, 5),
        ([1e200] * 10, 10),
        ([0.0] * 10, 0),
    ],
)
def test_participation_counts_the_singular_values_that_take_part(spectrum, expected):
    assert paths._participation(torch.tensor(spectrum, dtype=torch.float64)) == pytest.approx(expected, rel=1e-14)


# --- what the paper's Fig. 4 shows ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contrasts() -> dict[str, list[geometry.Path]]:
    """By training: 40 paths, the same for both, between images of different classes that both get right."""
    images, labels = data.load("test")
    networks = {training: load(f"sigmoid-mlp/{training}") for training in ("vanilla", "saturated")}
    right = torch.stack([network(images).argmax(1) == labels for network in networks.values()]).all(0).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(4)
    pairs = right[torch.randint(len(right), (300, 2), generator=generator)]
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]][:40]
    assert len(pairs) == 40
    return {
        training: [geometry.path(network, images[source], images[target], points=21) for source, target in pairs]
        for training, network in networks.items()
    }


def both(contrasts: dict[str, list[geometry.Path]], figure: Callable[[geometry.Path], float]) -> list[np.ndarray]:
    return [np.array([figure(path) for path in contrasts[training]]) for training in ("vanilla", "saturated")]


@pytest.mark.slow
def test_saturated_paths_are_flatter(contrasts):
    vanilla, saturated = both(contrasts, lambda path: path.flatness)
    # Measured on 400 pairs: medians 0.45 and 0.99, and saturated the flatter on every one.
    assert np.median(vanilla) < 0.6 and np.median(saturated) > 0.95
    assert (saturated > vanilla).mean() >= 0.98


@pytest.mark.slow
def test_at_a_saturated_transition_one_singular_value_stands_out(contrasts):
    vanilla, saturated = both(contrasts, lambda path: path.participation)
    # Measured on 400 pairs: medians 3.5 and 1.0, and saturated the smaller on every one.
    assert np.median(vanilla) > 2.5 and np.median(saturated) < 1.2
    assert (saturated < vanilla).mean() >= 0.98


@pytest.mark.parametrize("name", slowly(("cnn/saturated", "relu-mlp/vanilla"), lambda name: name[0] == "r"))
def test_at_its_ends_a_paths_spectrum_is_that_of_the_images_themselves(name):
    # A background rounded unevenly would break the ties of max-pooling there.
    network, images = load(name), data.load("test").images
    path = geometry.path(network, images[0], images[1], points=3)
    expected = geometry.singular_values(geometry.jacobian(network, images[:2]))
    assert torch.allclose(path.singular_values[[0, -1]], expected, rtol=1e-9, atol=1e-12 * float(expected.max()))


def test_a_path_between_images_that_hardly_differ_comes_to_an_end(patience):
    source = data.load("test").images[447].double()
    noise = torch.randn(source.shape, generator=torch.Generator().manual_seed(447), dtype=torch.float64)
    path = geometry.path(load("sigmoid-mlp/control"), source, (source + 1e-15 * noise).clamp(0, 1), points=51)
    assert 0 <= path.length < 1e-9


# --- through blocks of any kind -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phi", [name for name in EVERY if name != "step"])
def test_along_a_path_the_length_element_is_that_of_small_steps_on_the_sphere(phi, kind):
    """2‖√p(t + w) − √p(t − w)‖/(2w), the network written down literally; also where a pixel saturates first."""
    network, width = small(kind, phi, seed=11, scale=2.0), 1e-6
    source, target = first(3).double(), first(7).double()
    path = geometry.path(network, source, target, points=15)
    inner = path.t[1:-1].numpy()
    around = [
        (1 - t)[:, None, None, None] * source.numpy() + t[:, None, None, None] * target.numpy()
        for t in (inner - width, inner + width)
    ]
    roots = [2 * np.sqrt(literal.softmax(literal.pre_activations(network, images)[-1])) for images in around]
    expected = np.linalg.norm(roots[1] - roots[0], axis=1) / (2 * width)
    off = np.abs(path.length_element[1:-1].numpy() - expected) > 1e-6 * expected + 1e-9
    # Between t − w and t + w a corner of some unit may lie.
    assert off.sum() <= (1 if network.nonlinearities[0].piecewise_linear else 0)
    assert (path.length_element > 0).all() and path.converged
    np.testing.assert_allclose(path.probabilities[1:-1], (roots[0] ** 2 / 4 + roots[1] ** 2 / 4) / 2, atol=1e-7)


@pytest.mark.parametrize("kind", ["dense", "strides and means", "pixel by pixel"])
def test_where_a_network_jumps_a_path_is_as_long_as_its_jumps_and_says_that_it_has_not_converged(kind):
    network = small(kind, "step", seed=12, scale=2.0)
    source, target = first(3).double(), first(7).double()
    path = geometry.path(network, source, target, points=501)
    assert not path.length_element.any() and not path.converged
    assert path.length == pytest.approx(path.arc_length, rel=1e-9)
    assert path.length >= path.geodesic > 0
    # Every jump that is seen at its points is in it.
    t = np.linspace(0, 1, 501)[:, None, None, None]
    walked = literal.softmax(literal.pre_activations(network, (1 - t) * source.numpy() + t * target.numpy())[-1])
    jumps = literal.arcs(walked)
    assert path.length >= (1 - 1e-9) * jumps.sum() > 0.1
    # Its transition is the longest of them, or one as long between two of its points.
    assert jumps[int(path.transition * 500)] >= path.length_so_far.diff().max() * (1 - 1e-9)


def test_how_few_points_are_asked_for_changes_no_length():
    """From a 1 to a 7 the saturated sigmoid network's narrowest jumps lie between two of 51 points."""
    network, source, target = load("sigmoid-mlp/saturated"), first(1), first(7)
    few, more = (geometry.path(network, source, target, points=points) for points in (51, 101))
    np.testing.assert_allclose(few.nodes, more.nodes, rtol=1e-15)
    assert few.length == pytest.approx(more.length, rel=1e-9) and len(few.t) == 51


def test_a_module_that_only_gives_logits_has_no_path(tiny):
    class Logits(torch.nn.Module):
        def forward(self, images):
            return tiny(images)

    for refused in (
        lambda: geometry.path(Logits(), first(3), first(7)),
        lambda: geometry.jacobian(Logits(), first(3)[None]),
        lambda: geometry.length_element(Logits(), first(3)[None], first(3)[None]),
        lambda: next(geometry.plane(Logits(), first(3), first(7), first(0))),
    ):
        with pytest.raises(ValueError) as refusal:
            refused()
        assert str(refusal.value) == (
            "expected a network of blocks, of which exact derivatives can be taken, "
            "got a Logits, which only gives logits"
        )
