"""Tables of numbers that a user gives to predict with, as CSV or .npy, and the ones that are handed back."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tautune.records.errors import InputError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Table:
    """What is predicted."""

    columns: list[str]
    rows: list[list[Any]]

    def as_csv(self) -> str:
        """Returns the table with its columns' names in the first line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.columns, *self.rows])
        return text.getvalue()

    def as_dicts(self) -> list[dict[str, Any]]:
        """Returns a dict for each row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def read_array(file: Path) -> Array:
    """Returns the numbers of a .npy file. Raises InputError if it is none, or they are not finite."""
    try:
        array = np.load(file, allow_pickle=False)
    except Exception as error:  # numpy's reader raises many kinds for what is no .npy
        raise InputError(f"{file} is no array that can be read: {error}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise InputError(f"{file} must hold one array of finite numbers")
    return array


def read_csv(file: Path, columns: Sequence[str], width: int) -> Array:
    """Returns the numbers [rows, width] of a CSV file.

    Args:
        file: its first line may name the columns.
        columns: those that are wanted, by their names where the file has names; without them, all are taken.
        width: how many numbers there must be in a row.

    Raises:
        InputError: a column is missing, a row has too few or too many, or something is no finite number.
    """
    try:
        reader = csv.reader(file.read_text(encoding="utf-8-sig").splitlines())
        numbered = [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no CSV that can be read: {error}") from None
    if not numbered:
        raise InputError(f"{file} is empty; it must have {_expected(columns, width)}")
    (_, top), *_ = numbered
    header = [cell.strip() for cell in top] if any(_number(cell) is None for cell in top) else None
    body = numbered[1:] if header else numbered
    if not body:
        raise InputError(f"{file} has no row below its columns' names")
    places = _places(file, header, columns, width)
    return np.array([_row(file, line, cells, len(top), places, header) for line, cells in body])


def _places(file: Path, header: list[str] | None, columns: Sequence[str], width: int) -> list[int] | None:
    if header is None or not columns:
        return None
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{file} has no column {missing[0]}; it must have {_expected(columns, width)}")
    return [header.index(name) for name in columns]


def _row(
    file: Path, line: int, cells: list[str], width: int, places: list[int] | None, header: list[str] | None
) -> list[float]:
    if len(cells) != width:
        where = "columns" if header else "in the first line"
        raise InputError(f"{file}, line {line}: {len(cells)} values, and there are {width} {where}")
    wanted = range(len(cells)) if places is None else places
    found = []
    for place in wanted:
        value = _number(cells[place])
        if value is None or not math.isfinite(value):
            where = f" in column {header[place]}" if header else ""
            raise InputError(f"{file}, line {line}: {cells[place]!r}{where} must be a finite number")
        found.append(value)
    return found


def checked_width(file: Path, array: Array, columns: Sequence[str], width: int) -> Array:
    """Returns the array [rows, width]. Raises InputError if it has another width."""
    if array.ndim != 2 or array.shape[1] != width:
        raise InputError(f"{file} has the shape {array.shape}; it must have {_expected(columns, width)}")
    return array


def _expected(columns: Sequence[str], width: int) -> str:
    names = f": {', '.join(columns)}" if columns else ""
    return f"{width} columns{names}" if width != 1 else f"one column{names}"


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
