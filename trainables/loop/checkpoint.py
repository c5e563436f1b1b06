"""What tautune writes beside a user's own checkpoint: how many reports it holds, and what its files must be."""

import json
import time
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from pyarrow.fs import FileSelector, FileType, LocalFileSystem
from ray import tune

DESCRIPTION = ".tautune.json"
FORMAT = 1
CHUNK_BYTES = 2**20
File = tuple[str, int, Iterable[bytes]]
"""A file's name within the checkpoint, its size in bytes, and its content."""


def digest(files: Iterable[File]) -> str:
    """Returns the digest of a checkpoint's files, without the description."""
    total = sha256()
    for name, size, content in sorted(files, key=lambda file: file[0]):
        if name != DESCRIPTION:
            total.update(f"{name}\0{size}\0".encode())
            for part in content:
                total.update(part)
    return total.hexdigest()


def describe(checkpoint: tune.Checkpoint, reports: int) -> None:
    """Writes the description. It comes last, so that a torn checkpoint has none.

    What lies in a bucket is known by its names and sizes: its content would have to be fetched again.
    """
    found = checkpoint.filesystem.get_file_info(FileSelector(checkpoint.path, recursive=True))
    local = isinstance(checkpoint.filesystem, LocalFileSystem)
    files = [
        (info.path.removeprefix(checkpoint.path).lstrip("/"), info.size, _content(checkpoint, info) if local else ())
        for info in found
        if info.type == FileType.File
    ]
    content = {"format": FORMAT, "epochs": reports, "sha256": digest(files), "saved": time.time(), "content": local}
    with checkpoint.filesystem.open_output_stream(f"{checkpoint.path}/{DESCRIPTION}") as stream:
        stream.write(json.dumps(content).encode())


def _content(checkpoint: tune.Checkpoint, info: Any) -> Iterable[bytes]:
    with checkpoint.filesystem.open_input_stream(info.path) as stream:
        while part := stream.read(CHUNK_BYTES):
            yield part


def reports_of(checkpoint: tune.Checkpoint) -> int:
    """Returns how many reports a checkpoint holds that `describe` has described."""
    with checkpoint.filesystem.open_input_stream(f"{checkpoint.path}/{DESCRIPTION}") as stream:
        return int(json.loads(stream.read())["epochs"])
