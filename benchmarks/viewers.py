"""How long twenty viewers wait, beside one, and how much memory they take: over the websocket, as browsers ask.

Run `python -m benchmarks.viewers` from the repository root, on an idle machine; `--viewers`, `--minutes` and `--think`
change what is asked. Each viewer has a session of its own. A click turns to a random page (with probability 1/2, or
where there is nothing else), presses a random line-up (1/4) or a random digit (1/4); then the viewer waits until the
page has settled, looks at it for five seconds in the mean (exponentially distributed), and clicks again. Waiting is
from the click to the end of the run that the server makes of it; drawing in the browser isn't counted.

One viewer comes first, on a server with a shelf of its own, then twenty on another; a session's first page isn't
counted. What somebody has asked for already is known to the server from then on: of that the twenty have more than
the one.

By page it is also said what a click costs: the seconds that the server's process was at work, on whichever processor,
until the viewer's next click, for whomever; so that it is the one viewer's whose costs are told apart.
"""

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import websockets
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

from benchmarks import table
from tests.browser import served

VIEWERS, THINK = 20, 5.0  # so many, who click so many seconds apart
PATIENCE = 300.0  # seconds until a page counts as hanging
LARGEST = 2**30  # bytes of a message
PAGES = (
    "",
    "interpolation",
    "representations",
    "weights",
    "live_attack",
    "attack_grid",
    "reality_check",
    "claims",
    "over_seeds",
    "networks",
)
DIGITS = ("digit", "source", "target")  # the keys of rows of digits


@dataclass
class Waits:
    """What viewers went through: seconds, by page; how many runs ended in a traceback; memory as time goes on; how many
    seconds of a processor the server took for all of it, and, by page, for one viewer's clicks.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    work: dict[str, list[float]] = field(default_factory=dict)
    tracebacks: Counter = field(default_factory=Counter)
    megabytes: list[float] = field(default_factory=list)
    processor: float = 0.0

    def figures(self) -> list[str]:
        """Of how many clicks: median, 95th percentile and worst, in seconds; what one costs; memory."""
        waits = sorted(wait for there in self.seconds.values() for wait in there)
        took = statistics.median(waits), waits[int(0.95 * (len(waits) - 1))], waits[-1], self.processor / len(waits)
        quarters = [self.megabytes[at * (len(self.megabytes) - 1) // 4] for at in range(1, 5)]
        memory = ", ".join(f"{megabytes:.0f}" for megabytes in quarters)
        return [f"{len(waits)}", *(f"{each:.2f}" for each in took), memory, f"{max(self.megabytes):.0f}"]

    def pages(self) -> Iterator[list[str]]:
        """The same, page by page."""
        for page, seconds in sorted(self.seconds.items()):
            work = self.work[page]
            figures = statistics.median(seconds), max(seconds), statistics.mean(work), max(work)
            yield [page or "home", f"{len(seconds)}", *(f"{each:.2f}" for each in figures)]


class Viewer:
    """One session: what it has on screen can be clicked."""

    def __init__(self, socket: ClientConnection):
        self.socket = socket
        self.page, self.pages = "", {}
        self.widgets: dict[str, str] = {}  # their ids by key
        self.chosen: dict[str, str] = {}  # one of a row of pills, by id

    async def opens(self, page: str, query: str = "") -> bool:
        """Turn to a page, or, at first, follow a link; whether the run ended in a traceback."""
        self.page, self.widgets, self.chosen = page, {}, {}
        return await self._run(query=query)

    async def chooses(self, key: str, option: str) -> bool:
        """Press one of a row of pills; whether the run ended in a traceback."""
        self.chosen[self.widgets[key]] = option
        return await self._run()

    async def presses(self, key: str) -> bool:
        """Press a button; whether the run ended in a traceback."""
        return await self._run(pressed=self.widgets[key])

    async def _run(self, pressed: str = "", query: str = "") -> bool:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string = query
        rerun.page_script_hash = self.pages.get(self.page, "")
        rerun.page_name = "" if rerun.page_script_hash else self.page
        for identity, option in self.chosen.items():
            rerun.widget_states.widgets.add(id=identity).string_array_value.data.append(option)
        if pressed:
            rerun.widget_states.widgets.add(id=pressed, trigger_value=True)
        await self.socket.send(message.SerializeToString())
        return await self._settled()

    async def _settled(self) -> bool:
        failed = False
        while True:
            frame = await asyncio.wait_for(self.socket.recv(), PATIENCE)
            assert isinstance(frame, bytes)
            message = ForwardMsg.FromString(frame)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                self.pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                failed |= element.WhichOneof("type") == "exception"
                self._note(element)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return failed

    def _note(self, element: Message) -> None:
        """Of a widget with a key the id is "$$ID-…-key"."""
        identity = getattr(getattr(element, str(element.WhichOneof("type"))), "id", "")
        if identity.startswith("$$ID-"):
            self.widgets[identity.split("-", 2)[2]] = identity


def connected(address: str) -> websockets.connect:
    """A websocket to the dashboard at `address`, as its page opens one."""
    return websockets.connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=[websockets.Subprotocol("streamlit")],
        max_size=LARGEST,
        origin=websockets.Origin(address),
        ping_timeout=None,
    )


async def watch(
    address: str, server: psutil.Process, chance: random.Random, until: float, think: float, waits: Waits
) -> None:
    """What one viewer does `until` then."""
    async with connected(address) as socket:
        viewer = Viewer(socket)
        await asyncio.sleep(chance.uniform(0, think))
        await viewer.opens("")
        await asyncio.sleep(chance.expovariate(1 / think))
        while time.monotonic() < until:
            began, before = time.monotonic(), at_work(server)
            failed = await clicks(viewer, chance)
            waits.seconds.setdefault(viewer.page, []).append(time.monotonic() - began)
            waits.tracebacks[viewer.page] += failed
            await asyncio.sleep(chance.expovariate(1 / think))
            waits.work.setdefault(viewer.page, []).append(at_work(server) - before)


async def clicks(viewer: Viewer, chance: random.Random) -> bool:
    """Somewhere; whether the run ended in a traceback."""
    digits = [key for key in DIGITS if key in viewer.widgets]
    line_ups = [key for key in viewer.widgets if key.startswith("line-up ")]
    drawn = chance.random()
    if digits and drawn < 1 / 4:
        return await viewer.chooses(chance.choice(digits), str(chance.randrange(10)))
    if line_ups and drawn < 1 / 2:
        return await viewer.presses(chance.choice(line_ups))
    return await viewer.opens(chance.choice(PAGES))


async def crowd(address: str, server: psutil.Process, viewers: int, minutes: float, think: float) -> Waits:
    """So many viewers, for so many minutes."""
    waits, until = Waits(), time.monotonic() + 60 * minutes
    async with connected(address) as socket:
        await Viewer(socket).opens("")

    async def weigh() -> None:
        while time.monotonic() < until:
            waits.megabytes.append(server.memory_info().rss / 2**20)
            await asyncio.sleep(1)

    before = at_work(server)
    each = [watch(address, server, random.Random(seed), until, think, waits) for seed in range(viewers)]
    await asyncio.gather(weigh(), *each)
    waits.tracebacks += Counter()  # without zeros
    waits.processor = at_work(server) - before
    return waits


def at_work(server: psutil.Process) -> float:
    """The seconds of a processor that the `server` has taken so far."""
    times = server.cpu_times()
    return times.user + times.system


def serving(address: str) -> Iterator[psutil.Process]:
    """The process of ours that listens there."""
    port = int(address.rsplit(":", 1)[1])
    for child in psutil.Process().children(recursive=True):
        if any(connection.laddr.port == port for connection in child.net_connections()):
            yield child


def crowds(asked: argparse.Namespace) -> Iterator[list[str]]:
    """A row for one viewer, and one for many; of each crowd also a table by page."""
    for viewers in (1, asked.viewers):
        with tempfile.TemporaryDirectory() as shelf:
            os.environ["SATCORE_SHELF"] = shelf  # on which nothing is kept from another server
            with served() as address:
                waits = asyncio.run(crowd(address, next(serving(address)), viewers, asked.minutes, asked.think))
        header = ("page", "clicks", "median (s)", "worst (s)", "processor until the next click (s)", "at most (s)")
        table("viewers-by-page", header, waits.pages(), keep=False)
        if waits.tracebacks:
            raise SystemExit(f"expected no traceback, got {dict(waits.tracebacks)}")
        yield [f"{viewers}", f"{asked.minutes:g}", *waits.figures()]


def main() -> None:
    """Print the figures, and keep them where it was twenty who took their time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--think", type=float, default=THINK, help="seconds between clicks, in the mean")
    asked = parser.parse_args()
    header = (
        "viewers",
        "minutes",
        "clicks",
        "median (s)",
        "95 % (s)",
        "worst (s)",
        "processor (s)",
        "memory by quarters (MB)",
        "at most",
    )
    rows = list(crowds(asked))
    table("viewers", header, rows, keep=(asked.viewers, asked.think) == (VIEWERS, THINK))


if __name__ == "__main__":
    main()
