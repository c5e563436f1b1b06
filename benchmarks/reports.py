"""Makes the report of a tuning with 2,000 trials, and opens it in Chromium: seconds, and bytes.

    python -m benchmarks.reports [--json] [--trials 2000]

The trials are made up, and written by what writes them in a run. A page counts as open when its first frame is drawn.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from benchmarks.record import keep
from tautune.analysis.reported import read_page, write_page
from tests.analysis.reports.made import made_tuning
from tests.browser.conftest import ARGUMENTS, program

OPENINGS = 5
FRAME = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def opened(file: Path) -> dict[str, Any]:
    """Returns the median seconds until the page is drawn, until a trial is marked, and until the table is sorted."""
    seconds: dict[str, list[float]] = {"open_seconds": [], "mark_seconds": [], "sort_seconds": []}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program(), args=list(ARGUMENTS))
        for _ in range(OPENINGS):
            page = chromium.new_page()
            steps = (
                lambda page=page: page.goto(file.as_uri()),
                lambda page=page: page.locator("table.sortable tbody tr").nth(5).hover(),
                lambda page=page: page.locator("table.sortable thead button").nth(2).click(),
            )
            for name, step in zip(seconds, steps, strict=True):
                seconds[name].append(timed(page, step))
            page.close()
        chromium.close()
    return {name: median(own) for name, own in seconds.items()}


def timed(page: Page, step: Any) -> float:
    """Returns the seconds until what the step has changed is drawn."""
    begun = time.monotonic()
    step()
    page.evaluate(FRAME)
    return time.monotonic() - begun


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    trials: Annotated[int, typer.Option(min=10, help="Trials of the tuning.")] = 2000,
) -> None:
    """Make and open the report."""
    with tempfile.TemporaryDirectory() as folder:
        run = made_tuning(Path(folder) / "run", trials=trials)
        begun = time.monotonic()
        file = Path(str(write_page(read_page(run), run / "report.html")))
        figures = {"trials": trials, "make_seconds": time.monotonic() - begun, "bytes": file.stat().st_size}
        figures |= opened(file)
    keep("reports", figures, as_json=as_json)
    if not as_json:
        Console().print(
            f"reports: of {trials} trials made in {figures['make_seconds']:.1f} s, {figures['bytes'] / 2**20:.1f} MiB, "
            f"opened in {figures['open_seconds']:.2f} s; a trial is marked in {figures['mark_seconds']:.2f} s",
            highlight=False,
        )


if __name__ == "__main__":
    typer.run(main)
