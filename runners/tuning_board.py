"""TensorBoard's view of a tuning: every trial by a name that tells it apart, and what counts of it first.

It shows what the journal has, so that a run which goes on adds what is missing and nothing twice. A trial's value is
the same as in trials.csv: that of its best epoch, which each report writes anew as best_…, since the table of
hyperparameters shows the last value of a number.
"""

import re
from collections import Counter
from typing import Any

from tautune.analysis.trial_names import numbered, trial_name, varying_in
from tautune.records.event_files import anew, open_events
from tautune.records.kept_space import searched
from tautune.records.storage import Folder
from tautune.records.summaries import (
    event,
    experiment,
    histogram,
    layout,
    lines,
    scalars,
    session_end,
    session_start,
    text,
)
from tautune.runners.trials import BAD, Trials, scores_in
from tautune.runners.tuning_verdict import verdict
from tautune.trainables.asynchronous.replay import DELAYS, WRITTEN
from tautune.trainables.goal import Goal

Json = dict[str, Any]
STUDY = "study"
"""The name of what is not of one trial."""
BEST = "2 best so far"
PROGRESS = "5 progress"
OF_EPOCH = ("learning_rate", "epoch_seconds", "examples_per_second", "diverged")
"""What is shown of an epoch beside its scores and its counts."""
MARK = f"{PROGRESS}/epochs_trained"
AGES = "6 lateness/ages of the gradients, in updates"
"""A group of its own, the last one: TensorBoard has a card of it for each trial."""


class Tags:
    """Where each number stands: TensorBoard sorts by name, so that groups are numbered in the order that matters."""

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.first = f"1 {'goal' if goal.is_of_a_loop else 'validation'}"

    def of(self, name: str) -> str:
        """Returns the tag of what a trial reports."""
        if name in self.goal.asked or name.startswith("validation_"):
            return f"{self.first}/{self.short(name)}"
        if name.startswith("training_"):
            return f"3 training/{name.removeprefix('training_')}"
        return f"{PROGRESS}/{name}" if name in OF_EPOCH else f"4 reported/{name}"

    def best(self, name: str) -> str:
        """Returns the tag of what a trial had of it at its best epoch until then."""
        return f"{BEST}/best_{self.short(name)}"

    def short(self, name: str) -> str:
        """Returns a name as it stands in its group."""
        return name if self.goal.is_of_a_loop else name.removeprefix("validation_")


class TuningBoard:
    """Writes the events of a tuning's folder."""

    def __init__(self, folder: Folder, configuration: Json, goal: Goal) -> None:
        """Args: configuration: that of run.json."""
        self.configuration, self.goal, self.tags = configuration, goal, Tags(goal)
        self.varying = varying_in(configuration)
        self.events = open_events(folder, MARK.encode())
        self.names = {name.split(" ")[0]: name for name in self.events.reports}
        """By number: a trial of an earlier version keeps the name that it had."""
        self.told: dict[str, int] = {}
        """How many reports of a trial there were, those of earlier processes included."""
        self.best: tuple[float, ...] | None = None
        self.at_best = (goal.metric, *goal.ties, *(name for name, _ in goal.others), *self._training())

    def _training(self) -> tuple[str, ...]:
        return ("training_loss",) if "training_loss" in (self.goal.scores or ()) else ()

    def begin(self, trials: Trials) -> None:
        """Writes what the run is, and how its pages are laid out."""
        metrics = {self.tags.best(name).split("/", 1)[1]: self.tags.best(name) for name in self.at_best}
        counts = {"best_epoch": f"{BEST}/best_epoch", "epochs_trained": MARK, "diverged": f"{PROGRESS}/diverged"}
        values = [experiment(searched(self.configuration["space"]), metrics | counts), layout(self._charts())]
        self.events.replace(STUDY, [event([*values, self._verdict(trials)])])

    def _charts(self) -> Any:
        metric = self.goal.metric
        own = {
            self.tags.short(metric): self.tags.of(metric),
            f"{self.tags.short(metric)}, best so far": self.tags.best(metric),
        }
        losses = {"loss, training and validation": "^(1 validation|3 training)/loss$"} if self._training() else {}
        return lines(self.tags.first[2:], {title: f"^{re.escape(tag)}$" for title, tag in own.items()} | losses)

    def begun(self, number: int, config: Json) -> None:
        """Writes a trial's hyperparameters when it starts: no way of ending loses them."""
        key = numbered(number)
        if key not in self.names:
            self.names[key] = name = trial_name(number, config, self.varying)
            self.events.append(name, [event([session_start(config, name)])])

    def reported(self, number: int, config: Json, result: Json, row: Json, at: float | None = None) -> None:
        """Writes a report, unless it is there already.

        Args:
            number: of the trial.
            config: its hyperparameters.
            result: what it reported; of a report that is read from the journal, not all of it is known.
            row: that of the trial, which is its best epoch.
            at: when it came, in seconds since 1970; None means now.
        """
        self.begun(number, config)
        name = self.names[numbered(number)]
        self.told[name] = self.told.get(name, 0) + 1
        if self.told[name] > self.events.reports.get(name, 0):
            step = result["epochs"]
            again = anew(step) if step <= self.events.steps.get(name, 0) else []  # its process was lost
            self.events.steps[name] = step
            self.events.append(name, [*again, event([*scalars(self._numbers(result, row)), *_ages(result)], step, at)])

    def _numbers(self, result: Json, row: Json) -> dict[str, float]:
        now = scores_in(result, self.goal) | {name: result[name] for name in OF_EPOCH if name in result}
        shown = {self.tags.of(name): value for name, value in now.items() if value or not name.endswith("_deviation")}
        best = {self.tags.best(name): row[name] for name in self.at_best if name in row}
        counts = {f"{BEST}/best_epoch": row["epochs"], MARK: row["epochs_trained"]}
        return {**shown, **best, **counts}

    def ended(self, row: Json, trials: Trials) -> None:
        """Writes that a trial has ended, and the verdict where that has made another one the best."""
        name = self.names.get(numbered(row["number"]))
        if name:
            self.events.append(name, [event([session_end(success=row["state"] not in BAD)])])
        rank, good = self.goal.rank(row), row["state"] not in BAD and self.goal.is_feasible(row)
        if good and (self.best is None or rank < self.best):  # to look for the best of all is dear, with thousands
            self.best = rank
            self.events.append(STUDY, [event([self._verdict(trials)], step=trials.ended)])

    def close(self, trials: Trials) -> None:
        """Writes how the run ended."""
        self.events.append(STUDY, [event([self._verdict(trials)], step=trials.ended)])
        self.events.close()

    def _verdict(self, trials: Trials) -> Any:
        return text("verdict", verdict(self.configuration, trials))


def _ages(result: Json) -> list[Any]:
    """Returns how often each age was met among the gradients of workers that an epoch applied; nothing without any."""
    rows, age = result.get(DELAYS, ()), WRITTEN.index("age")
    return [histogram(AGES, Counter(row[age] for row in rows))] if rows else []
