"""What a siege leaves standing: a run of training that is killed at fifty random moments, its final save included.

Run `python -m benchmarks.endurance` from the repository root: some ten minutes on two idle cores. It prints figures,
and exits 1 where something was lost, half-written or another network came out.

A process that goes on with the run is killed (SIGKILL) a random time after its start, from before its first epoch to
after its last; then another one goes on. Whenever the network is done it is held, bit by bit, against one that was
never interrupted, taken off the shelf again, and the run begins anew. Every other process has a second one beside it
that was asked to do the same run. After each kill, all that is on the shelf must be whole.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from satcore import library, runs
from satcore.networks import Network
from satcore.recipes import RECIPES, changed
from satcore.runs import Run
from satcore.training import train

ROOT = Path(__file__).parent.parent
KILLS, SECONDS = 50, 12.0  # how many, and how long after its start a process is killed at the latest
RUN = Run(changed(RECIPES["relu-mlp/saturated"], {"widths": (16,), "batch_size": 6_000, "epochs": 30}), 1)
GOES_ON = """
import sys
from satcore.training import loop
loop.SECONDS_BETWEEN_SAVES = -1  # a state after every epoch
from satcore.__main__ import main
sys.exit(main(["run", sys.argv[1]]))
"""


def bits(network: Network | None) -> bytes:
    """All parameters, as they lie in memory."""
    assert network is not None
    return b"".join(parameter.detach().contiguous().numpy().tobytes() for parameter in network.parameters())


def goes_on() -> subprocess.Popen:
    """A process that does the run from where it was left."""
    return subprocess.Popen([sys.executable, "-c", GOES_ON, RUN.key], cwd=ROOT, stderr=subprocess.DEVNULL)


def siege(expected: dict[str, bytes], moments: random.Random) -> Counter:
    """Kill and go on, `KILLS` times; how often what was found. `expected`: the network's bits, by precision."""
    found = Counter()
    while found["killed"] < KILLS:
        runs.put_down(RUN)
        processes = [goes_on() for _ in range(1 + found["killed"] % 2)]
        until = time.monotonic() + moments.uniform(0, SECONDS)
        while time.monotonic() < until and any(process.poll() is None for process in processes):
            time.sleep(0.005)
        for process in processes:
            found["killed"] += process.poll() is None
            process.kill()
            process.wait()
        damaged = library.catalogue().damaged
        found["damaged"] += len(damaged)
        if name := runs.trained(RUN):
            same = bits(library.load(name)) == expected[str(library.describe(name).precision)]
            found["bit-identical" if same else "another network"] += 1
            library.remove(name)
            runs.forget(RUN)
    return found


def main() -> int:
    """Print what was found."""
    shelf = tempfile.mkdtemp()
    os.environ["SATCORE_SHELF"], os.environ["OMP_NUM_THREADS"] = shelf, "1"
    expected = {}
    for precision in ("float32", "bfloat16"):
        *_, last = train(RUN.recipe, "cpu", RUN.seed, precision=precision)
        expected[precision] = bits(last.network)
    began = time.monotonic()
    found = siege(expected, random.Random(0))
    shutil.rmtree(shelf, ignore_errors=True)
    print(f"{time.monotonic() - began:.0f} s: {', '.join(f'{count} {what}' for what, count in found.items())}")
    return int(bool(found["damaged"] or found["another network"] or not found["bit-identical"]))


if __name__ == "__main__":
    sys.exit(main())
