"""How accurate a network stays under a ladder of attacks, the same ones by other losses and gradients, and under all of
them together. The loss and the way the gradient is taken are two axes: a rung has one of each.
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
from satcore.evaluation.strongest import Attack, attacks_on, check_for_all, widened, wrong
from satcore.networks import Network
from satcore.proofs import by_intervals, certified, decide, refusal
from satcore.proportions import Proportion

ITERATED = {"FGSM": fgsm, "PGD": pgd}
AIMED = tuple(", ".join(aim) for aim in itertools.product(ITERATED, LOSSES, WAYS))
PUBLISHED, ONE_WORD = "FGSM, cross-entropy, autograd", "FGSM, margin, autograd"  # which differ in their loss alone
RUNGS = ("noise", *AIMED, "transfer", "Square", "worst case")
TEMPERATURES = (1.0, 3.0, 10.0, 30.0, 100.0)
SOFTENINGS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0)
SECONDS = 0.05  # an image, for branch and bound behind a step, where most need milliseconds
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
    worst case  every rung so far, and on what is left those of `satcore.evaluation.worst_case`: never above a rung

    PGD takes 40 steps. What happens to an image doesn't depend on the others. Raises ValueError as
    `satcore.evaluation.worst_case` does.
    """
    check_for_all(images, labels, epsilon)
    images = widened(images, network, source)
    yield from _ladder(network, images, labels, epsilon, source, wrong(network, images, labels))


def accuracy_against_epsilon(
    network: Network, images: Tensor, labels: Tensor, *, epsilons: tuple[float, ...], source: nn.Module | None = None
) -> Iterator[Bracket]:
    """The ladder at each of the ascending `epsilons`, and what is proven; the rest as in `ladder`.

    Proven by linear bounds; of a network that convolves by intervals, since these would take seconds an image; of one
    that steps first by branch and bound, which is complete there, `SECONDS` an image. The worst case counts what a
    smaller ε has broken, which lies within the larger one too. What is proven to stand is spared the slowest attacks,
    and what isn't proven within a small ε isn't tried within a larger one. Raises ValueError for epsilons in another
    order, too.
    """
    for epsilon in epsilons:
        check_for_all(images, labels, epsilon)
    for smaller, larger in itertools.pairwise(epsilons):
        if larger < smaller:
            raise ValueError(f"expected ascending epsilons, got {larger:g} after {smaller:g}")
    images = widened(images, network, source)
    broken = wrong(network, images, labels)
    proven = None if refusal(network) else torch.ones_like(broken)
    for epsilon in epsilons:
        if proven is not None and len(tried := proven.nonzero().flatten()):
            proven = proven.index_put((tried,), _proven(network, images[tried], labels[tried], epsilon))
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
    check_for_all(images, labels, epsilon)
    images = widened(images, network, source)
    attacks = list(_up_to(name, network, epsilon, source))
    right = done = 0
    for x, y in zip(images.split(at_a_time), labels.split(at_a_time), strict=True):
        broken = wrong(network, x, y)
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
    before = wrong(network, images, labels)
    names = [name for name in _climbable(network, None) if name.endswith("softened")]
    for temperature in temperatures:
        attacks = [_softened(name, network, epsilon, temperature) for name in names]
        yield tuple(Rung(attack.name, ~attack.on_standing(images, labels, before), temperature) for attack in attacks)


def still_right(
    attack: Callable[..., AttackResult], network: Network, images: Tensor, labels: Tensor, **settings
) -> float:
    """The share of `images` that `network` classifies as `labels` after the `attack`, called with the `settings`."""
    check_some(images, labels)
    parts = zip(images.split(_AT_A_TIME), labels.split(_AT_A_TIME), strict=True)
    return 1 - float(torch.cat([attack(network, *part, **settings).success for part in parts]).double().mean())


def right_in_noise(network: Network, images: Tensor, labels: Tensor, *, epsilon: float) -> float:
    """The share of `images` classified as `labels` in each of ten draws of uniform noise within `epsilon`, the same for
    all.
    """
    check_some(images, labels, epsilon)
    broken = _noise(network, epsilon).on_standing(images, labels, wrong(network, images, labels))
    return 1 - float(broken.double().mean())


def best_temperature(attack: Callable[..., AttackResult], network: Network, **settings) -> float:
    """That out of `TEMPERATURES` at which `attack`, softened, breaks most of fifty digits; the lowest of several.

    The digits are training images, so that it is chosen on none that is attacked.
    """
    parameter = next(network.parameters())
    images, labels = (tensor.to(parameter.device) for tensor in data.some("train", torch.arange(50)))
    broken = [
        int(
            attack(
                network, images.to(parameter.dtype), labels, gradient="softened", temperature=temperature, **settings
            ).success.sum()
        )
        for temperature in TEMPERATURES
    ]
    return TEMPERATURES[broken.index(max(broken))]


def _proven(network: Network, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Which of `images` are proven to be classified as `labels` within `epsilon`, (N,) bool, in the way that suits the
    `network`.
    """
    if network.steps_first:
        return decide(network, images, labels, epsilon=epsilon, seconds=SECONDS).proven
    return (by_intervals if network.convolves else certified)(network, images, labels, epsilon=epsilon)


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
    before = wrong(network, images, labels)
    for name in _climbable(network, source):
        attack, temperature = _rung(name, network, epsilon, source)
        after = attack.on_standing(images, labels, before)
        broken = broken | after
        yield Rung(name, ~after, temperature)
    spared = torch.zeros_like(broken) if proven is None else proven & ~broken
    for attack in attacks_on(network, epsilon, source):
        broken = attack.on_standing(images, labels, broken | spared) & ~spared
    yield Rung("worst case", ~broken)


def _up_to(name: str, network: Network, epsilon: float, source: nn.Module | None) -> Iterator[Attack]:
    """What makes up the rung `name`: one attack, the worst case all, and "clean" none."""
    there = _climbable(network, source)
    if name not in ("clean", *there, "worst case"):
        raise ValueError(f"expected a rung out of {', '.join(('clean', *RUNGS))} that this network has, got {name!r}")
    if name == "worst case":
        yield from (_rung(rung, network, epsilon, source)[0] for rung in there)
        yield from attacks_on(network, epsilon, source)
    elif name != "clean":
        yield _rung(name, network, epsilon, source)[0]


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


def _rung(name: str, network: Network, epsilon: float, source: nn.Module | None) -> tuple[Attack, float | None]:
    """The attack of the rung `name`, and its temperature, where it softens gradients."""
    if name == "noise":
        return _noise(network, epsilon), None
    if name == "transfer":
        settings = {"source": source, "epsilon": epsilon}
        return Attack(name, network, lambda x, y: transfer(network, x, y, **settings).images), None
    if name == "Square":
        return Attack(name, network, lambda x, y: square(network, x, y, epsilon=epsilon).images), None
    kind, loss, gradient = name.split(", ")
    attack, settings = ITERATED[kind], {"epsilon": epsilon, "loss": loss}
    if gradient == "softened":
        temperature = best_temperature(attack, network, **settings, **({"steps": 10} if attack is pgd else {}))
        return _softened(name, network, epsilon, temperature), temperature
    return Attack(name, network, lambda x, y: attack(network, x, y, gradient=gradient, **settings).images), None


def _softened(name: str, network: Network, epsilon: float, temperature: float) -> Attack:
    kind, loss, gradient = name.split(", ")
    settings = {"epsilon": epsilon, "loss": loss, "gradient": gradient, "temperature": temperature}
    return Attack(name, network, lambda x, y: ITERATED[kind](network, x, y, **settings).images)


def _noise(network: nn.Module, epsilon: float, draws: int = 10) -> Attack:
    """So many draws of uniform noise, the same for every image."""

    def noisy(images: Tensor, labels: Tensor) -> Tensor:
        generator, found = torch.Generator().manual_seed(0), images
        for _ in range(draws):
            offset = (2 * torch.rand(1, 1, 28, 28, generator=generator, dtype=torch.float64) - 1).to(images)
            drawn = (images + epsilon * offset).clamp(0, 1)
            found = torch.where(wrong(network, drawn, labels)[:, None, None, None], drawn, found)
        return found

    return Attack("noise", network, noisy)
