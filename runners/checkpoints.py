"""The checkpoints that a trial has left in its folder, the damaged ones left out."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from tautune.records.storage import Folder
from tautune.trainables.classifier.trial_files import DESCRIPTION, FORMAT, STATE

log = logging.getLogger("tautune")


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
        described, key=lambda pair: (pair[0].get("saved", 0.0), str(pair[1])), reverse=True
    ):
        if _is_whole(folder, description):
            yield FoundCheckpoint(folder, int(description["epochs"]))
        else:
            log.warning(f"{folder} is damaged; the checkpoint before it is used")


def _described(folder: Folder) -> dict[str, float | str]:
    try:
        found = json.loads((folder / DESCRIPTION).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_whole(folder: Folder, description: dict[str, float | str]) -> bool:
    if description.get("format") != FORMAT or "epochs" not in description:
        return False
    try:
        digest = sha256((folder / STATE).read_bytes()).hexdigest()
    except OSError:
        return False
    return digest == description.get("sha256")
