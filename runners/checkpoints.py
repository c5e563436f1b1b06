"""The checkpoints that a trial has left in its folder, the damaged ones left out."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NotRequired, TypedDict

from tautune.records.storage import Folder
from tautune.records.typed import Count, Misshapen, NotNegative, decode
from tautune.trainables.loop import checkpoint as of_loops
from tautune.trainables.supervised.trial_files import DESCRIPTION, FORMAT, STATE

log = logging.getLogger("tautune")


class _Description(TypedDict):
    format: int
    epochs: Count
    sha256: str
    saved: NotNegative
    content: NotRequired[bool]
    """Of a loop's checkpoint: whether the digest covers the content of its files."""


@dataclass(frozen=True)
class FoundCheckpoint:
    """A whole checkpoint."""

    path: Folder
    epochs: int
    """Epochs that the training had done."""


def checkpoints_of(trial: Folder) -> Iterator[FoundCheckpoint]:
    """Yields the whole checkpoints of a trial's folder, the last one first; a warning names each that is damaged."""
    described = [(_described(folder), folder) for folder in trial.glob("checkpoint_*")]
    for description, folder in sorted(
        described, key=lambda pair: (pair[0]["saved"] if pair[0] else 0.0, str(pair[1])), reverse=True
    ):
        if description and _is_whole(folder, description):
            yield FoundCheckpoint(folder, description["epochs"])
        else:
            log.warning(f"{folder} is damaged; the checkpoint before it is used")


def _described(folder: Folder) -> _Description | None:
    own = folder / of_loops.DESCRIPTION
    try:
        return decode((own if own.is_file() else folder / DESCRIPTION).read_bytes(), _Description)
    except (OSError, Misshapen):
        return None


def _is_whole(folder: Folder, description: _Description) -> bool:
    try:
        if "content" in description:
            digest, version = of_loops.digest(_files(folder, content=description["content"])), of_loops.FORMAT
        else:
            digest, version = sha256((folder / STATE).read_bytes()).hexdigest(), FORMAT
    except OSError:
        return False
    return description["format"] == version and digest == description["sha256"]


def _files(folder: Folder, *, content: bool) -> Iterator[of_loops.File]:
    for file in folder.rglob("*"):
        if file.is_file():
            name = str(file).removeprefix(str(folder)).lstrip("/")
            yield name, file.stat().st_size, [file.read_bytes()] if content else []
