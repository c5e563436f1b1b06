"""Reads a table of trainings from a CSV file or a DataFrame: one row for each report of each configuration."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tautune.records.errors import InputError, user_input
from tautune.records.storage import Folder, reading
from tautune.runners.simulation.table import Config, Report, Table, trainings_of
from tautune.search_spaces.names import check_name
from tautune.trainables.goal import COLUMNS, Goal, Mode

if TYPE_CHECKING:
    from pandas import DataFrame

Row = Mapping[str, Any]
PREFIX = "config/"
"""Begins the names of the hyperparameters' columns where a table has others too, as trials.csv has."""
EPOCH, SECONDS = ("epoch", "epochs"), ("seconds",)
"""Names of the columns that say after how many epochs, and after how many seconds, a row was reported."""
WORDS = {"true": True, "false": False}


def read_csv(file: Folder, metric: str | None, mode: Mode | None) -> Table:
    """Returns the table in a file.

    Raises:
        InputError: the file cannot be read, or is no such table.
    """
    with reading(file):
        content = file.read_bytes()
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        names, *rows = [line for line in lines if line] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no CSV file: {error}") from None
    if not names:
        raise InputError(f"{file} is empty: it needs a header, and a row for each configuration")
    ragged = next((number for number, row in enumerate(rows, 2) if len(row) != len(names)), None)
    if ragged:
        raise InputError(f"{file}: row {ragged} has {len(rows[ragged - 2])} values, and there are {len(names)} columns")
    return table_of(
        str(file), names, ({n: parsed(v) for n, v in zip(names, row, strict=True)} for row in rows), metric, mode
    )


def read_frame(frame: "DataFrame", metric: str | None, mode: Mode | None) -> Table:
    """Returns the table in a DataFrame. Raises InputError if it is none."""
    rows = ({str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records"))
    return table_of("the DataFrame", [str(name) for name in frame.columns], rows, metric, mode)


def table_of(name: str, names: Sequence[str], rows: Iterable[Row], metric: str | None, mode: Mode | None) -> Table:
    """Returns the table that rows make, of which None stands for an empty cell."""
    if len(set(names)) != len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise InputError(f"{name} has two columns {twice!r}; rename one")
    goal = _goal(name, names, metric, mode)
    prefixed = [column for column in names if column.startswith(PREFIX)]
    epoch, seconds = (next((c for c in known if c in names), None) for known in (EPOCH, SECONDS))
    searched = prefixed or [column for column in names if column not in (goal.metric, epoch, seconds)]
    reports = []
    for number, row in enumerate(rows, 1):
        config: Config = {c.removeprefix(PREFIX): row[c] for c in searched if row[c] is not None}
        value, at = _number(name, number, row, goal.metric), _number(name, number, row, epoch) if epoch else 1.0
        reports.append((config, Report(at, value, _number(name, number, row, seconds) if seconds else at)))
    if not reports:
        raise InputError(f"{name} has no rows: it needs one for each configuration")
    unit = "seconds" if seconds else "epochs" if epoch else "trainings"
    return Table(name=name, goal=goal, trainings=trainings_of(name, reports), unit=unit)


def _goal(name: str, names: Sequence[str], metric: str | None, mode: Mode | None) -> Goal:
    known = [column for column in names if not column.startswith(PREFIX) and column not in COLUMNS]
    if metric is None and "validation_accuracy" in known:
        metric, mode = "validation_accuracy", mode or "max"
    if metric is None:
        raise InputError(f"metric must be given: one of the columns of {name}, {', '.join(known) or 'which has none'}")
    with user_input():
        check_name(f"{name}: the column", metric, known)
    if mode is None:
        raise InputError(f"mode must be given: max or min, which values of {metric} are the better ones")
    return Goal(metric, mode)


def _number(name: str, number: int, row: Row, column: str) -> float:
    value = row[column]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        shown = "empty" if value is None else repr(value)
        raise InputError(f"{name}: {column} of row {number} must be a finite number, not {shown}; leave the row out")
    return float(value)


def parsed(text: str) -> Any:
    """Returns a cell as a finite number, a truth value or a text; None if it is empty."""
    text = text.strip()
    for kind in (int, float):
        with suppress(ValueError):
            if math.isfinite(number := kind(text)):
                return number
    return WORDS.get(text.lower(), text) if text else None


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or value != value else value  # pandas has NaN in empty cells
