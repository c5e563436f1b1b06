"""TensorBoard's event files of a run, in a folder for each of the names that TensorBoard shows.

On a disk, one file is appended to. In a bucket, where nothing can be appended to, what has come in is one more file.
Either way each record is written once: a run that goes on counts those that are there. A picture is no result: where
it cannot be written, a warning says so and the run goes on.
"""

import logging
import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tautune.records.storage import Folder, reason

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

BOARD = "tensorboard"
"""Name of the folder inside a run's."""
IN_NAME = "tfevents"
"""What TensorBoard knows an event file by."""
FLUSH_SECONDS = 10.0
"""Pause in seconds between two writes to a bucket: each is one request for every trial that has reported."""
HEAD, TAIL = 12, 4
"""Bytes around a record: its length with a checksum, and the checksum of its content."""
log = logging.getLogger("tautune")


def records_in(content: bytes) -> tuple[list[bytes], int]:
    """Returns the records of an event file, and the length in bytes of what is whole."""
    records, at = [], 0
    while at + HEAD <= len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        end = at + HEAD + length + TAIL
        if end > len(content):
            break
        records.append(content[at + HEAD : end - TAIL])
        at = end
    return records, at


def checked(content: bytes) -> tuple[bytes, int | None]:
    """Returns an event file without what is damaged in it, and where the damage begins, in bytes; None without any.

    A record that is not whole at the end is no damage: it is being written.
    """
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    whole: list[bytes] = []
    damaged, at = None, 0
    while at + HEAD <= len(content):
        length, of_length = struct.unpack_from("<QI", content, at)
        if masked_crc32c(content[at : at + HEAD - TAIL]) != of_length:
            return b"".join(whole), at if damaged is None else damaged
        end = at + HEAD + length + TAIL
        if end > len(content):
            break
        if masked_crc32c(content[at + HEAD : end - TAIL]) == struct.unpack_from("<I", content, end - TAIL)[0]:
            whole.append(content[at:end])
        elif damaged is None:
            damaged = at
        at = end
    return b"".join(whole), damaged


def as_records(events: Iterable["Event"]) -> bytes:
    """Returns events as a file has them."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    return content.getvalue()


class EventFolder(Protocol):
    """Takes events, under the names that TensorBoard shows."""

    reports: dict[str, int]
    """How many records with the mark there were in the beginning, by name."""
    steps: dict[str, int]
    """The step of the last one of them."""

    def append(self, name: str, events: Iterable["Event"]) -> None:
        """Adds events."""

    def replace(self, name: str, events: Iterable["Event"]) -> None:
        """Writes events in the place of those that the name had."""

    def close(self) -> None:
        """Ends the writing."""


def open_events(folder: Folder, mark: bytes = b"") -> EventFolder:
    """Returns the events of a run's folder, to add some: no other process may do so meanwhile.

    Args:
        folder: of the run.
        mark: what a record has in it that is to be counted; without one, nothing is read.
    """
    board = folder / BOARD
    return _OnDisk(board, mark) if isinstance(board, Path) else _InBucket(board, mark)


def _new_name() -> str:
    return f"events.out.{IN_NAME}.{time.time():017.6f}"


def anew(step: int = 0) -> list["Event"]:
    """Returns what tells TensorBoard, which may be reading, to forget what it has read under a name from a step on.

    They are two, since its slow reader takes the first of a name for the beginning.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    return [Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START))] * 2


def _first() -> "Event":
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=time.time(), file_version="brain.Event:2")


def _step(record: bytes) -> int:
    from tensorboard.compat.proto.event_pb2 import Event

    return int(Event.FromString(record).step)


@contextmanager
def _warned(place: object) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a bucket's library has exceptions of its own
        log.warning(f"{place} cannot be written: {reason(error)}; TensorBoard will not show all of this run")


class _Events:
    """What both kinds of folders have."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.reports: dict[str, int] = {}
        self.steps: dict[str, int] = {}

    def _take_in(self, name: str, content: bytes) -> int:
        """Counts the records of a file. Returns the length in bytes of what is whole."""
        records, length = records_in(content)
        marked = [record for record in records if self.mark in record]
        self.reports[name] = self.reports.get(name, 0) + len(marked)
        if marked:
            self.steps[name] = _step(marked[-1])
        return length


class _OnDisk(_Events):
    def __init__(self, path: Path, mark: bytes) -> None:
        super().__init__(mark)
        self.path = path
        self.files: dict[str, Path] = {}
        for file in sorted(path.glob(f"*/*{IN_NAME}*")) if mark else ():
            with _warned(file):
                length = self._take_in(file.parent.name, file.read_bytes())
                if length < file.stat().st_size:
                    os.truncate(file, length)  # a killed process was writing its last record
                self.files[file.parent.name] = file

    def append(self, name: str, events: Iterable["Event"]) -> None:
        with _warned(self.path / name):
            file = self.files.get(name)
            if file is None:
                file = self.files[name] = self.path / name / _new_name()
                file.parent.mkdir(parents=True, exist_ok=True)
                events = [_first(), *events]
            with file.open("ab", buffering=0) as opened:
                opened.write(as_records(events))

    def replace(self, name: str, events: Iterable["Event"]) -> None:
        with _warned(self.path / name):
            earlier = list((self.path / name).glob(f"*{IN_NAME}*"))
            self.files.pop(name, None)
            self.append(name, [*anew(), *events] if earlier else events)
            for file in earlier:
                file.unlink()

    def close(self) -> None:
        pass


class _InBucket(_Events):
    def __init__(self, path: Any, mark: bytes) -> None:
        super().__init__(mark)
        self.path = path
        self.waiting: dict[str, list[Event]] = {}
        self.lock, self.ending = threading.Lock(), threading.Event()
        with _warned(path):
            for file, content in self._read().items() if mark else ():
                self._take_in(file.split("/")[-2], content)
        self.thread = threading.Thread(target=self._write_now_and_then, daemon=True)
        self.thread.start()

    def _read(self) -> Mapping[str, bytes]:
        files = sorted(file for file in self.path.fs.find(self.path.path) if IN_NAME in file)
        contents: Mapping[str, bytes] = self.path.fs.cat(files) if files else {}
        return {file: contents[file] for file in files}

    def append(self, name: str, events: Iterable["Event"]) -> None:
        with self.lock:
            self.waiting.setdefault(name, [_first()]).extend(events)

    def replace(self, name: str, events: Iterable["Event"]) -> None:
        with _warned(self.path / name):
            earlier = [file for file in self.path.fs.find((self.path / name).path) if IN_NAME in file]
            self.waiting.pop(name, None)
            self.append(name, [*anew(), *events] if earlier else events)
            self._write()
            if earlier:
                self.path.fs.rm(earlier)

    def close(self) -> None:
        self.ending.set()
        self.thread.join()
        self._write()

    def _write_now_and_then(self) -> None:
        while not self.ending.wait(FLUSH_SECONDS):
            self._write()

    def _write(self) -> None:
        """Writes what has come in, all names at once."""
        with self.lock:
            waiting, self.waiting = self.waiting, {}
        if waiting:
            name = _new_name()
            with _warned(self.path):
                self.path.fs.pipe(
                    {(self.path / run / name).path: as_records(events) for run, events in waiting.items()}
                )
