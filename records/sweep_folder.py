"""A sweep's folder: a file for each measurement, and the conclusions beside them.

A run that was stopped goes on from the measurements that it finds; its progress is kept nowhere else.
"""

from typing import Any

from tautune.records.errors import RunFailed
from tautune.records.files import read_json, write_json
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, make, writing

Json = dict[str, Any]


class SweepFolder(RunFolder):
    """See `RunFolder`."""

    kind = "sweep"

    @property
    def trials(self) -> Folder:
        """Where Ray Tune keeps its own files."""
        return self.path / "trials"

    def record(self, delay: int, seed: int) -> Json | None:
        """Returns what has been measured so far at one delay, or None."""
        file = self._file(delay, seed)
        return read_json(file) if file.exists() else None

    def keep(self, record: Json) -> None:
        """Writes what has been measured so far at one delay."""
        settings = record["settings"]
        file = self._file(settings["delay"], settings["seed"])
        with writing(file, RunFailed):
            make(file.parent)
        write_json(file, record)

    def _file(self, delay: int, seed: int) -> Folder:
        return self.path / "measurements" / f"delay={delay}_seed={seed}.json"
