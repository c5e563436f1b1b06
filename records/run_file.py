"""What run.json tells about a folder: which kind of run it holds, and whether another run may use it."""

import os
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args

from tautune.records.errors import InputError
from tautune.records.files import PART, read_json
from tautune.records.folder_lock import LOCK_FILE
from tautune.records.storage import Folder, reading, writing
from tautune.records.typed import Count, Object

Json = dict[str, Any]
Kind = Literal["sweep", "grid", "edge", "tuning", "simulation", "probe"]
RUN_FILE = "run.json"
PROBE = ".probe-"
"""Begins the names of files and folders that are made only to see whether a folder can be written."""


class _Run(TypedDict):
    configuration: Object
    runs: NotRequired[list[Object]]
    versions: NotRequired[Object]
    delays: NotRequired[list[Count]]
    seeds: NotRequired[Count]


def read_run(folder: Folder) -> Json:
    """Returns what run.json holds. Raises InputError if there is none, or if it is damaged."""
    file = folder / RUN_FILE
    with reading(file):
        there = file.is_file()
    if not there:
        raise InputError(f"{folder} holds no {RUN_FILE}; give a folder that a run of tautune wrote")
    return cast("Json", read_json(file, _Run))


def kind_of(folder: Folder) -> Kind:
    """Returns the kind of run that the folder holds. Raises InputError if it holds none that this version knows."""
    kind = kind_in(read_run(folder))
    if kind not in get_args(Kind):
        raise InputError(f"{folder / RUN_FILE} is not of a {_alternatives()}; give a folder that one of these wrote")
    return cast("Kind", kind)


def kind_in(run: Json) -> str | None:
    """Returns the kind that run.json names, or None. Sweeps and grids of version 0.1.0 do not name theirs."""
    configuration = run["configuration"]
    if "kind" in configuration:
        return str(configuration["kind"])
    return "sweep" if "resolution" in configuration else "grid" if "steps" in configuration else None


def check_output(output: Folder, kind: Kind) -> Folder:
    """Returns the folder, resolved, if a run of that kind can begin or go on in it; nothing in it is changed.

    It needs neither Ray nor torch, so a command calls it first. It takes no lock: what it finds can change until a
    `RunFolder` is entered, which looks again.

    Raises:
        InputError: the folder is a file, holds something else, or cannot be written.
    """
    output = output.resolve()
    check_kind(output, kind)
    check_writable(output)
    return output


def with_article(kind: str) -> str:
    """Returns the kind of a run as a sentence has it: a sweep, an edge."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def check_kind(folder: Folder, kind: Kind) -> None:
    """Raises InputError if the folder holds anything but a run of that kind. It may be missing or empty."""
    with reading(folder):
        there, is_folder = folder.exists(), folder.is_dir()
        begun = (folder / RUN_FILE).exists()
    if there and not is_folder:
        raise InputError(f"{folder} is a file; give a folder")
    if begun:
        held = kind_in(read_run(folder))
        if held not in (kind, None):
            what = with_article(held) if held in get_args(Kind) else f"a run of the unknown kind {held!r}"
            raise InputError(f"{folder} holds {what}, not {with_article(kind)}; give another folder")
    elif holds_files(folder):
        with reading(folder):
            begun = (folder / RUN_FILE).exists()
        if not begun:
            raise InputError(f"{folder} holds files but no {RUN_FILE}; give an empty or a new folder")
        check_kind(folder, kind)  # another run has just begun there


def holds_files(folder: Folder) -> bool:
    """Tells whether the folder holds anything but what a killed run of tautune may leave there."""
    with reading(folder):
        names = _names(folder) if folder.exists() else []
    return any(name != LOCK_FILE and not name.startswith(PROBE) and not name.endswith(PART) for name in names)


def _names(folder: Folder) -> list[str]:
    if isinstance(folder, Path):
        return [file.name for file in folder.iterdir()]
    inside = (path.rstrip("/") for path in folder.fs.ls(folder.path, detail=False))
    return [path.rpartition("/")[2] for path in inside if path != folder.path.rstrip("/")]  # some list themselves


def check_writable(folder: Folder) -> None:
    """Raises InputError if a local folder cannot be made or written. A bucket tells only when it is written."""
    if isinstance(folder, Path):
        with writing(folder):
            nearest = next(path for path in (folder, *folder.parents) if path.exists())
            probe = nearest / f"{PROBE}{os.urandom(4).hex()}"
            probe.mkdir()
            probe.rmdir()


def _alternatives() -> str:
    *others, last = get_args(Kind)
    return f"{', '.join(others)} or {last}"
