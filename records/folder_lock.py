"""One writer a folder: a lock on a file where it lies on a disk, an object that shows signs of life in a bucket."""

import contextlib
import fcntl
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.storage import Folder

if TYPE_CHECKING:
    from upath import UPath

LOCK_FILE = ".lock"
BEAT_SECONDS = 5.0
"""Time between two signs of life, in seconds."""
SILENT_SECONDS = 20.0
"""Time without a sign of life after which a writer counts as dead, in seconds."""


class Held(RuntimeError):
    """Another run is writing the folder."""


class FolderLock:
    """Keeps every other process from writing the folder, until `release` or until this process ends, however it ends.

    Raises:
        Held: another run holds it. In a bucket its lock is watched: a writer that lives shows it within
            `BEAT_SECONDS`, and the lock of one that does not is taken over after `SILENT_SECONDS`. The clocks of two
            hosts are never compared.
        FileNotFoundError: the run that held it has just removed the folder, or the lock in it; make it and try again.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Folder) -> None:
        path = folder / LOCK_FILE
        self._lock = _FileLock(path) if isinstance(path, Path) else _ObjectLock(path)

    def release(self, *, remove: bool = False) -> None:
        """Lets the next run in. `remove`: takes the lock's file away as well."""
        self._lock.release(remove=remove)


class _FileLock:
    def __init__(self, path: Path) -> None:
        self.path, self.file = path, path.open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino != os.fstat(self.file.fileno()).st_ino:
                raise FileNotFoundError(f"{path} was removed by the run that held it")
        except BlockingIOError:
            self.file.close()
            raise Held from None
        except OSError:
            self.file.close()
            raise

    def release(self, *, remove: bool) -> None:
        if remove:
            self.path.unlink(missing_ok=True)
        self.file.close()


class _ObjectLock:
    """An object that exists while a run writes, and is written anew as a sign of life.

    Its owner reads it before each sign, and stops as after Ctrl-C if another run has taken it over.
    """

    def __init__(self, path: "UPath") -> None:
        import socket

        self.path, self.beats = path, 0
        self.owner = f"{socket.gethostname()}, process {os.getpid()}"
        self.token = os.urandom(8).hex()
        if not self._create():
            self._take_over()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._show_life, daemon=True)
        self.thread.start()

    def release(self, *, remove: bool) -> None:
        self.ended.set()
        self.thread.join()
        with contextlib.suppress(Exception):  # a lock that stays behind is taken over by the next run
            if self._mine():
                self.path.unlink()

    def _create(self) -> bool:
        try:
            self.path.fs.pipe_file(self.path.path, self._content(), mode="create")
        except OSError:  # S3 and GCS each have an error of their own for an object that exists
            if self.path.exists():
                return False
            raise
        return True

    def _take_over(self) -> None:
        """Watches the lock of another run, and takes it over if that run is dead. Raises Held if it lives."""
        import logging

        before = self._read()
        logging.getLogger("tautune").warning(
            "tautune: %s is held by %s; waiting up to %.0f s to see whether that run is alive",
            self.path,
            before.get("owner"),
            SILENT_SECONDS,
        )
        end = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < end:
            time.sleep(min(1.0, SILENT_SECONDS / 4))
            if (now := self._read()) != before:
                if now:
                    raise Held
                break  # it has ended and removed its lock
        self.path.fs.pipe_file(self.path.path, self._content())
        time.sleep(1.0)  # where several take over at once, the last one gets it
        if not self._mine():
            raise Held

    def _show_life(self) -> None:
        while not self.ended.wait(BEAT_SECONDS):
            with contextlib.suppress(Exception):  # the storage may fail for a while; the next sign may get through
                if not self._mine():
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                self.beats += 1
                self.path.fs.pipe_file(self.path.path, self._content())

    def _mine(self) -> bool:
        return self._read().get("token") == self.token

    def _content(self) -> bytes:
        return json.dumps({"owner": self.owner, "token": self.token, "beats": self.beats}).encode()

    def _read(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads(self.path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found
