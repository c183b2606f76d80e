"""Files that are either whole or not there, and errors that name them in a sentence."""

import contextlib
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

PART = ".part"
A_DAY = 86_400  # seconds, after which nobody is still writing a part


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, then rename: nobody ever sees half a file.

    The temporary name is this call's own, so that two writers don't meet. Raises OSError where nothing can be written.
    """
    temporary = part_of(path)
    with written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def read_whole(path: Path, most: int) -> bytes:
    """All that is in the file `path`.

    Raises ValueError where there is no such file or it can't be read, where it isn't a plain one, whose reading might
    never end, and where it holds more than `most` bytes.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ValueError(f"expected a plain file in {path}, got something else")
            if found.st_size > most:
                raise ValueError(f"expected at most {most:,} bytes in {path}, got {found.st_size:,}")
            return file.read(found.st_size)
    except OSError as error:
        raise ValueError(f"expected a file that can be read in {path}, got none ({reason(error)})") from error


def check_writable(folder: Path) -> None:
    """Raise OSError unless something can be written into the `folder`, which is made where there is none."""
    probe = part_of(folder / "probe")
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0")
        probe.unlink()


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """While `path` is written: any OSError becomes one that says so in a sentence."""
    try:
        yield
    except OSError as error:
        raise OSError(f"expected a place that can be written in {path}, got none ({reason(error)})") from error


def reason(error: OSError) -> str:
    """What the system says of it, without its number."""
    return error.strerror or str(error)


def part_of(path: Path) -> Path:
    """A name of this call's own beside `path`, for what is still being written."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PART}")


def sweep(folder: Path) -> None:
    """Take away the parts that writers left in `folder` when they were killed, a day or more ago."""
    with contextlib.suppress(OSError):  # it is no harm if they stay
        for part in folder.glob(f".*{PART}"):
            if time.time() - part.lstat().st_mtime < A_DAY:
                continue
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for its writer
