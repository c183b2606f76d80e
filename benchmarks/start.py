"""How soon after it was started the dashboard answers, and its first page is there for the first viewer.

Run `python -m benchmarks.start` from the repository root, on an idle machine, with the tests' requirements installed.
Each start is a server of its own: on a shelf on which nothing was ever kept, and again on that shelf. From when the
server answers on, a browser that is there already opens the home page: until its first heading can be seen, and until
its figure is drawn and no script runs any more. Then the same in a second session of that server. Medians of five.
"""

import os
import statistics
import tempfile
import time

from playwright.sync_api import Browser, sync_playwright

from benchmarks import table
from tests.browser import chromium, served

STARTS = 5


def opened(browser: Browser, address: str) -> tuple[float, float]:
    """Seconds until the home page's heading can be seen, and until all of it is there, in a session of its own."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    begun = time.perf_counter()
    page.goto(address)
    page.get_by_role("heading").first.wait_for()
    heading = time.perf_counter() - begun
    page.locator(".st-key-table_1 svg text").first.wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    settled = time.perf_counter() - begun
    page.close()
    return heading, settled


def started(browser: Browser) -> list[tuple[float, ...]]:
    """Of one start: seconds until the server answers, and then of the first session and of the second."""
    begun = time.perf_counter()
    with served() as address:
        answers = time.perf_counter() - begun
        return [(answers, *opened(browser, address)), (answers, *opened(browser, address))]


def main() -> None:
    """Print the figures, and keep them."""
    found: dict[str, list[tuple[float, ...]]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for _ in range(STARTS):
            with tempfile.TemporaryDirectory() as shelf:
                os.environ["SATCORE_SHELF"] = shelf
                for kept in ("an empty shelf", "the same shelf again"):
                    for session, times in zip(("first", "second"), started(browser), strict=True):
                        found.setdefault(f"{kept}, {session} session", []).append(times)
    table(
        "start",
        ("seconds", "server answers", "first heading", "home page settled"),
        (
            [what, *(f"{statistics.median(each):.2f}" for each in zip(*times, strict=True))]
            for what, times in found.items()
        ),
    )


if __name__ == "__main__":
    main()
