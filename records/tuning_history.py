"""What a tuning's folder tells of its trials and of their order, however much of it is missing: for a report.

`resume` refuses a folder that is damaged. A report leaves out what is damaged, and names it.
"""

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from tautune.records.journal import Event, read_journal
from tautune.records.storage import Folder, reading
from tautune.records.trial_row import LoopRow
from tautune.records.typed import Misshapen, Object, decode, shaped
from tautune.trainables.goal import Goal

Json = dict[str, Any]
PREFIX = "config/"
"""Begins the columns of hyperparameters in trials.csv."""


@dataclass(frozen=True)
class Report:
    """One epoch of a trial, or one report of a loop."""

    trial: str
    epoch: int
    value: float
    """Of the metric that trials are compared by; finite, also of one that diverged."""
    bad: bool
    """Whether it diverged or failed."""
    seconds: float
    """Since the trial's beginning, pauses left out."""
    host: str
    at: float | None
    """When it came, in seconds since 1970; None where an earlier version wrote it."""


@dataclass(frozen=True)
class History:
    """The trials of a tuning."""

    rows: list[Json]
    """A row for each trial that has reported, the best first."""
    reports: list[Report]
    """All reports in the order in which they came; none where an earlier version wrote the folder."""
    damaged: list[str]
    """What was left out, a line each."""


def read_history(folder: Folder, goal: Goal) -> History:
    """Returns what the folder holds. Raises InputError if its storage cannot be read."""
    damaged: list[str] = []
    rows = _rows(folder / "trials.jsonl", goal, damaged) or _rows_of_csv(folder / "trials.csv", goal, damaged)
    events = read_journal(folder, tell=damaged.append)
    return History(rows, _reports(events, goal, damaged), damaged)


def _rows(file: Folder, goal: Goal, damaged: list[str]) -> list[Json]:
    with reading(file):
        lines = file.read_bytes().splitlines() if file.is_file() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = decode(line, Object)
            shaped(row, LoopRow)
            shaped({name: row.get(name) for name in goal.asked}, dict[str, float])
            rows.append(row)
        except Misshapen:
            damaged.append(f"{file}: line {number} is damaged and is left out")
    return rows


def _rows_of_csv(file: Folder, goal: Goal, damaged: list[str]) -> list[Json]:
    """Returns the rows of a folder of which only the table was kept."""
    with reading(file):
        text = file.read_bytes().decode(errors="replace") if file.is_file() else ""
    rows = []
    for number, line in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        values = {str(name): _parsed(cell) for name, cell in line.items()}
        config = {n.removeprefix(PREFIX): v for n, v in values.items() if n.startswith(PREFIX) and v is not None}
        row = {n: v for n, v in values.items() if not n.startswith(PREFIX)} | {"config": config}
        try:
            shaped(row, Object)
            shaped({name: row.get(name) for name in (*goal.asked, "epochs", "epochs_trained")}, dict[str, float])
            rows.append({"seconds": 0.0, "host": "", "number": None, **row, "trial": str(row["trial"])})
        except (Misshapen, KeyError):
            damaged.append(f"{file}: line {number} is damaged and is left out")
    return rows


def _parsed(cell: Any) -> Any:
    if not cell:
        return None
    try:
        return {"True": True, "False": False}[cell] if cell in ("True", "False") else json.loads(cell)
    except (ValueError, TypeError):
        return cell


def _reports(events: list[Event], goal: Goal, damaged: list[str]) -> list[Report]:
    found = []
    for event in events:
        if "result" not in event:
            continue
        try:
            found.append(_report(event, goal))
        except (KeyError, TypeError, ValueError, AttributeError):
            damaged.append(f"the journal: a report of trial {event['result']} is not whole and is left out")
    return found


def _report(event: Event, goal: Goal) -> Report:
    reported = event["reported"]
    values = reported | reported.get("scores", {})
    shaped({name: values[name] for name in (goal.metric, "epochs", "time_total_s")}, dict[str, float])
    return Report(
        trial=str(event["result"]),
        epoch=int(values["epochs"]),
        value=float(values[goal.metric]),
        bad=bool(values.get("diverged") or values.get("failed")),
        seconds=float(values["time_total_s"]),
        host=str(values.get("hostname", "")),
        at=float(event["at"]) if "at" in event else None,
    )
