"""The trials of a tuning as a table: kept on disk as they report, ranked, shown while they run."""

import csv
import difflib
import io
import json
import signal
import time
from typing import Any

from ray import tune
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tautune.records.errors import InputError
from tautune.records.files import write_bytes, write_json
from tautune.records.storage import Folder, make
from tautune.search_spaces.tuning_study import TuningStudy

Json = dict[str, Any]
COLUMNS = (
    "state",
    "validation_accuracy",
    "validation_accuracy_deviation",
    "validation_loss",
    "training_accuracy",
    "training_loss",
    "epochs",
    "epochs_trained",
    "epochs_run",
    "diverged_step",
    "seconds",
    "host",
)
KEPT = ("validation_accuracy", "validation_accuracy_deviation", "validation_loss", "training_accuracy", "training_loss")
WRITE_SECONDS = 5.0


class TrialTable(tune.Callback):
    """Writes trials.csv, trials.jsonl and best.json as trials report, and shows the search while it runs.

    A row is a trial at its best epoch; `epochs_trained` is how far it came, and `epochs_run` how many epochs it has
    trained itself: other ones where a population gave it another's weights.
    States: running, finished (its epochs are done or its patience ended), stopped (by the scheduler), diverged,
    failed, interrupted (by the user or the time budget; a resumed run goes on with it).
    """

    current: "TrialTable | None" = None
    """The one of this process: Tune pickles its callbacks into a file, and a restored run finds it here."""

    def __init__(
        self, folder: Folder, study: TuningStudy, experiment: str, console: Console, *, budget: float | None
    ) -> None:
        self.folder, self.study, self.experiment, self.console, self.budget = folder, study, experiment, console, budget
        self.rows: dict[str, Json] = {row["trial"]: row for row in read_rows(folder)}
        self.earlier = sum(row["experiment"] != experiment for row in self.rows.values())
        """Trials of earlier experiments in this folder, which this one extends."""
        self.total = 0
        self.known = self.asked_to_end = False
        self.live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self.begun = self.written = time.monotonic()

    def __reduce__(self) -> Any:
        return _current, ()

    def __enter__(self) -> "TrialTable":
        TrialTable.current = self
        self.begun = time.monotonic()
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        TrialTable.current = None
        for row in self.rows.values():
            row["state"] = "interrupted" if row["state"] == "running" else row["state"]
        if self.live:
            self.live.update("")
            self.live.stop()
        self.write()

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Forgets, once, the trials that a resumed experiment does not know of: it does them again."""
        if not self.known:
            names = {trial.trial_id for trial in trials}
            mine = self.experiment
            self.rows = {k: row for k, row in self.rows.items() if row["experiment"] != mine or k in names}
        self.known = True

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ends the run when its time is spent, or when nothing works, as Ctrl-C does: so it can be resumed.

        Tune's own time budget ends the trials for good, and goes on counting in a run that is resumed.
        """
        if (self.budget_spent or self.nothing_works) and not self.asked_to_end:
            self.asked_to_end = True
            signal.raise_signal(signal.SIGINT)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        row = self.rows.get(trial.trial_id, {})
        epochs_run = row.get("epochs_run", 0) + 1
        bad = "diverged" if result["diverged"] else "failed" if result["failed"] else ""
        if result["validation_accuracy"] >= row.get("validation_accuracy", 0.0) or bad:
            row = {
                "trial": trial.trial_id,
                "experiment": self.experiment,
                "config": self.study.hyperparameters(result["config"]),
                **{name: result[name] for name in KEPT},
                "epochs": result["epochs"],
                "diverged_step": result["diverged_step"],
                "history": json.loads(result["history"]),
            }
        row |= {
            "state": bad or "running",
            "epochs_trained": result["epochs"],
            "epochs_run": epochs_run,
            "seconds": round(result["time_total_s"], 3),
            "host": result["hostname"],
        }
        if result["failure"]:
            row["failure"] = result["failure"].strip().splitlines()[-1]
            make(self.folder / "failures")
            write_bytes(self.folder / "failures" / f"{trial.trial_id}.txt", result["failure"].encode())
        self.rows[trial.trial_id] = row
        if time.monotonic() - self.written > WRITE_SECONDS:
            self.write()
        if self.live:
            self.live.update(self._table(trials))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        row = self.rows.get(trial.trial_id)
        if row is None:
            return
        if row["state"] == "running":
            row["state"] = "finished" if trial.last_result["finished"] else "stopped"
        self.write()
        best = self.best()
        if not self.live:
            said = "" if row["state"] in ("finished", "stopped") else f" {row['state']}"
            best_text = f"; best so far {best['validation_accuracy']:.4f}" if best else ""
            self.console.print(
                f"{self.ended} of {self.total}:{said} validation accuracy {row['validation_accuracy']:.4f} after "
                f"{row['epochs_trained']} epochs{best_text}",
                highlight=False,
            )

    @property
    def ended(self) -> int:
        return sum(row["state"] not in ("running", "interrupted") for row in self.rows.values())

    @property
    def whole(self) -> bool:
        """Whether every trial has come to its end."""
        return self.ended == self.total

    @property
    def nothing_works(self) -> bool:
        states = [row["state"] for row in self.rows.values()]
        return states.count("failed") >= 3 and all(state in ("failed", "running") for state in states)

    @property
    def budget_spent(self) -> bool:
        return self.budget is not None and time.monotonic() - self.begun >= self.budget

    def ranked(self) -> list[Json]:
        """Best first; diverged and failed trials last."""
        return sorted(self.rows.values(), key=lambda row: (-row["validation_accuracy"], row["validation_loss"]))

    def best(self) -> Json | None:
        return next((row for row in self.ranked() if row["state"] not in ("diverged", "failed")), None)

    def write(self) -> None:
        rows = self.ranked()
        write_bytes(self.folder / "trials.csv", trials_csv(rows, list(self.study.space)).encode())
        lines = (json.dumps(row, allow_nan=False) + "\n" for row in rows)
        write_bytes(self.folder / "trials.jsonl", "".join(lines).encode())
        if best := self.best():
            write_json(self.folder / "best.json", best)
        self.written = time.monotonic()

    def _table(self, trials: list[Any]) -> Table:
        running = sum(t.status == "RUNNING" for t in trials)
        table = results_table(self.ranked(), top=5)
        left = f", {max(0.0, self.budget - time.monotonic() + self.begun):.0f} s left" if self.budget else ""
        table.caption = f"{running} running, {self.ended} of {self.total} trials ended{left}"
        return table


def _current() -> TrialTable | None:
    return TrialTable.current


def trials_csv(rows: list[Json], names: list[str]) -> str:
    """One trial a line; a hyperparameter that a configuration does not have is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["trial", *COLUMNS, *(f"config/{name}" for name in names)])
    for row in rows:
        writer.writerow([row["trial"], *(row[c] for c in COLUMNS), *(row["config"].get(n, "") for n in names)])
    return text.getvalue()


def read_rows(folder: Folder) -> list[Json]:
    """The rows of trials.jsonl, best first; none if there is no such file."""
    path = folder / "trials.jsonl"
    if not path.exists():
        return []
    try:
        rows: list[Json] = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["trial"], row["experiment"], row["config"].items(), [row[column] for column in COLUMNS]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{path} is damaged: it must hold a trial a line, as `tautune tune` wrote it") from None
    return rows


def sorted_rows(rows: list[Json], by: str) -> list[Json]:
    """By a column or a hyperparameter, ascending, or descending for "-name"; rows without it come last.

    Raises:
        InputError: there is no such column.
    """
    name = by.removeprefix("-")
    known = [*COLUMNS, *{name for row in rows for name in row["config"]}]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or known
        raise InputError(f"--sort: there is no column {name!r}; did you mean {', '.join(near)}?")
    values = [(row[name] if name in COLUMNS else row["config"].get(name), row) for row in rows]
    have = [(value, row) for value, row in values if value is not None]
    numbers = all(isinstance(value, int | float) for value, _ in have)
    have.sort(key=lambda pair: pair[0] if numbers else str(pair[0]), reverse=by.startswith("-"))
    return [row for _, row in have] + [row for value, row in values if value is None]


def results_table(rows: list[Json], *, top: int) -> Table:
    """The first `top` configurations, one a row; what all of them share stands below."""
    table = Table("validation accuracy", "loss", "epochs", "state", "configuration", title="best configurations")
    every = [set(map(repr, row["config"].items())) for row in rows]
    shared = set.intersection(*every) if len(every) > 1 else set()
    for row in rows[:top]:
        own = {k: v for k, v in row["config"].items() if repr((k, v)) not in shared}
        spread = f" ± {row['validation_accuracy_deviation']:.4f}" if row["validation_accuracy_deviation"] else ""
        accuracy = f"{row['validation_accuracy']:.4f}{spread}"
        table.add_row(accuracy, f"{row['validation_loss']:.4f}", str(row["epochs"]), row["state"], _words(own))
    if shared:
        table.caption = "all: " + _words({k: v for k, v in rows[0]["config"].items() if repr((k, v)) in shared})
    return table


def _words(config: Json) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in config.items()
    )
