"""Draws the imports between rooms into docs/architecture.md, as Mermaid; a test compares the two.

python -m docs.draw_architecture
"""

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parent / "architecture.md"
DRAWN = ("tautune", "tautune.trainables", "tautune.cluster")
"""The house, and the rooms which are large enough to have rooms of their own."""
BEGIN, END = "<!-- drawn: {} -->\n", "<!-- end -->"


def room_of(graph: grimp.ImportGraph, module: str, package: str) -> str | None:
    """Returns the room of `package` that a module lies in; None for what lies outside or is a single file.

    The files of the public interface, tautune/_*.py, are the room `tautune`.
    """
    if not module.startswith(f"{package}."):
        return None
    name = module.removeprefix(f"{package}.").split(".")[0]
    if package == "tautune" and re.match("_[a-z]", name):
        return "tautune"
    return name if graph.find_children(f"{package}.{name}") else None


def arrows(graph: grimp.ImportGraph, package: str) -> list[tuple[str, str]]:
    """Returns which room of `package` imports from which other one."""
    found = set()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            above, below = (room_of(graph, module, package) for module in (importer, imported))
            if above and below and above != below:
                found.add((above, below))
    return sorted(found)


def mermaid(pairs: list[tuple[str, str]]) -> str:
    return "```mermaid\nflowchart TD\n" + "".join(f"    {above} --> {below}\n" for above, below in pairs) + "```\n"


def drawn(page: str) -> str:
    """Returns the page with its drawings made anew."""
    graph = grimp.build_graph("tautune", cache_dir=None, exclude_type_checking_imports=True)
    for package in DRAWN:
        before, rest = page.split(BEGIN.format(package))
        after = rest.partition(END)[2]
        page = before + BEGIN.format(package) + mermaid(arrows(graph, package)) + END + after
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
