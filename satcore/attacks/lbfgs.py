"""L-BFGS on the image: the paper's second-order attack."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun
from satcore.attacks.gradients import Gradient, Way
from satcore.attacks.lbfgsb import Iterate, minimise
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import CLASSES


def lbfgs(network: nn.Module, images: Tensor, targets: Tensor, **settings) -> AttackResult:
    """The cross-entropy towards `targets` (N,) minimised over the image by L-BFGS-B; the settings are those of
    `lbfgs_steps`.
    """
    return last(lbfgs_steps(network, images, targets, **settings))


def lbfgs_steps(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    steps: int = 1000,
    gradient: str = "autograd",
    temperature: float = 1.0,
    targeted: bool = True,
) -> Iterator[Step]:
    """L-BFGS-B, a Step for each look at the loss, pixels kept in [0, 1], until an image is classified as its target or
    can't move.

    Iterates, memory and line search are each image's own and in float64; the loss and its gradient are what the network
    gives in its own dtype. Nothing else bounds the perturbation. The rest as in `adam_steps`, ValueError included.
    """
    objective, way = Objective(targets, targeted), Way(gradient, temperature)
    standing = begun(network, images, objective, steps=steps)
    if not len(images):
        yield standing.step(0, standing.reached)
        return
    seen = _Seen(network, objective, way, standing.originals)
    index = torch.arange(len(images), device=images.device)
    for iterate in minimise(seen, standing.originals.flatten(1).double(), steps):
        points, taken = seen.accept(iterate, index)
        standing = standing.seen(index, points, taken.logits)
        standing = standing.met(index, taken.zero & ~standing.reached[index])
        standing = standing.counted(index, iterate.iterations[index] - standing.iterations[index])
        yield standing.step(int(iterate.iterations.max()), iterate.running, taken, index)
        index = iterate.running.nonzero().flatten()


class _Seen:
    """The function that is minimised; it remembers what it last saw of each image, and what was accepted of that.

    By autograd it is the loss and its gradient. "exact" and "softened" hand out a gradient that the loss itself may not
    show, below its rounding or softened away. There the value is the integral of that gradient from the last point
    accepted, by the trapezoid: a line search by slopes alone, in the manner of Hager & Zhang's approximate Wolfe
    conditions (2005).
    """

    def __init__(self, network: nn.Module, objective: Objective, way: Way, originals: Tensor):
        self.network, self.objective, self.way, self.originals = network, objective, way, originals
        count, like = len(originals), {"dtype": torch.float64, "device": originals.device}
        self.anchors, self.slopes = originals.flatten(1).double(), torch.zeros(count, 784, **like)
        self.anchor_values, self.units = torch.zeros(count, **like), torch.full((count,), torch.nan, **like)
        zeros = originals.new_zeros
        self.latest = Gradient(torch.zeros_like(originals), zeros(count), zeros(count, CLASSES))
        self.values, self.accepted = torch.full((count,), torch.nan, **like), self.latest

    def __call__(self, points: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        objective = self.objective[index]
        taken = self.way.gradient(self.network, self._images(points), objective)
        slopes = taken.direction.flatten(1).double()
        if self.way.name == "autograd":
            values = objective.values(taken.logits).double()
        else:
            slopes = slopes * self._in_units(taken, index)[:, None]
            at, before = self.anchors[index], self.slopes[index]
            values = self.anchor_values[index] + ((slopes + before) / 2 * (points - at)).sum(1)
        self.latest, self.values = self.latest.put(index, taken), self.values.index_copy(0, index, values)
        return values, slopes, objective.reached(taken.logits)

    def accept(self, iterate: Iterate, index: Tensor) -> tuple[Tensor, Gradient]:
        """The images (n, 1, 28, 28) that `iterate` holds of those at `index` (n,), and their gradient."""
        # Where the line search has failed, what was seen last is not where the image is.
        fresh = (self.values == iterate.values).nonzero().flatten()
        self.accepted = self.accepted.put(fresh, self.latest[fresh])
        self.anchors, self.slopes, self.anchor_values = iterate.points, iterate.gradients, iterate.values
        return self._images(iterate.points[index]), self.accepted[index]

    def _images(self, points: Tensor) -> Tensor:
        return points.view(-1, *self.originals.shape[1:]).to(self.originals.dtype)

    def _in_units(self, taken: Gradient, index: Tensor) -> Tensor:
        """The factor that makes each image's first gradient one of largest entry 1, and keeps later ones in
        proportion.
        """
        first = self.units[index].isnan()
        largest = taken.direction.flatten(1).abs().amax(1).double().clamp_min(1e-300)
        units = torch.where(first, taken.log_factor.double() + largest.log(), self.units[index])
        self.units = self.units.index_copy(0, index, units)
        return (taken.log_factor.double() - units).clamp(-600, 600).exp()
