"""The record of a tuning's trials: numbered, ranked, and written to trials.csv, trials.jsonl and best.json."""

import csv
import io
import json
import time
from collections.abc import Iterable
from typing import Any

from tautune.analysis.pareto import pareto_front
from tautune.analysis.trial_names import numbered
from tautune.records.files import write_bytes, write_json
from tautune.records.storage import Folder, make
from tautune.trainables.goal import COLUMNS, Goal

Json = dict[str, Any]
COUNTS = ("epochs", "epochs_trained", "epochs_run", "diverged_step", "seconds", "host")
"""Columns of trials.csv behind the state and the scores."""
BAD = ("diverged", "failed")
WRITE_SECONDS = 1.0
"""Shortest pause in seconds between two writes while trials report: each one replaces whole files."""
WRITE_SHARE = 20
"""Pause between two writes as a multiple of the time that a write takes: many trials make large files."""


class Trials:
    """One row a trial, at its best epoch; see `Goal` for what counts as best.

    `epochs_trained` is the epoch that a trial has reached. `epochs_run` counts the epochs that it trained itself: the
    two differ where a population gave it another trial's weights.
    States: running, finished (all its epochs are done, or its patience ended), stopped (by the scheduler), diverged,
    failed, interrupted (by the user or the time budget; a resumed run goes on with it).
    """

    def __init__(self, folder: Folder, names: Iterable[str], total: int, goal: Goal) -> None:
        """Begins an empty table.

        Args:
            names: the hyperparameters, in the order of their columns.
            goal: what the trials are compared by.
            total: how many trials there are in the end.
        """
        self.folder, self.names, self.total, self.goal = folder, list(names), total, goal
        self.rows: dict[str, Json] = {}
        self._lengthened: set[str] = set()
        self._last_number = _last_number(folder)
        self._unwritten = False
        self._next_write = 0.0

    def next_number(self) -> int:
        """Returns a number that no trial of this folder has had."""
        self._last_number += 1
        return self._last_number

    def took(self, number: int) -> None:
        """Takes in that a trial has this number."""
        self._last_number = max(self._last_number, number)

    def report(self, trial: str, number: int | None, config: Json, result: Json, experiment: str = "trials") -> Json:
        """Takes in one epoch's result of a trial and returns its row."""
        row = self.rows.get(trial, {})
        epochs_run = row.get("epochs_run", 0) + 1
        bad = "diverged" if result["diverged"] else "failed" if result["failed"] else ""
        now = {"epochs": result["epochs"]} | scores_in(result, self.goal)
        if bad and trial in self._lengthened:
            row |= {"diverged_step": result["diverged_step"]}
            bad = ""  # it finished before, and what it had reached is not lost
        elif bad or not row or self.goal.rank(now) < self.goal.rank(row):
            row = {
                "number": number,
                "trial": trial,
                "experiment": experiment,
                "config": config,
                **now,
                "diverged_step": result["diverged_step"],
                "history": result["history"],
            }
        row |= {
            "state": bad or "running",
            "epochs_trained": result["epochs"],
            "epochs_run": epochs_run,
            "seconds": round(result["time_total_s"], 3),
            "host": result["hostname"],
        }
        if result["failure"]:
            row["failure"] = reason_in(result["failure"])
            make(self.folder / "failures")
            write_bytes(failure_file(self.folder, row), result["failure"].encode())
        self.rows[trial] = row
        self._unwritten = True
        return row

    def lengthen(self, trial: str) -> None:
        """Takes in that a trial which had finished goes on. If it diverges or fails now, it keeps what it had."""
        self._lengthened.add(trial)
        self.rows.get(trial, {})["state"] = "running"
        self._unwritten = True

    def end(self, trial: str, *, finished: bool) -> Json | None:
        """Marks a trial as ended and returns its row; None if it never reported."""
        row = self.rows.get(trial)
        if row is not None and row["state"] in ("running", "interrupted"):
            row["state"] = "finished" if finished else "stopped"
        self._unwritten = True
        return row

    def write_if_due(self) -> None:
        """Writes what has changed, unless that was done a moment ago."""
        if self._unwritten and time.monotonic() >= self._next_write:
            self.write()

    def interrupt(self) -> None:
        """Marks the trials that run as interrupted."""
        for row in self.rows.values():
            row["state"] = "interrupted" if row["state"] == "running" else row["state"]
        self.write()

    @property
    def ended(self) -> int:
        return sum(row["state"] not in ("running", "interrupted") for row in self.rows.values())

    @property
    def whole(self) -> bool:
        """Whether every trial has come to its end."""
        return self.ended >= self.total

    @property
    def failed(self) -> list[Json]:
        return [row for row in self.ranked() if row["state"] == "failed"]

    @property
    def nothing_works(self) -> bool:
        """Whether at least three trials failed and none did anything else."""
        if any(row["state"] not in ("failed", "running", "interrupted") for row in self.rows.values()):
            return False  # which the first rows tell, so that a run of thousands of trials is not counted at each step
        failed = [row for row in self.rows.values() if row["state"] == "failed"]
        return len(failed) >= 3

    def ranked(self) -> list[Json]:
        """Returns the rows, the best first; diverged and failed trials come last."""
        return sorted(self.rows.values(), key=self._place)

    def _place(self, row: Json) -> tuple[Any, ...]:
        return row["state"] in BAD, self.goal.rank(row), row.get("number") or 0

    def best(self) -> Json | None:
        """Returns the best row, or None if every trial has diverged or failed, or is above a limit."""
        first = self.first_good()
        return first if first and self.goal.is_feasible(first) else None

    def first_good(self) -> Json | None:
        """Returns the first row, within the limits or not, or None if every trial has diverged or failed."""
        first = min(self.rows.values(), key=self._place, default=None)
        return None if first is None or first["state"] in BAD else first

    def write(self) -> None:
        """Writes trials.csv, trials.jsonl and best.json, and pareto.json where there are several goals."""
        begun = time.monotonic()
        rows = marked(self.ranked(), self.goal)
        write_bytes(self.folder / "trials.csv", trials_csv(rows, self.names, self.goal).encode())
        lines = (json.dumps(row, allow_nan=False) + "\n" for row in rows)
        write_bytes(self.folder / "trials.jsonl", "".join(lines).encode())
        if best := self.best():
            write_json(self.folder / "best.json", best)
        if self.goal.others:
            write_json(self.folder / "pareto.json", {"front": [row for row in rows if row["on_front"]]})
        self._unwritten, now = False, time.monotonic()
        self._next_write = now + max(WRITE_SECONDS, WRITE_SHARE * (now - begun))


def scores_in(result: Json, goal: Goal) -> Json:
    """Returns how good a trial is at an epoch, by what it reported."""
    own = dict(result["scores"]) if "scores" in result else {name: result[name] for name in goal.scores or ()}
    return own | {name: result[name] for name in goal.asked if name not in own}


def marked(rows: list[Json], goal: Goal) -> list[Json]:
    """Returns the rows with `feasible` where there are limits, and `on_front` where there are several goals."""
    if goal.is_plain:
        return rows
    allowed = [row for row in rows if row["state"] not in BAD and goal.is_feasible(row)]
    inside, front = ({id(row) for row in some} for some in (allowed, pareto_front(allowed, goal)))
    return [
        row
        | ({"feasible": id(row) in inside} if goal.limits else {})
        | ({"on_front": id(row) in front} if goal.others else {})
        for row in rows
    ]


def score_columns(rows: Iterable[Json], goal: Goal) -> list[str]:
    """Returns the scores that rows have, in the order of their columns: the metric first."""
    if goal.scores:
        return list(dict.fromkeys((*goal.scores, *goal.asked)))
    return list({goal.metric: None} | {name: None for row in rows for name in row if name not in COLUMNS})


def name_of(row: Json) -> str:
    """Returns what a trial is called everywhere: its number; its id if tautune wrote it before trials had numbers."""
    number = row.get("number")
    return str(row["trial"]) if number is None else numbered(number)


def failure_file(folder: Folder, row: Json) -> Folder:
    """Returns the file that holds a failed trial's traceback."""
    return folder / "failures" / f"{name_of(row)}.txt"


def reason_in(failure: str) -> str:
    """Returns what was raised, in one line: the first line of the message that follows a traceback's frames."""
    lines = failure.strip().splitlines()
    frames = [place for place, line in enumerate(lines) if line.startswith(("  ", "Traceback "))]
    return lines[min(max(frames, default=-1) + 1, len(lines) - 1)]


def _last_number(folder: Folder) -> int:
    """Returns the highest number that any trial's folder has."""
    begun = [int(place.name) for place in folder.glob("trials*/*") if place.name.isdecimal() and len(place.name) < 8]
    return max(begun, default=0)


def trials_csv(rows: list[Json], names: list[str], goal: Goal) -> str:
    """Returns the table, one trial a line; a hyperparameter that a configuration does not have is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    marks = [name for name in ("feasible", "on_front") if any(name in row for row in rows)]
    columns = ["state", *marks, *score_columns(rows, goal), *COUNTS]
    writer.writerow(["number", "trial", *columns, *(f"config/{name}" for name in names)])
    for row in rows:
        own = [row["config"].get(name, "") for name in names]
        writer.writerow([row.get("number"), row["trial"], *(row.get(column, "") for column in columns), *own])
    return text.getvalue()
