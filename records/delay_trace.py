"""Recorded delays in a file, a user's or ours: a CSV table with a column `age` or `delay`, one row for each step."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tautune.records.errors import InputError
from tautune.trainables.asynchronous.replay import WRITTEN
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


def read_delays(path: Path) -> list[int]:
    """Returns the delays of a recorded run, in optimizer steps.

    Raises:
        InputError: the file cannot be read, has no such column, no row, or a row without a whole number ≥ 0.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            column = next((name for name in COLUMNS if name in header), None)
            if column is None:
                raise InputError(f"{path} has no column 'delay' or 'age' in its first line")
            place = header.index(column)
            cells = [(rows.line_num, row[place].strip() if place < len(row) else "") for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no text file with a table"
        raise InputError(f"{path} cannot be read: {reason}") from None
    if not cells:
        raise InputError(f"{path} has no delays below its first line")
    wrong = next(((line, cell) for line, cell in cells if not WHOLE.fullmatch(cell)), None)
    if wrong:
        raise InputError(f"{path}, line {wrong[0]}: a delay must be an integer ≥ 0 (optimizer steps), not {wrong[1]!r}")
    return [int(cell.partition(".")[0]) for _, cell in cells]
