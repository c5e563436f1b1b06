"""Recorded delays in a file, a user's or ours: a CSV table with a column `age` or `delay`, one row for each step."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tautune.records.errors import InputError
from tautune.records.storage import Folder
from tautune.trainables.asynchronous.replay import WRITTEN, Recorded, queue_delays
from tautune.trainables.theory.delays import Delays, as_delays

COLUMNS = ("delay", "age")
"""Names that the column may have: a user's, and that of an asynchronous run of ours."""
WHOLE = re.compile(r"[0-9]+(\.0*)?", re.ASCII)
"""A whole number ≥ 0, which a table of floats writes as 1.0."""
LateDelays = Mapping[int, float] | Sequence[int] | str | Path | Any
"""Delays that vary: {d: probability}, those of a recorded run, the path of a file that holds them, a `RandomDelay`."""


def late_delays(given: LateDelays | None) -> Delays | None:
    """Returns the delays that a value stands for, or None for None. Raises ValueError if it stands for none."""
    if given is None:
        return None
    return Delays.recorded(read_delays(Path(given))) if isinstance(given, str | Path) else as_delays(given)


def write_delays(path: Path, rows: Iterable[Any]) -> None:
    """Writes the gradients that an asynchronous run applied: one a line, with what `WRITTEN` names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(WRITTEN)
        table.writerows([getattr(row, name) for name in WRITTEN] for row in rows)


def read_delays(path: Folder) -> list[int]:
    """Returns the delays of a recorded run, in optimizer steps.

    Raises:
        InputError: the file cannot be read, has no such column, no row, or a row without a whole number ≥ 0; or it
            numbers its steps and one is missing.
    """
    header, rows = _table(path)
    column = next((name for name in COLUMNS if name in header), None)
    if column is None:
        raise InputError(f"{path} has no column 'delay' or 'age' in its first line")
    if not rows:
        raise InputError(f"{path} has no delays below its first line")
    delays = _numbers(path, header, rows, column)
    if "step" in header:
        _check_whole(path, rows, _numbers(path, header, rows, "step"))
    return delays


def read_trace(path: str | Path) -> Recorded:
    """Returns how a `GradientQueue` repeats a run of workers: its `delays`, and the numbers of its `batches`.

        trace = tautune.read_trace("delays.csv")
        queue = tautune.GradientQueue(optimizer, delay=trace)

    Args:
        path: a delays.csv, as every asynchronous run writes it.

    Raises:
        InputError: the file is none, or a queue cannot repeat the run: several gradients made one update, or workers
            were lost.
    """
    path = Path(path)
    header, rows = _table(path)
    missing = next((name for name in WRITTEN if name not in header), None)
    if missing:
        raise InputError(f"{path} has no column {missing!r} in its first line; a delays.csv has {', '.join(WRITTEN)}")
    columns = {name: _numbers(path, header, rows, name) for name in WRITTEN}
    applied = [_Applied(*numbers) for numbers in zip(*columns.values(), strict=True)]
    if not applied:
        raise InputError(f"{path} has no delays below its first line")
    _check_whole(path, rows, columns["step"])
    try:
        return queue_delays(applied, workers=_workers(applied))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


class _Applied(NamedTuple):
    step: int
    worker: int
    age: int
    gradient: int
    batch: int


def _workers(applied: list[_Applied]) -> int:
    """Returns N, also where a slow worker is not in the trace: update t comes after N + t gradients were handed out."""
    later = (one.gradient + 1 - (one.step - one.age) for one in applied if one.age < one.step)
    return max(next(later, 0), *(one.worker + 1 for one in applied))


Rows = list[tuple[int, list[str]]]
"""Each line's number and cells."""


def _table(path: Folder) -> tuple[list[str], Rows]:
    try:
        rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
        header = [name.strip() for name in next(rows, [])]
        return header, [(rows.line_num, row) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no text file with a table"
        raise InputError(f"{path} cannot be read: {reason}") from None


def _numbers(path: Folder, header: list[str], rows: Rows, column: str) -> list[int]:
    place, what = header.index(column), "delay" if column in COLUMNS else column
    cells = [(line, row[place].strip() if place < len(row) else "") for line, row in rows]
    wrong = next(((line, cell) for line, cell in cells if not WHOLE.fullmatch(cell)), None)
    if wrong:
        unit = " (optimizer steps)" if column in COLUMNS else ""
        raise InputError(f"{path}, line {wrong[0]}: a {what} must be an integer ≥ 0{unit}, not {wrong[1]!r}")
    return [int(cell.partition(".")[0]) for _, cell in cells]


def _check_whole(path: Folder, rows: Rows, steps: list[int]) -> None:
    """Raises InputError if a step is missing; several gradients may have made one step."""
    for (line, _), before, step in zip(rows, [-1, *steps], steps, strict=False):
        if step not in (before, before + 1):
            missing = f"step {before + 1} is missing" if step > before else f"step {step} comes after step {before}"
            raise InputError(f"{path}, line {line}: {missing}; a trace has a line for every step, from 0")
