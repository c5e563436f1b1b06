"""A sweep's folder: a measurement a file, and the conclusions beside them.

A run that was stopped goes on from the measurements it finds; nothing else is kept of where it was.
"""

from typing import Any

from tautune.records.files import read_json, write_json
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder

Json = dict[str, Any]


class SweepFolder(RunFolder):
    kind, parts = "sweep", ("measurements",)

    @property
    def trials(self) -> Folder:
        return self.path / "trials"

    def record(self, delay: int, seed: int) -> Json | None:
        """The measurement so far at one delay, or None."""
        file = self._file(delay, seed)
        return read_json(file) if file.exists() else None

    def keep(self, record: Json) -> None:
        settings = record["settings"]
        write_json(self._file(settings["delay"], settings["seed"]), record)

    def _file(self, delay: int, seed: int) -> Folder:
        return self.path / "measurements" / f"delay={delay}_seed={seed}.json"
