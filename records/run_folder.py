"""The folder that a run writes: what it measures in run.json, one writer at a time."""

import contextlib
from pathlib import Path
from typing import Any, ClassVar, Self

from tautune.records.errors import InputError
from tautune.records.files import write_json
from tautune.records.folder_lock import FolderLock, Held
from tautune.records.run_file import RUN_FILE, Kind, check_kind, read_run, with_article
from tautune.records.storage import Folder, make, writing

Json = dict[str, Any]
TRIES = 3
"""Attempts at making and locking a folder: a run that ends with nothing done may remove it in between."""


class RunFolder:
    """The folder at `path` with the results of one configuration, and what run.json says of them in `run`.

    It is a context: lock, read, check, write. Inside, no other process writes the folder, and `run` is what the last
    one left. Outside, `run` is what was there when the object was made, which is enough for a plan.

    Raises:
        InputError: the folder holds something else, cannot be written, or another run is writing it.
    """

    kind: ClassVar[Kind]

    def __init__(self, path: Folder, configuration: Json) -> None:
        self.path, self.configuration = path.resolve(), configuration
        self.run = self._read()

    def __enter__(self) -> Self:
        folders = (self.path, *self.path.parents) if isinstance(self.path, Path) else ()
        self._made = [folder for folder in folders if not folder.exists()]
        self._lock = self._acquire()
        try:
            self.run = self._read()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def keep_run(self, **entries: Any) -> None:
        """Adds entries to run.json, and writes it."""
        configuration = {"kind": self.kind} | self.run.get("configuration", {}) | self.configuration
        self.run |= {"configuration": configuration} | entries
        write_json(self.path / RUN_FILE, self.run)

    def begin(self, **entries: Any) -> None:
        """Adds a run to the `runs` of run.json: each command that works in the folder is one of them."""
        self.keep_run(runs=[*self.run.get("runs", []), entries])

    def end(self, **entries: Any) -> None:
        """Adds entries to the last of the `runs`."""
        *earlier, last = self.run["runs"]
        self.keep_run(runs=[*earlier, last | entries])

    def _read(self) -> Json:
        """Returns run.json, or nothing for a new folder. Raises InputError if the folder holds something else."""
        check_kind(self.path, self.kind)
        if not (self.path / RUN_FILE).exists():
            return {}
        run = read_run(self.path)
        held = run["configuration"]
        for key, value in self.configuration.items():
            if held.get(key) != value:
                raise InputError(
                    f"{self.path} holds {with_article(self.kind)} with {key} = {held.get(key)!r}, not {value!r}; "
                    "give another folder"
                )
        return run

    def _acquire(self) -> FolderLock:
        with writing(self.path):
            for _ in range(TRIES - 1):
                with contextlib.suppress(FileNotFoundError):
                    return self._make_and_lock()
            return self._make_and_lock()

    def _make_and_lock(self) -> FolderLock:
        make(self.path)
        try:
            return FolderLock(self.path)
        except Held:
            message = f"{self.path} is being written by another run; wait for its end, or give another folder"
            raise InputError(message) from None

    def _release(self) -> None:
        """Lets the next run in. A folder that was made for this run goes where nothing was begun in it."""
        begun = not isinstance(self.path, Path) or (self.path / RUN_FILE).exists()
        self._lock.release(remove=not begun)
        if not begun:
            with contextlib.suppress(OSError):
                for folder in self._made:
                    folder.rmdir()
