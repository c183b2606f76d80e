"""A real browser for the tests of pages, one for all that a process tests."""

import contextlib
import re
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

from tests.browser import DESKTOP, PATIENCE, chromium

# Not by intercepting requests, all of which would have to pass through this process.
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a test that fails: what each of its pages shows and has said, as nobody is there to look."""
    report = yield
    if report.when == "call" and report.failed:
        shared = [given for given in item.funcargs.values() if isinstance(given, Page)]
        for page in shared + getattr(item.funcargs.get("visit"), "pages", []):
            report.sections.append((f"page {page.url}", what_is_seen(page)))
    return report


def what_is_seen(page: Page) -> str:
    """The state of a page's run, its text, what it waits for, and its console's last lines."""
    try:
        state = page.evaluate("document.querySelector('[data-testid=stApp]')?.dataset.testScriptState")
        seen = page.evaluate("document.body.innerText")
    except PlaywrightError as error:
        state, seen = "gone", str(error)
    unanswered = [request.url for request in page.asked]
    return "\n".join([f"script: {state}", seen[:4000], "unanswered:", *unanswered, "console:", *page.told[-20:]])


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", NOBODY_ELSE]  # there is none, and to imitate one takes longer
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def warm(browser):
    """A browser context that has the dashboard's scripts compiled already, which is a sixth of what a page takes."""
    context = browser.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@contextlib.contextmanager
def visiting(browser, warm, address):
    """What opens a path in a browser that remembers no page before, and reaches nothing but the dashboard.

    What is opened second is in a context of its own, as if by somebody else.
    """
    contexts, pages, before = [], [], set(warm.pages)

    def open_page(path: str = "/", viewport: dict = DESKTOP, scheme: str = "light") -> Page:
        if pages:
            contexts.append(browser.new_context(viewport=viewport))
            contexts[-1].set_default_timeout(PATIENCE)
            page = contexts[-1].new_page()
        else:
            page = warm.new_page()
            forgets = {"origin": address, "storageTypes": "cookies,indexeddb,local_storage"}
            warm.new_cdp_session(page).send("Storage.clearDataForOrigin", forgets)
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        pages.append(page)
        page.asked_elsewhere, page.refused, page.sent, page.told, page.asked = [], [], [], [], {}
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: page.sent.append(frame)))
        page.on("console", lambda message: page.told.append(message.text))
        page.on("pageerror", lambda error: page.told.append(str(error)))

        def asked(request):
            page.asked[request] = None
            where = urlparse(request.url)
            if where.scheme in ("http", "https", "ws", "wss") and where.netloc != urlparse(address).netloc:
                page.asked_elsewhere.append(request.url)

        def refused(response):
            # Below a page's own address Streamlit looks for its server first, and is to find nothing there.
            path = urlparse(response.url).path
            if response.status >= 400 and not re.fullmatch(r"/\w+/_stcore/(health|host-config)", path):
                page.refused.append(response.url)

        page.on("request", asked)
        page.on("response", refused)
        for answered in ("requestfinished", "requestfailed"):
            page.on(answered, lambda request: page.asked.pop(request, None))
        page.goto(address + path)
        return page

    open_page.pages = pages
    yield open_page
    for context in contexts:
        context.close()
    for page in set(warm.pages) - before:  # and what these have opened
        page.close()
    warm.clear_permissions()


@pytest.fixture
def visit(browser, warm, address):
    """Opens pages for one test."""
    with visiting(browser, warm, address) as open_page:
        yield open_page
