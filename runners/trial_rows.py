"""The rows of a tuning's trials as trials.jsonl has them: read, and sorted by a column."""

import difflib
from typing import Any, cast

from tautune.records.errors import InputError
from tautune.records.storage import Folder, reading
from tautune.records.trial_row import LoopRow, Row
from tautune.records.typed import Misshapen, decode, shaped
from tautune.runners.trials import COUNTS, score_columns
from tautune.trainables.goal import ACCURACY, COLUMNS, Goal

Json = dict[str, Any]


def read_rows(folder: Folder, goal: Goal = ACCURACY) -> list[Json]:
    """Returns the rows of trials.jsonl, the best first; none if there is no such file.

    Raises:
        InputError: the file is damaged.
    """
    path = folder / "trials.jsonl"
    with reading(path):
        lines = path.read_bytes().splitlines() if path.exists() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_row(line, goal))
        except Misshapen as error:
            raise InputError(f"{path} is damaged in line {number}: {error}; `tautune resume` writes it anew") from None
    return rows


def _row(line: bytes, goal: Goal) -> Json:
    if goal == ACCURACY:
        return cast("Json", decode(line, Row))
    row = cast("Json", decode(line, LoopRow))
    shaped({name: value for name, value in row.items() if name not in COLUMNS}, dict[str, float])
    for needed in (*goal.asked, *goal.ties):
        if needed not in row:
            raise Misshapen(f"it has no {needed}")
    return row


def sorted_rows(rows: list[Json], by: str, goal: Goal = ACCURACY) -> list[Json]:
    """Returns the rows by a column or a hyperparameter, descending for "-name"; those without it come last.

    Raises:
        InputError: there is no such column.
    """
    name = by.removeprefix("-")
    own = ("number", "state", *score_columns(rows, goal), *COUNTS)
    known = [*own, *{name for row in rows for name in row["config"]}]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise InputError(f"--sort: there is no column {name!r}; {hint}")
    values = [(row.get(name) if name in own else row["config"].get(name), row) for row in rows]
    have = [(value, row) for value, row in values if value is not None]
    numbers = all(isinstance(value, int | float) for value, _ in have)
    have.sort(key=lambda pair: pair[0] if numbers else str(pair[0]), reverse=by.startswith("-"))
    return [row for _, row in have] + [row for value, row in values if value is None]
