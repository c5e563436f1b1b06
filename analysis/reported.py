"""The report of a run, and the page of several: read by the kind of run that a folder holds, and written.

A kind of run is one file in `reports/`, called as run.json calls the kind, with a function `page(folder, run)`, and one
`compare(runs)` if several can be shown beside each other. They are looked up by name, so that conclusions, which have a
method `report`, need not know the reports, which are made of conclusions.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tautune.records.errors import InputError, RunFailed
from tautune.records.files import write_bytes
from tautune.records.run_file import RUN_FILE, kind_in, read_run
from tautune.records.storage import Folder, folder_at, make, typed, writing

if TYPE_CHECKING:
    from tautune.analysis.pages.page import Page

Json = dict[str, Any]
FILE = "report.html"
FORMATS = ("svg", "pdf", "png")
"""How every figure can be had by itself."""


def read_page(folder: Folder) -> Page:
    """Returns the report of the run in a folder. Raises InputError if there is none."""
    run = read_run(folder)
    page = _function("page", kind_in(run))
    if page is None:
        raise InputError(f"{folder / RUN_FILE} is of no kind of run that has a report: {kind_in(run)!r}")
    found: Page = page(folder, run)
    return found


def compared(folders: Sequence[Folder]) -> Page:
    """Returns the page of several runs.

    Raises:
        InputError: there are fewer than two, one is given twice, or they are not of one kind that can be compared.
    """
    if len({str(folder.resolve()) for folder in folders}) < max(2, len(folders)):
        raise InputError("compare needs the folders of two runs at least, each once")
    runs = [(folder, read_run(folder)) for folder in folders]
    kinds = {str(folder): kind_in(run) for folder, run in runs}
    if len(set(kinds.values())) > 1:
        held = ", ".join(f"{folder} holds a {kind or 'run of an unknown kind'}" for folder, kind in kinds.items())
        raise InputError(f"compare needs runs of one kind: {held}")
    kind = next(iter(kinds.values()))
    compare = _function("compare", kind)
    if compare is None:
        raise InputError(f"runs of the kind {kind!r} cannot be compared; `tautune report` shows each of them")
    found: Page = compare(dict(zip(_labels(folders), runs, strict=True)))
    return found


def _function(name: str, kind: str | None) -> Any:
    """Returns a function of the file of a kind of run, or None."""
    module = f"tautune.analysis.reports.{kind}"
    if kind is None or not kind.isidentifier() or find_spec(module) is None:
        return None
    return getattr(import_module(module), name, None)


def _labels(folders: Sequence[Folder]) -> list[str]:
    """Returns what each folder is called: its name, with its parents' where names are the same."""
    paths = [folder.resolve().parts for folder in folders]
    length = 1
    while len({path[-length:] for path in paths}) < len(paths) and length < max(map(len, paths)):
        length += 1
    return ["/".join(path[-length:]) for path in paths]


def write_page(page: Page, file: Folder) -> Folder:
    """Writes a page, and returns its file."""
    from tautune.analysis.pages.html import as_html

    write_bytes(file, as_html(page).encode())
    return file


def write_report(folder: Folder) -> Folder:
    """Writes report.html into the folder of a run, and returns the file."""
    return write_page(read_page(folder), folder / FILE)


def report_at_end(folder: Folder) -> str:
    """Writes the report at a run's end. Returns a line about it; what goes wrong here does not undo the run."""
    try:
        return typed(write_report(folder))
    except Exception as error:  # the results are safe, and `tautune report` says the same again
        return f"{typed(folder / FILE)} could not be made: {type(error).__name__}: {error}"


def write_figures(page: Page, folder: Folder) -> list[Folder]:
    """Writes every figure of a page as SVG, PDF and PNG, and returns the files."""
    from tautune.analysis.pages.svg import saved

    with writing(folder, RunFailed):
        make(folder)
    files = []
    for chart in page.charts:
        for kind in FORMATS:
            files.append(folder / f"{chart.name}.{kind}")
            write_bytes(files[-1], saved(chart.figure, kind))
    return files


class HasReport:
    """Results that were kept in a folder, and have a report."""

    path: Folder | None

    def report(self, output: str | Path | None = None) -> Folder:
        """Writes the report of these results, one HTML file, and returns where it is.

        Args:
            output: the file; None means report.html in the folder of the results.

        Raises:
            ValueError: the results were not kept in a folder.
        """
        if self.path is None:
            raise InputError("a report is made of a folder of results, and these results have none")
        return write_page(read_page(self.path), self.path / FILE if output is None else folder_at(str(output)))
