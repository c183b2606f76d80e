"""What the benchmarks share: the machine in words, a clock, and tables that are printed and kept for docs/ to quote."""

import itertools
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from satcore import files

MEASURED = Path(__file__).with_name("measured")
INSTRUCTIONS = "avx2", "avx512f", "avx512_bf16", "amx_bf16"  # that decide how fast products are


def hardware() -> str:
    """What this runs on, in words."""
    cpuinfo = Path("/proc/cpuinfo")
    said = cpuinfo.read_text() if cpuinfo.exists() else ""
    model = re.search(r"model name\s*:\s*(.*)", said)
    cpu = model[1] if model else platform.processor() or platform.machine()
    can = [name for name in INSTRUCTIONS if re.search(rf"flags\s*:.*\b{name}\b", said)]
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} processors of {', '.join([cpu, *can])}{gpu}; torch {torch.__version__}"


def seconds(work: Callable[[], object], device: torch.device | str = "cpu") -> float:
    """How long one call takes, until the device is done with it."""
    wait = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - started


def table(name: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, keep: bool = True) -> None:
    """Print a table, its `rows` as they come; `keep` it, with the machine it was measured on, for docs/ to quote.

    Its `name` is that of its file in `MEASURED`. What is measured only in part isn't to be kept.
    """
    kept = []
    print()
    for row in itertools.chain([header], rows):
        others = (f"{cell:>{max(9, len(title))}}" for cell, title in zip(row[1:], header[1:], strict=True))
        print(f"{row[0]:30}", *others, flush=True)
        kept.append(list(row))
    if keep:
        whole = {"machine": hardware(), "header": kept[0], "rows": kept[1:]}
        files.write_whole(MEASURED / f"{name}.json", json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n")
