"""What was computed is kept for all sessions, and computed once: nobody may write to it.

Of a network it is kept under the network's hash. All of it together takes no more than `MOST` bytes: what is large,
soon computed again and long not asked for goes first; what takes long lies on disk, too, and outlives the server.
Only as many computations are at work as there are processors; others wait in the order in which they came, and the page
says so. A viewer who has gone on elsewhere no longer waits.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import thread_time
from typing import Any, TypeVar, cast, get_args, get_type_hints

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner_utils.script_run_context import get_run_yield_check
from torch import Tensor, nn

from satcore import library
from satcore.dashboard.shared import disk

MOST = 256 * 2**20  # bytes
OFTEN = 0.1  # seconds after which who waits looks whether its viewer is still there
AT_ONCE = os.cpu_count() or 1
SOMEBODY_ELSE = "Somebody else has asked for this too: it is on its way …"
Compute = TypeVar("Compute", bound=Callable)
Follow = TypeVar("Follow", bound=Callable[..., Iterator])


def kept(compute: Compute) -> Compute:
    """Keep what a function of plain arguments gives, on disk as well, and hand out that one object."""
    return _asked(compute, lambda *arguments: arguments, contextlib.nullcontext, on_disk=True)


def drawn(draw: Compute) -> Compute:
    """In memory, a figure of tables and records of plain data, no arrays: under all that they say of themselves.

    Plotly takes longer to make a figure than to send it.
    """
    return _asked(draw, lambda *shown: (hashlib.sha256(repr(shown).encode()).digest(),), contextlib.nullcontext)


def of_network(compute: Compute) -> Compute:
    """As `kept`, for a function whose first argument is a network's name: under the network's hash, in memory alone."""
    return _asked(compute, _under_its_hash, contextlib.nullcontext)


def in_turn(compute: Compute) -> Compute:
    """As `of_network`, for one that takes a large part of a second or more: it waits for its turn."""
    return _asked(compute, _under_its_hash, _turn)


def lasting(compute: Compute) -> Compute:
    """As `in_turn`, for what the same question always has as its answer: it is kept on disk as well."""
    return _asked(compute, _under_its_hash, _turn, on_disk=True)


def followed(compute: Follow) -> Follow:
    """As `lasting`, for a generator of records: the last is kept, and is the only one where it is known already.

    Each record has a turn of its own.
    """
    (kind,) = get_args(get_type_hints(compute)["return"])  # Iterator[kind]

    @functools.wraps(compute)
    def asked(*arguments: Any) -> Iterator:
        key = compute, _under_its_hash(*arguments)
        with _alone(key):
            if (known := _known.get(key)) is None and (known := _from_disk(key, kind)) is None:
                records, seconds = compute(*arguments), 0.0
                while True:
                    with _turn():
                        before = thread_time()
                        record = next(records, None)
                        seconds += thread_time() - before
                    if record is None:
                        break
                    known = record
                    yield record
                _known.put(key, known, seconds)
                disk.write(_question(key), known, seconds)
                return
        yield known

    return cast(Follow, asked)


def forget() -> None:
    """All that is kept."""
    _known.clear()


def size(value: object) -> int:
    """The bytes that a `value` takes, at least: those of its tensors and arrays, and little beside."""
    if isinstance(value, Tensor):
        return value.untyped_storage().nbytes()
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, go.Figure):
        return size(value.to_dict())
    if isinstance(value, nn.Module):
        return size(value.state_dict())
    if dataclasses.is_dataclass(value):
        return size(vars(value))
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size, value))
    return sys.getsizeof(value)


def _under_its_hash(name: str, *arguments: object) -> tuple:
    return library.describe(name).sha256, *arguments


def _asked(
    compute: Compute,
    called: Callable[..., tuple],
    turn: Callable[[], AbstractContextManager],
    *,
    on_disk: bool = False,
) -> Compute:
    kind = get_type_hints(compute)["return"] if on_disk else None

    @functools.wraps(compute)
    def asked(*arguments: object) -> object:
        key = compute, called(*arguments)
        if (known := _known.get(key)) is not None:
            return known
        with _alone(key):
            if (known := _known.get(key)) is None and on_disk:
                known = _from_disk(key, kind)
            if known is None:
                with turn():
                    before = thread_time()
                    known = compute(*arguments)
                    seconds = thread_time() - before
                _known.put(key, known, seconds)
                if on_disk:
                    disk.write(_question(key), known, seconds)
        return known

    return cast(Compute, asked)


def _question(key: tuple[Callable, tuple]) -> tuple:
    compute, called = key
    return compute.__module__, compute.__qualname__, *called


def _from_disk(key: tuple[Callable, tuple], kind: Any) -> Any:
    """What an earlier server knew; None where that is nothing."""
    if (found := disk.read(_question(key), kind)) is None:
        return None
    value, seconds = found
    _known.put(key, value, seconds)
    return value


@dataclass
class _Entry:
    value: object
    bytes: int
    seconds: float
    worth: float = 0.0


class _Known:
    """Values by key, no more than `MOST` bytes of them.

    By GreedyDual-Size (Cao & Irani 1997): what is worth least goes first, and its worth is what the others lose as time
    goes on; whatever is asked for is worth its seconds a byte again, on top of that.
    """

    def __init__(self):
        self._entries: dict[object, _Entry] = {}
        self._bytes, self._lost, self._lock = 0, 0.0, threading.Lock()

    def get(self, key: object) -> Any:
        """What has the `key`; None where nothing has."""
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None:
                return None
            entry.worth = self._lost + entry.seconds / entry.bytes
            self._entries[key] = entry  # at the end: of two that are worth the same the other goes first
            return entry.value

    def put(self, key: object, value: object, seconds: float) -> None:
        """Keep a `value` that it took so many `seconds` to compute, as long as it is worth it."""
        bytes_of_it = max(1, size(value))
        with self._lock:
            entry = _Entry(value, bytes_of_it, seconds, self._lost + seconds / bytes_of_it)
            self._entries[key] = entry
            self._bytes += bytes_of_it
            while self._bytes > MOST:
                least = min(self._entries, key=lambda key: self._entries[key].worth)
                gone = self._entries.pop(least)
                self._bytes, self._lost = self._bytes - gone.bytes, gone.worth

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0


_known = _Known()
_changed = threading.Condition()  # of these two
_under_way: dict[object, object] = {}  # by key of what is being computed: who computes it
_line: list[object] = []  # the first `AT_ONCE` are at work, the others wait
_mine = threading.local()  # `place`: this thread's own in the line, while it is at work


@contextlib.contextmanager
def _alone(key: object) -> Iterator[None]:
    """Wait until nobody else computes what has this `key`, and let nobody else begin."""
    me = object()
    try:
        _wait(lambda: _under_way.setdefault(key, me) is me, SOMEBODY_ELSE)
        yield
    finally:
        with _changed:
            if _under_way.get(key) is me:  # it is, too, where the viewer went just as the waiting was over
                del _under_way[key]
            _changed.notify_all()


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Wait for a place at work; within one there is nothing to wait for."""
    if _place_at_work():
        yield
        return
    place = object()
    with _changed:
        _line.append(place)
        ahead = len(_line) - AT_ONCE
    try:
        _wait(lambda: _line.index(place) < AT_ONCE, f"Others came first: {ahead} before this …")
        _mine.place = place
        yield
    finally:
        _mine.place = None
        with _changed:
            _line.remove(place)
            _changed.notify_all()


def _place_at_work() -> object:
    return getattr(_mine, "place", None)


def _wait(ready: Callable[[], bool], says: str) -> None:
    """Until it is `ready`, asked whenever something has changed; the page says why.

    Where the viewer has gone on, Streamlit ends the run here. Who has a place at work gives it up meanwhile, then goes
    on at once: whom it waits for may be waiting for a place.
    """
    with _changed:
        if ready():
            return
        if place := _place_at_work():
            _line.remove(place)
            _changed.notify_all()
    let_go = get_run_yield_check()
    try:
        with st.spinner(says):
            while True:
                with _changed:
                    if _changed.wait_for(ready, OFTEN):
                        return
                if let_go:
                    let_go()
    finally:
        if place:
            with _changed:
                _line.insert(0, place)
