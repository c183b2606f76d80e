"""What is proven and what is broken, and in what time: a stranger's 30 instances, and the MLPs that ship.

python benchmarks/proofs.py [--seconds 60] [--images 200] [--each 10] [--networks relu-mlp/vanilla …]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from satcore import data, library, outside, proofs

STRANGERS = Path(__file__).parent.parent / "tests" / "proofs"
MLPS = tuple(name for name in library.names() if name.split("/")[0] in ("relu-mlp", "sigmoid-mlp"))
EPSILONS = (0.005, 0.01, 0.02)


def strangers(seconds: float) -> None:
    """VNN-COMP 2021, mnistfc: each instance's verdict as its verifiers found it, and as `decide_boxes` finds it."""
    network = outside.from_onnx(STRANGERS / "mnist-net_256x2.onnx")
    instances = np.load(STRANGERS / "mnist-net_256x2.npz")
    low, high = (torch.from_numpy(instances[end]).view(-1, 1, 28, 28) for end in ("lower", "upper"))
    labels = torch.from_numpy(instances["label"])
    print(f"mnist-net_256x2, {seconds:g} s an instance\n  #  known     ours     seconds   on the processor")
    for number, verdict in enumerate(instances["verdict"]):
        one, start, busy = slice(number, number + 1), time.monotonic(), time.process_time()
        decision = proofs.decide_boxes(network, low[one], high[one], labels[one], seconds=seconds)
        took, busy = time.monotonic() - start, time.process_time() - busy
        print(f" {number:2}  {verdict:8}  {decision.verdicts[0]:7} {took:8.2f}  {busy:8.2f}", flush=True)


def brackets(names: list[str], count: int, seconds: float) -> None:
    """Between what is proven and what isn't broken of random test images, by the ε, in %."""
    images, labels = data.load("test")
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
    print(
        f"{count} random test images (seed 0), {seconds:g} s an image\nnetwork, ε, proven, not broken, seconds an image"
    )
    for name in names:
        network = library.load(name)
        for epsilon in EPSILONS:
            start = time.monotonic()
            decision = proofs.decide(network, images[chosen], labels[chosen], epsilon=epsilon, seconds=seconds)
            proven, standing = (100 * float(there.double().mean()) for there in (decision.proven, ~decision.broken))
            took = (time.monotonic() - start) / count
            print(f"{name}  {epsilon:g}  {proven:.1f}  {standing:.1f}  {took:.2f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="an instance of the stranger's")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--each", type=float, default=10.0, help="seconds an image of the networks that ship")
    parser.add_argument("--networks", nargs="*", default=list(MLPS))
    options = parser.parse_args()
    strangers(options.seconds)
    brackets(options.networks, options.images, options.each)
