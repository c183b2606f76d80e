"""What is proven and what is broken, and in what time: 30 instances of a stranger's network, and the MLPs that ship.

Run `python -m benchmarks.proofs` from the repository root. The instances are those of VNN-COMP 2021, mnistfc, for the
network of two hidden layers, with the verdicts that verifiers found then; each is given `--seconds`. Of the MLPs 200
random test images (seed 0) are decided, 10 s each, at each of `EPSILONS`, which takes hours on two cores. So what is
known of these very weights stands in brackets.jsonl beside this file, and isn't computed again. `--networks` picks some
of them; without any name after it, none.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks import table
from satcore import checkpoints, data, library, outside, proofs

STRANGERS = Path(__file__).parent.parent / "tests" / "proofs"
BRACKETS = Path(__file__).with_name("brackets.jsonl")
SECONDS = 60.0  # an instance
EPSILONS, IMAGES, EACH = (0.02, 0.01), 200, 10.0  # seconds an image


def strangers(seconds: float) -> Iterator[list[str]]:
    """A row an instance: the verdict that is known, and the one that `decide_boxes` comes to."""
    network = outside.from_onnx(STRANGERS / "mnist-net_256x2.onnx")
    instances = np.load(STRANGERS / "mnist-net_256x2.npz")
    low, high = (torch.from_numpy(instances[end]).view(-1, 1, 28, 28) for end in ("lower", "upper"))
    labels = torch.from_numpy(instances["label"])
    for number, verdict in enumerate(instances["verdict"]):
        one, start, busy = slice(number, number + 1), time.monotonic(), time.process_time()
        decision = proofs.decide_boxes(network, low[one], high[one], labels[one], seconds=seconds)
        took, busy = time.monotonic() - start, time.process_time() - busy
        yield [f"{number}", str(verdict), decision.verdicts[0], f"{took:.2f}", f"{busy:.2f}"]


def bracket(name: str, epsilon: float) -> dict[str, str | float]:
    """How many of the images are proven, and how many broken, on one thread."""
    images, labels = data.sample("test", IMAGES, 0)
    start = time.monotonic()
    decision = proofs.decide(library.load(name), images, labels, epsilon=epsilon, seconds=EACH)
    return {
        "network": name,
        "sha256": library.describe(name).sha256,
        "epsilon": epsilon,
        "images": IMAGES,
        "seconds": EACH,
        "proven": int(decision.proven.sum()),
        "broken": int(decision.broken.sum()),
        "took": round(time.monotonic() - start, 1),
    }


def known() -> list[dict]:
    """What has been found of the networks that ship by now, as `bracket` gives it."""
    return [json.loads(line) for line in BRACKETS.read_text().splitlines()] if BRACKETS.exists() else []


def main() -> None:
    """Print the figures, and keep them."""
    mlps = [name for name in checkpoints.names() if name.split("/")[0] in ("relu-mlp", "sigmoid-mlp")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="an instance")
    parser.add_argument("--networks", nargs="*", default=mlps)
    asked = parser.parse_args()
    header = ("instance", "known", "ours", "seconds", "the processor's")
    table("proofs", header, strangers(asked.seconds), keep=asked.seconds == SECONDS)
    torch.set_num_threads(1)
    there = {(line["sha256"], line["epsilon"]) for line in known()}
    for epsilon in EPSILONS:
        for name in asked.networks:
            if (library.describe(name).sha256, epsilon) not in there:
                line = bracket(name, epsilon)
                with BRACKETS.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)


if __name__ == "__main__":
    main()
