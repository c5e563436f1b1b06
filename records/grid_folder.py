"""A grid's folder: the points in points.csv, a line each, written as they come."""

import csv
import io
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.errors import InputError, RunFailed
from tautune.records.files import write_bytes
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, reading, writing

if TYPE_CHECKING:
    from tautune.trainables.grid.point import Outcome, Point  # imports torch, which only the table's rows need

HEADER = ("delay", "learning_rate", "momentum", "shifted", "seed", "loss", "accuracy", "diverged", "steps")
"""The fields of a `Point` and of its `Outcome`."""
BUCKET_SECONDS = 10.0
"""Time between two writes of the table to a bucket while points come, in seconds."""


class GridFolder(RunFolder):
    """See `RunFolder`."""

    kind = "grid"

    @property
    def table(self) -> Folder:
        """The table of the points, points.csv."""
        return self.path / "points.csv"

    def rows(self) -> "dict[Point, Outcome]":
        """Returns every point of the table, without a line that a killed run left unfinished.

        Raises:
            InputError: points.csv is damaged.
        """
        return read_points(self.table)

    def write(self, rows: "dict[Point, Outcome]") -> None:
        """Writes the whole table, in the order of the points."""
        self.content = _lines([HEADER, *(_cells(p, rows[p]) for p in sorted(rows))])
        self.written = time.monotonic()
        write_bytes(self.table, self.content)

    def append(self, rows: "Iterable[tuple[Point, Outcome]]") -> None:
        """Adds lines to a table that `write` began, in one write, so that a kill can only cut off the last line.

        In a bucket, where nothing can be added to an object, the table is written anew every `BUCKET_SECONDS`.
        """
        lines = _lines(_cells(*row) for row in rows)
        if isinstance(self.table, Path):
            with writing(self.table, RunFailed), self.table.open("ab") as file:
                file.write(lines)
            return
        self.content += lines
        if time.monotonic() - self.written > BUCKET_SECONDS:
            self.written = time.monotonic()
            write_bytes(self.table, self.content)


def read_points(table: Folder, damaged: list[str] | None = None) -> "dict[Point, Outcome]":
    """Returns every point of a table, without a line that a killed run left unfinished; none if there is no table.

    Args:
        table: points.csv.
        damaged: takes a sentence about each damaged line, which is left out; without it, the first one is an error.

    Raises:
        InputError: the table is damaged.
    """
    with reading(table):
        content = table.read_bytes() if table.exists() else b""
    whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
    found: dict[Point, Outcome] = {}
    for number, cells in enumerate(csv.reader(io.StringIO(whole)), start=1):
        try:
            if number > 1:
                point, outcome = _row(cells)
                found[point] = outcome
            elif tuple(cells) != HEADER:
                raise ValueError
        except (ValueError, KeyError):
            if damaged is None:
                raise InputError(f"{table} is damaged in line {number}; remove it, or give another folder") from None
            damaged.append(f"{table}: line {number} is damaged and is left out")
    return found


def _row(cells: list[str]) -> "tuple[Point, Outcome]":
    """Raises ValueError or KeyError if the cells are not a point and its outcome."""
    from tautune.trainables.grid.point import Outcome, Point

    τ, η, m, shifted, seed, loss, accuracy, diverged, steps = cells
    point = Point(int(τ), _number(η), _number(m), _truth(shifted), int(seed))
    point.check()
    # A regression has no accuracy.
    return point, Outcome(_number(loss), _number(accuracy) if accuracy else None, _truth(diverged), int(steps))


def _number(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(cell: str) -> bool:
    return {"0": False, "1": True}[cell]


def _cells(point: "Point", outcome: "Outcome") -> list[str]:
    """Returns numbers with all their digits; true is 1, false 0 and None an empty cell."""
    return [_cell(value) for value in (*point, *outcome)]


def _cell(value: float | None) -> str:
    return "" if value is None else repr(int(value)) if isinstance(value, bool) else repr(value)


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
