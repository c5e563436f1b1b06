"""A grid's folder: the points in points.csv, a line each, written as they come."""

import csv
import io
import time
from collections.abc import Iterable
from pathlib import Path

from tautune.records.errors import InputError
from tautune.records.files import write_bytes
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder
from tautune.trainables.grid.point import Outcome, Point

HEADER = (*Point._fields, *Outcome._fields)
BUCKET_SECONDS = 10.0
"""Between two puts of the table, while points come."""


class GridFolder(RunFolder):
    kind = "grid"

    @property
    def table(self) -> Folder:
        return self.path / "points.csv"

    def rows(self) -> dict[Point, Outcome]:
        """Every point that is there; a line that a killed run left unfinished is not one.

        Raises:
            InputError: points.csv is damaged.
        """
        if not self.table.exists():
            return {}
        content = self.table.read_bytes()
        whole = content[: content.rfind(b"\n") + 1].decode(errors="replace")
        found: dict[Point, Outcome] = {}
        for number, cells in enumerate(csv.reader(io.StringIO(whole)), start=1):
            try:
                if number == 1:
                    if tuple(cells) != HEADER:
                        raise ValueError
                    continue
                τ, η, m, shifted, seed, loss, accuracy, diverged, steps = cells
                point = Point(int(τ), float(η), float(m), shifted == "1", int(seed))
                found[point] = Outcome(float(loss), float(accuracy) if accuracy else None, diverged == "1", int(steps))
            except ValueError:
                raise InputError(
                    f"{self.table} is damaged in line {number}; remove it, or give another folder"
                ) from None
        return found

    def write(self, rows: dict[Point, Outcome]) -> None:
        """The whole table, in the order of the points."""
        self.content = _lines([HEADER, *(_cells(p, rows[p]) for p in sorted(rows))])
        self.written = time.monotonic()
        write_bytes(self.table, self.content)

    def append(self, rows: Iterable[tuple[Point, Outcome]]) -> None:
        """Adds lines to a table that `write` began. One write: what a kill interrupts is the last line.

        In a bucket, where nothing can be added to an object, it is written anew, some seconds apart.
        """
        lines = _lines(_cells(*row) for row in rows)
        if isinstance(self.table, Path):
            with self.table.open("ab") as file:
                file.write(lines)
            return
        self.content += lines
        if time.monotonic() - self.written > BUCKET_SECONDS:
            self.written = time.monotonic()
            write_bytes(self.table, self.content)


def _cells(point: Point, outcome: Outcome) -> list[str]:
    """Numbers with all their digits; true is 1, false 0, and None an empty cell."""
    values = (*point, *outcome)
    return ["" if v is None else repr(int(v)) if isinstance(v, bool) else repr(v) for v in values]


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
