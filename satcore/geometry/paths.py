"""The straight path between two images, and what a network makes of it (Eq. 13)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from satcore.data import check_whole
from satcore.geometry.linearised import ExactNetwork
from satcore.geometry.metric import Affine, one_image
from satcore.networks import Network

TOLERANCE = 1e-3  # to which the two ways of measuring a path's length are made to agree
ROUNDING = 1e-12  # of an arc, where logits are some 10⁴: less is noise, on which bisection would never end
ROUNDS = 40  # of bisection at most: float64 can hardly tell apart what is closer together
FEWEST = 101  # nodes that a path is first seen at, so that its length doesn't hang on how few points are asked for
MOST_POINTS = 100_000  # of which the images alone are 600 MB
FLAT = 0.01  # the share of the length that the flattest part of a path carries


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

    length            the integral of the length element: how far it is along the path in the Fisher–Rao metric;
                      between two nodes never less than the arc between their probabilities
    arc_length        the same without any derivative, Σ 2·arccos Σ√(p_k p_{k+1}) over the nodes: from below
    disagreement      the sum over the nodes of how far the two ways are apart; converged: whether that is small enough
    geodesic          the shortest way between the two ends' probabilities, at most π
    flatness          share of the path, its flattest parts, that carries 1 % of the length: 0.01 if all is alike
    transition        the t where the length element is largest; of a path that only jumps, where its longest jump is
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
    disagreement: float
    converged: bool
    geodesic: float
    flatness: float
    transition: float
    spectrum: Tensor
    participation: float

    @property
    def images(self) -> Tensor:
        """(P, 1, 28, 28): those at `t`."""
        return torch.lerp(self.source, self.target, self.t[:, None, None, None])  # Eq. 13


@torch.no_grad()
def path(network: Network, source: Tensor, target: Tensor, points: int = 201) -> Path:
    """Follow the straight line from `source` to `target`, each (1, 28, 28) or (1, 1, 28, 28), in [0, 1] (Eq. 13).

    The length is integrated by the trapezoidal rule, on nodes, `FEWEST` or more at first, that are bisected where it
    disagrees with the length found without derivatives, until these disagreements sum to at most 1e-3 of it. That is
    agreement, not accuracy: a spike between two nodes at which the network is certain of one and the same class is seen
    by neither, so a very saturated network's length can come out too small, the less so the more `points` there are,
    from 2 to `MOST_POINTS`. Raises ValueError for other images or points, and for what isn't a network of blocks. Where
    a network jumps, or is steeper than float64 resolves, the two never agree; the path then isn't `converged`.
    """
    check_whole(points, f"from 2 to {MOST_POINTS:,} points", 2, MOST_POINTS)
    exact = ExactNetwork(network)
    source, target = one_image(source, exact.device), one_image(target, exact.device)
    line = Affine(exact, torch.cat((source, target)), target - source)
    t = torch.linspace(0, 1, points, dtype=torch.float64, device=exact.device)

    log_p, element, spectra = line.measured(_from_to(t), spectra=True)
    nodes, node_log_p, node_element = _refined(line, *_filled(line, t, log_p, element))
    trapezoids, arcs = _trapezoids(nodes, node_element), _arcs(node_log_p)
    disagreement = (trapezoids - arcs).abs().sum()
    steps = torch.where(arcs > trapezoids + ROUNDING, arcs, trapezoids)  # no way is shorter than the arc
    so_far = torch.cat((steps.new_zeros(1), steps.cumsum(0)))
    transition = nodes[node_element.argmax()]
    if not node_element.any():  # where it only jumps: within its longest step
        transition = nodes[steps.argmax()] + nodes.diff()[steps.argmax()] / 2
    spectrum = line.measured(_from_to(transition[None]), spectra=True)[2][0]
    return Path(
        source=source[0],
        target=target[0],
        t=t,
        probabilities=log_p.exp(),
        length_element=element,
        singular_values=spectra,
        nodes=nodes,
        probabilities_at_nodes=node_log_p.exp(),
        element_at_nodes=node_element,
        length_so_far=so_far,
        length=float(so_far[-1]),
        arc_length=float(arcs.sum()),
        disagreement=float(disagreement),
        converged=bool(disagreement <= _allowed(arcs)),
        geodesic=float(_arcs(log_p[[0, -1]])),
        flatness=_flatness(nodes.diff(), steps),
        transition=float(transition),
        spectrum=spectrum,
        participation=_participation(spectrum),
    )


def _arcs(log_p: Tensor) -> Tensor:
    """2·arccos Σ√(p_k p_{k+1}) between neighbours of log p (N, 10): (N−1,).

    p ↦ 2√p puts the simplex on a sphere of radius 2, its Fisher–Rao distances unchanged; by the chord between two
    points there, not their cosine, small distances keep all their digits.
    """
    chords = (log_p / 2).exp().diff(dim=0).norm(dim=1)
    return 4 * torch.asin((chords / 2).clamp(max=1))


def _trapezoids(nodes: Tensor, element: Tensor) -> Tensor:
    return nodes.diff() * (element[1:] + element[:-1]) / 2


def _allowed(arcs: Tensor) -> Tensor:
    """How far apart the two ways of measuring a path of these `arcs` (N,) may be."""
    return TOLERANCE * arcs.sum() + ROUNDING * len(arcs)


def _filled(line: Affine, nodes: Tensor, log_p: Tensor, element: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`nodes` (M,), log p and the length element there, with more nodes halfway between all until they are `FEWEST`."""
    while len(nodes) < FEWEST:
        nodes, log_p, element = _with_between(line, nodes, log_p, element, torch.arange(len(nodes) - 1))
    return nodes, log_p, element


def _refined(line: Affine, nodes: Tensor, log_p: Tensor, element: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same, with more nodes where trapezoids and arcs disagree."""
    for _ in range(ROUNDS):
        arcs = _arcs(log_p)
        disagreement = (_trapezoids(nodes, element) - arcs).abs()
        allowed = _allowed(arcs)
        if disagreement.sum() <= allowed:
            break
        ascending, order = disagreement.sort()
        where = order[ascending.cumsum(0) > allowed / 2]  # those between others agree as closely as they have to
        nodes, log_p, element = _with_between(line, nodes, log_p, element, where)
    return nodes, log_p, element


def _with_between(
    line: Affine, nodes: Tensor, log_p: Tensor, element: Tensor, where: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same, with a node halfway between each of the nodes `where` (K,) and the next."""
    between = nodes[:-1][where] + nodes.diff()[where] / 2
    new_log_p, new_element, _ = line.measured(_from_to(between))
    nodes, order = torch.cat((nodes, between)).sort()
    return nodes, torch.cat((log_p, new_log_p))[order], torch.cat((element, new_element))[order]


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


def _from_to(t: Tensor) -> Tensor:
    """The weights (M, 2) of a line's ends at t (M,). At t = 1 the target's is 1 exactly, so that what is equal there,
    and tied in max-pooling, stays so.
    """
    return torch.stack((1 - t, t), 1)  # Eq. 13
