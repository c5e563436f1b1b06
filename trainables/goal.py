"""What the trials of a study are compared by."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Mode = Literal["max", "min"]
COLUMNS = (
    *("number", "trial", "experiment", "config", "state", "epochs", "epochs_trained", "epochs_run"),
    *("diverged_step", "seconds", "host", "history", "failure", "feasible", "on_front"),
)
"""What a trial's row holds besides its scores."""
ABBREVIATIONS = {"mae": "MAE", "rmse": "RMSE", "r2": "R²"}


def in_words(score: str) -> str:
    """Returns a score's name as it is written in a sentence: validation RMSE for validation_rmse."""
    return " ".join(ABBREVIATIONS.get(word, word) for word in score.split("_"))


@dataclass(frozen=True)
class Goal:
    """The metric that trials report, and which of its values is the better one."""

    metric: str
    mode: Mode
    ties: tuple[str, ...] = ()
    """Scores that decide between equal values of the metric, the less being the better."""
    scores: tuple[str, ...] | None = None
    """All that a trial reports at an epoch; None stands for whatever a user's own loop reports."""
    unit: str = "epochs"
    """What is counted while a trial trains."""
    others: tuple[tuple[str, Mode], ...] = ()
    """Further goals, with which the metric makes a Pareto front."""
    limits: tuple[tuple[str, float], ...] = ()
    """What a trial reports, with what it may be at most."""

    @property
    def is_of_a_loop(self) -> bool:
        """Returns whether the trials are a user's own loop."""
        return self.scores is None

    @property
    def words(self) -> str:
        """Returns the metric as it is written in a sentence."""
        return in_words(self.metric) if self.scores else self.metric

    def rank(self, row: dict[str, Any]) -> tuple[float, ...]:
        """Returns what rows and results are sorted by, the best first: the metric, then the ties, then the epochs."""
        value = row[self.metric]
        infeasible = (float(not self.is_feasible(row)),) if self.limits else ()
        return (*infeasible, -value if self.mode == "max" else value, *(row[name] for name in self.ties), row["epochs"])

    @property
    def asked(self) -> tuple[str, ...]:
        """Returns what every report must have, each name once."""
        return tuple(dict.fromkeys((self.metric, *dict(self.others), *dict(self.limits))))

    @property
    def is_plain(self) -> bool:
        """Returns whether there is one goal and no limit."""
        return not self.others and not self.limits

    def costs(self, row: dict[str, Any]) -> tuple[float, ...]:
        """Returns the value of every goal, the less being the better."""
        goals = ((self.metric, self.mode), *self.others)
        return tuple(-row[name] if mode == "max" else row[name] for name, mode in goals)

    def excess(self, row: dict[str, Any]) -> tuple[float, ...]:
        """Returns by how much a row, or a result, is above each limit; what keeps within it has none above 0."""
        return tuple(row.get(name, math.inf) - most for name, most in self.limits)

    def is_feasible(self, row: dict[str, Any]) -> bool:
        """Returns whether a row keeps within all limits."""
        return all(above <= 0 for above in self.excess(row))


def task_goal(metric: str, mode: Mode, measured: Iterable[str]) -> Goal:
    """Returns the goal of a task that is compared by one of what is measured, `loss` among it."""
    name = f"validation_{metric}"
    others = [f"validation_{other}" for other in measured if other not in (metric, "loss")]
    losses = [loss for loss in ("validation_loss", "training_loss") if loss != name]
    return Goal(
        metric=name,
        mode=mode,
        ties=() if metric == "loss" else ("validation_loss",),
        scores=(name, f"{name}_deviation", *others, *losses),
    )


def aimed(goal: Goal, goals: Sequence[str], at_most: Mapping[str, float]) -> Goal:
    """Returns a study's goal with the goals and the limits that a run was given.

    Args:
        goals: each a name, or name:min, name:max; the first one is what schedulers and the best trial go by.
        at_most: limits by name.

    Raises:
        ValueError: a goal is named twice, or does not say which way is better.
    """
    (metric, mode), *others = [_parsed(text, goal) for text in goals] or [(goal.metric, goal.mode)]
    if metric in dict(others) or len(dict(others)) < len(others):
        raise ValueError(f"goals must be different ones, not {', '.join(goals)}")
    ties = goal.ties if (metric, mode) == (goal.metric, goal.mode) else ()
    return replace(goal, metric=metric, mode=mode, ties=ties, others=tuple(others), limits=tuple(at_most.items()))


def _parsed(text: str, goal: Goal) -> tuple[str, Mode]:
    name, _, mode = text.rpartition(":")
    if mode in ("min", "max") and name:
        return name, "min" if mode == "min" else "max"
    if text == goal.metric:
        return text, goal.mode
    if text.endswith(("accuracy", "per_second")):
        return text, "max"
    if text.endswith(("loss", "error", "seconds", "parameters")):
        return text, "min"
    if name:
        raise ValueError(f"goal {text} must end in :min or :max, which way is better, not in :{mode}")
    raise ValueError(f"goal {text} must say which way is better: {text}:min or {text}:max")


def goal_in(configuration: dict[str, Any]) -> Goal:
    """Returns the goal of the tuning that has this configuration in its run.json, with those of the run."""
    return aimed(goal_of_study(configuration), configuration.get("goals", ()), configuration.get("at_most", {}))


def goal_of_study(configuration: dict[str, Any]) -> Goal:
    """Returns the goal of the study that was tuned."""
    if task := configuration.get("task"):
        return task_goal(task["metric"], task["mode"], task["metrics"])
    if "metric" in configuration:
        return Goal(configuration["metric"], configuration["mode"], unit="reports")
    return ACCURACY


ACCURACY = Goal(
    metric="validation_accuracy",
    mode="max",
    ties=("validation_loss",),
    scores=(
        "validation_accuracy",
        "validation_accuracy_deviation",
        "validation_loss",
        "training_accuracy",
        "training_loss",
    ),
)
"""The goal of a classifier. Ties in accuracy are common: 288 validation images tell 289 accuracies apart."""
