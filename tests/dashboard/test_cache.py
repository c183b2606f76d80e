"""What was computed is kept, once, within limits and in turns, whoever asks."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from satcore import library
from satcore.dashboard.shared import cache
from satcore.networks import build, mlp
from satcore.proportions import Proportion

PATIENCE = 10  # seconds


@pytest.fixture(autouse=True)
def nothing_known():
    cache.forget()
    yield
    cache.forget()


@pytest.fixture
def name() -> str:
    return library.add(build(mlp("relu", (4,))), "small")


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What several threads come to that begin together."""
    found: list[object] = [None] * len(calls)

    def run(index: int) -> None:
        found[index] = calls[index]()

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return found


def until(there: Callable[[], bool]) -> None:
    """Wait until something is `there`."""
    last = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < last
        time.sleep(0.001)


def test_a_figure_is_drawn_anew_where_anything_that_it_shows_is_another():
    drawn = []

    @cache.drawn
    def draw(shares: dict[str, Proportion], title: str) -> go.Figure:
        drawn.append(title)
        return go.Figure(go.Bar(x=[share.share for share in shares.values()]), {"title_text": title})

    first, other = (draw({"one": Proportion(count, 2)}, "shares") for count in (1, 2))
    assert draw({"one": Proportion(1, 2)}, "shares") is first
    assert [figure.to_dict()["data"][0]["x"] for figure in (first, other)] == [[0.5], [1.0]]
    assert draw({"one": Proportion(1, 2)}, "others").layout.title.text == "others"
    assert draw({"other": Proportion(1, 2)}, "shares") is not first and len(drawn) == 4


def test_a_figure_takes_what_its_values_take():
    assert cache.size(go.Figure(go.Scatter(y=list(range(1_000))))) > 20_000


@pytest.mark.parametrize("keep", [cache.of_network, cache.in_turn])
def test_what_many_ask_for_at_once_is_computed_once(name, keep):
    asked, all_there = [], threading.Event()

    @keep
    def compute(name: str, number: int) -> list[int]:
        asked.append(number)
        all_there.wait(0.2)
        return [number]

    found = at_once(*[lambda: compute(name, 3)] * 8)
    assert asked == [3] and all(one is found[0] for one in found) and found[0] == [3]
    assert compute(name, 4) == [4] and asked == [3, 4]


def test_a_network_of_the_same_name_with_other_weights_is_another(name):
    @cache.of_network
    def compute(name: str) -> str:
        return library.describe(name).sha256

    before = compute(name)
    library.remove(name)
    assert library.add(build(mlp("relu", (5,))), "small") == name
    assert compute(name) == library.describe(name).sha256 != before


def test_no_more_are_at_work_than_there_are_processors_and_they_come_in_turn(name, monkeypatch):
    monkeypatch.setattr(cache, "AT_ONCE", 2)
    begun, done = [], [threading.Event() for _ in range(7)]

    @cache.in_turn
    def compute(name: str, number: int) -> int:
        begun.append(number)
        assert done[number].wait(PATIENCE)
        return number

    threads = [threading.Thread(target=compute, args=(name, number), daemon=True) for number in range(7)]
    for there, thread in enumerate(threads):
        thread.start()
        until(lambda there=there: len(cache._line) > there)
    until(lambda: len(begun) == 2)
    for number, thread in enumerate(threads):
        assert sorted(begun) == list(range(min(7, number + 2)))
        done[number].set()
        thread.join(PATIENCE)
        until(lambda number=number: len(begun) == min(7, number + 3))


def test_who_waits_for_another_gives_its_place_up(name, monkeypatch):
    """Else the one at work would wait for what waits for its place, for ever."""
    monkeypatch.setattr(cache, "AT_ONCE", 1)
    outer_at_work, inner_asked = threading.Event(), threading.Event()

    @cache.in_turn
    def inner(name: str) -> str:
        return "inner"

    @cache.in_turn
    def outer(name: str) -> str:
        outer_at_work.set()
        assert inner_asked.wait(PATIENCE)
        time.sleep(0.1)  # by now the other thread is about to compute `inner`, and waits for its turn
        return inner(name) + " and outer"

    def another() -> str:
        assert outer_at_work.wait(PATIENCE)
        inner_asked.set()
        return inner(name)

    assert at_once(lambda: outer(name), another) == ["inner and outer", "inner"]


def test_what_is_refused_is_refused_to_each_and_nobody_waits_for_it(name):
    @cache.in_turn
    def compute(name: str) -> None:
        raise ValueError("expected something else")

    def refused() -> bool:
        with pytest.raises(ValueError, match="expected something else"):
            compute(name)
        return True

    assert all(at_once(*[refused] * 4))


def test_what_nobody_follows_any_more_begins_anew_with_the_next(name):
    begun = []

    @cache.followed
    def follow(name: str, count: int) -> Iterator[int]:
        begun.append(count)
        yield from range(1, count + 1)

    first = follow(name, 3)
    assert next(first) == 1
    first.close()
    assert list(follow(name, 3)) == [1, 2, 3] and begun == [3, 3]
    assert list(follow(name, 3)) == [3] and begun == [3, 3]


@pytest.fixture
def asked(monkeypatch) -> list[tuple[int, int]]:
    """Which (number of bytes, seconds) were computed, by `compute`."""
    monkeypatch.setattr(cache, "MOST", 3_000)
    return []


@pytest.fixture
def compute(asked, monkeypatch) -> Callable[[int, int, int], np.ndarray]:
    """Takes so many bytes and, by the clock, so many seconds."""
    clock = [0]
    monkeypatch.setattr(cache, "thread_time", lambda: clock[0])
    monkeypatch.setattr(cache.disk, "write", lambda *_: None)

    @cache.kept
    def compute(number: int, size: int, seconds: int) -> np.ndarray:
        asked.append(number)
        clock[0] += seconds
        return np.zeros(size, np.uint8)

    return compute


def test_of_things_alike_what_nobody_asked_for_longest_goes_first(asked, compute):
    for number in (1, 2, 3, 1, 4, 1, 3, 2):  # 4 takes the place of 2, and 2 that of 4
        compute(number, 1_000, 1)
    assert asked == [1, 2, 3, 4, 2]


def test_what_is_large_and_soon_computed_goes_before_what_is_small_and_took_long(asked, compute):
    compute(1, 500, 10)
    compute(2, 2_000, 1)
    compute(3, 2_000, 2)  # takes the place of 2, although 1 was asked for before it
    compute(1, 500, 10)
    assert asked == [1, 2, 3]
    for number in range(10, 40):  # but in the end what nobody asks for goes too
        compute(number, 2_000, 8)
    compute(1, 500, 10)
    assert asked[-1] == 1


def test_what_is_larger_than_all_there_may_be_is_handed_out_but_not_kept(asked, compute):
    compute(1, 1_000, 1)
    assert len(compute(2, 5_000, 1)) == 5_000 == len(compute(2, 5_000, 1))
    assert asked == [1, 2, 2]


def test_sizes_are_those_of_the_numbers():
    network = build(mlp("relu", (4,)))
    numbers = sum(parameter.numel() for parameter in network.parameters())
    assert cache.size(network) == 4 * numbers
    assert cache.size({"a": torch.zeros(10, dtype=torch.float64), "b": [np.zeros(3), (torch.zeros(5)[:1],)]}) == 124


def test_whose_viewer_has_gone_no_longer_waits(name, monkeypatch):
    monkeypatch.setattr(cache, "AT_ONCE", 1)
    waiting, gone_on, said = threading.Event(), threading.Event(), []

    class GoneError(Exception):
        """As Streamlit ends a run, at its next look whether it should."""

    def look() -> None:
        waiting.set()
        if gone_on.is_set():
            raise GoneError

    def spinner(text: str) -> contextlib.nullcontext:
        said.append(text)
        return contextlib.nullcontext()

    monkeypatch.setattr(cache, "get_run_yield_check", lambda: look)
    monkeypatch.setattr(cache.st, "spinner", spinner)
    begun = []

    @cache.in_turn
    def compute(name: str, number: int) -> int:
        begun.append(number)
        if number == 1:
            assert waiting.wait(PATIENCE)
            gone_on.set()
            time.sleep(3 * cache.OFTEN)
        return number

    def impatient() -> str:
        while not begun:
            time.sleep(0.01)
        with pytest.raises(GoneError):
            compute(name, 2)
        return "gone"

    assert at_once(lambda: compute(name, 1), impatient) == [1, "gone"]
    assert begun == [1] and said == ["Others came first: 1 before this …"]
    assert compute(name, 3) == 3  # nobody is left in the line


def test_whose_viewer_goes_just_as_the_waiting_is_over_leaves_nothing_locked(name, monkeypatch):
    waiting = threading.Event()

    class GoneError(Exception):
        """As Streamlit ends a run where something is drawn: here, where the spinner is taken away."""

    @contextlib.contextmanager
    def spinner(text: str):
        assert text == cache.SOMEBODY_ELSE
        waiting.set()
        yield
        raise GoneError

    monkeypatch.setattr(cache.st, "spinner", spinner)
    begun = []

    @cache.of_network
    def compute(name: str) -> str:
        begun.append(name)
        if len(begun) == 1:
            assert waiting.wait(PATIENCE)
            raise ValueError("refused to the first")
        return "computed"

    def first() -> None:
        with pytest.raises(ValueError, match="refused to the first"):
            compute(name)

    def second() -> None:
        until(lambda: bool(begun))
        with pytest.raises(GoneError):
            compute(name)

    at_once(first, second)
    assert at_once(lambda: compute(name)) == ["computed"]
