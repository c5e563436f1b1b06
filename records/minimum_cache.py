"""Minima that were found before, by content hash: in $TAUTUNE_STORAGE, else in the user's cache folder."""

import io
import os
from typing import Any

import torch

from tautune.records.errors import InputError
from tautune.records.files import write_bytes
from tautune.records.storage import Folder, make, reason, storage_root
from tautune.trainables.classifier.data_files import cache_folder
from tautune.trainables.threshold.minimum import Minimum


class MinimumCache:
    """The minimum of one content hash; `begun` is where an interrupted descent to it had come."""

    def __init__(self, content: str) -> None:
        shared = os.environ.get("TAUTUNE_STORAGE")  # outlives the host that a run of a cluster began on
        folder: Folder = (storage_root() if shared else cache_folder()) / "minima"
        try:
            make(folder)
        except OSError as error:
            hint = "" if shared else "; set TAUTUNE_CACHE to a folder"
            raise InputError(f"{folder} cannot be written ({reason(error)}){hint}") from None
        self._whole, self._begun = folder / f"{content}.pt", folder / f"{content}.begun.pt"

    def minimum(self) -> Minimum | None:
        state = _load(self._whole)
        return Minimum(**state) if state else None

    def begun(self) -> dict[str, Any] | None:
        return _load(self._begun)

    def keep(self, minimum: Minimum) -> None:
        _save(self._whole, minimum.to("cpu").state_dict())
        self._begun.unlink(missing_ok=True)

    def keep_begun(self, descent: dict[str, Any]) -> None:
        _save(self._begun, descent)


def _save(path: Folder, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def _load(path: Folder) -> dict[str, Any] | None:
    """None also for a file that cannot be read: a cache may be thrown away."""
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, the answer is to do the work again
        return None
    return state
