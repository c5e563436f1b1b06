"""One writer a folder: a file lock on a disk; in a bucket an object that shows signs of life."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from upath import UPath

from tautune.records.storage import Folder

BEAT_SECONDS = 5.0
"""Between two signs of life."""
SILENT_SECONDS = 20.0
"""Without one, after which a writer counts as dead."""


class Held(RuntimeError):
    """Another run is writing the folder."""


class FolderLock:
    """Held from here to `release`, or until this process ends, however it ends.

    Raises:
        Held: by another run. In a bucket its lock is watched: a writer that lives shows it within `BEAT_SECONDS`, and
            the lock of one that does not is taken over after `SILENT_SECONDS`. No two clocks are compared.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Folder) -> None:
        self._lock = _FileLock(folder / ".lock") if isinstance(folder, Path) else _ObjectLock(folder / ".lock")

    def release(self) -> None:
        self._lock.release()


class _FileLock:
    def __init__(self, path: Path) -> None:
        self.file = path.open("w")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise Held from None

    def release(self) -> None:
        self.file.close()


class _ObjectLock:
    """An object that exists while a run writes, written anew as a sign of life.

    Its owner reads it before each sign, and stops, as by Ctrl-C, if another has taken it over.
    """

    def __init__(self, path: UPath) -> None:
        self.path, self.beats = path, 0
        self.owner = f"{socket.gethostname()}, process {os.getpid()}"
        self.token = secrets.token_hex(8)
        if not self._create():
            self._take_over()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._show_life, daemon=True)
        self.thread.start()

    def release(self) -> None:
        self.ended.set()
        self.thread.join()
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
        """Watches the other's lock. Raises Held if it lives."""
        before = self._read()
        print(f"tautune: {self.path} is held by {before.get('owner')}; does it live?", file=sys.stderr, flush=True)
        end = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < end:
            time.sleep(min(1.0, SILENT_SECONDS / 4))
            if (now := self._read()) != before:
                if now:
                    raise Held
                break  # it ended, and took its lock away
        self.path.fs.pipe_file(self.path.path, self._content())
        time.sleep(1.0)  # of several that take over at once, the last one has it
        if not self._mine():
            raise Held

    def _show_life(self) -> None:
        while not self.ended.wait(BEAT_SECONDS):
            with contextlib.suppress(Exception):  # storage may fail for a while: the next sign may get through
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
        except FileNotFoundError:
            return {}
        return found
