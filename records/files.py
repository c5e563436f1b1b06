"""Small files on a disk or in a bucket: a damaged one is named, and each is written as a whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from tautune.records.errors import InputError, RunFailed
from tautune.records.storage import Folder, reading, writing
from tautune.records.typed import Misshapen, decode

Json = dict[str, Any]
Shape = TypeVar("Shape")
PART = ".part"
"""Ends the name of a file that is being written: a killed process may leave one behind."""


def read_json(path: Folder, shape: type[Shape], *, remedy: str = "give another folder") -> Shape:
    """Returns the file's JSON.

    Args:
        path: of the file.
        shape: what it must hold; see `decode`.
        remedy: what the user can do where it is damaged.

    Raises:
        InputError: the file cannot be read, or is of another shape.
    """
    with reading(path):
        content = path.read_bytes()
    try:
        return decode(content, shape)
    except Misshapen as error:
        raise InputError(f"{path} is damaged: {error}; {remedy}") from None


def write_json(path: Folder, value: Json) -> None:
    """Writes the file as a whole or not at all. Raises ValueError for a NaN, which is not JSON."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: Folder, content: bytes) -> None:
    """Writes the file as a whole or not at all, also where two processes write it at once.

    Raises:
        RunFailed: the file cannot be written: the disk is full, for instance.
    """
    with writing(path, RunFailed):
        if isinstance(path, Path):
            _replace(path, content)
        else:
            path.fs.pipe_file(path.path, content)  # one request, after which the object is the new one


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}{PART}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
