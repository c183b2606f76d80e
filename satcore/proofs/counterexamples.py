"""Images of a box that are classified wrongly, by the network as it computes: what no proof can get past."""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.data import CLASSES
from satcore.networks import IMAGE, Network
from satcore.proofs.rounding import Interval

WAYS = (Way("exact"), Way("softened", 10.0))
STEPS, STARTS = 40, 3


class Box:
    """The images between `low` and `high` (784,) that the network's own numbers can express."""

    def __init__(self, network: Network, low: Tensor, high: Tensor, label: int):
        self.network, self.label, self.dtype = network, label, next(network.parameters()).dtype
        self.low, self.high = _inward(low, high, self.dtype)
        self.outer = low, high

    def wrong(self, images: Tensor) -> Tensor | None:
        """One of the `images` (n, 784) that is in the box and classified wrongly, whoever else is in its batch."""
        inside = ((images >= self.outer[0]) & (images <= self.outer[1])).all(1)
        images = images[inside].view(-1, *IMAGE)
        wrong = (self.network(images).argmax(1) != self.label).nonzero().flatten().tolist() if len(images) else []
        alone = (images[number : number + 1] for number in wrong)
        return next((image for image in alone if int(self.network(image).argmax(1)) != self.label), None)

    def corner(self, slopes: Tensor) -> Tensor:
        """Where functions with these `slopes` (n, 784) by the pixels are least, (n, 784)."""
        return torch.where(slopes > 0, self.low, self.high)

    def descents(self, deadline: float) -> Iterator[Tensor]:
        """Where projected gradient descent towards each of the wrong classes gets to, (9, 784) at a time: signed steps
        on the margin, from the middle and from random places, in each of the `WAYS`; until one errs, or the `deadline`
        of `time.monotonic`.
        """
        targets = torch.tensor([digit for digit in range(CLASSES) if digit != self.label])
        objective = Objective(targets, targeted=True, loss="margin")
        generator = torch.Generator().manual_seed(0)
        for start in range(STARTS):
            share = torch.rand(784, generator=generator, dtype=torch.float64).to(self.dtype) if start else 0.5
            first = torch.lerp(self.low, self.high, share).expand(len(targets), -1)
            for way in WAYS:
                x = first
                for step in range(STEPS):
                    gradient = way.gradient(self.network, x.reshape(-1, *IMAGE), objective)
                    size = (self.high - self.low) * (1 + math.cos(math.pi * step / STEPS)) / 8
                    x = (x - size * gradient.direction.flatten(1).sign()).clamp(self.low, self.high)
                    if time.monotonic() > deadline:
                        return
                yield x


def _inward(low: Tensor, high: Tensor, dtype: torch.dtype) -> Interval:
    """The lowest and the highest numbers of the `dtype` between `low` and `high`, float64."""
    least, most = low.to(dtype), high.to(dtype)
    least = torch.where(least.double() < low, torch.nextafter(least, torch.full_like(least, torch.inf)), least)
    most = torch.where(most.double() > high, torch.nextafter(most, torch.full_like(most, -torch.inf)), most)
    return least, most
