"""The folder of a run that the same command continues: what it measures in run.json, one writer at a time."""

import contextlib
from pathlib import Path
from typing import Any, Self

from tautune.records.errors import InputError
from tautune.records.files import read_json, write_json
from tautune.records.folder_lock import FolderLock, Held
from tautune.records.storage import Folder, make, reason

Json = dict[str, Any]


class RunFolder:
    """`path` with the results of one configuration; a context, in which no other process writes there.

    Raises:
        InputError: the folder cannot be written, or holds something else.
    """

    kind = "run"
    """As messages call it."""
    parts: tuple[str, ...] = ()
    """Folders in it that are there before run.json is."""

    def __init__(self, path: Folder, configuration: Json) -> None:
        self.path, self.configuration = path.resolve(), configuration
        self.run = self._read_run()
        try:
            for part in (self.path, *(self.path / name for name in self.parts)):
                make(part)
            self._lock = FolderLock(self.path)
        except Held:
            another = f"another {self.kind} is writing {self.path}"
            raise InputError(f"--output: {another}; wait for it, or give another") from None
        except OSError as error:
            raise InputError(f"--output: {path} cannot be written: {reason(error)}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """A folder in which nothing was begun goes."""
        if isinstance(self.path, Path) and not (self.path / "run.json").exists():
            with contextlib.suppress(OSError):
                for name in self.parts:
                    (self.path / name).rmdir()
                (self.path / ".lock").unlink()
                self.path.rmdir()
        self._lock.release()

    def keep_run(self, **entries: Any) -> None:
        """Adds to run.json, and writes it."""
        self.run |= {"configuration": self.configuration} | entries
        write_json(self.path / "run.json", self.run)

    def _read_run(self) -> Json:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"--output: {self.path} is a file; give a folder")
        run_file = self.path / "run.json"
        if not run_file.exists():
            if self.path.exists() and any(file.name not in (".lock", *self.parts) for file in self.path.iterdir()):
                raise InputError(f"--output: {self.path} holds files but no run.json; give an empty or a new folder")
            return {}
        run: Json = read_json(run_file)
        held = run.get("configuration", {})
        for key, value in self.configuration.items():
            if held.get(key) != value:
                raise InputError(
                    f"--output: {self.path} holds a {self.kind} with {key} = {held.get(key)!r}, not {value!r}; "
                    "give another folder"
                )
        return run
