"""Small files, read with a line for what is wrong and written whole or not at all, on a disk or in a bucket."""

import json
import os
from pathlib import Path
from typing import Any

from tautune.records.errors import InputError
from tautune.records.storage import Folder

Json = dict[str, Any]


def read_json(path: Folder) -> Json:
    try:
        value = json.loads(path.read_text())
    except ValueError:
        raise InputError(f"{path} is not JSON: it was damaged; remove it, or give another folder") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a tautune file; give another folder")
    return value


def write_json(path: Folder, value: Json) -> None:
    """Whole or not at all; a NaN is an error."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: Folder, content: bytes) -> None:
    """Whole or not at all."""
    if not isinstance(path, Path):
        path.fs.pipe_file(path.path, content)  # one request, after which the object is the new one
        return
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
