"""A sweep's folder on disk: configuration in run.json, a measurement a file, and the conclusions beside them.

A run that was stopped goes on from the measurements it finds; nothing else is kept of where it was.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from cluster.errors import InputError
from cluster.folder_lock import FolderLock, Held
from cluster.storage import Folder, make, reason

Json = dict[str, Any]


class SweepFolder:
    """`path` with the results of one configuration.

    Raises:
        InputError: the folder cannot be written, or holds something else.
    """

    def __init__(self, path: Folder, configuration: Json) -> None:
        self.path, self.configuration = path.resolve(), configuration
        self.run = self._read_run()
        self.measurements = self.path / "measurements"
        self.trials = self.path / "trials"
        try:
            make(self.measurements)
            self._lock = FolderLock(self.path)
        except Held:
            raise InputError(f"--output: another sweep is writing {self.path}; wait for it, or give another") from None
        except OSError as error:
            raise InputError(f"--output: {path} cannot be written: {reason(error)}") from None

    def close(self) -> None:
        """A folder in which nothing was begun goes."""
        if isinstance(self.path, Path) and not (self.path / "run.json").exists():
            with contextlib.suppress(OSError):
                self.measurements.rmdir()
                (self.path / ".lock").unlink()
                self.path.rmdir()
        self._lock.release()

    def _read_run(self) -> Json:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"--output: {self.path} is a file; give a folder")
        run_file = self.path / "run.json"
        if not run_file.exists():
            if self.path.exists() and any(file.name not in (".lock", "measurements") for file in self.path.iterdir()):
                raise InputError(f"--output: {self.path} holds files but no run.json; give an empty or a new folder")
            return {}
        run: Json = read_json(run_file)
        held = run.get("configuration", {})
        differing = [key for key in self.configuration if held.get(key) != self.configuration[key]]
        if differing:
            key = differing[0]
            raise InputError(
                f"--output: {self.path} holds a sweep with {key} = {held.get(key)!r}, not {self.configuration[key]!r}; "
                "give another folder"
            )
        return run

    def record(self, delay: int, seed: int) -> Json | None:
        """The measurement so far at one delay, or None."""
        file = self._file(delay, seed)
        return read_json(file) if file.exists() else None

    def keep(self, record: Json) -> None:
        settings = record["settings"]
        write_json(self._file(settings["delay"], settings["seed"]), record)

    def keep_run(self, **entries: Any) -> None:
        """Adds to run.json, and writes it."""
        self.run |= {"configuration": self.configuration} | entries
        write_json(self.path / "run.json", self.run)

    def _file(self, delay: int, seed: int) -> Folder:
        return self.measurements / f"delay={delay}_seed={seed}.json"


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
