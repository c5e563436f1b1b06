"""A grid's folder on disk: configuration in run.json, the points in points.csv, a line each, written as they come."""

import csv
import fcntl
import io
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from cluster.errors import InputError
from cluster.sweep_folder import read_json, write_bytes, write_json
from trainables.grid_point import Outcome, Point

Json = dict[str, Any]
HEADER = (*Point._fields, *Outcome._fields)


class GridFolder:
    """`path` with the points of one configuration; a context.

    Raises:
        InputError: the folder cannot be written, or holds something else.
    """

    def __init__(self, path: Path, configuration: Json) -> None:
        self.path, self.configuration = path.resolve(), configuration
        self.run = self._read_run()
        self.table = self.path / "points.csv"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise InputError(f"--output: {path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends, however it ends
        except OSError:
            raise InputError(f"--output: another grid is writing {self.path}; wait for it, or give another") from None

    def __enter__(self) -> "GridFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.close()

    def _read_run(self) -> Json:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"--output: {self.path} is a file; give a folder")
        run_file = self.path / "run.json"
        if not run_file.exists():
            if self.path.exists() and any(file.name != ".lock" for file in self.path.iterdir()):
                raise InputError(f"--output: {self.path} holds files but no run.json; give an empty or a new folder")
            return {}
        run: Json = read_json(run_file)
        held = run.get("configuration", {})
        for key, value in self.configuration.items():
            if held.get(key) != value:
                raise InputError(
                    f"--output: {self.path} holds a grid with {key} = {held.get(key)!r}, not {value!r}; "
                    "give another folder"
                )
        return run

    def keep_run(self, **entries: Any) -> None:
        """Adds to run.json, and writes it."""
        self.run |= {"configuration": self.configuration} | entries
        write_json(self.path / "run.json", self.run)

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
                found[point] = Outcome(float(loss), float(accuracy), diverged == "1", int(steps))
            except ValueError:
                raise InputError(
                    f"{self.table} is damaged in line {number}; remove it, or give another folder"
                ) from None
        return found

    def write(self, rows: dict[Point, Outcome]) -> None:
        """The whole table, in the order of the points."""
        write_bytes(self.table, _lines([HEADER, *(_cells(p, rows[p]) for p in sorted(rows))]))

    def append(self, rows: Iterable[tuple[Point, Outcome]]) -> None:
        """Adds lines to a table that `write` began. One write: what a kill interrupts is the last line."""
        with self.table.open("ab") as file:
            file.write(_lines(_cells(*row) for row in rows))


def _cells(point: Point, outcome: Outcome) -> list[str]:
    """Numbers with all their digits; true is 1 and false 0."""
    return [repr(int(v)) if isinstance(v, bool) else repr(v) for v in (*point, *outcome)]


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
