"""Work that goes on whoever looks: a process of its own, whose files say how far it has got.

Nobody owns a queue. A piece of work has a key, whose first word is its kind, and a folder under it on the user's
shelf; who does it holds the folder's lock, which the system lets go of should the process die, and who looks reads what
it last reported.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from satcore import library
from satcore.files import read_whole, write_whole, written

FOLDER = ".work"  # on the user's shelf
LOCK, REPORT, COMPLAINTS = "lock", "report.json", "complaints.txt"
MOST = 1 << 16  # bytes, of a report or of complaints
MOST_PROCESS = 2**31 - 1  # the largest number of a process
WAITS = "waits for its turn"
PATIENCE = 5  # seconds, with a process that was killed
NICENESS, RETRIES = 10, 20
_looking = threading.Lock()  # held for a glance at a file's lock: two at once would each take the other for work
GLANCE = 0.5  # seconds, in which whoever only looks whether the lock is held has let go of it


@dataclass(frozen=True)
class Report:
    """The share `done` of a piece of work, what is under way, and the process that does it."""

    done: float
    says: str
    process: int


def start(key: str, arguments: list[str], *, in_turn: bool = True) -> subprocess.Popen:
    """Begin the work of this `key`: a command of satcore's, in a process with one thread that survives this one.

    `in_turn`: it waits until no other work of this kind is under way on this shelf. Raises OSError where it can't be
    begun.
    """
    path = folder(key) / COMPLAINTS
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        complaints = open(path, "wb")  # noqa: SIM115, closed below
    with complaints:
        return subprocess.Popen(
            [sys.executable, "-m", "satcore", *arguments, *(["--in-turn"] if in_turn else [])],
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"OMP_NUM_THREADS": "1", "SATCORE_SHELF": str(library.user_shelf())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )


def give_way() -> None:
    """Let this process, which `start` began, leave the processors to others where they want them.

    Linux shares them out among sessions first, and this one is a session of its own: being nice within it is no use to
    anybody, so the session is told as well.
    """
    if not hasattr(os, "nice"):
        return
    os.nice(NICENESS)
    if os.getsid(0) != os.getpid():  # somebody's terminal, which is to stay as it is
        return
    for _ in range(RETRIES):
        try:
            Path("/proc/self/autogroup").write_text(str(NICENESS))
            return
        except BlockingIOError:  # Linux has this done ten times a second, by whomever
            time.sleep(0.1)
        except OSError:
            return


@contextlib.contextmanager
def at_work(key: str, *, in_turn: bool = False) -> Iterator[Callable[[float, str], None]]:
    """While the work of this `key` is done: gives what reports the share done and what is under way.

    `in_turn`: only once no other work of this kind is under way on this shelf, first come, first served. Raises
    ValueError where it is being done already, and OSError where nothing can be written there.
    """
    place = folder(key)
    with written(place):
        place.mkdir(parents=True, exist_ok=True)

    def report(done: float, says: str) -> None:
        content = {"done": done, "says": says, "process": os.getpid()}
        write_whole(place / REPORT, json.dumps(content, ensure_ascii=False).encode())

    with contextlib.ExitStack() as stack:
        with written(place / LOCK):
            try:
                stack.enter_context(FileLock(place / LOCK, timeout=GLANCE))
            except Timeout:
                raise ValueError(
                    "expected work that nobody does yet, got some that is under way in another process"
                ) from None
        (place / REPORT).unlink(missing_ok=True)  # of who was killed at it: another process may have that number by now
        if in_turn:
            report(0.0, WAITS)
            stack.callback(_turn(key).release)
        report(0.0, "begins")
        yield report


def _turn(key: str) -> FileLock:
    """Wait for the turn of the work of this `key`: the lock that whoever's turn it is holds."""
    path = folder("") / f"{_kind(key)}.{LOCK}"
    with written(path):
        turn = FileLock(path)
        turn.acquire()
        while _somebody_came_before(key):
            turn.release()
            time.sleep(GLANCE)  # in which they take it
            turn.acquire()
    return turn


def _somebody_came_before(key: str) -> bool:
    """Whether other work of this kind has waited for its turn for longer."""
    since = dict[str, int]()
    for path in folder("").glob(f"{_kind(key)}-*/{REPORT}"):
        with contextlib.suppress(FileNotFoundError):  # it may have ended by now
            since[path.parent.name] = path.stat().st_mtime_ns
    before = [other for other, when in since.items() if when < since.get(key, 0)]
    return any(there is not None and there.says == WAITS for there in map(report, before))


def _kind(key: str) -> str:
    return key.partition("-")[0]


def report(key: str) -> Report | None:
    """How far the work of this `key` has got; None where nobody is at it.

    Raises OSError where what is to be its lock is none.
    """
    place = folder(key)
    with written(place / LOCK):
        if not (place / LOCK).exists():
            return None
        try:
            with _looking, FileLock(place / LOCK, timeout=0):
                return None
        except Timeout:
            pass
    try:
        content = json.loads(read_whole(place / REPORT, MOST))
        found = Report(float(content["done"]), str(content["says"]), int(content["process"]))
    except (OSError, ValueError, OverflowError, KeyError, TypeError, RecursionError):
        return None  # it hasn't said anything yet
    # 0 and below are groups of processes, which nobody who stops this one means.
    return found if 0 <= found.done <= 1 and 0 < found.process <= MOST_PROCESS else None


def complaint(key: str) -> str:
    """What the work of this `key` ended with, where it ended badly, in one line; "" where nothing is known."""
    path = folder(key) / COMPLAINTS
    with contextlib.suppress(OSError, ValueError):
        lines = read_whole(path, MOST).decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("satcore: ") if lines and report(key) is None else ""
    return ""


def stop(key: str, *, at_once: bool = False) -> None:
    """Stop the work of this `key`, if there is any; what it has kept stays, and it can be begun again.

    It may end what is under way first, unless it is to stop `at_once`, which this waits for.
    """
    there = report(key)
    if there is not None and _is_held(key):
        with contextlib.suppress(ProcessLookupError):
            os.kill(there.process, signal.SIGKILL if at_once else signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while at_once and report(key) is not None and time.monotonic() < until:
        time.sleep(0.01)


def _is_held(key: str) -> bool:
    """Whether the lock is held by more than a glance at it."""
    try:
        with _looking, FileLock(folder(key) / LOCK, timeout=GLANCE):
            return False
    except Timeout:
        return True


def folder(key: str) -> Path:
    """Where the files of the work of this `key` lie, on the user's shelf."""
    return library.user_shelf() / FOLDER / key
