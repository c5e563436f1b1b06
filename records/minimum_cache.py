"""Minima that were found before, kept by content hash in $TAUTUNE_STORAGE, or else in the user's cache folder."""

import io
import os
from typing import Any

import torch

from tautune.records.errors import InputError
from tautune.records.files import write_bytes
from tautune.records.storage import Folder, make, reason, storage_root
from tautune.trainables.supervised.data_files import cache_folder
from tautune.trainables.threshold.minimum import Minimum


class MinimumCache:
    """Keeps the minimum of one content hash, or how far an interrupted descent to it had come.

    Raises:
        InputError: the cache cannot be written.
    """

    def __init__(self, content: str) -> None:
        shared = os.environ.get("TAUTUNE_STORAGE")  # outlives the host of the cluster that a run began on
        folder: Folder = (storage_root() if shared else cache_folder()) / "minima"
        try:
            make(folder)
        except OSError as error:
            hint = "" if shared else "; set TAUTUNE_CACHE to a folder"
            raise InputError(f"{folder} cannot be written ({reason(error)}){hint}") from None
        self._whole, self._begun = folder / f"{content}.pt", folder / f"{content}.begun.pt"

    def minimum(self) -> Minimum | None:
        """Returns the minimum, or None if it is not known."""
        state = _load(self._whole)
        try:
            return Minimum(**state) if state else None
        except TypeError:  # another version of tautune wrote it
            return None

    def begun(self) -> dict[str, Any] | None:
        """Returns the state of an interrupted descent, or None."""
        return _load(self._begun)

    def keep(self, minimum: Minimum) -> None:
        """Writes the minimum; the state of the descent to it is needed no longer."""
        _save(self._whole, minimum.to("cpu").state_dict())
        self._begun.unlink(missing_ok=True)

    def keep_begun(self, descent: dict[str, Any]) -> None:
        """Writes how far the descent has come."""
        _save(self._begun, descent)


def _save(path: Folder, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def _load(path: Folder) -> dict[str, Any] | None:
    """Returns what the file holds, or None if it cannot be read: a cache may be thrown away."""
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, the answer is to do the work again
        return None
    return state
