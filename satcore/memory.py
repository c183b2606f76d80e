"""How malloc takes memory from the system and gives it back, where glibc lets one say so. For the whole process."""

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
USUAL, LARGE, ENORMOUS = 128 << 10, 4 << 20, 1 << 30  # bytes


def share() -> None:
    """For a server: all threads take memory from two places, and what is large is given back once it is done with.

    Else each thread has a place of its own, and keeps what it once took: every run of a page is a thread, and after
    some runs as much memory again is held as is used.
    """
    _tell({M_ARENA_MAX: 2, M_TRIM_THRESHOLD: USUAL, M_MMAP_THRESHOLD: LARGE})


def hold() -> None:
    """For a process that computes: memory that is freed is kept for what comes next.

    Else every tensor of a few megabytes is new to the process, and the system hands it over page by page: a third of
    a training step of a sigmoid MLP, a quarter of one of the CNN.
    """
    _tell({M_TRIM_THRESHOLD: ENORMOUS, M_MMAP_THRESHOLD: ENORMOUS})


def _tell(options: dict[int, int]) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        for option, value in options.items():
            ctypes.CDLL(None).mallopt(option, value)
