"""A search over free pixels: behind a step, before anything is summed, an L∞ ball is a cube of few corners."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun
from satcore.attacks.gradients import leaf
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import seeded
from satcore.intervals import box
from satcore.networks import Network

AT_ONCE = (1, 2, 4, 8, 16)  # pixels that are flipped together, those that a gradient behind the step asks for most
KICKED = 0.15  # of the free pixels, where no flip is left that helps
MOST = 4_096  # images at a time


def cube(network: nn.Module, images: Tensor, labels: Tensor, **settings) -> AttackResult:
    """Flip the pixels that are free within ε; the settings are those of `cube_steps`."""
    return last(cube_steps(network, images, labels, **settings))


def cube_steps(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    steps: int = 60,
    seed: int = 0,
    targeted: bool = False,
) -> Iterator[Step]:
    """Down the margin over the corners of the cube that the L∞ ball is behind the `network`'s first, stepping block.

    No gradient passes a step, but behind it there is one: each iteration tries the flips that it asks for most, several
    numbers of them at once, then every single free pixel, and takes the best; where none helps, some pixels are flipped
    at random, drawn with `seed`, and the search goes on from there. `labels` and `targeted` as in `fgsm_steps`; raises
    ValueError as it does, for fewer than 1 steps, for a seed outside 0…2⁶³−1, and for a network that doesn't step
    before anything is summed.
    """
    if not isinstance(network, Network) or not network.steps_first:
        raise ValueError("expected a network that steps pixel by pixel before anything is summed, got another one")
    objective = Objective(labels, targeted, "margin")
    standing = begun(network, images, objective, epsilon=epsilon, steps=steps)
    low, high = box(standing.originals, epsilon)
    cube = _Cube(network, standing.originals, low, high)
    flipped, values = torch.zeros_like(cube.free), standing.lowest.clone()
    generator = seeded(seed)
    running = ~standing.reached & cube.free.any(1)
    yield standing.step(0, running)
    for iteration in range(1, steps + 1):
        index = running.nonzero().flatten()
        if not len(index):
            return
        flipped[index] = cube.onwards(index, flipped[index], values[index], objective[index], generator)
        moved = cube.images(index, flipped[index])
        with torch.no_grad():
            logits = network(moved)
        values[index] = objective[index].values(logits)
        standing = standing.counted(index).seen(index, moved, logits)
        running = running & ~standing.reached & (iteration < steps)
        yield standing.step(iteration, running)


@torch.no_grad()
def searched(
    network: Network, images: Tensor, low: Tensor, high: Tensor, labels: Tensor, *, steps: int, deadline: float
) -> Tensor:
    """Where the search of `cube_steps` gets to in so many `steps`, or by the `deadline` of `time.monotonic`, from
    `images` (N, 1, 28, 28) between `low` and `high`: the last image of each that it has come to, or the first that is
    wrong.
    """
    cube, objective = _Cube(network, images, low, high), Objective(labels, False, "margin")
    generator = torch.Generator().manual_seed(0)
    flipped, found = torch.zeros_like(cube.free), images.clone()
    values = objective.values(network(images))
    for _ in range(steps):
        index = (cube.free.any(1) & (values > 0)).nonzero().flatten()
        if not len(index) or time.monotonic() > deadline:
            break
        flipped[index] = cube.onwards(index, flipped[index], values[index], objective[index], generator)
        found[index] = cube.images(index, flipped[index])
        values[index] = objective[index].values(network(found[index]))
    return found


class _Cube:
    """Boxes around images, as they are behind the step: so many free pixels each, all others as they were.

    free   (N, 784) bool: the pixels whose step can be made to change
    """

    def __init__(self, network: Network, originals: Tensor, low: Tensor, high: Tensor):
        self.network, self.originals = network, originals
        now, lowest, highest = (self._stepped(x).view_as(x) for x in (originals, low, high))  # some flatten first
        self.free = (lowest != highest).flatten(1)
        self.across = torch.where(lowest == now, high, low)  # the pixel's value on the other side of its step

    def images(self, index: Tensor, flipped: Tensor) -> Tensor:
        """Those at `index` (n,) with the pixels `flipped` (n, …, 784), (n·…, 1, 28, 28)."""
        shape = (len(index), *[1] * (flipped.ndim - 2), 784)
        moved = torch.where(flipped, self.across[index].reshape(shape), self.originals[index].reshape(shape))
        return moved.view(-1, 1, 28, 28)

    def onwards(
        self, index: Tensor, flipped: Tensor, values: Tensor, objective: Objective, generator: torch.Generator
    ) -> Tensor:
        """What is to be flipped next of the images at `index` (n,) that have pixels `flipped` (n, 784), which leaves
        `values` (n,): the best flips, or, where none helps, some at random.
        """
        found, reached = self.best(index, self.wanted(index, flipped, objective), objective)
        stuck = (reached >= values).nonzero().flatten()
        if len(stuck):
            there = index[stuck]
            found[stuck], reached[stuck] = self.best(there, self.single(there, flipped[stuck]), objective[stuck])
        kick = (torch.rand(784, generator=generator) < KICKED).to(found.device) & self.free[index]  # alike for all
        lost = (reached >= values)[:, None]
        return torch.where(lost, flipped ^ kick, found)

    @torch.no_grad()
    def best(self, index: Tensor, tried: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        """Of the flips `tried` (n, K, 784) of each image the one that leaves the least, (n, 784), and what, (n,)."""
        images = self.images(index, tried)
        logits = torch.cat([self.network(chunk) for chunk in images.split(MOST)]).view(*tried.shape[:2], -1)
        values = torch.stack([objective.values(of_flip) for of_flip in logits.unbind(1)], 1)
        least = values.min(1)
        return tried[torch.arange(len(index), device=index.device), least.indices], least.values

    def wanted(self, index: Tensor, flipped: Tensor, objective: Objective) -> Tensor:
        """The flips that the gradient behind the step asks for most, added to those that are there, (n, K, 784)."""
        with torch.enable_grad():
            stepped = leaf(self._stepped(self.images(index, flipped)))
            logits = self.network.pre_activations_above(1, stepped)[-1]
            (slope,) = torch.autograd.grad(objective.values(logits).sum(), stepped)
        change = 1 - 2 * stepped.detach()
        gain = torch.where(self.free[index], -(slope * change).flatten(1), -torch.inf)
        rank = gain.argsort(dim=1, descending=True).argsort(dim=1)
        chosen = torch.stack([(rank < count) & (gain > 0) for count in AT_ONCE], 1)
        return flipped[:, None] ^ chosen

    def single(self, index: Tensor, flipped: Tensor) -> Tensor:
        """Each free pixel flipped alone, (n, K, 784); where an image has fewer than others, nothing is."""
        free = self.free[index]
        number = torch.where(free, free.cumsum(1) - 1, -1)
        count = int(free.sum(1).max())
        return flipped[:, None] ^ (number[:, None] == torch.arange(count, device=free.device)[:, None])

    def _stepped(self, images: Tensor) -> Tensor:
        seen = images.to(next(self.network.parameters()).dtype)  # as the network sees them
        return self.network.output(0, self.network.affine(0, seen)).detach()
