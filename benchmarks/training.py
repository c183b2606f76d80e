"""Training speed: our loop against a plain PyTorch loop, and against the CNN's bare convolutions.

Run `python -m benchmarks.training [--recipes relu-mlp/vanilla …]` from the repository root: some five minutes on two
idle cores, on the GPU where there is one. It prints figures, keeps them where all
recipes are timed, and asserts nothing.

1. Epochs a second of `satcore.training.train` and of a plain loop after PyTorch's MNIST example (eager, float32,
   default Adam, DataLoader without workers), with the same first weights, batch size, objective and threads: each
   family's vanilla recipe, and the longest phase of the saturated MLPs, its penalty in both objectives. Medians of
   three epochs after an uncounted one; on a CPU one epoch of the CNN, warmed up only by the batches of part 2 (what
   its own first batch costs on top is below 1 % of the epoch).
2. Our CNN epoch beside its layers' forward and backward passes alone, without the image's gradient: float32,
   contiguous, eager, scaled from a few batches to an epoch.

How fair this is:
- torchvision can't be had for every torch, so `Digits` does by hand what its MNIST and ToTensor do to a sample, PIL
  image included. For the MLPs that is much of the plain epoch: their ratio is more about the data's path than the sums.
- Our products take the precision that is measured to be the faster one here, which may be coarser than float32. Hence
  a column for float32 as well.
- The example also normalises, logs and tests; the plain loop doesn't. Our epoch includes its record (1,000 test
  images, and FGSM on them).
- On CUDA the example has a worker and pinned memory; the plain loop has neither, and the GPU waits for its data.
- Our loop flushes denormals, the plain one doesn't; a network this early in its saturation has few to show it with.
- The contenders take turns, epoch by epoch, so that a slow spell of the machine meets them all.
"""

import argparse
import dataclasses
import functools
import itertools
import statistics
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from benchmarks import seconds, table
from satcore import data
from satcore.networks import build
from satcore.recipes import FAMILIES, RECIPES, TRAINING_IMAGES, Phase, Recipe
from satcore.training import faster, penalty, train
from satcore.training.loop import PRECISIONS

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CNN = "cnn/vanilla"
TIMED = [*(f"{family}/vanilla" for family in FAMILIES), "sigmoid-mlp/saturated", "relu-mlp/saturated"]
BATCHES, BLOCKS = 10, 5  # of the bare layers: so many batches between two readings of the clock, so many times


class Digits(Dataset):
    """MNIST as torchvision's dataset and its ToTensor hand it out: one sample at a time, by way of a PIL image."""

    def __init__(self):
        with np.load(data.FILE, allow_pickle=False) as arrays:
            self.images, self.labels = torch.from_numpy(arrays["x_train"]), torch.from_numpy(arrays["y_train"])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, 1).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255), int(self.labels[index])


def plain(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """The plain loop, for the recipe's only phase; yields after every epoch."""
    (phase,) = recipe.phases
    model = build(recipe.architecture).to(device)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=phase.learning_rate, betas=(0.9, phase.beta2), eps=phase.adam_epsilon
    )
    loader = DataLoader(Digits(), batch_size=phase.batch_size, shuffle=True)
    model.train()
    for epoch in range(phase.epochs):
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimiser.zero_grad()
            pre_activations = model.pre_activations(images)
            loss = cross_entropy(pre_activations[-1], labels)
            if phase.penalty.maximum > 0:
                loss = loss + phase.penalty(epoch) * penalty(pre_activations, recipe.complementary)
            loss.backward()
            optimiser.step()
        yield


def epoch_seconds(recipe: Recipe, phase: Phase, device: torch.device) -> dict[str, float]:
    """Seconds an epoch of `phase`, begun from an untrained network: medians, by contender."""
    warm_up, timed = (0, 1) if recipe.family == "cnn" and device.type == "cpu" else (1, 3)
    recipe = dataclasses.replace(recipe, phases=(dataclasses.replace(phase, epochs=warm_up + timed),))
    contenders = {
        "plain": plain(recipe, device),
        "float32": train(recipe, device.type, precision="float32"),
        "bfloat16": train(recipe, device.type, precision="bfloat16"),
    }
    times = [
        {name: seconds(functools.partial(next, epochs), device) for name, epochs in contenders.items()}
        for _ in range(warm_up + timed)
    ]
    return {name: statistics.median(epoch[name] for epoch in times[warm_up:]) for name in contenders}


def bare_seconds(recipe: Recipe, device: torch.device) -> list[float]:
    """Seconds an epoch of each layer's forward and backward pass alone, at the batch size of the first phase."""
    batch_size = recipe.phases[0].batch_size
    network = build(recipe.architecture).to(device)
    images = data.load("train").images[:batch_size].to(device)
    with torch.no_grad():
        pre_activations = network.pre_activations(images)
        inputs = [images, *itertools.starmap(network.output, enumerate(pre_activations[:-1]))]
    result = []
    for layer, x, h in zip(network.layers, inputs, pre_activations, strict=True):
        x = x.flatten(1) if isinstance(layer, nn.Linear) else x
        wanted: list[Tensor] = [*layer.parameters()] if x is images else [*layer.parameters(), x.requires_grad_()]
        work = functools.partial(_passes, layer, x, wanted, torch.randn_like(h))
        _, *blocks = [seconds(work, device) for _ in range(1 + BLOCKS)]  # the first warms up
        result.append(statistics.median(blocks) / BATCHES * TRAINING_IMAGES / batch_size)
    return result


def _passes(layer: nn.Module, x: Tensor, wanted: list[Tensor], gradient: Tensor) -> None:
    for _ in range(BATCHES):
        torch.autograd.grad(layer(x), wanted, gradient)


def epochs_a_second(names: Sequence[str], times: dict[str, dict[str, float]]) -> Iterator[list[str]]:
    """A row a recipe, of its longest phase; notes in `times` its seconds an epoch, by contender."""
    for recipe in (RECIPES[name] for name in names):
        phase = max(recipe.phases, key=lambda phase: phase.epochs)
        took = times[recipe.name] = epoch_seconds(recipe, phase, DEVICE)
        chosen = faster(recipe, DEVICE.type)
        rates = (f"{1 / took[contender]:.3g}" for contender in ("plain", *PRECISIONS))
        yield [recipe.name, f"{phase.batch_size}", *rates, chosen, f"{took['plain'] / took[chosen]:.2f}"]


def beside_bare(took: dict[str, float], bare: Sequence[float]) -> Iterator[list[str]]:
    """A row a precision: an epoch of the CNN, and its layers' passes alone."""
    convolutions, dense = sum(bare[:2]), sum(bare[2:])
    for precision in PRECISIONS:
        alone = (f"{each:.3g}" for each in (took[precision], convolutions, dense))
        yield [precision, *alone, f"{took[precision] / convolutions:.2f}"]


def main(names: Sequence[str]) -> None:
    """Print the figures of these recipes, and keep them where none is left out."""
    for split in ("train", "test"):  # our loop's data, loaded outside the clock like the plain loop's
        data.load(split)
    bare = bare_seconds(RECIPES[CNN], DEVICE) if CNN in names else []
    times: dict[str, dict[str, float]] = {}
    header = ("epochs a second", "batch", "plain loop", *(f"ours, {each}" for each in PRECISIONS), "chosen", "ratio")
    table("training", header, epochs_a_second(names, times), keep=set(TIMED) <= set(names))
    if bare:
        header = ("an epoch of the CNN (s)", "ours", "convolutions alone", "dense layers alone", "ours / convolutions")
        table("training-cnn", header, beside_bare(times[CNN], bare))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="*", default=TIMED, choices=RECIPES, metavar="NAME")
    main(parser.parse_args().recipes)
