"""Work that goes on whoever looks: a process of its own, whose files say how far it has got.

Nobody owns a queue. A piece of work has a key and a folder under it on the user's shelf; who does it holds the folder's
lock, which the system lets go of should the process die, and who looks reads what it last reported.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from satcore import library
from satcore.files import read_whole, write_whole, written

FOLDER = ".work"  # on the user's shelf
LOCK, REPORT, COMPLAINTS = "lock", "report.json", "complaints.txt"
MOST = 1 << 16  # bytes, of a report or of complaints


@dataclass(frozen=True)
class Report:
    """The share `done` of a piece of work, what is under way, and the process that does it."""

    done: float
    says: str
    process: int


def start(key: str, arguments: list[str]) -> subprocess.Popen:
    """Begin the work of this `key`: a command of satcore's, in a process with one thread that survives this one.

    It waits until no other work on this shelf is under way. Raises OSError where it can't be begun.
    """
    folder = _folder(key)
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with open(folder / COMPLAINTS, "wb") as complaints:
        return subprocess.Popen(
            [sys.executable, "-m", "satcore", *arguments, "--in-turn"],
            cwd=Path(__file__).parent.parent,
            env=os.environ | {"OMP_NUM_THREADS": "1", "SATCORE_SHELF": str(library.user_shelf())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            start_new_session=True,
        )


@contextlib.contextmanager
def at_work(key: str, *, in_turn: bool = False) -> Iterator[Callable[[float, str], None]]:
    """While the work of this `key` is done: gives what reports the share done and what is under way.

    `in_turn`: only once no other such work on this shelf is under way. Raises ValueError where it is being done
    already.
    """
    folder = _folder(key)
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def report(done: float, says: str) -> None:
        content = {"done": done, "says": says, "process": os.getpid()}
        write_whole(folder / REPORT, json.dumps(content, ensure_ascii=False).encode())

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / LOCK, timeout=0))
        except Timeout:
            raise ValueError(
                "expected work that nobody does yet, got some that is under way in another process"
            ) from None
        if in_turn:
            report(0.0, "waits for its turn")
            stack.enter_context(FileLock(folder.parent / LOCK))
        report(0.0, "begins")
        yield report


def report(key: str) -> Report | None:
    """How far the work of this `key` has got; None where nobody is at it."""
    folder = _folder(key)
    if not (folder / LOCK).exists():
        return None
    try:
        with FileLock(folder / LOCK, timeout=0):
            return None
    except Timeout:
        pass
    try:
        content = json.loads(read_whole(folder / REPORT, MOST))
        return Report(float(content["done"]), str(content["says"]), int(content["process"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # it hasn't said anything yet


def complaint(key: str) -> str:
    """What the work of this `key` ended with, where it ended badly, in one line; "" where nothing is known."""
    path = _folder(key) / COMPLAINTS
    with contextlib.suppress(OSError, ValueError):
        lines = read_whole(path, MOST).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines and report(key) is None else ""
    return ""


def stop(key: str) -> None:
    """Stop the work of this `key`, if there is any; what it has kept stays, and it can be begun again."""
    there = report(key)
    if there is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(there.process, signal.SIGTERM)


def _folder(key: str) -> Path:
    return library.user_shelf() / FOLDER / key
