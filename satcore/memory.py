"""How malloc takes memory from the system and gives it back, where glibc lets one say so. For the whole process.

As it is by itself, it gives a tensor of a few megabytes back as soon as that is done with, and the system hands over
the next one page by page, each filled with zeros: a third of the time of a CNN's geometry, half of its training.
"""

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of malloc.h
NEVER, ALLOWED, LARGE, MUCH, ENORMOUS = -1, 32 << 20, 64 << 20, 256 << 20, 1 << 30  # bytes


def share() -> None:
    """For a server: all threads take memory from one place, which keeps some; what is large by itself is given back.

    Else each thread has a place of its own, and keeps what it once took: every run of a page is a thread, and after
    some runs as much memory again is held as is used.
    """
    _tell({M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: MUCH})


def hold() -> None:
    """For a process that computes and ends: what is freed is kept for what comes next."""
    _tell({M_MMAP_THRESHOLD: ENORMOUS, M_TRIM_THRESHOLD: NEVER})


def _tell(options: dict[int, int]) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            if not mallopt(option, value):  # before glibc 2.35 a threshold could be no larger
                mallopt(option, min(value, ALLOWED))
