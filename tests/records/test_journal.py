"""The journal: every event is there after a kill, a torn end is no damage, and damage is named."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tautune.records.errors import RunFailed
from tautune.records.journal import FILE, PARTS, open_journal, read_journal

EVENTS = [{"number": number, "text": "τ" * number} for number in range(20)]


def written(folder: Path) -> Path:
    journal = open_journal(folder)
    for event in EVENTS:
        journal.append(event)
    journal.close()
    return folder / FILE


def test_events_come_back_in_their_order_and_more_can_follow(tmp_path: Path) -> None:
    assert read_journal(tmp_path) == []
    written(tmp_path)
    journal = open_journal(tmp_path, [{"of": "no use, as there is a journal"}])
    journal.append({"number": 20})
    journal.close()
    assert read_journal(tmp_path) == [*EVENTS, {"number": 20}]


def test_a_folder_without_a_journal_begins_with_what_is_known(tmp_path: Path) -> None:
    open_journal(tmp_path, EVENTS).close()
    assert read_journal(tmp_path) == EVENTS


def test_a_journal_that_was_copied_from_a_bucket_is_read_and_goes_on(tmp_path: Path) -> None:
    lines = written(tmp_path).read_bytes().splitlines(keepends=True)
    copied = tmp_path / "copied"
    (copied / PARTS).mkdir(parents=True)
    for part, own in enumerate((lines[:7], lines[7:])):
        (copied / PARTS / f"{part:06d}.log").write_bytes(b"".join(own))
    assert read_journal(copied) == EVENTS
    journal = open_journal(copied, [{"of": "no use, as there is a journal"}])
    journal.append({"number": 20})
    journal.close()
    assert read_journal(copied) == [*EVENTS, {"number": 20}]


def test_wherever_a_process_is_killed_whole_events_are_left_and_the_next_one_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = written(tmp_path).read_bytes()
    for length in range(0, len(content), 7):
        (tmp_path / FILE).write_bytes(content[:length])
        left = read_journal(tmp_path)
        assert left == EVENTS[: len(left)]
        assert len(left) == content[:length].count(b"\n")
        journal = open_journal(tmp_path)
        journal.append({"after": length})
        journal.close()
        assert read_journal(tmp_path) == [*left, {"after": length}]
    assert not caplog.records


def test_a_flipped_bit_costs_one_event_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = written(tmp_path)
    content = file.read_bytes()
    ends = [place for place, byte in enumerate(content) if byte == ord("\n")]
    for place in range(0, len(content), 13):
        if place in ends:
            continue
        damaged = bytearray(content)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            left = read_journal(tmp_path)
        lost = sum(end < place for end in ends)
        assert left == EVENTS[:lost] + EVENTS[lost + 1 :] or damaged[place] == ord("\n")
        assert f"line {lost + 1} is damaged" in caplog.text


def test_events_are_on_disk_when_append_returns(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from tautune.records.journal import open_journal\n"
        "journal = open_journal(Path(sys.argv[1]))\n"
        "for number in range(100): journal.append({'number': number})\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert read_journal(tmp_path) == [{"number": number} for number in range(100)]


def test_where_there_is_no_room_it_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path; from tautune.records.journal import open_journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "journal = open_journal(Path(sys.argv[1]))\n"
        "try:\n"
        "    for number in range(100): journal.append({'number': number})\n"
        "except Exception as error: print(type(error).__name__, number, error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True)
    name, number, *message = done.stdout.split()
    assert name == RunFailed.__name__
    assert "cannot be written" in " ".join(message)
    assert read_journal(tmp_path) == [{"number": before} for before in range(int(number))]
    assert os.path.getsize(tmp_path / FILE) <= 1000  # noqa: PTH202
