"""Which modules beside a study file it imports, and what is in them, without running any of them."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from itertools import accumulate
from pathlib import Path

RESERVED = sys.stdlib_module_names | {"tautune", "ray", "torch", "torchvision", "numpy"}
"""Names that a user's file never stands for, whatever it is called."""


@dataclass(frozen=True)
class Source:
    """A module's file."""

    path: str
    code: bytes
    package: bool


def sources_of(name: str, file: Path, folders: tuple[Path, ...]) -> dict[str, Source]:
    """Returns the file as module `name`, and all modules of the folders that it imports, or that these import.

    Imports inside functions count too.
    """
    found = {name: Source(str(file), file.read_bytes(), package=False)}
    waiting = [name]
    while waiting:
        importer = waiting.pop()
        for imported in _imports(importer, found[importer]):
            for dotted in accumulate(imported.split("."), "{}.{}".format):
                source = None if dotted in found else find_source(dotted, folders)
                if source is not None:
                    found[dotted] = source
                    waiting.append(dotted)
    return found


def find_source(name: str, folders: tuple[Path, ...]) -> Source | None:
    """Returns the module of that name in one of the folders, or None.

    A folder without an __init__.py is a package too, unless one of that name is installed.
    """
    top, *below = name.split(".")
    if top in RESERVED:
        return None
    for folder in folders:
        place = folder.joinpath(top, *below)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return Source(str(file), file.read_bytes(), package=file.parent == place)
        if place.is_dir() and (below or not _is_installed(top)):
            return Source(str(place / "__init__.py"), b"", package=True)
    return None


def _is_installed(name: str) -> bool:
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.loader is not None


def imports_relatively(code: bytes) -> bool:
    """Returns whether there is an import like `from .helper import function` in a module's code."""
    return any(isinstance(node, ast.ImportFrom) and node.level for node in _nodes(code))


def _imports(importer: str, source: Source) -> Iterator[str]:
    """Yields the names of all modules that the module may import; some of them are no modules, but names in one."""
    package = importer.split(".") if source.package else importer.split(".")[:-1]
    for node in _nodes(source.code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = [*parents, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _nodes(code: bytes) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(code))
    except (SyntaxError, ValueError):  # importing it will tell
        return
