"""One headless Chromium for all tests of pages: the system's own, driven by Playwright."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visit import Visit, visit

ARGUMENTS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def program() -> str | None:
    """Returns the system's Chromium, or None."""
    return shutil.which("chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Yields a Chromium with a profile of its own, which is empty."""
    found = program()
    if found is None:
        missing = "needs chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """Yields `visit` in that Chromium: open_page(address, size=PHONE, dark=True). Windows are closed at the end."""
    visits: list[Visit] = []

    def opened(address: str, *, size: tuple[int, int] = (1280, 900), dark: bool = False) -> Visit:
        visits.append(visit(chromium, address, size=size, dark=dark))
        return visits[-1]

    yield opened
    for made in visits:
        made.page.close()
