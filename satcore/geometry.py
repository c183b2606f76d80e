"""How a network stretches the space of images: its Jacobian, the Fisher metric, a straight path, a plane (Eq. 10–13).

Everything is computed in float64 and stays exact however saturated the units are: σ′(h) is taken as σ(h)·σ(−h),
never as the y(1−y) of autograd, which is 0 from h ≈ 37 on, and probabilities are kept as logarithms.

In the paper's symbols: x⁰ an image, hˡ the pre-activations, p = softmax(hᴰ), J = ∂hᴰ/∂x⁰, v = J dx⁰.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from satcore import linearised
from satcore.data import CLASSES, check_images
from satcore.linearised import ExactNetwork
from satcore.networks import Network

TOLERANCE = 1e-3  # to which the two ways of measuring a path's length are made to agree
ROUNDING = 1e-12  # of an arc, where logits are some 10⁴: less is noise, on which bisection would never end
ROUNDS = 40  # of bisection at most: float64 can hardly tell apart what is closer together
FLAT = 0.01  # the share of the length that the flattest part of a path carries
PART = 2_000  # points of a plane from one record to the next


@dataclass(frozen=True)
class Path:
    """A straight path between two images and what a network makes of it (Eq. 13).

    source, target    (1, 28, 28)

    At `points` equal steps from one to the other:
    t                 (P,), from 0, the source, to 1, the target
    images            (P, 1, 28, 28)
    probabilities     (P, 10)
    length_element    (P,) per unit t (Eq. 12)
    singular_values   (P, 10) of the Jacobian, descending

    Where the length element was evaluated to find the length, close together where it is spiky:
    nodes                   (M,), from 0 to 1, all of `t` among them
    probabilities_at_nodes  (M, 10)
    element_at_nodes        (M,)
    length_so_far           (M,), from 0 to `length`

    length            the integral of the length element: how far it is along the path in the Fisher–Rao metric
    arc_length        the same without any derivative, Σ 2·arccos Σ√(p_k p_{k+1}) over the nodes: from below
    geodesic          the shortest way between the two ends' probabilities, at most π
    flatness          share of the path, its flattest parts, that carries 1 % of the length: 0.01 if all is alike
    transition        the t where the length element is largest
    spectrum          (10,): the singular values there
    participation     (Σσ²)²/Σσ⁴ there: how many singular values take part, from 1 to 10
    """

    source: Tensor
    target: Tensor
    t: Tensor
    probabilities: Tensor
    length_element: Tensor
    singular_values: Tensor
    nodes: Tensor
    probabilities_at_nodes: Tensor
    element_at_nodes: Tensor
    length_so_far: Tensor
    length: float
    arc_length: float
    geodesic: float
    flatness: float
    transition: float
    spectrum: Tensor
    participation: float

    @property
    def images(self) -> Tensor:
        return torch.lerp(self.source, self.target, self.t[:, None, None, None])  # Eq. 13


@dataclass(frozen=True)
class Plane:
    """The triangle that three images span, on a grid in the plane's own coordinates (pixel values, Euclidean).

    corners             (3, 2): where the three images lie; the first at the origin, the second on the x axis
    x, y                (side,): the grid
    predicted           (side, side) int64, [row y, column x]: the class predicted; −1 outside the triangle
    confidence          (side, side): its probability; NaN outside
    log_length_element  (side, side): log₁₀ of the length element per unit of Euclidean distance, root mean square
                        over all directions in the plane; NaN outside
    done                share of the grid that has been computed; the last record's is 1
    """

    corners: Tensor
    x: Tensor
    y: Tensor
    predicted: Tensor
    confidence: Tensor
    log_length_element: Tensor
    done: float


@torch.no_grad()
def jacobian(network: Network, images: Tensor) -> Tensor:
    """J = ∂hᴰ/∂x⁰, (N, 10, 784) float64, of `images` (N, 1, 28, 28) in [0, 1] (in Eq. 11).

    Where a ReLU or max-pooling has no derivative, it is the one that PyTorch takes. Raises ValueError for other
    shapes or pixels.
    """
    check_images(images)
    exact = ExactNetwork(network)
    return torch.cat([exact.at(h).jacobian() for h in exact.parts(exact.first(images))])


def singular_values(jacobian: Tensor) -> Tensor:
    """The singular values of each J of `jacobian` (N, 10, 784), (N, 10), descending, each to about 1e-16 of the largest.

    Raises ValueError for another shape.
    """
    if jacobian.ndim != 3 or tuple(jacobian.shape[1:]) != (CLASSES, 784):
        raise ValueError(f"expected Jacobians of shape (N, 10, 784), got {tuple(jacobian.shape)}")
    return linearised.singular_values(jacobian.double())


@torch.no_grad()
def length_element(network: Network, images: Tensor, direction: Tensor) -> Tensor:
    """dl = √(vᵀ G_in v), (N,) float64, of `images` (N, 1, 28, 28) in [0, 1] along v = `direction` of that shape (Eq. 12).

    By one Jacobian-vector product, without cancellation, also where probabilities underflow. Raises ValueError for
    other shapes or pixels, or a direction that isn't finite.
    """
    check_images(images)
    if direction.shape != images.shape or not bool(direction.isfinite().all()):
        raise ValueError(f"expected a finite direction of the images' shape {tuple(images.shape)}, "
                         f"got {direction.dtype} of shape {tuple(direction.shape)}")
    exact = ExactNetwork(network)
    parts = zip(exact.parts(exact.first(images)), exact.parts(exact.first_tangent(direction)), strict=True)
    return torch.cat([_log_length_element(point.logits.log_softmax(1), point.push(dh)).exp()
                      for point, dh in ((exact.at(h), dh) for h, dh in parts)])


@torch.no_grad()
def path(network: Network, source: Tensor, target: Tensor, points: int = 201) -> Path:
    """Follow the straight line from `source` to `target`, each (1, 28, 28) or (1, 1, 28, 28), in [0, 1] (Eq. 13).

    The length is integrated by the trapezoidal rule, on nodes that are bisected where it disagrees with the length
    found without derivatives, until these disagreements sum to at most 1e-3 of it. That is agreement, not accuracy: a
    spike between two nodes at which the network is certain of one and the same class is seen by neither, so a very
    saturated network's length can come out too small, the less so the more `points` there are. Raises ValueError for
    other images, or fewer than two points.
    """
    if points < 2:
        raise ValueError(f"expected at least two points, got {points}")
    exact = ExactNetwork(network)
    source, target = _one(source, exact.device), _one(target, exact.device)
    line = _Affine(exact, torch.cat((source, target)), target - source)
    t = torch.linspace(0, 1, points, dtype=torch.float64, device=exact.device)

    log_p, element, spectra = line.measured(_from_to(t), spectra=True)
    nodes, node_log_p, node_element = _refined(line, t, log_p, element)
    steps = _trapezoids(nodes, node_element)
    so_far = torch.cat((steps.new_zeros(1), steps.cumsum(0)))
    transition = nodes[node_element.argmax()]
    spectrum = line.measured(_from_to(transition[None]), spectra=True)[2][0]
    return Path(
        source=source[0], target=target[0], t=t, probabilities=log_p.exp(), length_element=element,
        singular_values=spectra, nodes=nodes, probabilities_at_nodes=node_log_p.exp(), element_at_nodes=node_element,
        length_so_far=so_far, length=float(so_far[-1]),
        arc_length=float(_arcs(node_log_p).sum()), geodesic=float(_arcs(log_p[[0, -1]])),
        flatness=_flatness(nodes.diff(), steps), transition=float(transition), spectrum=spectrum,
        participation=_participation(spectrum))


@torch.no_grad()
def plane(network: Network, first: Tensor, second: Tensor, third: Tensor, side: int = 200) -> Iterator[Plane]:
    """Map the triangle that three images span, each (1, 28, 28) or (1, 1, 28, 28), in [0, 1], on `side`² points.

    Yields the map as it fills; the last one is whole. Raises ValueError for other images, for three on one line, or
    for fewer than two points a side.
    """
    if side < 2:
        raise ValueError(f"expected at least two points a side, got {side}")
    exact = ExactNetwork(network)
    first, second, third = (_one(image, exact.device) for image in (first, second, third))
    directions, corners = _frame(first, second, third)
    affine = _Affine(exact, torch.cat((first, second, third)), directions)

    x = torch.linspace(float(corners[:, 0].min()), float(corners[:, 0].max()), side, dtype=torch.float64)
    y = torch.linspace(0, float(corners[2, 1]), side, dtype=torch.float64)
    weights = _barycentric(corners, x, y)
    rows, columns = (weights >= -1e-12).all(2).nonzero(as_tuple=True)  # the edges too, however they are rounded
    predicted = torch.full((side, side), -1)
    confidence, log_element = torch.full((2, side, side), math.nan, dtype=torch.float64)
    for at in torch.arange(len(rows)).split(PART):
        row, column = rows[at], columns[at]
        log_p, element, _ = affine.measured(weights[row, column].to(exact.device))
        best, predicted[row, column] = (values.cpu() for values in log_p.max(1))
        confidence[row, column] = best.exp()
        log_element[row, column] = element.log10().cpu()
        yield Plane(corners, x, y, predicted.clone(), confidence.clone(), log_element.clone(),
                    done=(int(at[-1]) + 1) / len(rows))


class _Affine:
    """Weighted means of some corners: there the first layer's pre-activations are means of those at the corners."""

    def __init__(self, exact: ExactNetwork, corners: Tensor, directions: Tensor):
        self.exact = exact
        self.corners, self.steps = exact.first(corners), exact.first_tangent(directions)

    def measured(self, weights: Tensor, spectra: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """At M points, `weights` (M, corners): log p (M, 10), the length element (M,), which is the root mean square of
        those along the directions, and J's singular values (M, 10), or (M, 0) where `spectra` aren't asked for.
        """
        parts = []
        for some in self.exact.parts(weights):
            point = self.exact.at(torch.tensordot(some, self.corners, dims=1))
            log_p = point.logits.log_softmax(1)
            logs = torch.stack([_log_length_element(log_p, point.push(step[None])) for step in self.steps])
            parts.append((log_p, ((2 * logs).logsumexp(0) - math.log(len(logs))).div(2).exp(),
                          point.singular_values() if spectra else log_p[:, :0]))
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def _log_length_element(log_p: Tensor, v: Tensor) -> Tensor:
    """log dl, (N,), of log p (N, 10) and v = J dx (N, 10).

    vᵀ(diag p − ppᵀ)v = Σ_{i<j} p_i p_j (v_i − v_j)² has no cancellation, and in logarithms no underflow.
    """
    i, j = torch.triu_indices(CLASSES, CLASSES, 1, device=log_p.device)
    pairs = log_p[:, i] + log_p[:, j] + 2 * (v[:, i] - v[:, j]).abs().log()
    return pairs.logsumexp(1) / 2  # Eq. 12, with Eq. 10 and 11


def _arcs(log_p: Tensor) -> Tensor:
    """2·arccos Σ√(p_k p_{k+1}) between neighbours of log p (N, 10): (N−1,).

    p ↦ 2√p puts the simplex on a sphere of radius 2, its Fisher–Rao distances unchanged; by the chord between two
    points there, not their cosine, small distances keep all their digits.
    """
    chords = (log_p / 2).exp().diff(dim=0).norm(dim=1)
    return 4 * torch.asin((chords / 2).clamp(max=1))


def _trapezoids(nodes: Tensor, element: Tensor) -> Tensor:
    return nodes.diff() * (element[1:] + element[:-1]) / 2


def _refined(line: _Affine, nodes: Tensor, log_p: Tensor, element: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`nodes` (M,), log p and the length element there, with more nodes where trapezoids and arcs disagree."""
    for _ in range(ROUNDS):
        arcs = _arcs(log_p)
        disagreement = (_trapezoids(nodes, element) - arcs).abs()
        allowed = TOLERANCE * arcs.sum() + ROUNDING * len(arcs)
        if disagreement.sum() <= allowed:
            break
        where = disagreement > allowed / (2 * len(arcs))
        between = nodes[:-1][where] + nodes.diff()[where] / 2
        new_log_p, new_element, _ = line.measured(_from_to(between))
        nodes, order = torch.cat((nodes, between)).sort()
        log_p, element = torch.cat((log_p, new_log_p))[order], torch.cat((element, new_element))[order]
    return nodes, log_p, element


def _flatness(widths: Tensor, lengths: Tensor) -> float:
    """Share of the path's width, flattest parts first, that carries 1 % of its length; 1 where there is no length."""
    order = (lengths / widths).argsort()
    carried, passed = lengths[order].cumsum(0), widths[order].cumsum(0)
    limit = FLAT * carried[-1]
    last = int((carried <= limit).sum())  # the first part that goes past the limit, taken in proportion
    if last == len(carried):
        return 1.0
    before = carried[last] - lengths[order][last]
    share = (limit - before) / lengths[order][last]
    return float(passed[last] - (1 - share) * widths[order][last])


def _participation(spectrum: Tensor) -> float:
    """(Σσ²)²/Σσ⁴ of `spectrum` (10,), scaled so that nothing underflows; 0 where all of it is zero."""
    scaled = (spectrum / spectrum.max()) ** 2
    return float(scaled.sum() ** 2 / (scaled**2).sum()) if spectrum.max() > 0 else 0.0


def _frame(first: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
    """An orthonormal frame of the plane of three images, (2, 1, 28, 28), and where they lie in it, (3, 2)."""
    across, up = second - first, third - first
    width = across.norm()
    right = across / width
    along = (up * right).sum()
    height = (up - along * right).norm()
    if not (width > 0 and height > 1e-6 * width):
        raise ValueError("expected three images that span a triangle, got three on one line")
    corners = torch.tensor([[0, 0], [float(width), 0], [float(along), float(height)]], dtype=torch.float64)
    return torch.cat((right, (up - along * right) / height)), corners


def _barycentric(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(rows of y, columns of x, 3): the weights of the triangle's `corners` (3, 2) whose mean the point is."""
    (width, _), (along, height) = corners[1], corners[2]
    third = (y / height)[:, None].expand(len(y), len(x))
    second = (x - third * along) / width
    return torch.stack((1 - second - third, second, third), 2)


def _from_to(t: Tensor) -> Tensor:
    """The weights (M, 2) of a line's ends at t (M,). At t = 1 the target's is 1 exactly, so that what is equal there,
    and tied in max-pooling, stays so."""
    return torch.stack((1 - t, t), 1)  # Eq. 13


def _one(image: Tensor, device: torch.device) -> Tensor:
    """`image` as a batch of one in float64."""
    images = image[None] if image.ndim == 3 else image
    check_images(images)
    if len(images) != 1:
        raise ValueError(f"expected one image, got {len(images)}")
    return images.detach().to(device, torch.float64)
