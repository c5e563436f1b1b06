"""A table of trainings that were done: each configuration with the metric that it reported, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from tautune.records.errors import InputError
from tautune.runners.methods import Kind
from tautune.trainables.goal import Goal

Config = dict[str, Any]
LOG_RATIO = 100
"""Ratio of a column's largest value to its smallest from which its range is searched on a log scale."""


@dataclass(frozen=True)
class Report:
    """What a training reported at one epoch."""

    epoch: float
    value: float
    """The metric."""
    time: float
    """Seconds since the training began, or epochs where the table has no seconds."""


@dataclass(frozen=True)
class Training:
    """A configuration with all that it reported, the first report first."""

    config: Config
    curve: tuple[Report, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """The trainings among which a simulated search chooses.

    Raises:
        InputError: there are fewer than two, or the times of one do not grow.
    """

    name: str
    goal: Goal
    trainings: tuple[Training, ...]
    unit: str
    """What time is counted in: "seconds" or "epochs"."""
    note: str = ""
    """What a reader of the simulation has to know of the table."""

    def __post_init__(self) -> None:
        if len(self.trainings) < 2:
            count = len(self.trainings) or "no"
            raise InputError(f"{self.name} has {count} configurations; a search needs at least two to choose among")
        for training in self.trainings:
            times = [0.0, *(report.time for report in training.curve)]
            if any(later <= earlier for earlier, later in zip(times, times[1:], strict=False)):
                raise InputError(
                    f"{self.name}: the times of {training.config} must be above 0 and grow, not {times[1:]}"
                )

    @property
    def values(self) -> list[float]:
        """Returns everything that was reported."""
        return [report.value for training in self.trainings for report in training.curve]

    @property
    def best(self) -> float:
        """Returns the best value of the metric in the table."""
        return (max if self.goal.mode == "max" else min)(self.values)

    @property
    def worst(self) -> float:
        """Returns the worst value of the metric in the table."""
        return (min if self.goal.mode == "max" else max)(self.values)

    @property
    def longest(self) -> int:
        """Returns the epochs of the longest training."""
        return round(max(training.curve[-1].epoch for training in self.trainings))

    @property
    def mean_time(self) -> float:
        """Returns the time that a whole training takes on average."""
        return sum(training.curve[-1].time for training in self.trainings) / len(self.trainings)

    @property
    def columns(self) -> "dict[str, Column]":
        """Returns the hyperparameters."""
        names = {name: None for training in self.trainings for name in training.config}
        found = {name: [t.config[name] for t in self.trainings if name in t.config] for name in names}
        distinct = {name: list({repr(value): value for value in values}.values()) for name, values in found.items()}
        whole = all(len(values) == len(self.trainings) for values in found.values())
        is_grid = whole and prod(map(len, distinct.values())) == len(self.trainings)
        return {name: _column(distinct[name], len(found[name]), is_grid=is_grid) for name in names}


@dataclass(frozen=True)
class Column:
    """What a search may do with one hyperparameter of a table."""

    kind: Kind
    values: tuple[Any, ...]
    """Each value once, in ascending order where they are numbers."""

    @property
    def is_logarithmic(self) -> bool:
        """Returns whether a range is searched, and distances in it are measured, on a log scale."""
        return bool(self.values[0] > 0 and self.values[-1] >= LOG_RATIO * self.values[0])


def _column(distinct: list[Any], rows: int, *, is_grid: bool) -> Column:
    """Returns a column: a range where it holds numbers most of which occur once, and the table is no full grid."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct)
    values = tuple(sorted(distinct) if numbers else distinct)
    if len(values) == 1:
        return Column("value", values)
    if is_grid or not numbers or len(values) <= rows // 2:
        return Column("choice", values)
    return Column("integers" if all(isinstance(value, int) for value in values) else "range", values)


def trainings_of(name: str, reports: Iterable[tuple[Config, Report]]) -> tuple[Training, ...]:
    """Returns the trainings that reports make, in the order of their first ones; the epochs of each grow.

    Raises:
        InputError: two reports are of the same configuration at the same epoch.
    """
    curves: dict[str, tuple[Config, dict[float, Report]]] = {}
    for config, report in reports:
        _, curve = curves.setdefault(repr(sorted(config.items())), (config, {}))
        if report.epoch in curve:
            raise InputError(
                f"{name} has {config} twice at epoch {report.epoch:g}; keep one row, or add a column epoch"
            )
        curve[report.epoch] = report
    ordered = ((config, sorted(curve.values(), key=lambda report: report.epoch)) for config, curve in curves.values())
    return tuple(Training(config, tuple(curve)) for config, curve in ordered)
