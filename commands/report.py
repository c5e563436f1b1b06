"""The commands that make pages of runs: the report of one, and several beside each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tautune.commands.help_texts import RESULTS, examples
from tautune.commands.screen import working
from tautune.records.errors import InputError
from tautune.records.run_file import read_run
from tautune.records.storage import Folder, folder_at

if TYPE_CHECKING:
    from tautune.analysis.pages.page import Page

report_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Output = Annotated[
    str | None, typer.Option(help="File of the page, or s3://…, gs://…", show_default="report.html in DIR")
]
Figures = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Also write every figure there, as SVG, PDF and PNG.")
]


@report_commands.command(rich_help_panel=RESULTS, epilog=examples("report"))
def report(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that a run wrote, or s3://…, gs://…")],
    output: Output = None,
    figures: Figures = None,
) -> None:
    """Make a page of what a run found: one HTML file with figures and tables, to be sent or printed."""
    path = folder_at(folder)
    read_run(path)
    file, own = _file(output, path / "report.html"), _folder(figures)
    from tautune.analysis.reported import read_page

    with working(f"reading {path}"):
        page = read_page(path)
    _write(page, file, own)


@report_commands.command(rich_help_panel=RESULTS, epilog=examples("compare"))
def compare(
    folders: Annotated[list[str], typer.Argument(metavar="DIR DIR …", help="Folders of runs of one kind.")],
    output: Annotated[str, typer.Option(help="File of the page.")] = "compare.html",
    figures: Figures = None,
) -> None:
    """Make a page of several runs beside each other."""
    paths = [folder_at(folder) for folder in folders]
    for path in paths:
        read_run(path)
    file, own = _file(output, Path(output)), _folder(figures)
    from tautune.analysis.reported import compared

    with working("reading the runs"):
        page = compared(paths)
    _write(page, file, own)


def _file(given: str | None, default: Folder) -> Folder:
    """Returns the page's file. Raises InputError if it cannot be one."""
    file = default if given is None else folder_at(given)
    if file.is_dir():
        raise InputError(f"{file} is a folder; give the name of a file, such as {file / 'report.html'}")
    if isinstance(file, Path) and not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent} to write {file.name} into")
    return file


def _folder(given: str | None) -> Folder | None:
    """Returns the figures' folder. Raises InputError if it cannot be one."""
    folder = None if given is None else folder_at(given)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the figures")
    return folder


def _write(page: "Page", file: Folder, figures: Folder | None) -> None:
    from tautune.analysis.reported import write_figures, write_page

    console = Console()
    with working(f"drawing {file}"):
        write_page(page, file)
    console.print(str(file), soft_wrap=True, highlight=False, markup=False)
    if figures is not None:
        files = write_figures(page, figures)
        console.print(f"{figures}: {len(files)} figures", soft_wrap=True, highlight=False, markup=False)
