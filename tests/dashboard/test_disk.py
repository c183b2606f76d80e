"""What took long outlives the server, bit for bit; what can't be read or written is computed again."""

import dataclasses
import os
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from satcore import library
from satcore.dashboard.interpolation import compute as interpolation
from satcore.dashboard.reality_check import truths
from satcore.dashboard.representations import compute as representations
from satcore.dashboard.shared import cache, digits, disk
from satcore.dashboard.weights import compute as weights
from satcore.files import write_whole
from satcore.networks import Network, build, mlp

LASTING: dict[str, tuple[Callable, tuple]] = {
    "path": (interpolation._path, (0, 1, 5)),
    "plane": (interpolation.plane, ((0, 1, 2), 6)),
    "layers": (representations._layers, (0,)),
    "readouts": (representations._readouts, (0,)),
    "curves": (weights.curves, ()),
    "ratios": (weights.of_layers, ()),
    "saturation": (weights._counted, ()),
    "image": (digits._chosen, (3, "random", 0)),
    "embedding": (representations.embedded, ("layer 1", "PCA", 0, 3)),
    "still": (truths._right_and_still, (3,)),
}
ANSWER = np.arange(6.0)


@pytest.fixture(autouse=True)
def a_server_that_has_just_begun(monkeypatch):
    monkeypatch.setattr(disk, "LONG", 0)
    monkeypatch.setattr(disk, "_room", {})
    cache.forget()
    yield
    cache.forget()


@pytest.fixture
def name(tiny: Network) -> str:
    return library.add(tiny, "tiny")


@pytest.fixture
def asked() -> list[int]:
    """What `answer` was asked."""
    return []


@pytest.fixture
def answer(asked) -> Callable[[str, int], np.ndarray]:
    @cache.lasting
    def answer(name: str, number: int) -> np.ndarray:
        asked.append(number)
        return number * ANSWER

    return answer


def files() -> list[str]:
    folder = library.user_shelf() / disk.FOLDER
    return sorted(os.listdir(folder)) if folder.exists() else []


def alike(one: Any, other: Any) -> bool:
    """Whether two values are of one type and the same in every bit."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor | np.ndarray):
        return one.dtype == other.dtype and bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))
    if dataclasses.is_dataclass(one):
        return alike(list(vars(one).values()), list(vars(other).values()))
    if isinstance(one, dict):
        return list(one) == list(other) and alike(list(one.values()), list(other.values()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(alike(*pair) for pair in zip(one, other, strict=True))
    return one == other or (one != one and other != other)


@pytest.mark.parametrize("which", LASTING)
def test_what_is_kept_comes_back_as_it_was(name, which):
    compute, arguments = LASTING[which]
    kind = typing.get_type_hints(compute)["return"]
    follows = typing.get_origin(kind) is Iterator
    value = compute(name, *arguments)
    if follows:
        *_, value = value
    cache.forget()
    again = compute(name, *arguments)
    if follows:
        (again,) = again  # at once
    assert again is not value and alike(again, value)
    question = cache._question((compute.__wrapped__, cache._under_its_hash(name, *arguments)))
    found = disk.read(question, typing.get_args(kind)[0] if follows else kind)
    assert found is not None and alike(found[0], value)


def test_another_server_finds_what_one_has_computed(name, answer, asked):
    first = answer(name, 3)
    cache.forget()
    assert alike(answer(name, 3), first) and answer(name, 3) is not first and asked == [3]
    assert alike(answer(name, 4), 4 * ANSWER) and asked == [3, 4]
    library.remove(name)
    library.add(build(mlp("relu", (5,))), "tiny")
    cache.forget()
    answer(name, 3)
    assert asked == [3, 4, 3]


def test_what_is_soon_computed_again_or_too_large_is_not_kept(name, answer, monkeypatch):
    monkeypatch.setattr(disk, "LONG", 60)
    answer(name, 1)
    monkeypatch.setattr(disk, "LONG", 0)
    monkeypatch.setattr(disk, "LARGEST", 60)
    answer(name, 2)
    assert files() == []


def test_another_version_of_the_code_knows_nothing_of_it(name, answer, asked, monkeypatch):
    answer(name, 3)
    cache.forget()
    monkeypatch.setattr(disk, "CODE", b"another")
    answer(name, 3)
    assert asked == [3, 3] and len(files()) == 2


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda content: b"",
    "half of it": lambda content: content[: len(content) // 2],
    "an endless header": lambda content: (2**60).to_bytes(8, "little") + content[8:],
    "no JSON": lambda content: content.replace(b"{", b"[", 1),
    "something else": lambda content: b"not at all what was written here",
} | {
    f"{said} for {meant}": lambda content, said=said, meant=meant: whole(content.replace(meant, said))
    for meant, said in (
        (rb'"0"', b'"[]"'),
        (rb'"0"', b'"7"'),
        (rb"{\"share\": 0.5}", b"[]"),
        (rb"0.5}", b"1" + b"0" * 400 + b"}"),
        (rb"0.5}", rb"\"half\"}"),
        (b'"seconds":"', b'"seconds":"-'),
        (b'"seconds":"', b'"seconds":"nan'),
        (b'"seconds":"', b'"seconds":"inf","was":"'),
    )
}


def whole(content: bytes) -> bytes:
    """A file whose header was changed, with the length that it has now."""
    header = content[8 : content.rindex(b"}") + 1]
    return len(header).to_bytes(8, "little") + header + content[8 + len(header) :]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=map(str, DAMAGES))
def test_what_is_damaged_is_computed_again_and_written_anew(name, answer, asked, damage):
    @cache.lasting
    def shares(name: str) -> dict[str, float]:
        asked.append(0)
        return {"share": 0.5}

    for compute, value in ((lambda: answer(name, 3), 3 * ANSWER), (lambda: shares(name), {"share": 0.5})):
        compute()
        (file,) = files()
        path = library.user_shelf() / disk.FOLDER / file
        content = path.read_bytes()
        path.write_bytes(damage(content))
        changed = path.read_bytes() != content
        for times in (1 + changed, 1 + changed):
            cache.forget()
            assert alike(compute(), value) and len(asked) == times
        path.unlink()
        asked.clear()


def test_where_nothing_can_be_written_everything_is_computed(name, answer, asked):
    (library.user_shelf() / disk.FOLDER).write_text("in the way")
    assert alike(answer(name, 3), 3 * ANSWER) and asked == [3]


def test_what_was_asked_for_last_is_kept_where_there_is_too_much(name, answer, monkeypatch):
    folder = library.user_shelf() / disk.FOLDER
    for age, size in ((30, 400), (20, 400), (10, 400)):
        write_whole(folder / f"{age}{disk.SUFFIX}", b" " * size)
        os.utime(folder / f"{age}{disk.SUFFIX}", (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(disk, "MOST", 1_000)
    answer(name, 3)
    assert [file for file in files() if len(file) < 30] == [f"10{disk.SUFFIX}", f"20{disk.SUFFIX}"]


def test_a_server_that_goes_on_and_on_keeps_no_more_than_it_may(name, answer, monkeypatch):
    monkeypatch.setattr(disk, "MOST", 4_000)
    folder = library.user_shelf() / disk.FOLDER
    for number in range(40):
        answer(name, number)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= disk.MOST * 9 // 8


def test_what_no_file_can_hold_is_not_kept(name):
    @cache.lasting
    def odd(name: str) -> np.ndarray:
        return np.array(["no", "number"])

    assert odd(name).tolist() == ["no", "number"] and files() == []


def test_a_value_that_was_read_is_taken_where_its_file_cannot_be_touched(name, answer, asked, monkeypatch):
    answer(name, 3)
    cache.forget()

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(disk.os, "utime", refused)
    assert alike(answer(name, 3), 3 * ANSWER) and asked == [3]
