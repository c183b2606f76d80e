"""The Square attack (Andriushchenko et al. 2020) in L∞: it asks only for logits, so no gradient can mislead it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from satcore.attacks.descent import begun, of
from satcore.attacks.objective import Objective
from satcore.attacks.result import AttackResult, Step, last
from satcore.data import seeded

FIRST_SHARE = 0.8  # of the pixels in the first squares, the paper's p for L∞
HALVINGS = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)  # queries out of 10,000 after which the share is halved


def square(network: nn.Module, images: Tensor, labels: Tensor, **settings) -> AttackResult:
    """Random squares of ±ε, kept where the margin falls; the settings are those of `square_steps`."""
    return last(square_steps(network, images, labels, **settings))


def square_steps(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 0.25,
    queries: int = 1000,
    seed: int = 0,
    targeted: bool = False,
) -> Iterator[Step]:
    """Square, query by query: first vertical stripes of ±ε, then one square a query, kept where the margin loss falls.

    All images are asked about the same stripes and squares, drawn with `seed`; each keeps its own. Its result's
    `iterations` are queries. `labels` and `targeted` as in `fgsm_steps`; raises ValueError as it does, for fewer than
    1 queries, and for a seed outside 0…2⁶³−1.
    """
    objective = Objective(labels, targeted, "margin")
    standing = begun(network, images, objective, epsilon=epsilon, queries=queries)
    originals, generator = standing.originals, seeded(seed)
    yield standing.step(0, ~standing.reached)
    index = (~standing.reached).nonzero().flatten()
    for query in range(queries):
        if not len(index):
            return
        if query == 0:
            tried = (originals[index] + epsilon * _signs(generator, 28).view(1, 1, 1, 28).to(originals)).clamp(0, 1)
        else:
            rows, columns = _window(generator, query, queries)
            tried = standing.kept.at(index).clone()
            sign = _signs(generator, 1).to(originals)
            tried[:, :, rows, columns] = (originals[index][:, :, rows, columns] + epsilon * sign).clamp(0, 1)
        with torch.no_grad():
            logits = network(tried)
        standing = standing.counted(index).seen(index, tried, logits)
        index = of(index, ~standing.reached[index])
        going = torch.zeros_like(standing.reached)
        yield standing.step(query + 1, going.index_fill(0, index, True) if query + 1 < queries else going)


def _signs(generator: torch.Generator, count: int) -> Tensor:
    return 2.0 * torch.randint(2, (count,), generator=generator) - 1


def _window(generator: torch.Generator, query: int, queries: int) -> tuple[slice, slice]:
    """A square somewhere in the image, smaller the more queries have been asked."""
    share = FIRST_SHARE / 2 ** sum(query / queries * 10_000 > halving for halving in HALVINGS)
    side = min(27, max(1, round((share * 784) ** 0.5)))
    row, column = torch.randint(28 - side + 1, (2,), generator=generator).tolist()
    return slice(row, row + side), slice(column, column + side)
