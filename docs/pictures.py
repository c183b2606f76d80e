"""Take the pictures of README.md and docs/ anew, from the dashboard as it is.

Run `python docs/pictures.py` from the repository root, with Playwright (`requirements-test.txt`) and a Chromium; some
names take some: `python docs/pictures.py live grid`.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the repository's root, wherever this is run from

from satcore.dashboard.shared.served import installed_chromium, served

HERE = Path(__file__).resolve().parent
SCREEN, TALL = ViewportSize(width=1440, height=900), ViewportSize(width=1440, height=2400)
PATIENCE = 180_000  # milliseconds


@dataclass(frozen=True)
class Picture:
    """What is taken: at which address, once what is there, of which part of the page (""; a screen of it), and after
    which button was pressed, until which words say that it has done its work.
    """

    address: str
    there: str
    part: str = ""
    pressed: str = ""
    until: str = ""


PICTURES = {
    "home": Picture("", ".st-key-table_1 svg text"),
    "reality": Picture("reality_check", "td button"),
    "interpolation": Picture(
        "interpolation?source=6&target=9&hide=navigation", "section[data-network] svg path", ".st-key-figure-line"
    ),
    "live": Picture(
        "live_attack?attack=PGD&gradient=exact&pick=most+confident&digit=3&hide=navigation",
        "section[data-network] canvas",
        ".st-key-figure-attack",
        "▶ Play",
        "▶ Play",
    ),
    "train": Picture("train?hide=navigation", "figure svg text", "", "▶ Start", "Trained, and on every page"),
    "grid": Picture(
        "attack_grid?networks=sigmoid-mlp/vanilla&networks=sigmoid-mlp/saturated&hide=navigation",
        "section canvas",
        ".st-key-figure-grids",
    ),
}


def take(page: Page, address: str, picture: Picture, path: Path) -> None:
    """Save the `picture` of the dashboard at this `address` as `path`."""
    page.set_viewport_size(TALL if picture.part else SCREEN)
    page.goto(f"{address}/{picture.address}")
    _settled(page, picture)
    if picture.pressed:
        page.get_by_role("button", name=picture.pressed).click()
        page.get_by_role("button", name="Pause").wait_for()
        page.get_by_text(picture.until).wait_for()
        _settled(page, picture)
    if picture.part:
        page.locator(picture.part).screenshot(path=path)
    else:
        page.screenshot(path=path)


def _settled(page: Page, picture: Picture) -> None:
    page.locator(picture.there).first.wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(1_000)  # what is drawn may yet move


def main() -> None:
    """Take them."""
    names = sys.argv[1:] or list(PICTURES)
    if unknown := [name for name in names if name not in PICTURES]:
        sys.exit(f"expected names out of {', '.join(PICTURES)}, got {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as shelf, sync_playwright() as playwright:
        os.environ["SATCORE_SHELF"] = shelf  # on which there is nothing of one's own
        browser = playwright.chromium.launch(executable_path=installed_chromium(), args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(PATIENCE)
        with served() as address:
            for name in names:
                take(page, address, PICTURES[name], HERE / f"{name}.png")


if __name__ == "__main__":
    main()
