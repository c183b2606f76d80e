"""What no proof within an L∞ ball speaks of: a few pixels changed at will, an L2 ball, images moved, lit and faded."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from satcore import data, library
from satcore.attacks.objective import Objective
from satcore.evaluation.findings import Findings
from satcore.evaluation.strongest import wrong
from satcore.networks import Network
from satcore.proportions import Proportion

FILE = "beyond.json"
IMAGES, SEED = 1_000, 0
PIXELS = (1, 2, 4, 8, 16, 32)
RADII = (0.5, 1.0, 1.5, 2.0, 3.0)
TRIED = 12  # pixels that a gradient asks for most
AT_A_TIME = 2_000  # images
LEAK = 0.1  # by how much more a unit's slope is taken to be
SHIFTS = tuple(there for there in itertools.product((-1, 0, 1), repeat=2) if any(there))
CHANGES = {
    "brighter by 0.25": lambda x: (x + 0.25).clamp(0, 1),
    "darker by 0.25": lambda x: (x - 0.25).clamp(0, 1),
    "contrast halved": lambda x: 0.5 + (x - 0.5) / 2,
    "contrast doubled": lambda x: (0.5 + 2 * (x - 0.5)).clamp(0, 1),
    "contrast halved, darker": lambda x: x / 2,
}


@dataclass(frozen=True)
class Beyond:
    """How many of `images` random test images are right, each count for itself; of all test images those of `changed`.

    clean    as they are
    pixels   after a greedy search has set so many pixels to 0 or 1, for each of `PIXELS`
    radii    after a search within an L2 ball, for each of `RADII`
    shifted  wherever they are moved by one pixel, up or down, sideways, or both: right in all eight places
    changed  after each of `CHANGES`
    ties     pixels of all test images that are exactly ½, where a step decides by rounding
    """

    images: int
    clean: int
    pixels: list[int] = field(default_factory=list)
    radii: list[int] = field(default_factory=list)
    shifted: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    ties: int = 0

    def share(self, count: int) -> Proportion:
        """A `count` of the sample as a share of it."""
        return Proportion(count, self.images)


def examine(network: Network) -> Beyond:
    """All of it, a minute on one core for an MLP."""
    images, labels = data.sample("test", IMAGES, SEED)
    everything = data.load("test")
    needed = pixels_needed(network, images, labels, max(PIXELS))
    distance = distances(network, images, labels)
    places = torch.stack([~wrong(network, moved(images, *there), labels) for there in SHIFTS])
    return Beyond(
        IMAGES,
        clean=int((needed > 0).sum()),
        pixels=[int((needed > count).sum()) for count in PIXELS],
        radii=[int((distance > radius).sum()) for radius in RADII],
        shifted=int(places.all(0).sum()),
        changed={
            name: int((~wrong(network, change(everything.images), everything.labels)).sum())
            for name, change in CHANGES.items()
        },
        ties=int((everything.images == 0.5).sum()),
    )


def moved(images: Tensor, down: int, right: int) -> Tensor:
    """`images` (N, 1, 28, 28), moved by so many pixels; what comes in is black."""
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return wide[:, :, 1 - down : 29 - down, 1 - right : 29 - right]


def pixels_needed(network: Network, images: Tensor, labels: Tensor, most: int) -> Tensor:
    """How many pixels a greedy search has to set to 0 or 1 until each image is classified wrongly, (N,): 0 where it is
    so before, `most` + 1 where so many are not enough.

    Each time those pixels that the gradient of the margin asks for most are tried, and the best one is kept: at most a
    bound from above on how few it takes.
    """
    return _greedy(network, images, labels, most, cost=torch.ones_like, enough=math.inf)[0]


def distances(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """At which L2 distance an image is found that is classified wrongly, (N,): 0 where the image itself is, infinite
    where none is found.

    Behind a step a pixel costs how far it is from ½, and the same greedy search takes those that give most for their
    cost. Otherwise steps along the gradient of the margin, within balls of each of `RADII`: then the radius.
    """
    if network.steps_first:
        return _greedy(network, images, labels, 784, cost=_to_the_step, enough=max(RADII) ** 2)[1]
    found = torch.where(wrong(network, images, labels), 0.0, torch.inf)
    for radius in RADII:
        left = (found == torch.inf).nonzero().flatten()
        if len(left):
            broken = wrong(network, _descended(network, images[left], labels[left], radius), labels[left])
            found[left[broken]] = radius
    return found


def _descended(network: Network, images: Tensor, labels: Tensor, radius: float, steps: int = 40) -> Tensor:
    objective, x = Objective(labels, False, "margin"), images
    for _ in range(steps):
        gradient = _slope(network, x, objective).flatten(1)
        step = gradient / gradient.norm(dim=1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
        offset = (x - images).flatten(1) - 4 * radius / steps * step
        offset = offset * (radius / offset.norm(dim=1, keepdim=True).clamp_min(radius))
        x = (images + offset.view_as(images)).clamp(0, 1)
    return x


def _to_the_step(x: Tensor) -> Tensor:
    return (x - 0.5).square()


def _greedy(
    network: Network, images: Tensor, labels: Tensor, most: int, *, cost: Callable[[Tensor], Tensor], enough: float
) -> tuple[Tensor, Tensor]:
    """How many pixels it took, and the root of the sum of their `cost`; none is looked for once it is `enough`."""
    objective, x = Objective(labels, False, "margin"), images.clone()
    number, distance = torch.full((len(x),), most + 1), torch.full((len(x),), torch.inf)
    spent, used = torch.zeros(len(x)), torch.zeros(len(x), 784, dtype=torch.bool)
    broken = wrong(network, x, labels)
    number[broken], distance[broken] = 0, 0.0
    for count in range(1, most + 1):
        left = (~broken & (spent < enough)).nonzero().flatten()
        if not len(left):
            break
        here, each = x[left].flatten(1), torch.arange(len(left))
        slope, price = _slope(network, x[left], objective[left]).flatten(1), cost(here).clamp_min(1e-6)
        target = (slope < 0).to(here.dtype)  # 1 where the margin falls with the pixel
        gain = torch.where(used[left], -torch.inf, (slope * (here - target)) / price)
        tried = gain.topk(TRIED, dim=1).indices
        candidates = here[:, None].repeat(1, TRIED, 1)
        candidates.scatter_(2, tried[:, :, None], target.gather(1, tried)[:, :, None])
        values = torch.cat(
            [network(part.reshape(-1, 1, 28, 28)) for part in candidates.split(AT_A_TIME // TRIED)]
        ).detach()
        margins = torch.stack(
            [objective[left].values(there) for there in values.view(len(left), TRIED, -1).unbind(1)], 1
        )
        start = objective[left].values(network(x[left])).detach()
        best = ((start[:, None] - margins) / price.gather(1, tried)).argmax(1)
        pixel = tried[each, best]
        x[left] = candidates[each, best].view(-1, 1, 28, 28)
        used[left, pixel] = True
        spent[left] += price[each, pixel]
        over = left[margins[each, best] < 0]
        number[over], distance[over], broken[over] = count, spent[over].sqrt(), True
    return number, distance


def _slope(network: Network, x: Tensor, objective: Objective) -> Tensor:
    """The gradient of the margin by the pixels; behind a step, by what it makes of them.

    Where even that is exactly zero, every unit is taken to pass a little more than it does (as in BPDA, Athalye et al.
    2018): of a search without a direction nothing would follow.
    """
    slope = _backward(network, x, objective, 0.0)
    still = (slope == 0).flatten(1).all(1)
    if network.steps_first and still.any():
        slope[still] = _backward(network, x[still], objective[still], LEAK)
    return slope


def _backward(network: Network, x: Tensor, objective: Objective, leak: float) -> Tensor:
    first = int(network.steps_first)
    inputs = (network.output(0, network.affine(0, x)) if first else x).detach().requires_grad_()
    with torch.enable_grad():
        there = inputs
        for depth in range(first, len(network.architecture)):
            h = network.affine(depth, there)
            there = network.output(depth, h)
            if leak and there.shape == h.shape:
                there = there + leak * (h - h.detach())
        (slope,) = torch.autograd.grad(objective.values(there).sum(), inputs)
    return slope


def find(name: str, *, ship: bool = False) -> Beyond:
    """What is kept of the network `name`, or, where nothing is, what is found now, and then kept; `ship`, for
    maintainers, as `library.place`.
    """
    found = load(name)
    if found is None:
        sha256 = library.describe(name).sha256
        found = examine(library.load(name))
        library.check_same(name, sha256)
        KEPT.save(name, dataclasses.asdict(found), ship=ship)
    return found


def in_words(found: Beyond) -> str:
    """Such as "right 98.5 %, moved by a pixel 94.9 %, …", of the sample."""
    after = [
        ("right", found.clean),
        ("moved by a pixel", found.shifted),
        *((f"{count} pixels set", right) for count, right in zip(PIXELS, found.pixels, strict=True)),
        *((f"L2 {radius:g}", right) for radius, right in zip(RADII, found.radii, strict=True)),
    ]
    shares = ", ".join(f"{what} {100 * found.share(count).share:.1f} %" for what, count in after)
    return f"{shares} ({found.images:,} random test images)"


def load(name: str) -> Beyond | None:
    """What is kept of the network `name`, as `Findings.load`."""
    return KEPT.load(name)


def _believed(fields: dict[str, Any]) -> Beyond:
    found = Beyond(**fields)
    for count in (found.clean, found.shifted, *found.pixels, *found.radii):
        found.share(count)
    if (len(found.pixels), len(found.radii), found.changed.keys()) != (len(PIXELS), len(RADII), CHANGES.keys()):
        raise ValueError("a count for each change")
    return found


KEPT = Findings(FILE, "what was found beyond the ball of", 1, 1 << 20, _believed)
