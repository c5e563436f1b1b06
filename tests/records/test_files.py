"""Files that are whole or not there."""

import resource
import threading
from pathlib import Path

import pytest

from tautune.records.errors import InputError, RunFailed
from tautune.records.files import read_json, write_bytes, write_json
from tautune.records.folder_lock import FolderLock, Held
from tautune.records.typed import Object


def test_a_file_that_cannot_be_written_is_named_and_stays_as_it_was(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kept": 1})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))  # as a full disk
    try:
        with pytest.raises(RunFailed, match="a.json cannot be written: File too large"):
            write_bytes(tmp_path / "a.json", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert read_json(tmp_path / "a.json", Object) == {"kept": 1}
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    """Two sweeps of one study share the cache of its minimum, and no lock."""
    contents = [bytes([number]) * 100_000 for number in range(4)]
    failures: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                write_bytes(tmp_path / "shared", content)
                assert (tmp_path / "shared").read_bytes() in contents
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(tmp_path.iterdir()) == [tmp_path / "shared"]


def test_a_failed_read_is_told_from_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing.json cannot be read: No such file or directory"):
        read_json(tmp_path / "missing.json", Object)
    with pytest.raises(InputError, match=f"{tmp_path.name} cannot be read: Is a directory"):
        read_json(tmp_path, Object)
    with pytest.raises(RunFailed, match="no/file cannot be written: No such file or directory"):
        write_bytes(tmp_path / "no" / "file", b"")


def test_a_lock_whose_file_was_removed_keeps_nobody_out(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    with pytest.raises(Held):
        FolderLock(tmp_path)
    first.release(remove=True)
    assert list(tmp_path.iterdir()) == []
    FolderLock(tmp_path).release()
