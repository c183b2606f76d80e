"""What a siege leaves standing: trainings that are killed, files that are damaged, links of garbage, deserted attacks.

Run `python -m benchmarks.endurance` from the repository root: an hour or so on two idle cores; `--kills 0` and the
like leave a part out. It exits 1 where something was lost, half-written, not refused in a sentence, or another network
came out.

1. A process that goes on with a run of training is killed (SIGKILL) a random time after its start, from before its
   first epoch to after its last; then another one goes on. Whenever the network is done it is held, bit by bit, against
   one that was never interrupted, taken off the shelf again, and the run begins anew. Every other process has a second
   one beside it that was asked to do the same run. After each kill, all that is on the shelf must be whole.
2. Every kind of file that a network has is damaged: cut, bits flipped, pieces moved, values of JSON replaced, and
   half of the weights and cards get a hash that fits again. Each must be refused in one sentence, or loaded.
3. Links of garbage to every page, each in a session of its own: no page may show a traceback, or take a minute.
4. Live attacks that are begun, and deserted: the server must be at rest soon after.
"""

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psutil

from benchmarks import table
from benchmarks.viewers import PAGES, Viewer, connected, serving
from satcore import library, runs
from satcore.evaluation import beyond, certificates, grids, reality
from satcore.networks import Network
from satcore.recipes import RECIPES, changed
from satcore.runs import Run
from satcore.training import train
from tests.browser import served
from tests.test_hostile import damaged_card, damaged_weights, flipped, mixed, rehashed, truncated

ROOT = Path(__file__).parent.parent
SECONDS = 12.0  # how long after its start a process is killed at the latest
RUN = Run(changed(RECIPES["relu-mlp/saturated"], {"widths": (16,), "batch_size": 6_000, "epochs": 30}), 1)
PATIENCE = 60.0  # seconds until a link or a file counts as hanging
KEYS = ("networks", "family", "left", "right", "eyes", "view", "hide", "scene", "seed", "sample", "t", "nobody")
GARBAGE = (
    *(
        "",
        " ",
        "-1",
        "0",
        "7",
        "inf",
        "-inf",
        "nan",
        "1e308",
        "9" * 400,
        "3.5",
        "None",
        "null",
        "[]",
        "{}",
        "true",
        "\0",
    ),
    *(
        "cnn/vanilla",
        "cnn/nobody",
        "../../etc/passwd",
        "relu-mlp/vanilla,cnn/vanilla",
        "<script>",
        "';--",
        "\U0001f600",
    ),
    *("most confident", "by index", "x" * 5_000, "%", "&", "#", "\n"),
)
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


def killed(kills: int, moments: random.Random) -> Counter:
    """Kill and go on, so many times; how often what was found."""
    expected = {}  # the network's bits, by precision
    for precision in ("float32", "bfloat16") if kills else ():
        *_, last = train(RUN.recipe, "cpu", RUN.seed, precision=precision)
        expected[precision] = bits(last.network)
    found = Counter()
    while found["killed"] < kills:
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


def damaged(count: int, chance: random.Random) -> Counter:
    """Damage so many files of each kind; how often what was found."""
    name, setting, found = "relu-mlp/dendritic", grids.Setting(), Counter()
    kinds: dict[str, tuple[str, Callable[[], object], Callable[[bytes, random.Random], bytes] | None]] = {
        "card": (library.CARD, lambda: library.load(name), damaged_card),
        "weights": (library.WEIGHTS, lambda: library.load(name), damaged_weights),
        "grid": ("grids/most-confident-l-bfgs-1000-autograd.npz", lambda: grids.load(name, setting), None),
        "reality": ("reality.json", lambda: reality.load(name), damaged_card),
        "certificate": ("certificate.json", lambda: certificates.load(name), damaged_card),
        "beyond": ("beyond.json", lambda: beyond.load(name), damaged_card),
    }
    with tempfile.TemporaryDirectory() as shelf:
        library.SHIPPED = Path(shutil.copytree(library.SHIPPED / name, Path(shelf) / name)).parent.parent
        card = library.SHIPPED / name / library.CARD
        for kind, (file, load, purposely) in kinds.items():
            path = library.SHIPPED / name / file
            whole, whole_card = path.read_bytes(), card.read_bytes()
            for turn in range(count):
                damage = purposely if purposely and turn % 2 else chance.choice((truncated, flipped, mixed))
                path.write_bytes(damage(whole, chance))
                if kind in ("card", "weights") and turn % 4 > 1:
                    card.write_bytes(
                        rehashed(card.read_bytes(), (library.SHIPPED / name / library.WEIGHTS).read_bytes())
                    )
                found[f"{kind}: {said_of(load)}"] += 1
                card.write_bytes(whole_card)
            path.write_bytes(whole)
    return found


def said_of(load: Callable[[], object]) -> str:
    """What came of loading a damaged file."""
    began = time.monotonic()
    try:
        load()
    except ValueError as error:
        said = "refused" if len(str(error).splitlines()) == 1 else "not in one sentence"
    except Exception as error:
        return type(error).__name__
    else:
        said = "loaded"
    return said if time.monotonic() - began < PATIENCE else "too slow"


async def garbage(address: str, count: int, chance: random.Random) -> Counter:
    """Follow so many links of garbage to each page; how often what was found."""
    found = Counter()
    for page in PAGES:
        async with connected(address) as socket:
            viewer = Viewer(socket)
            await viewer.opens(page)
            keys = [*viewer.widgets, *KEYS]
        for _ in range(count):
            asked = [
                f"{quote(chance.choice(keys))}={quote(chance.choice(GARBAGE))}" for _ in range(chance.randrange(1, 5))
            ]
            async with connected(address) as socket:
                try:
                    async with asyncio.timeout(PATIENCE):
                        failed = await Viewer(socket).opens(page, "&".join(asked))
                    found["tracebacks" if failed else "shown"] += 1
                except TimeoutError:
                    found["hanging"] += 1
                    failed = True
            if failed:
                print(f"/{page}?{'&'.join(asked)}", flush=True)
    return found


async def deserted(address: str, server: psutil.Process, count: int, chance: random.Random) -> Counter:
    """Begin so many attacks and leave at once; how often what was found, and whether the server rests then."""
    found = Counter()
    for _ in range(count):
        attack, digit = chance.choice(("Adam", "L-BFGS", "PGD", "Square")), chance.randrange(10)
        async with connected(address) as socket:
            viewer = Viewer(socket)
            failed = await viewer.opens("live_attack", f"attack={attack}&digit={digit}")
            failed |= await viewer.presses("play")
            found["tracebacks" if failed else "deserted"] += 1
    await asyncio.sleep(5)
    before = sum(server.cpu_times()[:2])
    await asyncio.sleep(10)
    found["at work for nobody"] += sum(server.cpu_times()[:2]) - before > 1
    print(f"memory afterwards: {server.memory_info().rss / 2**20:.0f} MB")
    return found


WRONG = (
    "damaged",
    "another network",
    "not in one sentence",
    "too slow",
    "Error",
    "tracebacks",
    "hanging",
    "for nobody",
)


def sieges(asked: argparse.Namespace) -> Iterator[tuple[str, float, Counter]]:
    """What was besieged, for how many seconds, and what was found, one after the other."""
    chance = random.Random(0)

    def timed(what: str, siege: Callable[[], Counter]) -> tuple[str, float, Counter]:
        began = time.monotonic()
        found = siege()
        return what, time.monotonic() - began, found

    if asked.kills:
        yield timed("trainings, killed", lambda: killed(asked.kills, chance))
    if asked.links or asked.attacks:
        with served() as address:
            server = next(serving(address))
            yield timed("links of garbage", lambda: asyncio.run(garbage(address, asked.links, chance)))
            yield timed("attacks, deserted", lambda: asyncio.run(deserted(address, server, asked.attacks, chance)))
    if asked.files:
        yield timed("files, damaged", lambda: damaged(asked.files, chance))


def main() -> int:
    """Print what was found, and keep it where nothing was left out; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--files", type=int, default=1_000, help="damaged ones of each kind")
    parser.add_argument("--links", type=int, default=300, help="of garbage to each page")
    parser.add_argument("--attacks", type=int, default=300, help="that are deserted")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    wrong = []

    def rows() -> Iterator[list[str]]:
        for what, took, found in sieges(asked):
            wrong.extend(of for of, count in found.items() if count and of.endswith(WRONG))
            yield [what, f"{took:.0f}", ", ".join(f"{count:,} {of}" for of, count in sorted(found.items()))]

    with tempfile.TemporaryDirectory() as shelf:
        os.environ["SATCORE_SHELF"] = shelf
        whole = asked == parser.parse_args([])
        table("endurance", ("a siege", "seconds", "what was found"), rows(), keep=whole)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
