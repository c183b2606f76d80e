"""How soon the live page shows the first step after Play, and how often it goes on, in a real browser.

Run `python -m benchmarks.live` from the repository root, on an idle machine, with the tests' requirements installed.
Measured is when pictures arrive in the browser, over eight seconds or until the attack has ended.
"""

import time
from collections.abc import Iterator

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks import table
from tests.browser import chromium, served

SECONDS, PICTURES = 8, 5_000  # the bytes from which on a message holds pictures
ATTACKS = {
    "four sigmoid MLPs, Adam": "attack=Adam&target=7&gradient=exact",
    "four sigmoid MLPs, L-BFGS": "attack=L-BFGS&target=8&gradient=softened",
    "four sigmoid MLPs, PGD": "attack=PGD&pgd_steps=200&gradient=softened",
    "four sigmoid MLPs, Square": "attack=Square&radius=0.1",
    "four CNNs, PGD": "family=cnn&attack=PGD&gradient=exact",
}


def main() -> None:
    """Print the figures, and keep them."""
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        table("live", ("attacked", "first picture (ms)", "updates a second"), measured(browser, address))


def measured(browser: Browser, address: str) -> Iterator[list[str]]:
    """A row an attack."""
    for name, settings in ATTACKS.items():
        first, *_, last = arrivals = played(browser, f"{address}/live_attack?pick=by+index&index=30&{settings}")
        yield [name, f"{1e3 * first:.0f}", f"{(len(arrivals) - 1) / (last - first):.1f}"]


def played(browser: Browser, page_address: str) -> list[float]:
    """When pictures arrived, in seconds after Play was pressed."""
    page, arrivals = browser.new_page(viewport={"width": 1440, "height": 900}), []

    def note(frame: bytes | str) -> None:
        if len(frame) > PICTURES:
            arrivals.append(time.perf_counter())

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    page.goto(page_address)
    expect(page.locator("section[data-network]")).to_have_count(4, timeout=90_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=90_000)
    page.wait_for_timeout(1_500)
    arrivals.clear()
    start = time.perf_counter()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(1_000 * SECONDS)
    page.close()
    return [arrival - start for arrival in arrivals]


if __name__ == "__main__":
    main()
