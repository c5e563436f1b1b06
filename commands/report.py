"""The commands that make pages of runs: the report of one, and several beside each other."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tautune.records.errors import InputError
from tautune.records.run_file import read_run
from tautune.records.storage import Folder, folder_at

report_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Output = Annotated[
    str | None, typer.Option(help="File of the page, or s3://…, gs://…", show_default="report.html in DIR")
]
Figures = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Also write every figure there, as SVG, PDF and PNG.")
]


@report_commands.command()
def report(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that a run wrote, or s3://…, gs://…")],
    output: Output = None,
    figures: Figures = None,
) -> None:
    """Make a page of what a run found: one HTML file with figures and tables, to be sent or printed."""
    path = folder_at(folder)
    read_run(path)
    from tautune.analysis.reported import read_page, write_figures, write_page

    page = read_page(path)
    _say(str(write_page(page, _file(output, path / "report.html"))))
    if figures:
        _say(f"{figures}: {len(write_figures(page, folder_at(figures)))} files")


@report_commands.command()
def compare(
    folders: Annotated[list[str], typer.Argument(metavar="DIR DIR …", help="Folders of runs of one kind.")],
    output: Annotated[str, typer.Option(help="File of the page.")] = "compare.html",
    figures: Figures = None,
) -> None:
    """Make a page of several runs beside each other."""
    paths = [folder_at(folder) for folder in folders]
    for path in paths:
        read_run(path)
    from tautune.analysis.reported import compared, write_figures, write_page

    page = compared(paths)
    _say(str(write_page(page, _file(output, Path(output)))))
    if figures:
        _say(f"{figures}: {len(write_figures(page, folder_at(figures)))} files")


def _file(given: str | None, default: Folder) -> Folder:
    """Returns the page's file. Raises InputError if it cannot be one."""
    file = default if given is None else folder_at(given)
    if file.is_dir():
        raise InputError(f"{file} is a folder; give the name of a file, such as {file / 'report.html'}")
    if isinstance(file, Path) and not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent} to write {file.name} into")
    return file


def _say(text: str) -> None:
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
