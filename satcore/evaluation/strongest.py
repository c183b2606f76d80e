"""The strongest attack there is here: one after another on what still stands, for whoever knows the network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore.attacks import cube, square, transfer
from satcore.attacks.apgd import Taking, Towards, descended, ranked_rivals
from satcore.attacks.descent import check_some
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import Standing
from satcore.attacks.smoothing import Smoothed
from satcore.data import logits_of
from satcore.intervals import box
from satcore.networks import Network

WRONG_BEFORE = "wrong before"
_AT_A_TIME = 250  # images, so that a CNN's activations stay small
_PAIRS = 250  # of an image and a rival, side by side
_NEAREST = 2  # rivals of an image that more than the first rounds are worth their time for


@dataclass(frozen=True)
class WorstCase:
    """What all attacks together have broken.

    broken  (N,) bool: wrong before, or made wrong by any attack
    by      N names: the first attack that made it wrong; "wrong before"; None where the image stands
    images  (N, 1, 28, 28), in the wider of the images' dtype and the network's, as rounding may put right what is
            wrong: the image that breaks each one, within ε and [0, 1]; where it stands, the image itself
    """

    broken: Tensor
    by: tuple[str | None, ...]
    images: Tensor


@dataclass(frozen=True)
class Attack:
    """An attack on the `network`: `attacked` gives of (images, labels) the most harmful images (N, 1, 28, 28) that it
    finds within ε.
    """

    name: str
    network: nn.Module
    attacked: Callable[[Tensor, Tensor], Tensor]

    def on(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Which are wrong after it, (N,) bool, and the attacked images."""
        parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
        attacked = torch.cat([self.attacked(*part) for part in parts])
        return wrong(self.network, attacked, labels), attacked

    def on_standing(self, images: Tensor, labels: Tensor, broken: Tensor) -> Tensor:
        """`broken` (N,) bool, and those that it breaks of the others."""
        left = (~broken).nonzero().flatten()
        return broken.index_put((left,), self.on(images[left], labels[left])[0]) if len(left) else broken


def worst_case(
    network: nn.Module, images: Tensor, labels: Tensor, *, epsilon: float = 0.25, source: nn.Module | None = None
) -> WorstCase:
    """All of `attacks_on` the `network`, each on those `images` (N, 1, 28, 28) with true classes `labels` (N,) that no
    earlier one has broken.

    An upper bound on how accurate the network stays, within `epsilon`, against whoever knows it. What only gives logits
    is attacked by autograd, by Square, and from the network `source`, if there is one. What happens to an image doesn't
    depend on the others. Raises ValueError for no images, for a dtype narrower than float32, as `satcore.attacks.fgsm`
    does, and as `widened` does.
    """
    check_for_all(images, labels, epsilon)
    images = widened(images, network, source)
    broken, found = torch.zeros_like(labels, dtype=torch.bool), images.clone()
    by: list[str | None] = [None] * len(images)
    for attack in attacks_on(network, epsilon, source):
        left = (~broken).nonzero().flatten()
        if not len(left):
            break
        new, attacked = attack.on(images[left], labels[left])
        found[left[new]], broken[left[new]] = attacked[new], True
        for index in left[new].tolist():
            by[index] = attack.name
    return WorstCase(broken, tuple(by), found)


def check_for_all(images: Tensor, labels: Tensor, epsilon: float) -> None:
    """Raise ValueError as `check_some` does, and for images of a dtype narrower than float32.

    The attacks would mix it with the network's, and rounded to it an image may lie beyond ε.
    """
    check_some(images, labels, epsilon)
    if images.dtype.itemsize < 4:
        raise ValueError(f"expected images in float32 or float64 for all attacks together, got {images.dtype}")


def widened(images: Tensor, network: nn.Module, source: nn.Module | None = None) -> Tensor:
    """The `images` in the wider of their own dtype and the `network`'s, in which no attack rounds what it has found.

    Raises ValueError for a network or a `source` that doesn't take these; one of blocks takes any.
    """
    images = images.detach().to(torch.promote_types(images.dtype, _dtype_of(network, images.dtype)))
    for module in (network, source):
        if module is None or isinstance(module, Network) or _dtype_of(module, images.dtype) == images.dtype:
            continue
        try:  # it may turn them into its own
            logits_of(module, images[:1])
        except RuntimeError as error:
            sentence = f"expected a network that takes images in {images.dtype}, got {str(error).splitlines()[0]}"
            raise ValueError(sentence) from error
    return images


def _dtype_of(network: object, otherwise: torch.dtype) -> torch.dtype:
    """That of the first parameter in floating point; `otherwise` where there is none."""
    parameters = network.parameters() if isinstance(network, nn.Module) else ()
    return next((each.dtype for each in parameters if each.is_floating_point()), otherwise)


def attacks_on(network: nn.Module, epsilon: float, source: nn.Module | None = None) -> Iterator[Attack]:
    """The attacks of `worst_case`, the cheapest and most effective first.

    free pixels       where the network steps first: no gradient passes that, but the ball is a cube of few corners
    APGD              ten steps on the margin, which most images don't withstand
    APGD, each class  in `rounds` towards each of the nine other classes, then towards those two that came closest, all
                      on the margin
    transfer          from the network `source`, if there is one
    Square            1,000 queries, no gradient

    What only gives logits has autograd's gradients alone: APGD takes a hundred steps on the cross-entropy, three times
    a hundred towards each class, and Square 5,000 queries.
    """
    yield Attack(WRONG_BEFORE, network, lambda x, y: x)
    if isinstance(network, Network):
        ways, loss, queries = 10 * (Way("exact"),), "margin", 1000
        several = rounds(network.softens)
    else:
        ways, loss, queries = 100 * (Way("autograd"),), "cross-entropy", 5000
        several = Round(ways, seed=0, to_all=True), Round(ways), Round(ways, seed=1)
    if isinstance(network, Network) and network.steps_first:
        yield Attack("free pixels", network, lambda x, y: cube(network, x, y, epsilon=epsilon).images)
    yield Attack("APGD", network, lambda x, y: _away(network, x, y, epsilon, ways, loss))
    yield Attack("APGD, each class", network, lambda x, y: _Search.of(network, x, y, epsilon).through(several))
    if source is not None:
        yield Attack("transfer", network, lambda x, y: transfer(network, x, y, source=source, epsilon=epsilon).images)
    yield Attack("Square", network, lambda x, y: square(network, x, y, epsilon=epsilon, queries=queries, seed=1).images)


@dataclass(frozen=True)
class Round:
    """A run of APGD within the ε-ball with the `ways` to take its gradients.

    seed    where it begins: at the images, or with a seed at a random point of the ε-ball, the same offset for every
            image
    to_all  towards each rival, not only the nearest
    wider   radii over ε of balls to be run in before: who gets there within one goes on from there within the next, as
            what is wrong just outside leads to places that hardly any start within does
    """

    ways: tuple[Taking, ...]
    seed: int | None = None
    to_all: bool = False
    wider: tuple[float, ...] = ()


def rounds(softens: bool) -> tuple[Round, ...]:
    """By gradients of smoother networks that come ever closer to the one attacked, and by its own; where the
    nonlinearity `softens`, also by derivatives at h/T with falling T, from such as leave a plateau, and from moderate
    ones. First towards every rival, then towards the nearest, from wider balls, more slowly, and from elsewhere.
    """
    plateau = _softened(100.0, 2.0, 40)
    off_plateaus = (
        Round(plateau, to_all=True),
        Round(plateau, wider=_narrowing(1.3, 16)),
        Round(_softened(300.0, 3.0, 60), wider=_narrowing(1.5, 8)),
    )
    return (
        Round(_smoothed(1.0, 0.02, 30), to_all=True),
        Round(40 * (Way("exact"),), seed=0, to_all=True),
        *(off_plateaus if softens else ()),
        Round(_smoothed(0.3, 0.003, 100), wider=_narrowing(1.3, 8)),
        Round(_smoothed(0.5, 0.005, 100), wider=_narrowing(1.4, 10)),
        Round(_smoothed(1.0, 0.02, 100), wider=_narrowing(1.5, 8)),
        Round(_smoothed(0.3, 0.003, 100), seed=1),
        Round(_softened(3.0, 1.0, 100) if softens else _smoothed(3.0, 0.02, 60), seed=3),
    )


def _smoothed(first: float, last: float, steps: int) -> tuple[Taking, ...]:
    return tuple(Smoothed(width) for width in falling(first, last, steps))


def _softened(first: float, last: float, steps: int) -> tuple[Taking, ...]:
    return tuple(Way("softened", temperature) for temperature in falling(first, last, steps))


def _narrowing(widest: float, balls: int) -> tuple[float, ...]:
    return tuple(falling(widest, 1.0, balls)[:-1])


def falling(first: float, last: float, count: int) -> list[float]:
    """`count` numbers from `first` to `last`, each the same share of the one before."""
    return [first * (last / first) ** (index / (count - 1)) for index in range(count)]


def _away(
    network: nn.Module, images: Tensor, labels: Tensor, epsilon: float, ways: Sequence[Taking], loss: str
) -> Tensor:
    """`images` after APGD away from their `labels`."""
    with torch.no_grad():
        standing = Standing.at(images, network(images), Objective(labels, loss=loss))
    return descended(network, standing, epsilon, ways).best


@dataclass
class _Search:
    """APGD towards one class after another, on those of N images that stand.

    rivals  (N, 9) int64: the wrong classes of each image, the likeliest first
    share   (N, 9): the least that any round has left of the margin over each, within ε; inf before the first
    found   (N, 1, 28, 28): what breaks the image, else the image itself
    broken  (N,) bool
    """

    network: nn.Module
    images: Tensor
    labels: Tensor
    epsilon: float
    logits: Tensor
    rivals: Tensor
    share: Tensor
    found: Tensor
    broken: Tensor

    @classmethod
    def of(cls, network: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> "_Search":
        with torch.no_grad():
            logits = network(images)
        rivals = ranked_rivals(logits, labels)
        share, broken = torch.full_like(logits[:, 1:], torch.inf), logits.argmax(1) != labels
        return cls(network, images, labels, epsilon, logits, rivals, share, images.clone(), broken)

    def through(self, several: Sequence[Round]) -> Tensor:
        """What is found after `several` rounds."""
        for each in several:
            nearest = self.share.argsort(dim=1, stable=True)
            self.towards(nearest if each.to_all else nearest[:, :_NEAREST], each)
        return self.found

    def towards(self, places: Tensor, each: Round) -> None:
        """A round towards the rivals at `places` (N, k), everyone's first ones first, for many of them at once."""
        index, place = torch.arange(len(places), device=places.device).repeat(places.shape[1]), places.T.flatten()
        while len(left := (~self.broken[index]).nonzero().flatten()):
            index, place = index[left], place[left]
            self._run(index[:_PAIRS], place[:_PAIRS], each)
            index, place = index[_PAIRS:], place[_PAIRS:]

    def _run(self, index: Tensor, place: Tensor, each: Round) -> None:
        """A round for pairs of an image at `index` (n,) and its rival at `place` (n,)."""
        start = self.images[index]
        if each.seed is not None:
            generator = torch.Generator().manual_seed(each.seed)
            offset = 2 * torch.rand(1, 1, 28, 28, generator=generator, dtype=torch.float64) - 1
            start = start + self.epsilon * offset.to(start)
        for radius in (*each.wider, 1.0):
            images, objective = self.images[index], Towards(self.labels[index], rivals=self.rivals[index, place])
            standing = Standing.at(images, self.logits[index], objective)
            before, (low, high) = standing.lowest, box(images, self.epsilon * radius)
            standing = standing.sent(start.clamp(low, high))
            standing = descended(self.network, standing, self.epsilon * radius, each.ways)
            if radius == 1:
                share = (standing.lowest / before).nan_to_num(0.0)  # a tie is as near as can be
                self.share[index, place] = torch.minimum(self.share[index, place], share)
            there = standing.reached
            index, place, start = index[there], place[there], standing.best[there]
        for image, there in zip(index.tolist(), start, strict=True):
            if not self.broken[image]:  # else by another rival, and both are not to be written at once
                self.found[image], self.broken[image] = there, True


def wrong(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which of `images` (N, 1, 28, 28) the `network` doesn't classify as `labels` (N,), (N,) bool.

    Raises ValueError as `logits_of` does.
    """
    parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
    return torch.cat([logits_of(network, x).argmax(1) != y for x, y in parts])
