"""What a training costs whoever looks at pages meanwhile: how long page changes take with one beside, and without.

Run `python -m benchmarks.beside` from the repository root, on an idle machine: some three minutes on two cores. One
viewer turns from page to page over the websocket, on a server with a shelf of its own; a round through all pages warms
it up, then rounds without a training and with one take turns. The training is one that the page "Train" would begin:
a process of its own, on one thread, that gives way to others.
"""

import asyncio
import os
import statistics
import tempfile
import time

from benchmarks import table
from benchmarks.viewers import PAGES, Viewer, connected
from satcore import background, runs
from satcore.recipes import RECIPES
from tests.browser import served

ROUNDS = 5
RUN = runs.Run(RECIPES["relu-mlp/saturated"], seed=1_000)


async def turned(viewer: Viewer) -> dict[str, float]:
    """The seconds that it takes to turn to each page."""
    seconds = {}
    for page in PAGES:
        began = time.monotonic()
        await viewer.opens(page)
        seconds[page] = time.monotonic() - began
        await asyncio.sleep(0.5)
    return seconds


async def rounds(address: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Rounds without a training and with one, in turns."""
    alone, beside = [], []
    async with connected(address) as socket:
        viewer = Viewer(socket)
        await turned(viewer)
        for _ in range(ROUNDS):
            alone.append(await turned(viewer))
            training = runs.begin(RUN)
            while (report := background.report(RUN.key)) is None or not report.done:  # until its first epoch is over
                await asyncio.sleep(0.1)
            beside.append(await turned(viewer))
            runs.pause(RUN)
            training.wait()
    return alone, beside


def main() -> None:
    """Print the figures, and keep them."""
    with tempfile.TemporaryDirectory() as shelf:
        os.environ["SATCORE_SHELF"] = shelf
        with served() as address:
            alone, beside = asyncio.run(rounds(address))
    rows = []
    for page in PAGES:
        without, with_it = (statistics.median(there[page] for there in each) for each in (alone, beside))
        rows.append([page or "home", f"{without:.3f}", f"{with_it:.3f}", f"{with_it / without:.2f}"])
    table("beside", ("page", "alone (s)", "beside a training (s)", "ratio"), rows)


if __name__ == "__main__":
    main()
