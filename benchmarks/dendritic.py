"""Does what is called proven survive? Attacks on images of the dendritic networks that are proven within ε = 0.25.

Run `python -m benchmarks.dendritic` from the repository root, with the peer installed: `pip install pyautoattack`. Of
`--images` 40 random test images that are proven (by what ships, `satcore.evaluation.certificates`) it counts those that
break under: a search over the free pixels, 300 flips from each of three seeds; 20,000 random corners of the cube;
Square with `--queries` 20,000; and, of those that intervals prove, AutoAttack's standard attacks on the network without
its step, fed with the whole box between the corners, which has a gradient. Each count has to be 0: then it exits 0.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks import table
from satcore import checkpoints, data
from satcore.attacks import cube, square
from satcore.evaluation import certificates
from satcore.networks import Network
from satcore.proofs.cubes import behind_step, stepped

EPSILON, SEEDS, FLIPS, CORNERS = 0.25, (0, 1, 2), 300, 20_000


class Boxed(nn.Module):
    """What stands behind the step, on the box of one image: entries from 0 to 1 are places between its ends."""

    def __init__(self, behind: Network, low: Tensor, high: Tensor):
        super().__init__()
        self.behind, self.low, self.width = behind, low.view(1, 1, 28, 28), (high - low).view(1, 1, 28, 28)

    def forward(self, places: Tensor) -> Tensor:
        """Logits, (N, 10), of `places` (N, 1, 28, 28)."""
        return self.behind(self.low + self.width * places)


def main() -> int:
    """Print how many broke under what, and keep it where no network is left out; the exit status."""
    every = [name for name in checkpoints.names() if name.endswith("/dendritic")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=every)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--queries", type=int, default=20_000)
    chosen, broken = parser.parse_args(), []

    def rows() -> Iterator[list[str]]:
        for name in chosen.networks:
            network = checkpoints.load(name)
            verdicts = next(there for there in certificates.load(name) if there.epsilon == EPSILON).verdicts
            for what, letters, attack in (
                ("free pixels", "ip", flipped),
                ("random corners", "ip", at_random),
                (f"Square, {chosen.queries:,} queries", "ip", lambda n, x, y: queried(n, x, y, chosen.queries)),
                ("AutoAttack in the box", "i", in_the_box),
            ):
                images, labels = sample(verdicts, letters, chosen.images)
                broken.append(int(attack(network, images, labels).sum()))
                yield [f"{name}, {what}", f"{len(images)}", f"{broken[-1]}"]

    table("dendritic", ("attack", "proven images", "broken"), rows(), keep=chosen.networks == every)
    return int(any(broken))


def sample(verdicts: str, letters: str, count: int) -> tuple[Tensor, Tensor]:
    """So many random test images with one of these `letters` as their verdict."""
    order = torch.randperm(len(verdicts), generator=torch.Generator().manual_seed(0)).tolist()
    index = torch.tensor([number for number in order if verdicts[number] in letters][:count])
    images, labels = data.load("test")
    return images[index], labels[index]


def flipped(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which break under the search over free pixels, from any of `SEEDS`."""
    found = [cube(network, images, labels, epsilon=EPSILON, steps=FLIPS, seed=seed).success for seed in SEEDS]
    return torch.stack(found).any(0)


def at_random(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which break at any of `CORNERS` random corners."""
    low, high = _ends(network, images)
    behind, generator = behind_step(network), torch.Generator().manual_seed(0)

    def breaks(number: int) -> bool:
        corners = torch.rand(CORNERS, 784, generator=generator) < 0.5
        x = torch.where(corners, high[number], low[number]).view(-1, 1, 28, 28)
        return any(bool((behind(part).argmax(1) != labels[number]).any()) for part in x.split(2_000))

    return _each(breaks, len(images))


def queried(network: Network, images: Tensor, labels: Tensor, queries: int) -> Tensor:
    """Which break under Square."""
    return square(network, images, labels, epsilon=EPSILON, queries=queries, seed=0).success


def in_the_box(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which break under AutoAttack, anywhere between the corners."""
    low, high = _ends(network, images)
    behind, kind = behind_step(network), importlib.import_module("pyautoattack").AutoAttack

    def breaks(number: int) -> bool:
        boxed = Boxed(behind, low[number], high[number])
        auto = kind(boxed, eps=0.5, norm="Linf", seed=0, version="standard")
        middle, label = torch.full((1, 1, 28, 28), 0.5), labels[number : number + 1]
        attacked, _ = auto.run_standard_evaluation(middle, label, batch_size=1)
        return int(boxed(attacked).argmax(1)) != int(label)

    return _each(breaks, len(images))


def _ends(network: Network, images: Tensor) -> tuple[Tensor, Tensor]:
    x = images.double().flatten(1)
    low, high = stepped(network, (x - EPSILON).clamp(0, 1), (x + EPSILON).clamp(0, 1))
    return low.float(), high.float()


def _each(breaks: Callable[[int], bool], count: int) -> Tensor:
    return torch.tensor([breaks(number) for number in range(count)])


if __name__ == "__main__":
    sys.exit(main())
