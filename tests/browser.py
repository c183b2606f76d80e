"""A real browser and a real server, for the tests that need them."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import Download, Page

from satcore.dashboard.shared.served import installed_chromium
from satcore.dashboard.shared.served import served as served

PATIENCE = 90_000  # milliseconds: a page may wait for a computation on a busy machine
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 720}


def chromium() -> str | None:
    """Where a Chromium is, installed first where there is none; None: Playwright has one of its own.

    Rather the one that never has a window, which takes a sixth less of a processor.
    """
    if windowless := shutil.which("chromium-headless-shell"):
        return windowless
    if found := installed_chromium():
        return found
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update"])
        subprocess.run(["apt-get", "install", "-y", "chromium"])
        if found := installed_chromium():
            return found
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    return None


def fits(page: Page) -> None:
    """Wait until nothing has to be scrolled sideways, which after a resize takes the page a moment."""
    page.wait_for_function(
        "(main => main && main.scrollWidth === main.clientWidth)(document.querySelector('[data-testid=stMain]'))",
        timeout=PATIENCE / 6,
    )


def show_on(page: Page, screen, scheme=None) -> None:
    """Show the page on a screen of this size, in a colour scheme or as it is, and wait until it fits it in width."""
    page.set_viewport_size(screen)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_timeout(300)
    fits(page)


def saved(page: Page, button: str) -> Download:
    """What a press of the button with this in its name downloads."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return download.value
