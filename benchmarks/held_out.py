"""How the dendritic recipes were chosen: trained on the first 50,000 training images, measured on the last 10,000.

Run `python -m benchmarks.held_out` from the repository root: some two to six minutes of one core for each of `TRIED`
that isn't in held_out.jsonl beside this file yet, where each adds its line; `docs/tables.py` writes the table of
docs/dendritic.md from these. No test image plays a part. Interval bounds are measured on all 10,000, and on as many of
the images that were trained on; branch and bound, which takes longer, on the first 1,500.
"""

import json
import time
from pathlib import Path

import torch
from torch import Tensor

from satcore import data
from satcore.committees import committee
from satcore.networks import Architecture, Block, Convolution, Dense, Network, mlp
from satcore.proofs import by_intervals, decide
from satcore.recipes import Recipe, on_bounds
from satcore.training import train

FILE = Path(__file__).with_name("held_out.jsonl")
HELD_OUT, DECIDED, SECONDS, EPSILON = 10_000, 1_500, 0.04, 0.25


def cnn(*convolutions: tuple[int, int, int, int], dense: int) -> Architecture:
    """Convolutions by kernel, stride, channels and padding, and a hidden layer of so many units, all of ramps."""
    blocks, channels, side = [], 1, 28
    for kernel, stride, outputs, padding in convolutions:
        edges = (padding, padding, padding, padding)
        blocks.append(Block(Convolution(channels, outputs, (kernel, kernel), (stride, stride), edges), "ramp"))
        channels, side = outputs, (side + 2 * padding - kernel) // stride + 1
    return (*blocks, Block(Dense(channels * side**2, dense), "ramp"), Block(Dense(dense, data.CLASSES)))


def tried(
    architecture: Architecture, rate: float = 1e-3, *, shift: int = 1, epochs: tuple[int, int, int] = (1, 5, 8)
) -> Recipe:
    """A short training on bounds, whose images' own share of the loss falls to 0."""
    return on_bounds("tried", architecture, epochs, (0.5, 0.0), rate, batch_size=500, shift=shift)


TRIED = {
    "MLP 512–512": tried(mlp("ramp", (512, 512))),
    "of ReLUs": tried(mlp("relu", (512, 512))),
    "512–512–512": tried(mlp("ramp", (512, 512, 512))),
    "1024–512": tried(mlp("ramp", (1024, 512))),
    "1024–512, rate 0.003": tried(mlp("ramp", (1024, 512)), 3e-3),
    "2048–512, rate 0.003": tried(mlp("ramp", (2048, 512)), 3e-3),
    "CNN 5×5/2×32, 4×4/2×64, 3×3×64, 256": tried(cnn((5, 2, 32, 2), (4, 2, 64, 1), (3, 1, 64, 1), dense=256)),
    "20×20/4×256, 512, rate 0.003": tried(cnn((20, 4, 256, 0), dense=512), 3e-3),
    "14×14/7×256, 512, rate 0.003": tried(cnn((14, 7, 256, 0), dense=512), 3e-3),
    "10×10/6×128, 512, rate 0.003": tried(cnn((10, 6, 128, 0), dense=512), 3e-3),
    "14×14/7×256, images not moved": tried(cnn((14, 7, 256, 0), dense=512), 3e-3, shift=0, epochs=(2, 8, 20)),
    "14×14/7×256, moved by one pixel": tried(cnn((14, 7, 256, 0), dense=512), 3e-3, epochs=(2, 8, 20)),
    "14×14/7×256, moved by two": tried(cnn((14, 7, 256, 0), dense=512), 3e-3, shift=2, epochs=(2, 8, 20)),
}
COMMITTEES = {"two, 14×14/7×256, moved by one pixel": ("14×14/7×256, moved by one pixel", 2)}  # of so many seeds


def main() -> None:
    """Train and measure what isn't kept yet, and print each as it is done."""
    torch.set_num_threads(1)
    lines = [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []
    there = {(line["recipe"], line.get("members", 1)) for line in lines}
    wanted = {name: (recipe, 1) for name, recipe in TRIED.items()}
    for name, (recipe, members) in (wanted | {name: (TRIED[of], n) for name, (of, n) in COMMITTEES.items()}).items():
        if (recipe.identity, members) not in there:
            line = {"name": name, "recipe": recipe.identity, "members": members, "epochs": members * recipe.epochs}
            line |= measured(recipe, members)
            with FILE.open("a") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            print(line, flush=True)


def measured(recipe: Recipe, members: int) -> dict[str, float]:
    """The counts of images: right, and proven by intervals, of all that are held out; proven so of as many that were
    trained on; right, proven and open of the first ones held out. And the seconds that training took.
    """
    started = time.monotonic()
    networks = [trained(recipe, seed) for seed in range(members)]
    seconds, network = time.monotonic() - started, committee(networks) if members > 1 else networks[0]
    images, labels = data.load("train")
    unseen, seen = slice(-HELD_OUT, None), slice(HELD_OUT)
    first = slice(len(images) - HELD_OUT, len(images) - HELD_OUT + DECIDED)
    decided = decide(network, images[first], labels[first], epsilon=EPSILON, seconds=SECONDS)
    return {
        "right": int(right(network, images[unseen], labels[unseen]).sum()),
        "intervals": int(bounded(network, images[unseen], labels[unseen]).sum()),
        "intervals_trained_on": int(bounded(network, images[seen], labels[seen]).sum()),
        "images": HELD_OUT,
        "proven": int(decided.proven.sum()),
        "open": int((~decided.proven & ~decided.broken).sum()),
        "decided": DECIDED,
        "seconds": round(seconds, 1),
    }


def trained(recipe: Recipe, seed: int) -> Network:
    """Without the images that are held out."""
    *_, last = train(recipe, "cpu", seed, held_out=HELD_OUT)
    assert last.network is not None
    return last.network


def right(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which images are classified as their labels."""
    return torch.cat([network(part).argmax(1) for part in images.split(1_000)]) == labels


def bounded(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Which are proven to be right within ε by intervals."""
    parts = zip(images.split(1_000), labels.split(1_000), strict=True)
    return torch.cat([by_intervals(network, x, y, epsilon=EPSILON) for x, y in parts])


if __name__ == "__main__":
    main()
