"""How accurate a network stays under a ladder of attacks, each stronger or sounder than the last, and under all of them
together. The loss and the way the gradient is taken are two axes: a rung has one of each.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satcore import data
from satcore.attacks import AttackResult, fgsm, pgd, square, transfer
from satcore.attacks.descent import check_some
from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES
from satcore.data import CLASSES
from satcore.networks import Network
from satcore.proofs.linear_bounds import certified, refusal
from satcore.proportions import Proportion

BATCH = 1_000
ITERATED = {"FGSM": fgsm, "PGD": pgd}
AIMED = tuple(", ".join(aim) for aim in itertools.product(ITERATED, LOSSES, WAYS))  # "FGSM, cross-entropy, autograd", …
PUBLISHED = AIMED[0]
RUNGS = ("noise", *AIMED, "transfer", "Square", "worst case")
WRONG_BEFORE = "wrong before"
TEMPERATURES = (1.0, 3.0, 10.0, 30.0, 100.0)
SOFTENINGS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0)
_AT_A_TIME = 250  # images, so that a CNN's activations stay small


@dataclass(frozen=True)
class Rung:
    """What a rung of the ladder leaves.

    name         out of `RUNGS`
    right        (N,) bool: still classified correctly after it
    temperature  that of its gradients, where it softens them
    """

    name: str
    right: Tensor
    temperature: float | None = None


@dataclass(frozen=True)
class Bracket:
    """At `epsilon`, the `rungs` of the ladder, and of which images it is `proven`, (N,) bool, that nothing breaks them;
    None: no proof is to be had.
    """

    epsilon: float
    rungs: tuple[Rung, ...]
    proven: Tensor | None


@dataclass(frozen=True)
class WorstCase:
    """What all attacks together have broken.

    broken  (N,) bool: wrong before, or made wrong by any attack
    by      N names: the first attack that made it wrong; "wrong before"; None where the image stands
    """

    broken: Tensor
    by: tuple[str | None, ...]


@dataclass(frozen=True)
class _Attack:
    """`success` gives of (images, labels) which are wrong after the attack, (N,) bool."""

    name: str
    success: Callable[[Tensor, Tensor], Tensor]
    temperature: float | None = None

    def on(self, images: Tensor, labels: Tensor) -> Tensor:
        return _in_parts(self.success, images, labels)

    def on_standing(self, images: Tensor, labels: Tensor, broken: Tensor) -> Tensor:
        """`broken` (N,) bool, and those that it breaks of the others."""
        left = (~broken).nonzero().flatten()
        return broken.index_put((left,), self.on(images[left], labels[left])) if len(left) else broken


def ladder(
    network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25, source: nn.Module | None = None
) -> Iterator[Rung]:
    """The attacks of `RUNGS`, one after another, each on all `images` (N, 1, 28, 28) with true classes `labels` (N,).

    noise       ten draws of uniform noise within ε, the same for every image; the worst of them
    FGSM and PGD, each by either loss, the gradient taken in each of three ways: by autograd, as everyone runs it, in
                the network's own dtype; exact; softened, at the temperature out of `TEMPERATURES` that does best
                against this network (`best_temperature`)
    transfer    from the network `source`, if there is one
    Square      1,000 queries, no gradient
    worst case  every rung so far, and on what is left PGD towards each wrong class and a longer Square: never above a
    rung

    PGD takes 40 steps. What happens to an image doesn't depend on the others. Raises ValueError for no images, and as
    `satcore.attacks.fgsm` does.
    """
    check_some(images, labels, epsilon)
    yield from _ladder(network, images, labels, epsilon, source, misclassified(network, images, labels))


def worst_case(
    network: Network, images: Tensor, labels: Tensor, *, epsilon: float = 0.25, source: nn.Module | None = None
) -> WorstCase:
    """All attacks of the `ladder`, each on those images that no earlier one has broken; arguments and errors are the
    same.

    An upper bound on how accurate the network stays, within `epsilon`, against whoever knows it.
    """
    check_some(images, labels, epsilon)
    broken = torch.zeros_like(labels, dtype=torch.bool)
    by: list[str | None] = [None] * len(images)
    for attack in _up_to("worst case", network, epsilon, source):
        standing, broken = ~broken, attack.on_standing(images, labels, broken)
        for index in (standing & broken).nonzero().flatten().tolist():
            by[index] = attack.name
    return WorstCase(broken, tuple(by))


def accuracy_against_epsilon(
    network: Network, images: Tensor, labels: Tensor, *, epsilons: tuple[float, ...], source: nn.Module | None = None
) -> Iterator[Bracket]:
    """The ladder at each of the ascending `epsilons`, and, for an MLP, what is proven; the rest as in `ladder`.

    The worst case counts what a smaller ε has broken, which lies within the larger one too. What is proven to stand is
    spared the slowest attacks, and what isn't proven within a small ε isn't tried within a larger one.
    """
    for epsilon in epsilons:
        check_some(images, labels, epsilon)
    broken = misclassified(network, images, labels)
    proven = None if refusal(network) else torch.ones_like(broken)
    for epsilon in epsilons:
        if proven is not None:
            tried = proven.nonzero().flatten()
            proven = (
                proven.index_put((tried,), certified(network, images[tried], labels[tried], epsilon=epsilon))
                if len(tried)
                else proven
            )
        rungs = tuple(_ladder(network, images, labels, epsilon, source, broken, proven))
        broken = ~rungs[-1].right
        yield Bracket(epsilon, rungs, proven)


def one_rung(
    name: str,
    network: Network,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    source: nn.Module | None = None,
    at_a_time: int = 50,
) -> Iterator[Proportion]:
    """What the rung `name` of the `ladder` leaves, of more and more of the images; "clean": without any. The rest as in
    `ladder`.

    Raises ValueError for a rung that the ladder doesn't have.
    """
    check_some(images, labels, epsilon)
    attacks = list(_up_to(name, network, epsilon, source))
    right = done = 0
    for x, y in zip(images.split(at_a_time), labels.split(at_a_time), strict=True):
        broken = torch.zeros_like(y, dtype=torch.bool)
        for attack in attacks:
            broken = attack.on_standing(x, y, broken)
        right, done = right + int((~broken).sum()), done + len(y)
        yield Proportion(right, done)


def accuracy_against_temperature(
    network: Network,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    temperatures: tuple[float, ...] = SOFTENINGS,
) -> Iterator[tuple[Rung, ...]]:
    """The softened rungs at each of the `temperatures`; the rest as in `ladder`."""
    check_some(images, labels, epsilon)
    for temperature in temperatures:
        names = [name for name in _climbable(network, None) if name.endswith("softened")]
        softened = [_softened(name, network, epsilon, temperature) for name in names]
        yield tuple(Rung(attack.name, ~attack.on(images, labels), temperature) for attack in softened)


def still_right(
    attack: Callable[..., AttackResult], network: Network, images: Tensor, labels: Tensor, **settings
) -> float:
    """The share of `images` that `network` classifies as `labels` after the `attack`, called with the `settings`."""
    check_some(images, labels)
    return 1 - float(_in_parts(lambda x, y: attack(network, x, y, **settings).success, images, labels).double().mean())


def right_in_noise(network: Network, images: Tensor, labels: Tensor, *, epsilon: float) -> float:
    """The share of `images` classified as `labels` in each of ten draws of uniform noise within `epsilon`, the same for
    all.
    """
    check_some(images, labels, epsilon)
    return 1 - float(_noise(network, images, labels, epsilon).double().mean())


def best_temperature(attack: Callable[..., AttackResult], network: Network, **settings) -> float:
    """That out of `TEMPERATURES` at which `attack`, softened, breaks most of fifty digits; the lowest of several.

    The digits are training images, so that it is chosen on none that is attacked.
    """
    parameter = next(network.parameters())
    images, labels = (tensor[:50].to(parameter.device) for tensor in data.load("train"))
    broken = [
        int(
            attack(
                network, images.to(parameter.dtype), labels, gradient="softened", temperature=temperature, **settings
            ).success.sum()
        )
        for temperature in TEMPERATURES
    ]
    return TEMPERATURES[broken.index(max(broken))]


def _ladder(
    network: Network,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    source: nn.Module | None,
    broken: Tensor,
    proven: Tensor | None = None,
) -> Iterator[Rung]:
    """The ladder, whose worst case begins with those `broken` (N,) already, and leaves the `proven` (N,) alone in the
    end.
    """
    for attack in (_rung(name, network, epsilon, source) for name in _climbable(network, source)):
        wrong = attack.on(images, labels)
        broken = broken | wrong
        yield Rung(attack.name, ~wrong, attack.temperature)
    spared = torch.zeros_like(broken) if proven is None else proven & ~broken
    for attack in _last_resorts(network, epsilon):
        broken = attack.on_standing(images, labels, broken | spared) & ~spared
    yield Rung("worst case", ~broken)


def _up_to(name: str, network: Network, epsilon: float, source: nn.Module | None) -> Iterator[_Attack]:
    """What makes up the rung `name`: one attack, "clean" that which does nothing, and the worst case all."""
    there = _climbable(network, source)
    if name not in ("clean", *there, "worst case"):
        raise ValueError(f"expected a rung out of {', '.join(('clean', *RUNGS))} that this network has, got {name!r}")
    if name in ("clean", "worst case"):
        yield _Attack(WRONG_BEFORE, lambda x, y: misclassified(network, x, y))
    if name != "clean":
        yield from (_rung(rung, network, epsilon, source) for rung in (there if name == "worst case" else [name]))
    if name == "worst case":
        yield from _last_resorts(network, epsilon)


def _climbable(network: nn.Module, source: nn.Module | None) -> list[str]:
    """The rungs below the worst case that `network` has: what only gives logits has but autograd's gradient, and where
    neither a slope nor the loss can be softened there is nothing to soften.
    """
    without = {"transfer"} if source is None else set()
    if not isinstance(network, Network):
        without |= {name for name in AIMED if not name.endswith("autograd")}
    elif not network.softens:
        without |= {name for name in AIMED if name.endswith("margin, softened")}
    return [name for name in RUNGS[:-1] if name not in without]


def _rung(name: str, network: Network, epsilon: float, source: nn.Module | None) -> _Attack:
    if name == "noise":
        return _Attack(name, lambda x, y: _noise(network, x, y, epsilon))
    if name == "transfer":
        return _Attack(name, lambda x, y: transfer(network, x, y, source=source, epsilon=epsilon).success)
    if name == "Square":
        return _Attack(name, lambda x, y: square(network, x, y, epsilon=epsilon).success)
    kind, loss, gradient = name.split(", ")
    attack = ITERATED[kind]
    if gradient == "softened":
        quick = {"steps": 10} if attack is pgd else {}
        return _softened(name, network, epsilon, best_temperature(attack, network, epsilon=epsilon, loss=loss, **quick))
    return _Attack(name, lambda x, y: attack(network, x, y, epsilon=epsilon, loss=loss, gradient=gradient).success)


def _softened(name: str, network: Network, epsilon: float, temperature: float) -> _Attack:
    kind, loss, gradient = name.split(", ")
    settings = {"epsilon": epsilon, "loss": loss, "gradient": gradient, "temperature": temperature}
    return _Attack(name, lambda x, y: ITERATED[kind](network, x, y, **settings).success, temperature)


def _last_resorts(network: nn.Module, epsilon: float) -> Iterator[_Attack]:
    """What is too slow for every image, and breaks some that stood all rungs."""
    if isinstance(network, Network):
        for temperature in TEMPERATURES if network.softens else TEMPERATURES[:1]:  # which a relu's slope ignores
            yield _Attack("PGD, targeted", lambda x, y, t=temperature: _towards_each(network, x, y, epsilon, t))
    yield _Attack("Square, longer", lambda x, y: square(network, x, y, epsilon=epsilon, queries=3000, seed=1).success)


def _noise(network: nn.Module, images: Tensor, labels: Tensor, epsilon: float, draws: int = 10) -> Tensor:
    """Which are wrong after any of so many draws of uniform noise, (N,) bool."""
    generator, wrong = torch.Generator().manual_seed(0), torch.zeros_like(labels, dtype=torch.bool)
    for _ in range(draws):
        offset = (2 * torch.rand(1, 1, 28, 28, generator=generator, dtype=torch.float64) - 1).to(images)
        wrong |= misclassified(network, (images + epsilon * offset).clamp(0, 1), labels)
    return wrong


def _towards_each(network: Network, images: Tensor, labels: Tensor, epsilon: float, temperature: float) -> Tensor:
    """Which are wrong after PGD on the margin towards one wrong class after another, the likeliest first, (N,) bool."""
    with torch.no_grad():
        targets = network(images).scatter(1, labels[:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)
    broken = misclassified(network, images, labels)
    for rank in range(CLASSES - 1):
        left = (~broken).nonzero().flatten()
        broken[left] = pgd(
            network,
            images[left],
            targets[left, rank],
            epsilon=epsilon,
            steps=20,
            restarts=3,
            gradient="softened",
            temperature=temperature,
            loss="margin",
            targeted=True,
        ).success
    return broken


def _in_parts(success: Callable[[Tensor, Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([success(*part) for part in zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)])


def misclassified(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Which of `images` (N, 1, 28, 28) aren't classified as `labels` (N,), (N,) bool."""
    with torch.no_grad():
        return torch.cat(
            [network(x).argmax(1) != y for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True)]
        )
