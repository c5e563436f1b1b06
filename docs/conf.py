"""How Sphinx makes the manual: `make docs`."""

import re
from importlib import metadata
from pathlib import Path
from typing import Any

import typer.cli
from sphinx.application import Sphinx

from tautune.commands.app import app as tautune
from tautune.search_spaces.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
project = "tautune"
release = version = metadata.version("tautune")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "tautune"
html_copy_source = False
html_show_copyright = False
myst_heading_anchors = 3
default_role = "code"  # what docstrings have in backticks
autodoc_typehints = "none"  # their Args say it in words
autodoc_member_order = "bysource"


def navigation(page: str) -> str:
    """Returns the first page with what Sphinx makes the sidebar of: the lists under its headings."""
    trees = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {group}", "", *(f"{t} <{p}>" for t, p in links), "```"])
        for group, links in groups(page).items()
    ]
    return "\n\n".join([page, *trees])


def groups(page: str) -> dict[str, list[tuple[str, str]]]:
    """Returns the titles and names of the pages that the first page lists, by the heading that they stand under."""
    found = re.findall(r"^## (.*?)\n\n((?:- .*\n)+)", page, re.MULTILINE)
    return {heading: re.findall(r"\[(.*?)\]\((\w+)\.md\)", listed) for heading, listed in found}


def commands(page: str) -> str:
    """Returns the page with the arguments and options of every command, as the command itself has them."""
    command = typer.main.get_command(tautune)
    assert isinstance(command, typer.core.TyperGroup)
    for one in command.commands.values():  # without it the list of commands has the first words of each help
        one.short_help = (one.help or "").partition("\n\n")[0]
    return page + typer.cli.get_docs_for_click(obj=command, ctx=typer.Context(command), name="tautune", indent=1)


def studies(page: str) -> str:
    """Returns the page with a table of the built-in studies, as the catalogue has them."""
    lines = ["| study | for | what it is |", "|---|---|---|"]
    lines += [f"| `{name}` | {', '.join(e.commands)} | {e.description} |" for name, e in sorted(CATALOGUE.items())]
    return page + "\n".join(lines)


def whole_file(page: str) -> str:
    """Returns the file at the top of the repository that a page names."""
    file = re.search(r"\]\(\.\./([A-Z]+\.md)\)", page)
    assert file is not None
    return (ROOT / file[1]).read_text().replace("](docs/", "](")


MADE = {
    "index": navigation,
    "commands": commands,
    "built_in": studies,
    "changelog": whole_file,
    "contributing": whole_file,
    "security": whole_file,
}


def make_page(_: Sphinx, name: str, source: list[str]) -> None:
    """Adds to a page what is made from elsewhere, and lets links to files that are pages here lead to these."""
    page = MADE.get(name, str)(source[0])
    source[0] = re.sub(
        r"\]\((?:\.\./)?(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md",
        lambda link: f"]({'index' if link[1] == 'README' else link[1].lower()}.md",
        page,
    )


def show_code(_app: Sphinx, _kind: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Marks as code what a docstring has indented in a paragraph of its own: equations and examples."""
    for number in reversed(range(2, len(lines))):
        blank_before = lines[number].startswith("    ") and not lines[number - 1]
        if blank_before and not lines[number - 2].startswith(" "):
            lines[number - 1 : number] = ["", "::", ""]


def setup(app: Sphinx) -> None:
    """Registers what is ours."""
    app.connect("source-read", make_page)
    app.connect("autodoc-process-docstring", show_code, priority=100)  # before napoleon makes lists of the arguments
