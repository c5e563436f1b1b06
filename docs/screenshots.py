"""Takes the manual's pictures of pages in the system's Chromium: both reports, and TensorBoard's first screen.

python -m docs.screenshots results/digits_mlp results/digits
"""

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tautune.analysis.reported import write_report

HERE = Path(__file__).parent
SIZE = (1000, 660)
COLOURS = 128
"""Enough for pages and curves, in a quarter of the bytes."""


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int] = SIZE) -> Iterator[Page]:
    """Yields a page."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    page.goto(address)
    yield page
    page.close()


def taken(page: Page, name: str) -> None:
    """Writes the picture of what a window shows."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS).save(HERE / f"{name}.png", optimize=True)


def of_a_tuning(browser: Browser, folder: Path) -> None:
    """Shows the learning curves, with the pointer on the best trial's best epoch."""
    with opened(browser, Path(str(write_report(folder))).absolute().as_uri()) as page:
        best = page.locator("table.sortable tbody tr").first.get_attribute("data-trial")
        page.evaluate("document.getElementById('learning-curves').scrollIntoView()")
        page.locator(f"#learning-curves svg use[data-trial='{best}']").last.hover()
        taken(page, "report")


def of_a_sweep(browser: Browser, folder: Path) -> None:
    """Shows how the page begins: with what to keep below, and what theory is worth."""
    with opened(browser, Path(str(write_report(folder))).absolute().as_uri(), (1000, 1000)) as page:
        taken(page, "report_sweep")


def of_tensorboard(browser: Browser, folder: Path) -> None:
    """Shows the first screen, without the settings at its right."""
    command = [sys.executable, "-m", "tautune", "board", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().split(" ")[0]
        with opened(browser, f"{address}#timeseries", (1280, 690)) as page:
            page.set_default_timeout(60_000)
            page.locator("card-view scalar-card-data-table").nth(1).wait_for()
            page.get_by_role("button", name="Settings").first.click()
            page.wait_for_timeout(1000)  # until the cards have grown
            taken(page, "tensorboard")
        process.terminate()


def main(tuning: Path, sweep: Path) -> None:
    """Takes all of them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        of_a_tuning(browser, tuning)
        of_a_sweep(browser, sweep)
        of_tensorboard(browser, tuning)
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
