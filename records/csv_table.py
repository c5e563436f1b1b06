"""Tables of what was measured, as CSV, a line each: damaged lines are named, or the first of them is an error."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tautune.records.errors import InputError
from tautune.records.storage import Folder, reading

Row = TypeVar("Row")


def read_table(
    table: Folder, header: tuple[str, ...], row: Callable[[list[str]], Row], damaged: list[str] | None = None
) -> Iterator[Row]:
    """Yields the rows of a table, without a line that a killed run left unfinished; none if there is no table.

    Args:
        table: the file.
        header: its first line.
        row: makes a row of a line's cells; it raises ValueError or KeyError if they are none.
        damaged: takes a sentence about each damaged line, which is left out; without it, the first one is an error.

    Raises:
        InputError: the table is damaged.
    """
    with reading(table):
        content = table.read_bytes() if table.exists() else b""
    whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
    for number, cells in enumerate(csv.reader(io.StringIO(whole)), start=1):
        try:
            if number > 1:
                yield row(cells)
            elif tuple(cells) != header:
                raise ValueError
        except (ValueError, KeyError):
            if damaged is None:
                raise InputError(f"{table} is damaged in line {number}; remove it, or give another folder") from None
            damaged.append(f"{table}: line {number} is damaged and is left out")


def number_in(cell: str) -> float:
    """Returns the finite number in a cell. Raises ValueError if there is none."""
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def truth_in(cell: str) -> bool:
    """Returns the truth in a cell. Raises KeyError if there is none."""
    return {"0": False, "1": True}[cell]


def as_lines(rows: Iterable[Iterable[float | str | None]]) -> bytes:
    """Returns rows as lines: numbers with all their digits, true as 1, false as 0, None as an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else repr(int(value)) if isinstance(value, bool) else repr(value)
