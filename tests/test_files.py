"""A file is whole or not there, whoever else writes it, and what can't be read or written is named in a sentence."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from satcore import files
from tests.faults import disk_full

SENTENCE = "expected a place that can be written in "


def refused(error: type[Exception], call, *arguments) -> str:
    with pytest.raises(error) as refusal:
        call(*arguments)
    assert "\n" not in str(refusal.value) and "Errno" not in str(refusal.value)
    return str(refusal.value)


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    path = tmp_path / "new" / "newer" / "file"
    files.write_whole(path, b"content")
    assert path.read_bytes() == b"content" and list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_whole(path, b"old")

    def fail(source, target):
        assert Path(source).read_bytes() == b"new"
        raise OSError(errno.EROFS, "Read-only file system", source)

    monkeypatch.setattr(os, "replace", fail)
    assert refused(OSError, files.write_whole, path, b"new") == f"{SENTENCE}{path}, got none (Read-only file system)"
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    files.write_whole(path, b"old")
    with disk_full():
        message = refused(OSError, files.write_whole, path, bytes(2_000))
    assert message == f"{SENTENCE}{path}, got none (File too large)"
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "folder" / "other"
    for call in (lambda: files.write_whole(path, b""), lambda: files.check_writable(path)):
        assert refused(OSError, call) == f"{SENTENCE}{path}, got none (Not a directory)"


def test_a_folder_that_can_be_written_is_left_empty(tmp_path):
    files.check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_two_writers_of_one_file_never_show_half_of_it(tmp_path):
    path, contents = tmp_path / "file", [letter * 50_000 for letter in (b"a", b"b")]
    files.write_whole(path, contents[0])
    stop, failures = threading.Event(), []

    def write(content: bytes) -> None:
        while not stop.is_set():
            try:
                files.write_whole(path, content)
            except OSError as error:
                failures.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = {path.read_bytes() for _ in range(2_000)}
    stop.set()
    for writer in writers:
        writer.join()
    assert failures == [] and seen <= set(contents)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_read_up_to_the_bytes_allowed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert files.read_whole(path, 5) == b"12345"
    assert refused(ValueError, files.read_whole, path, 4) == f"expected at most 4 bytes in {path}, got 5"


def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path):
    fifo, folder, device = tmp_path / "fifo", tmp_path / "folder", tmp_path / "device"
    os.mkfifo(fifo)
    folder.mkdir()
    device.symlink_to("/dev/zero")
    began = time.monotonic()
    for path in (fifo, device):
        assert refused(ValueError, files.read_whole, path, 5) == f"expected a plain file in {path}, got something else"
    for path, why in ((folder, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        assert refused(ValueError, files.read_whole, path, 5) == (
            f"expected a file that can be read in {path}, got none ({why})"
        )
    assert time.monotonic() - began < 1


def test_only_the_old_parts_of_killed_writers_are_swept_away(tmp_path):
    old = time.time() - 2 * files.A_DAY
    for name in (".file.01234567.part", ".new.01234567.part", "file", ".folder.01234567.part/inner", "other.part"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        if "new" not in name:
            os.utime(path, (old, old))
    os.utime(tmp_path / ".folder.01234567.part", (old, old))
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.01234567.part", "file", "other.part"]
    files.sweep(tmp_path / "none")
