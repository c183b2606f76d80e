"""The whole story as pictures: each scene as it is on stage, drawn by a browser that looks at the dashboard."""

import base64
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from satcore import library
from satcore.dashboard.shared.served import installed_chromium, served
from satcore.dashboard.shared.take_away import PICTURE
from satcore.dashboard.story.scenes import Scene, story

if TYPE_CHECKING:  # which need not be installed
    from playwright.sync_api import Browser, Page

WIDTH, HEIGHT = 1280, 720  # of the screen
PATIENCE = 60_000  # milliseconds until a scene is there
MISSING = (
    "expected Playwright and a Chromium to draw the story with, got none: pip install playwright, "
    "and playwright install chromium"
)
SCENE = "[data-testid=stMainBlockContainer]"
# Half a second in which no script runs, no attack plays and nothing is yet to be drawn.
AT_REST = """() => {
  const runs = document.querySelector("[data-testid=stApp]").dataset.testScriptState !== "notRunning"
  const plays = [...document.querySelectorAll("button")].some((button) => button.textContent.includes("❚❚"))
  const waits = document.querySelector("[data-testid=stSkeleton]") ||
    [...document.querySelectorAll("[data-testid=stPlotlyChart]")].some((at) => !at.querySelector(".cartesianlayer"))
  window.restful = runs || plays || waits ? 0 : (window.restful ?? 0) + 1
  return window.restful > 5
}"""
PAGE = f"@page {{ size: {WIDTH}px {HEIGHT}px; margin: 0 }}"
SLIDE = "display: block; width: 100vw; height: 100vh; object-fit: contain; break-after: page"


def to_folder(folder: Path) -> Iterator[str]:
    """Write an SVG a scene into a `folder` that isn't there yet, or is empty; yields their names as they are drawn.

    It is there only once it is whole. Raises ValueError for another folder, without Playwright or a browser and where
    no story can be told, and OSError where nothing can be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a folder that isn't there yet, or an empty one, got {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        whole = Path(temporary) / "whole"
        whole.mkdir()
        for name, svg in pictures():
            (whole / f"{name}.svg").write_text(svg, encoding="utf-8")
            yield name
        os.replace(whole, folder)


def to_pdf(file: Path) -> Iterator[str]:
    """Write a PDF of a page a scene, as a `file` that isn't there yet; the rest as in `to_folder`."""
    if file.exists():
        raise ValueError(f"expected a file that isn't there yet, got {file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as temporary:
        drawn = []
        for name, svg in pictures():
            drawn.append(svg)
            yield name
        whole = Path(temporary) / "whole.pdf"
        _print(drawn, whole)
        os.replace(whole, file)


def pictures() -> Iterator[tuple[str, str]]:
    """Each scene by a name such as "01-the-promise", as an SVG."""
    told = story()
    if not told:
        raise ValueError("expected networks to tell the story of, got none: they ship in checkpoints/")
    with _browser() as browser, served() as address:
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce", color_scheme="light"
        )
        page.set_default_timeout(PATIENCE)
        for number, scene in enumerate(told, start=1):
            yield f"{number:02}-{library.slug(scene.title)}", _drawn(page, f"{address}/{scene.address(number)}", scene)


@contextmanager
def _browser() -> Iterator["Browser"]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise ValueError(MISSING) from error
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # which root hasn't
        try:
            browser = playwright.chromium.launch(executable_path=installed_chromium(), args=arguments)
        except Error as error:
            raise ValueError(MISSING) from error
        with browser:
            try:
                yield browser
            except Error as error:
                raise ValueError(f"expected the story to be drawn, but {error.message.splitlines()[0]}") from error


def _drawn(page: "Page", address: str, scene: Scene) -> str:
    page.goto(address)
    page.get_by_role("heading", name=scene.title, exact=True).wait_for()
    page.wait_for_function(AT_REST, polling=100)
    drawing = PICTURE.read_text(encoding="utf-8")
    return page.evaluate(f"{drawing}; withFont(pictureOf(document.querySelector('{SCENE}')))")


def _print(drawn: Iterable[str], file: Path) -> None:
    images = (f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" for svg in drawn)
    slides = "".join(f'<img style="{SLIDE}" src="{image}">' for image in images)
    with _browser() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content(f"<style>{PAGE} body {{ margin: 0 }}</style>{slides}", timeout=PATIENCE)
        page.pdf(path=file, prefer_css_page_size=True, print_background=True)
