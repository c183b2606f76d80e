"""Files that are either whole or not there."""

import os
import stat
import uuid
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, then rename: nobody ever sees half a file.

    The temporary name is this call's own, so that two writers don't meet. Raises OSError where nothing can be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_whole(path: Path, most: int) -> bytes:
    """All that is in the file `path`.

    Raises ValueError where there is no such file, where it isn't a plain one, whose reading might never end, and where
    it holds more than `most` bytes.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ValueError(f"expected the file {path}, got none ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"expected a plain file in {path}, got something else")
    if found.st_size > most:
        raise ValueError(f"expected at most {most:,} bytes in {path}, got {found.st_size:,}")
    return path.read_bytes()
