"""A journal: what happened in a run, in its order, one line for each event, which is on disk before the run goes on.

A line is the CRC-32 of an event, a space, and the event as JSON. So a line that was damaged is known as such, and the
line that a killed process was writing is the last one and has no end.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from tautune.records.errors import RunFailed
from tautune.records.files import write_bytes
from tautune.records.storage import Folder, reading, writing
from tautune.records.typed import Misshapen, decode

Event = dict[str, Any]
FILE = "journal.log"
PARTS = "journal"
"""Folder of a bucket's journal: an object cannot be appended to, so it is kept in parts."""
PART_BYTES = 2**18
"""Size in bytes at which a part is full: the part that grows is written anew each time."""
SYNC_SECONDS = 1.0
"""Pause in seconds between two writes to a bucket, or to the disk itself: what a kill, or a power cut, can lose."""
log = logging.getLogger("tautune")


def read_journal(
    folder: Folder,
    check: Callable[[Event], None] = lambda event: None,
    *,
    warn: bool = True,
    tell: Callable[[str], object] = log.warning,
) -> list[Event]:
    """Returns the events in the order in which they happened; none if the folder has no journal.

    A damaged line is left out.

    Args:
        folder: of the run.
        check: raises Misshapen for what is no event.
        warn: whether each damaged line is told.
        tell: whom.
    """
    events = []
    for file in _files(folder):
        with reading(file):
            lines = file.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], 1):
            event = _parsed(line, check)
            if event is not None:
                events.append(event)
            elif warn:
                tell(f"{file}: line {number} is damaged and is left out")
    return events


def _files(folder: Folder) -> list[Folder]:
    """Returns the files that hold events, the earliest first: of a folder that was copied, there may be both kinds."""
    with reading(folder):
        parts: list[Folder] = sorted((folder / PARTS).glob("*.log"), key=str)
        one = [file] if (file := folder / FILE).exists() else []
    return [*parts, *one] if isinstance(folder, Path) else [*one, *parts]


def _parsed(line: bytes, check: Callable[[Event], None]) -> Event | None:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return None
    try:
        event = decode(text, Event)
        check(event)
    except Misshapen:
        return None
    return event


def _line(event: Event) -> bytes:
    text = json.dumps(event, allow_nan=False).encode()
    return b"%08x %s\n" % (crc32(text), text)


class Journal(Protocol):
    """Takes events."""

    def append(self, event: Event) -> None:
        """Adds an event. Raises RunFailed if it cannot be written: the disk is full, for instance."""

    def close(self) -> None:
        """Ends the journal."""


def open_journal(folder: Folder, events: Iterable[Event] = ()) -> Journal:
    """Returns the folder's journal, to which nobody else may write meanwhile.

    Args:
        events: what a folder without a journal begins with.
    """
    begun = bool(_files(folder))
    journal: Journal = _JournalFile(folder / FILE) if isinstance(folder, Path) else _JournalParts(folder / PARTS)
    for event in () if begun else events:
        journal.append(event)
    return journal


class _JournalFile:
    """On a disk: one file, to which each event is appended by one system call, which a killed process has made."""

    def __init__(self, path: Path) -> None:
        self.path, self.synced = path, 0.0
        with writing(path, RunFailed):
            self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self.length = _whole_lines(self.file)
            os.ftruncate(self.file, self.length)

    def append(self, event: Event) -> None:
        line = _line(event)
        with writing(self.path, RunFailed):
            try:
                if os.write(self.file, line) < len(line):
                    raise OSError("No space left on device")
            except OSError:
                os.ftruncate(self.file, self.length)
                raise
        self.length += len(line)
        if time.monotonic() - self.synced >= SYNC_SECONDS:
            os.fdatasync(self.file)
            self.synced = time.monotonic()

    def close(self) -> None:
        os.close(self.file)


def _whole_lines(file: int) -> int:
    """Returns the length in bytes of what a file's last line end ends."""
    size = os.fstat(file).st_size
    content = os.pread(file, size, 0)
    return content.rfind(b"\n") + 1


class _JournalParts:
    """In a bucket: parts, of which the last one is written anew every second in which something happened."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.number = len(_files(folder.parent))
        self.content, self.written = b"", 0.0
        self.lock = threading.Lock()
        self.later: threading.Timer | None = None
        self.error: Exception | None = None

    def append(self, event: Event) -> None:
        with self.lock:
            if self.error:
                raise self.error
            self.content += _line(event)
            left = self.written + SYNC_SECONDS - time.monotonic()
            if left <= 0:
                self._write()
            elif self.later is None:
                self.later = threading.Timer(left, self._write_later)
                self.later.daemon = True
                self.later.start()

    def close(self) -> None:
        with self.lock:
            if self.later:
                self.later.cancel()
                self._write()

    def _write_later(self) -> None:
        with self.lock:
            try:
                self._write()
            except RunFailed as error:  # which the next event raises
                self.error = error

    def _write(self) -> None:
        self.later = None
        write_bytes(self.folder / f"{self.number:06d}.log", self.content)
        self.written = time.monotonic()
        if len(self.content) >= PART_BYTES:
            self.number, self.content = self.number + 1, b""
