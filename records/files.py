"""Small files on a disk or in a bucket: a damaged one is named, and each is written as a whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from tautune.records.errors import InputError, RunFailed
from tautune.records.storage import Folder, reading, writing

Json = dict[str, Any]
PART = ".part"
"""Ends the name of a file that is being written: a killed process may leave one behind."""


def read_json(path: Folder) -> Json:
    """Returns the file's JSON object. Raises InputError if it cannot be read or holds something else."""
    with reading(path):
        content = path.read_bytes()
    try:
        value = json.loads(content)
    except ValueError:
        raise InputError(f"{path} is not JSON: it was damaged; remove it, or give another folder") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a tautune file; give another folder")
    return value


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
