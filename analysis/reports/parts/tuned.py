"""A tuning as its figures need it: its trials with their names, the best of them, and who is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tautune.analysis.figure_style import FAINT, MARKERS, SERIES, focused, inside
from tautune.analysis.trial_names import trial_name, varying_in
from tautune.records.kept_space import Searched, searched
from tautune.records.storage import Folder
from tautune.records.tuning_folder import read_tuning
from tautune.records.tuning_history import History, Report, read_history
from tautune.trainables.goal import Goal, goal_in

Json = dict[str, Any]
BAD = ("diverged", "failed")
BEST = 5
"""Number of trials that have a colour of their own in every figure."""
MOST = 300
"""Number of trials that a figure draws at most: more lines hide one another, and make a page that loads slowly."""
FIRST = 100
"""Number of the best trials that are all drawn then; of the others, each nth one is."""


@dataclass(frozen=True)
class Tuned:
    """A tuning that was read from its folder."""

    folder: Folder
    run: Json
    """What run.json holds."""
    goal: Goal
    history: History

    @property
    def configuration(self) -> Json:
        """Returns what was asked for."""
        found: Json = self.run["configuration"]
        return found

    @property
    def one(self) -> str:
        """Returns what a trial is counted in, one of them: epoch, report."""
        return self.goal.unit.removesuffix("s")

    @property
    def spent(self) -> str:
        """Returns what a trial's length is called."""
        return "epochs trained" if self.goal.unit == "epochs" else self.goal.unit

    @property
    def the_best(self) -> str:
        """Returns who has a colour, as a sentence goes on about them."""
        return "the best one is" if len(self.best) == 1 else f"the best {len(self.best)} are"

    @property
    def rows(self) -> list[Json]:
        """Returns the trials, the best first."""
        return self.history.rows

    @cached_property
    def good(self) -> list[Json]:
        """Returns the trials that have a result, the best first."""
        return [row for row in self.rows if row["state"] not in BAD]

    @cached_property
    def best(self) -> list[Json]:
        """Returns the best few, within the limits where there are such."""
        return [row for row in self.good if self.goal.is_feasible(row)][:BEST]

    @cached_property
    def names(self) -> dict[str, str]:
        """Returns what each trial is called."""
        varying = varying_in(self.configuration)
        return {row["trial"]: trial_name(_number(row), row["config"], varying) for row in self.rows}

    @cached_property
    def space(self) -> dict[str, Searched]:
        """Returns the hyperparameters that were searched."""
        return searched(self.configuration["space"])

    @cached_property
    def drawn(self) -> list[Json]:
        """Returns the trials with a result that figures draw: all of them, unless there are very many."""
        if len(self.good) <= MOST:
            return self.good
        places = np.linspace(FIRST, len(self.good) - 1, MOST - FIRST).round().astype(int)
        return self.good[:FIRST] + [self.good[place] for place in places]

    @property
    def thinned(self) -> str:
        """Returns a sentence about what is not drawn, or nothing."""
        if len(self.drawn) == len(self.good):
            return ""
        return f" Of {len(self.good):,} trials, {len(self.drawn)} are drawn: the best {FIRST}, and some of each rank."

    def style(self, row: Json) -> tuple[str, str]:
        """Returns a trial's colour and marker, the same in every figure."""
        for place, one in enumerate(self.best):
            if one["trial"] == row["trial"]:
                return SERIES[place], MARKERS[place]
        return FAINT, "o"

    @cached_property
    def curves(self) -> dict[str, list[Report]]:
        """Returns what each trial reported, by epoch; of an epoch that was trained twice, the last report."""
        found: dict[str, dict[int, Report]] = {}
        for report in self.history.reports:
            found.setdefault(report.trial, {})[report.epoch] = report
        return {trial: [own[epoch] for epoch in sorted(own)] for trial, own in found.items()}

    @cached_property
    def limits(self) -> tuple[float, float, bool]:
        """Returns the ends of an axis of the metric, and if it is logarithmic; see `focused`."""
        values = np.array([row[self.goal.metric] for row in self.good])
        low, high = float(values.min()), float(values.max())
        if self.goal.mode == "min" and low > 0 and high > 10 * low:
            return low / 1.15, high * 1.15, True
        return *focused(values, self.goal.mode), False

    @cached_property
    def curve_limits(self) -> tuple[float, float, bool]:
        """Returns the ends of an axis for learning curves, which begin below what trials are at their best."""
        low, high, is_log = self.limits
        reports = np.array([report.value for own in self.curves.values() for report in own if not report.bad])
        if is_log or not len(reports):
            return self.limits
        lower, upper = focused(reports, self.goal.mode)
        return min(low, lower), max(high, upper), False

    def shown(self, value: float) -> float:
        """Returns where a value of the metric is drawn: near the axis's end, if it is beyond."""
        low, high, is_log = self.limits
        return inside(value, low, high, log=is_log)

    @property
    def beyond(self) -> str:
        """Returns a sentence about trials that are worse than an axis shows, or nothing."""
        return self.beyond_of(*self.limits[:2])

    def beyond_of(self, low: float, high: float) -> str:
        """Returns the same sentence for an axis with these ends."""
        number = sum(not low <= row[self.goal.metric] <= high for row in self.drawn)
        many = (
            "One trial lies beyond the axis and is" if number == 1 else f"{number} trials lie beyond the axis and are"
        )
        return f" {many} drawn at its end." if number else ""


def _number(row: Json) -> int | str:
    number = row.get("number")
    return str(row["trial"]) if number is None else int(number)


def keys(rows: Iterable[Json]) -> list[str]:
    """Returns the keys by which trials are marked."""
    return [str(row["trial"]) for row in rows]


def read_tuned(folder: Folder) -> Tuned:
    """Returns the tuning in a folder. Raises InputError if it holds none that this version knows."""
    run = read_tuning(folder)
    goal = goal_in(run["configuration"])
    return Tuned(folder, run, goal, read_history(folder, goal))
