"""What is proven and what is broken, and in what time: 30 instances of a stranger's network.

Run `python -m benchmarks.proofs` from the repository root: at most half an hour on two idle cores. The instances are
those of VNN-COMP 2021, mnistfc, for the network of two hidden layers, with the verdicts that verifiers found then;
each is given `--seconds`. What is proven of the networks that ship is no benchmark: it stands on the reality check.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks import table
from satcore import outside, proofs

STRANGERS = Path(__file__).parent.parent / "tests" / "proofs"
SECONDS = 60.0


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


def verdicts(seconds: float, *, keep: bool) -> None:
    """Print the verdicts; `keep` them for docs to quote."""
    header = ("instance", "known", "ours", "seconds", "the processor's")
    table("proofs", header, strangers(seconds), keep=keep)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="an instance")
    seconds = parser.parse_args().seconds
    verdicts(seconds, keep=seconds == SECONDS)
