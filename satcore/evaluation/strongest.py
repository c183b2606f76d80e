"""The strongest attack there is here: one after another on what still stands, for whoever knows the network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore.attacks import square, transfer
from satcore.attacks.apgd import Taking, Towards, descended, ranked_rivals
from satcore.attacks.descent import check_some
from satcore.attacks.gradients import Way
from satcore.attacks.objective import Objective
from satcore.attacks.result import Standing
from satcore.attacks.smoothing import Smoothed
from satcore.data import CLASSES
from satcore.networks import Network

WRONG_BEFORE = "wrong before"
_AT_A_TIME = 250  # images, so that a CNN's activations stay small
_NEAR = 0.5  # of an image's margin: what attacks have left of it where more of them are worth their time


@dataclass(frozen=True)
class WorstCase:
    """What all attacks together have broken.

    broken  (N,) bool: wrong before, or made wrong by any attack
    by      N names: the first attack that made it wrong; "wrong before"; None where the image stands
    images  (N, 1, 28, 28): the image that breaks each one, within ε and [0, 1]; where it stands, the image itself
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
    depend on the others. Raises ValueError for no images, and as `satcore.attacks.fgsm` does.
    """
    check_some(images, labels, epsilon)
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


def attacks_on(network: nn.Module, epsilon: float, source: nn.Module | None = None) -> Iterator[Attack]:
    """The attacks of `worst_case`, the cheapest and most effective first.

    APGD            ten steps on the margin, which most images don't withstand
    APGD, smoothed  towards each other class, by gradients of smoother networks that come ever closer to this one
    APGD, softened  likewise, by derivatives at h/T with falling T, where that changes any
    APGD, restarted likewise from other points of the ball, for those images that are nearly broken
    transfer        from the network `source`, if there is one
    Square          no gradient; longer where there is none to be had

    What only gives logits has autograd's gradient in place of the first four: APGD on the cross-entropy and towards
    each other class.
    """
    yield Attack(WRONG_BEFORE, network, lambda x, y: x)
    if isinstance(network, Network):
        exact = (Way("exact"),)
        yield Attack("APGD", network, lambda x, y: _away(network, x, y, epsilon, 10 * exact, "margin"))
        smoothed = tuple(Smoothed(width) for width in falling(1.0, 0.02, 30))
        yield Attack("APGD, smoothed", network, lambda x, y: _towards_each(network, x, y, epsilon, smoothed))
        if network.softens:
            softened = tuple(Way("softened", t) for t in falling(4.0, 1.0, 40))
            yield Attack("APGD, softened", network, lambda x, y: _towards_each(network, x, y, epsilon, softened))
            hot = tuple(Way("softened", t) for t in falling(100.0, 2.0, 40))
            yield Attack("APGD, softened more", network, lambda x, y: _towards_each(network, x, y, epsilon, hot))
    else:
        plain = 100 * (Way("autograd"),)
        yield Attack("APGD", network, lambda x, y: _away(network, x, y, epsilon, plain, "cross-entropy"))
        yield Attack("APGD, targeted", network, lambda x, y: _towards_each(network, x, y, epsilon, plain))
    if source is not None:
        yield Attack("transfer", network, lambda x, y: transfer(network, x, y, source=source, epsilon=epsilon).images)
    queries = 1000 if isinstance(network, Network) else 5000
    yield Attack("Square", network, lambda x, y: square(network, x, y, epsilon=epsilon, queries=queries, seed=1).images)


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


def _towards_each(network: nn.Module, images: Tensor, labels: Tensor, epsilon: float, ways: Sequence[Taking]) -> Tensor:
    """`images` after APGD towards one wrong class after another, the likeliest first."""
    with torch.no_grad():
        logits = network(images)
    rivals, found = ranked_rivals(logits, labels), images.clone()
    left = torch.arange(len(images), device=images.device)
    for rank in range(CLASSES - 1):
        objective = Towards(labels[left], rivals=rivals[left, rank])
        standing = descended(network, Standing.at(images[left], logits[left], objective), epsilon, ways)
        found[left] = torch.where(standing.reached[:, None, None, None], standing.best, found[left])
        left = left[~standing.reached]
        if not len(left):
            break
    return found


def wrong(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which of `images` (N, 1, 28, 28) the `network` doesn't classify as `labels` (N,), (N,) bool."""
    parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
    with torch.no_grad():
        return torch.cat([network(x).argmax(1) != y for x, y in parts])
