"""What no proof within an L∞ ball speaks of: a few pixels changed at will, an L2 ball, images moved, lit and faded."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from satcore import data, library
from satcore.attacks.gradients import Way, leaf
from satcore.attacks.objective import Objective
from satcore.evaluation.findings import Findings
from satcore.evaluation.strongest import wrong
from satcore.networks import Network
from satcore.proportions import Proportion

FILE = "beyond.json"
IMAGES, SEED = 1_000, 0
PIXELS = (1, 2, 4, 8, 16, 32)
RADII = (0.5, 1.0, 1.5, 2.0, 3.0)
TRIED = 24  # pixels that a gradient asks for most
AT_A_TIME = 2_000  # images
EXACT = Way("exact")  # float32 autograd's may have underflowed
LEAK = 0.1  # by how much more a unit's slope is taken to be
STEPS, SHORTEST = 40, 0.02  # within a ball; the last one beside the first, which is the radius
ROUNDING = 1e-5  # by how much more than a radius what lies within may be away
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
    radii    after a search within an L2 ball, for each of `RADII`, up to `ROUNDING`
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
    _, distance = nearest(network, images, labels)
    places = torch.stack([~wrong(network, moved(images, *there), labels) for there in SHIFTS])
    return Beyond(
        IMAGES,
        clean=int((needed > 0).sum()),
        pixels=[int((needed > count).sum()) for count in PIXELS],
        radii=[int((distance > radius * (1 + ROUNDING)).sum()) for radius in RADII],
        shifted=int(places.all(0).sum()),
        changed={
            name: int((~wrong(network, change(everything.images), everything.labels)).sum())
            for name, change in CHANGES.items()
        },
        ties=int((everything.images == 0.5).sum()),
    )


def moved(images: Tensor, down: int, right: int) -> Tensor:
    """`images` (N, 1, 28, 28), moved by so many pixels; what comes in is black."""
    wide = nn.functional.pad(images, (1, 1, 1, 1))
    return wide[:, :, 1 - down : 29 - down, 1 - right : 29 - right]


def pixels_needed(network: Network, images: Tensor, labels: Tensor, most: int) -> Tensor:
    """How many pixels a greedy search has to set to 0 or 1 until each image is classified wrongly, (N,): 0 where it is
    so before, `most` + 1 where so many are not enough.

    Each time those pixels that the gradient of the margin asks for most are tried, and the best one is kept: at most a
    bound from above on how few it takes.
    """
    return _greedy(network, images, labels, most, changed=_set)[0]


def nearest(network: Network, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest images found that are classified wrongly, (N, 1, 28, 28), and at which L2 distance, (N,) float64: 0
    where the image itself is, infinite where none is found.

    Behind a step the same greedy search takes pixels just across ½, once those that give most for the square of how far
    that is, and once for how far. Otherwise steps along the gradient of the margin, within balls of each of `RADII`.
    """
    found, least = images.clone(), torch.full((len(images),), torch.inf, dtype=torch.float64)
    for there in _crossed(network, images, labels) if network.steps_first else (_descended(network, images, labels),):
        distance = (there - images).flatten(1).double().norm(dim=1)
        nearer = wrong(network, there, labels) & (distance < least)
        found[nearer], least[nearer] = there[nearer], distance[nearer]
    return found, least


def _crossed(network: Network, images: Tensor, labels: Tensor) -> list[Tensor]:
    enough = max(RADII) ** 2
    return [
        _greedy(network, images, labels, 784, changed=_across, enough=enough, exponent=exponent)[1]
        for exponent in (1.0, 0.5)  # each finds what the other misses
    ]


def _descended(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    found, broken = images.clone(), wrong(network, images, labels)
    direction = torch.randn(1, 784, generator=torch.Generator().manual_seed(SEED)).to(images)  # the same for all
    for radius, start in itertools.product(RADII, (torch.zeros_like(direction), direction)):
        left = (~broken).nonzero().flatten()
        if len(left):
            found[left] = _within(network, images[left], labels[left], radius, start)
            broken[left] = wrong(network, found[left], labels[left])
    return found


def _within(network: Network, images: Tensor, labels: Tensor, radius: float, start: Tensor) -> Tensor:
    """After `STEPS` steps within the ball, ever shorter ones, from beside the `images` in the direction `start`; where
    it comes past one that is wrong, the first such.
    """
    objective = Objective(labels, False, "margin")
    x = _in_the_ball(images, radius * nn.functional.normalize(start), radius)
    for step in range(STEPS):
        left = (~wrong(network, x, labels)).nonzero().flatten()
        if not len(left):
            break
        slope = _slope(network, x[left], objective[left]).flatten(1)
        size = radius * SHORTEST ** (step / (STEPS - 1))
        offset = (x - images)[left].flatten(1) - size * nn.functional.normalize(slope)
        x[left] = _in_the_ball(images[left], offset, radius)
    return x


def _in_the_ball(images: Tensor, offset: Tensor, radius: float) -> Tensor:
    offset = offset * (radius / offset.norm(dim=1, keepdim=True).clamp_min(radius))
    return (images + offset.view(-1, 1, 28, 28)).clamp(0, 1)


def _set(x: Tensor, up: Tensor) -> Tensor:
    """1 where `up`, else 0."""
    return up.to(x.dtype)


def _across(x: Tensor, up: Tensor) -> Tensor:
    """On the side of ½ that `up` says, no farther than it takes; ½ itself counts as below."""
    half = torch.full_like(x, 0.5)
    return torch.where((x > half) == up, x, torch.where(up, half.nextafter(torch.ones_like(x)), half))


def _greedy(
    network: Network,
    images: Tensor,
    labels: Tensor,
    most: int,
    *,
    changed: Callable[[Tensor, Tensor], Tensor],
    enough: float = math.inf,
    exponent: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """How many pixels it took to be `changed`, and the images that came of it; none is looked for any more where the
    square of the distance is `enough`. A pixel costs its share of that square, to the power of `exponent`.
    """
    objective, x = Objective(labels, False, "margin"), images.clone()
    number, used = torch.full((len(x),), most + 1), torch.zeros(len(x), 784, dtype=torch.bool)
    broken = wrong(network, x, labels)
    number[broken] = 0
    for count in range(1, most + 1):
        left = (~broken & ((x - images).flatten(1).square().sum(1) < enough)).nonzero().flatten()
        if not len(left):
            break
        here, each = x[left].flatten(1), torch.arange(len(left))
        slope = _slope(network, x[left], objective[left]).flatten(1)
        there = changed(here, slope < 0)  # up where the margin falls with the pixel
        price = torch.where(used[left] | (there == here), torch.inf, (there - here).square() ** exponent)
        gain = slope * (_behind(network, here) - _behind(network, there)) / price
        tried = torch.where(price == torch.inf, -torch.inf, gain).topk(TRIED, dim=1).indices
        candidates = here[:, None].repeat(1, TRIED, 1)
        candidates.scatter_(2, tried[:, :, None], there.gather(1, tried)[:, :, None])
        values = torch.cat(
            [network(part.reshape(-1, 1, 28, 28)) for part in candidates.split(AT_A_TIME // TRIED)]
        ).detach()
        margins = torch.stack(
            [objective[left].values(logits) for logits in values.view(len(left), TRIED, -1).unbind(1)], 1
        )
        start = objective[left].values(network(x[left])).detach()
        price = price.gather(1, tried)
        best = torch.where(price == torch.inf, -torch.inf, (start[:, None] - margins) / price).argmax(1)
        x[left] = candidates[each, best].view(-1, 1, 28, 28)
        used[left, tried[each, best]] = True
        over = left[margins[each, best] < 0]
        number[over], broken[over] = count, True
    return number, x


def _behind(network: Network, pixels: Tensor) -> Tensor:
    """What is summed of the `pixels` (N, 784): a step, where there is one, has made all of them 0 or 1."""
    if not network.steps_first:
        return pixels
    return network.output(0, network.affine(0, pixels.view(-1, 1, 28, 28))).detach().flatten(1)


def _slope(network: Network, x: Tensor, objective: Objective) -> Tensor:
    """The direction of the margin's gradient by the pixels; behind a step, by what it makes of them.

    Where even that is exactly zero, every unit is taken to pass a little more than it does (as in BPDA, Athalye et al.
    2018): of a search without a direction nothing would follow.
    """
    slope = _backward(network, x, objective) if network.steps_first else EXACT.gradient(network, x, objective).direction
    still = (slope == 0).flatten(1).all(1)
    if still.any():
        slope[still] = _backward(network, x[still], objective[still], LEAK)
    return slope


def _backward(network: Network, x: Tensor, objective: Objective, leak: float = 0.0) -> Tensor:
    first = int(network.steps_first)
    inputs = leaf(network.output(0, network.affine(0, x)) if first else x)
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


KEPT = Findings(FILE, "what was found beyond the ball of", 2, 1 << 20, _believed)
