"""The dashboard served by a process of its own, and a browser to look at it with."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[3]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def installed_chromium() -> str | None:
    """Where a Chromium is; None where there is none, unless Playwright has one of its own."""
    candidates = [shutil.which(name) for name in NAMES] + [path for path in ELSEWHERE if Path(path).exists()]
    return next(filter(None, candidates), None)


@contextlib.contextmanager
def served(root: Path = ROOT) -> Iterator[str]:
    """The dashboard in `root`, served by `streamlit run app.py` on a free port of 127.0.0.1: its address.

    Raises ValueError where no app.py is there, and OSError where it doesn't answer.
    """
    _check(root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(server, address)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def serve(root: Path = ROOT) -> NoReturn:
    """Serve the dashboard in `root` by this very process, as `streamlit run app.py` does, until it is ended.

    It is on 127.0.0.1, whatever address the environment or a configuration has.

    Raises ValueError where no app.py is there, and KeyboardInterrupt in the end.
    """
    from click import Abort
    from streamlit.web.cli import main

    _check(root)
    os.chdir(root)
    with contextlib.suppress(Abort):
        main(["run", "app.py", "--server.address", "127.0.0.1"], standalone_mode=False)
    raise KeyboardInterrupt  # whichever of two servers in this process took the signal, and kept it from `main` or not


def _check(root: Path) -> None:
    if not (root / "app.py").exists():
        raise ValueError(f"expected the repository's folder, with app.py in it, got {root}")


def _wait_until_healthy(server: subprocess.Popen, address: str) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise OSError(f"expected the dashboard to keep running, but it ended with status {server.returncode}")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health"):
                return
        except OSError:
            time.sleep(0.1)
    raise OSError("expected the dashboard to answer within a minute, got nothing")
