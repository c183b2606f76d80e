"""Complete proofs behind a step: there the ball around an image is a cube of a few free pixels, divided one by one.

What stands behind the step sees pixels that are 0 or 1, so a part of the cube is a box whose pixels are 0, 1, or free;
once none is free there is nothing left to bound. Parts of many images are bounded together.
"""

import heapq
import itertools
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from satcore.attacks.gradients import leaf
from satcore.data import CLASSES
from satcore.intervals import worst_logits
from satcore.networks import IMAGE, Block, Dense, Network
from satcore.proofs.relaxation import Relaxation, known, relaxed
from satcore.proofs.rounding import Arithmetic, Interval

AT_A_TIME = 64  # parts that are bounded together
MOST_PARTS = 20_000  # of one cube that are open at once: some 40 MB
SURER = 0.1  # how much the better half counts beside the worse one where a pixel is chosen


def behind_step(network: Network) -> Network:
    """The `network` without its first, stepping block: what stands behind it, with the same weights."""
    behind = Network(network.architecture[1:]).to(next(network.parameters()).dtype)
    behind.layers, behind.nonlinearities = network.layers[1:], network.nonlinearities[1:]
    return behind


def stepped(network: Network, low: Tensor, high: Tensor) -> Interval:
    """Between what the images from `low` to `high` (N, 784) float64 lie behind the step, (N, 784) of 0 and 1.

    The step is monotone in each pixel, upwards or downwards, in the network's own numbers, too; the ends are rounded
    outwards to these.
    """
    dtype = next(network.parameters()).dtype
    ends = []
    for end, outside in ((low, -torch.inf), (high, torch.inf)):
        near = end.to(dtype)
        inside = near.double() > end if outside < 0 else near.double() < end
        near = torch.where(inside, torch.nextafter(near, torch.full_like(near, outside)), near)
        ends.append(network.output(0, network.affine(0, near.view(-1, *IMAGE))).detach().flatten(1).double())
    return torch.minimum(*ends), torch.maximum(*ends)


def _ending_densely(network: Network) -> Network:
    """The `network`, its last block as the matrix that it is: `worst_logits` asks for one."""
    *below, last = network.layers
    if isinstance(last, nn.Linear):
        return network
    weight, bias = last.parameters()  # entry by entry: no other block ends in ten logits
    same = Network((*network.architecture[:-1], Block(Dense(CLASSES, CLASSES)))).to(weight.dtype)
    same.layers[-1].load_state_dict({"weight": weight.diag(), "bias": bias})
    same.layers, same.nonlinearities = nn.ModuleList((*below, same.layers[-1])), network.nonlinearities
    return same


@dataclass(order=True)
class _Part:
    """A part of a cube, its ends (784,) bool, and over which rivals, (10,) bool, it isn't proven; by its bound."""

    bound: float
    number: int
    low: Tensor = field(compare=False)
    high: Tensor = field(compare=False)
    rivals: Tensor = field(compare=False)


class CubeSearch:
    """The search in N cubes for a corner that is classified as anything but the cube's label, or for a proof that none
    is.

    broken  by number: the corner (784,) that breaks the cube
    stuck   those with a corner so close to a tie that rounding decides, which isn't bounded
    given_up
            those with more than `MOST_PARTS` open at once, which are divided no more
    """

    def __init__(self, behind: Network, low: Tensor, high: Tensor, labels: Tensor):
        """In the cubes from `low` to `high` (N, 784), of 0 and 1, with `labels` (N,), for what stands `behind` a step.

        Whatever bounds of the whole cubes prove is proven now.
        """
        self.behind, self.labels = behind, labels
        self.chosen_by = _ending_densely(behind)
        self.arithmetic = Arithmetic(behind)
        self.relaxation: Relaxation = relaxed(self.arithmetic)
        self.broken: dict[int, Tensor] = {}
        self.stuck: set[int] = set()
        self.given_up: set[int] = set()
        self._open: list[list[_Part]] = [[] for _ in labels]
        self._numbers = itertools.count()
        rivals = torch.ones(len(labels), CLASSES, dtype=torch.bool).scatter(1, labels[:, None], False)
        for index in torch.arange(len(labels)).split(AT_A_TIME):
            self._bound(index, low[index], high[index], rivals[index])

    @property
    def open(self) -> list[int]:
        """The numbers of the cubes that can still be divided."""
        return [number for number, parts in enumerate(self._open) if parts]

    def proven(self, number: int) -> bool:
        """Whether every corner of a cube is classified as its label."""
        return not (self._open[number] or number in self.broken or number in self.stuck | self.given_up)

    def run(self, deadline: float) -> None:
        """Divide what is open, every cube in its turn, until nothing is, or the `deadline` of `time.monotonic`."""
        turn: list[int] = []
        while time.monotonic() < deadline and (turn := turn or self.open):
            some, turn = turn[: AT_A_TIME // 2], turn[AT_A_TIME // 2 :]
            each = AT_A_TIME // (2 * len(some))  # where few cubes are left, several parts of each
            taken = [(number, heapq.heappop(self._open[number])) for number in some for _ in self._open[number][:each]]
            if taken:
                self._divide(taken)

    def _divide(self, taken: list[tuple[int, _Part]]) -> None:
        owners = torch.tensor([number for number, _ in taken], dtype=torch.int64)
        low, high, rivals = (torch.stack([getattr(part, of) for _, part in taken]) for of in ("low", "high", "rivals"))
        low, high = low.double(), high.double()
        pixel = self._pixel(owners, low, high, rivals)[:, None]
        self._bound(
            owners.repeat(2),
            torch.cat((low, low.scatter(1, pixel, 1.0))),
            torch.cat((high.scatter(1, pixel, 0.0), high)),
            rivals.repeat(2, 1),
        )

    def _pixel(self, owners: Tensor, low: Tensor, high: Tensor, rivals: Tensor) -> Tensor:
        """The free pixel of each part at which both halves gain most, to first order, in their interval bounds."""
        dtype = next(self.behind.parameters()).dtype
        below, above = (leaf(end.to(dtype).view(-1, *IMAGE)) for end in (low, high))
        with torch.enable_grad():
            worst = worst_logits(self.chosen_by, below, above, self.labels[owners]).where(rivals, -torch.inf)
            of_low, of_high = torch.autograd.grad(worst.amax(1).sum(), (below, above))
        gains = torch.stack((-of_low, of_high)).flatten(2)
        gain = gains.amin(0) + SURER * gains.amax(0)
        return gain.where(high > low, -torch.inf).argmax(1)

    @torch.no_grad()
    def _bound(self, owners: Tensor, low: Tensor, high: Tensor, rivals: Tensor) -> None:
        """Bound the parts from `low` to `high`, of the cubes at `owners`, and keep those that stay open."""
        region, lines = known(self.arithmetic, self.relaxation, low, high, tighten=False)
        part, rival = rivals.nonzero(as_tuple=True)
        eye = torch.eye(CLASSES, dtype=torch.float64)
        rows = (eye[self.labels[owners[part]]] - eye[rival])[:, None]
        left = (self.relaxation.interval_bound(self.arithmetic, region[part], rows)[:, 0] <= 0).nonzero().flatten()
        part, rival, rows = part[left], rival[left], rows[left]
        # Flat lines, as these bounds are then never worse than those by intervals; the usual ones are far worse where
        # intervals are what was trained on.
        around = [there[part] for there in lines]
        flat = [torch.zeros_like(there.usual_lean()) for there in around]
        bound = self.relaxation.lower_bound(region[part], around, self.relaxation.last, rows, flat)
        value, slopes = bound.value[:, 0], bound.pixels[:, 0]
        self.attack(owners[part], torch.where(slopes > 0, low[part], high[part]))
        rivals = torch.zeros_like(rivals).index_put((part, rival), value <= 0)
        lowest = value.new_zeros(len(low)).scatter_reduce(0, part, value, "amin")
        free = (low < high).any(1)
        for index in rivals.any(1).nonzero().flatten().tolist():
            number = int(owners[index])
            if not free[index]:
                self.stuck.add(number)
            elif number not in self.broken and number not in self.given_up:
                ends = low[index].bool(), high[index].bool()  # of a byte a pixel, and no views: there may be many parts
                kept = _Part(float(lowest[index]), next(self._numbers), *ends, rivals[index].clone())
                heapq.heappush(self._open[number], kept)
                if len(self._open[number]) > MOST_PARTS:
                    self.given_up.add(number)
                    self._open[number].clear()

    def attack(self, owners: Tensor, corners: Tensor) -> None:
        """Try `corners` (n, 784), of 0 and 1, of the cubes at `owners` (n,): whether one breaks its cube."""
        images = corners.to(next(self.behind.parameters()).dtype).view(-1, *IMAGE)
        wrong = self.behind(images).argmax(1) != self.labels[owners]
        for index in wrong.nonzero().flatten().tolist():
            number = int(owners[index])
            if self.behind(images[index : index + 1]).argmax(1) != self.labels[number]:  # whoever else was in the batch
                self.broken[number] = corners[index]
                self._open[number].clear()
