"""The triangle that three images span is mapped as it is."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from satcore import geometry
from satcore.geometry import planes
from satcore.networks import Network
from tests.examples import first, load, of_family


def triangle() -> tuple[Tensor, Tensor, Tensor]:
    return first(3).double(), first(7).double(), first(0).double()


def last_plane(network: Network, side: int, corners: tuple[Tensor, Tensor, Tensor] | None = None) -> geometry.Plane:
    *_, last = geometry.plane(network, *(corners or triangle()), side=side)
    return last


def test_a_planes_corners_are_as_far_apart_as_the_images(tiny):
    images = triangle()
    plane = last_plane(tiny, side=5)
    assert plane.corners.shape == (3, 2) and plane.corners.dtype == torch.float64
    for i in range(3):
        for j in range(3):
            expected = (images[i] - images[j]).square().sum().sqrt()
            assert (plane.corners[i] - plane.corners[j]).norm().item() == pytest.approx(expected.item(), rel=1e-12)
    assert torch.equal(plane.corners[0], torch.zeros(2, dtype=torch.float64))
    assert plane.corners[1, 0] > 0 and plane.corners[1, 1] == 0 and plane.corners[2, 1] > 0
    for grid, along in ((plane.x, plane.corners[:, 0]), (plane.y, plane.corners[:, 1])):
        np.testing.assert_allclose(grid, np.linspace(along.min().item(), along.max().item(), 5), rtol=1e-12, atol=1e-12)


def coordinates(plane: geometry.Plane, row: int, column: int) -> np.ndarray:
    """The barycentric coordinates, (3,), of a point of the grid."""
    corners = np.vstack((plane.corners.numpy().T, np.ones(3)))
    return np.linalg.solve(corners, [plane.x[column], plane.y[row], 1])


@pytest.mark.parametrize("angle", ["acute", "obtuse at the first corner", "obtuse at the second"])
def test_a_plane_has_values_inside_the_triangle_and_none_outside(tiny, angle):
    corners = {
        "acute": triangle(),
        "obtuse at the first corner": ((first(1) + first(8)) / 2, first(8), (first(1) + first(7)) / 2),
        "obtuse at the second": (first(8), (first(1) + first(8)) / 2, (first(1) + first(7)) / 2),
    }[angle]
    plane = last_plane(tiny, side=23, corners=corners)
    (width, _), (along, _) = plane.corners[1:]
    found = "obtuse at the first corner" if along < 0 else "obtuse at the second" if along > width else "acute"
    assert found == angle
    assert plane.predicted.shape == plane.confidence.shape == plane.log_length_element.shape == (23, 23)
    assert plane.predicted.dtype == torch.int64 and plane.confidence.dtype == torch.float64
    counts = [0, 0]
    for row in range(23):
        for column in range(23):
            least = coordinates(plane, row, column).min()
            if abs(least) < 1e-9:
                continue  # on the edge
            filled = plane.predicted[row, column].item() >= 0
            assert filled == (least > 0)
            for values in (plane.confidence, plane.log_length_element):
                assert values[row, column].isfinite() == filled and values[row, column].isnan() != filled
            counts[filled] += 1
    assert min(counts) > 100
    # The triangle's first edge is the grid's first row, where the corners belong to it.
    assert (plane.predicted[0][(plane.x >= 0) & (plane.x <= plane.corners[1, 0])] >= 0).all()


@pytest.mark.parametrize("name", ["sigmoid-mlp/saturated", "sigmoid-mlp/vanilla", "relu-mlp/saturated", "cnn/vanilla"])
def test_at_each_point_of_a_plane_it_is_what_the_network_makes_of_the_image_there(name):
    network, images = load(name), triangle()
    plane = last_plane(network, side=9)
    rows, columns = (plane.predicted >= 0).nonzero(as_tuple=True)
    assert 30 < len(rows) < 81
    shares = np.array([coordinates(plane, *place) for place in zip(rows.tolist(), columns.tolist(), strict=True)])
    mixed = torch.tensordot(torch.from_numpy(shares), torch.stack(images), dims=1).clamp(0, 1)  # rounding at the edges
    with torch.no_grad():
        p = copy.deepcopy(network).double()(mixed).softmax(1)
    assert torch.equal(plane.predicted[rows, columns], p.argmax(1))
    assert len(p.argmax(1).unique()) >= 3
    np.testing.assert_allclose(plane.confidence[rows, columns], p.amax(1), rtol=1e-9)

    # Any two orthonormal directions of the plane will do: these are not the plane's own axes.
    one = images[1] + images[2] - 2 * images[0]
    one = one / one.norm()
    other = images[1] - images[2]
    other = other - (other * one).sum() * one
    other = other / other.norm()
    assert abs((one * (images[1] - images[0])).sum() / (images[1] - images[0]).norm()) < 0.99
    squares = [geometry.length_element(network, mixed, direction.expand_as(mixed)) ** 2 for direction in (one, other)]
    expected = ((squares[0] + squares[1]) / 2).sqrt().log10()
    # On the edges what is black in two of the images begins, and ties in max-pooling are decided by rounding.
    smooth = shares.min(1) > 1e-9 if name.startswith("cnn") else shares.min(1) > -1
    assert smooth.sum() > 20
    np.testing.assert_allclose(plane.log_length_element[rows, columns][smooth], expected[smooth], rtol=0, atol=1e-8)


def test_a_plane_fills_up_from_record_to_record():
    network = of_family("sigmoid-mlp", hidden=5)
    records = list(geometry.plane(network, *triangle(), side=110))
    *_, last = records
    inside = last.predicted >= 0
    assert len(records) >= 3 and last.done == 1
    assert inside.sum() > planes.PART
    done = [record.done for record in records]
    assert done == sorted(set(done)) and done[0] > 0
    filled_before = torch.zeros_like(inside)
    for record in records:
        filled = record.predicted >= 0
        assert record.done == pytest.approx(filled.sum().item() / inside.sum().item())
        assert (filled | ~filled_before).all()  # what was filled stays so
        assert torch.equal(record.predicted[filled], last.predicted[filled])
        for field in ("confidence", "log_length_element"):
            values = getattr(record, field)
            assert torch.equal(values.isfinite(), filled)
            assert torch.equal(values[filled], getattr(last, field)[filled])
        assert torch.equal(record.x, last.x) and torch.equal(record.y, last.y)
        assert torch.equal(record.corners, last.corners)
        filled_before = filled


def test_three_images_on_one_line_are_refused(tiny):
    source, target, other = triangle()
    for images in (
        (source, target, (source + target) / 2),
        (source, source, target),
        (source, target, source),
        (source, target, target),
        (source, source, source),
    ):
        with pytest.raises(ValueError, match=r"on one line$"):
            next(geometry.plane(tiny, *images))
    almost = (source + target) / 2 + 1e-3 * (other - source)
    assert last_plane(tiny, side=3, corners=(source, target, almost.clamp(0, 1))).done == 1


@pytest.mark.parametrize("side", [1, 0, -1, 10**9])
def test_a_plane_of_fewer_than_two_points_a_side_or_of_too_many_is_refused(tiny, side):
    with pytest.raises(ValueError, match=rf"^expected from 2 to 1,000 points a side, got {side}$"):
        next(geometry.plane(tiny, *triangle(), side=side))


def test_a_plane_may_have_but_two_points_a_side(tiny):
    assert (last_plane(tiny, side=2).predicted >= 0).any()
