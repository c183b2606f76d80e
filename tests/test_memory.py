"""Memory that is freed stays with a process that says so."""

import platform
import subprocess
import sys

import pytest

ASKED = """
import resource, sys
import torch
from satcore import memory

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(5 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{told}
faults(10)  # by then there is a place for it
print(faults(10))
"""


def faults(told: str) -> int:
    """How many pages the system hands over for 20 megabytes, ten times, to a process that was `told` to hold them."""
    code = ASKED.format(told=told)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_what_is_held_is_not_asked_for_again():
    assert faults("memory._tell({memory.M_MMAP_THRESHOLD: 128 << 10})") > 10_000
    assert faults("memory.hold()") < 1_000 and faults("memory.share()") < 1_000


def test_a_threshold_that_is_refused_is_asked_for_anew_within_what_is_allowed(monkeypatch):
    from satcore import memory

    asked = []

    class Older:
        def mallopt(self, option: int, value: int) -> int:
            asked.append((option, value))
            return int(option != memory.M_MMAP_THRESHOLD or value <= memory.ALLOWED)

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Older())
    memory.hold()
    mmap, trim = memory.M_MMAP_THRESHOLD, memory.M_TRIM_THRESHOLD
    assert asked == [(mmap, memory.ENORMOUS), (mmap, memory.ALLOWED), (trim, memory.NEVER)]
