"""Event files: each record once, however a process ended; what is damaged is found; TensorBoard reads the rest."""

import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tautune.records.event_files import BOARD, checked, open_events, records_in
from tautune.records.summaries import event, scalars

MARK = b"a/loss"


def point(step: int, value: float | None = None) -> Any:
    return event(scalars({"a/loss": step / 2 if value is None else value}), step)


def points_in(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / BOARD / name)).Reload().Scalars("a/loss")
    return [(point.step, point.value) for point in events]


def file_of(folder: Path, name: str) -> Path:
    (file,) = (folder / BOARD / name).iterdir()
    return file


def test_what_is_appended_is_read_by_tensorboard(tmp_path: Path) -> None:
    events = open_events(tmp_path, MARK)
    for step in (1, 2):
        events.append("01 η=1", [point(step)])
    events.append("a 'b' \"c\" <script>", [point(9)])
    events.close()
    assert points_in(tmp_path, "01 η=1") == [(1, 0.5), (2, 1.0)]
    assert points_in(tmp_path, "a 'b' \"c\" <script>") == [(9, 4.5)]


@pytest.mark.parametrize("torn", [0, 1, 5, 20])
def test_a_record_that_a_killed_process_was_writing_is_written_again_and_no_other(torn: int, tmp_path: Path) -> None:
    events = open_events(tmp_path, MARK)
    events.append("01", [event([], 0)])
    for step in (1, 2, 3):
        events.append("01", [point(step)])
    file = file_of(tmp_path, "01")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - torn])
    again = open_events(tmp_path, MARK)
    left = 3 if torn == 0 else 2
    assert (again.reports, again.steps) == ({"01": left}, {"01": left})
    for step in range(left + 1, 5):
        again.append("01", [point(step)])
    assert [step for step, _ in points_in(tmp_path, "01")] == [1, 2, 3, 4]


def test_what_is_replaced_is_gone(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        events = open_events(tmp_path)
        events.replace("measured", [point(1, value)])
        events.append("measured", [point(2, value)])
    assert points_in(tmp_path, "measured") == [(1, 2.0), (2, 2.0)]


def test_no_nan_is_written(tmp_path: Path) -> None:
    events = open_events(tmp_path)
    numbers = {"a/loss": 1.0, "nan": float("nan"), "inf": float("inf")}
    events.append("01", [event(scalars(numbers), 1)])
    assert EventAccumulator(str(tmp_path / BOARD / "01")).Reload().Tags()["scalars"] == ["a/loss"]


def test_a_full_disk_is_a_warning_and_not_the_end_of_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / BOARD).write_text("a file where the folder should be")
    events = open_events(tmp_path, MARK)
    events.append("01", [point(1)])
    events.close()
    assert "01 cannot be written: Not a directory; TensorBoard will not show all of this run" in caplog.text


def damaged(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def test_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    events = open_events(tmp_path)
    events.append("01", [point(step) for step in (1, 2, 3)])
    content = file_of(tmp_path, "01").read_bytes()
    records, length = records_in(content)
    assert (len(records), length) == (4, len(content))
    assert checked(content) == (content, None)
    assert checked(content[:-1]) == (content[: -len(records[3]) - 16], None)  # which is being written
    second = 16 + len(records[0])
    assert struct.unpack_from("<Q", content, second) == (len(records[1]),)
    third = second + 16 + len(records[1])
    assert checked(damaged(content, second + 14)) == (content[:second] + content[third:], second)
    assert checked(damaged(content, second + 2)) == (content[:second], second)
    assert checked(b"no event file at all") == (b"", 0)
    assert checked(b"") == (b"", None)
