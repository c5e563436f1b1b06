"""A grid's folder: the points in points.csv, a line each, written as they come."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tautune.records.csv_table import as_lines, number_in, read_table, truth_in
from tautune.records.errors import RunFailed
from tautune.records.files import write_bytes
from tautune.records.run_folder import RunFolder
from tautune.records.storage import Folder, writing

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
        self.content = as_lines([HEADER, *((*point, *rows[point]) for point in sorted(rows))])
        self.written = time.monotonic()
        write_bytes(self.table, self.content)

    def append(self, rows: "Iterable[tuple[Point, Outcome]]") -> None:
        """Adds lines to a table that `write` began, in one write, so that a kill can only cut off the last line.

        In a bucket, where nothing can be added to an object, the table is written anew every `BUCKET_SECONDS`.
        """
        lines = as_lines((*point, *outcome) for point, outcome in rows)
        if isinstance(self.table, Path):
            with writing(self.table, RunFailed), self.table.open("ab") as file:
                file.write(lines)
            return
        self.content += lines
        if time.monotonic() - self.written > BUCKET_SECONDS:
            self.written = time.monotonic()
            write_bytes(self.table, self.content)


def read_points(table: Folder, damaged: list[str] | None = None) -> "dict[Point, Outcome]":
    """Returns every point of a table, as `read_table` does."""
    return dict(read_table(table, HEADER, _row, damaged))


def _row(cells: list[str]) -> "tuple[Point, Outcome]":
    """Raises ValueError or KeyError if the cells are not a point and its outcome."""
    from tautune.trainables.grid.point import Outcome, Point

    τ, η, m, shifted, seed, loss, accuracy, diverged, steps = cells
    point = Point(int(τ), number_in(η), number_in(m), truth_in(shifted), int(seed))
    point.check()
    # A regression has no accuracy.
    outcome = Outcome(number_in(loss), number_in(accuracy) if accuracy else None, truth_in(diverged), int(steps))
    return point, outcome
