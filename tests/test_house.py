"""The house stays one in which a file is found and read in a minute."""

import ast
import re
from pathlib import Path

import grimp
import networkx
import pytest

from docs import draw_architecture

ROOT = Path(__file__).parents[1]
ROOMS = ("analysis", "cluster", "commands", "records", "runners", "search_spaces", "trainables")
FILES = [
    *(ROOT / "tautune").glob("*.py"),  # the rooms in it are links
    *(file for folder in (*ROOMS, "benchmarks", "docs", "examples", "tests") for file in (ROOT / folder).rglob("*.py")),
]
LONGEST_FILE = 250
LONGEST_FUNCTION = 40
LARGEST_ROOM = 0.42


def lines_in(file: Path) -> int:
    return len(file.read_text().splitlines())


def functions(file: Path) -> dict[str, int]:
    """Returns the lines of every function from `def` to its end, its docstring left out."""
    found = {}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            if docstring := ast.get_docstring(node, clean=False):
                length -= len(docstring.splitlines())
            found[node.name] = length
    return found


def test_no_file_is_long() -> None:
    long = {str(file.relative_to(ROOT)): lines for file in FILES if (lines := lines_in(file)) > LONGEST_FILE}
    assert not long


def test_no_function_is_long() -> None:
    long = {
        f"{file.relative_to(ROOT)}: {name}": lines
        for file in FILES
        for name, lines in functions(file).items()
        if lines > LONGEST_FUNCTION
    }
    assert not long


def test_no_room_is_most_of_the_house() -> None:
    sizes = {room: sum(map(lines_in, (ROOT / room).rglob("*.py"))) for room in ROOMS}
    shares = {room: size / sum(sizes.values()) for room, size in sizes.items()}
    assert max(shares.values()) <= LARGEST_ROOM, shares


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("tautune", cache_dir=None, exclude_type_checking_imports=True)
    imports = networkx.DiGraph(
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    )
    circles = [sorted(files) for files in networkx.strongly_connected_components(imports) if len(files) > 1]
    assert not circles


def test_the_drawing_agrees_with_the_imports() -> None:
    page, again = draw_architecture.PAGE.read_text(), "run `python -m docs.draw_architecture`"
    assert page == draw_architecture.drawn(page), again
    for package, pairs in draw_architecture.arrows().items():
        assert draw_architecture.arrows_in(package) == draw_architecture.shown(pairs), again


PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))))


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    names = re.findall(r"`([\w./]+/[\w./]*)`", text)
    links = re.findall(r"\]\(([^:)#]+)[^:)]*\)", text)
    assert [name for name in names if not exists(name)] == []
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def exists(name: str) -> bool:
    """Returns whether a name is in the repository or in `trainables/`, or is not kept: results, a reader's own."""
    if name.startswith("results/") or "/my_" in name:
        return True
    return any((folder / name).exists() for folder in (ROOT, ROOT / "trainables"))
