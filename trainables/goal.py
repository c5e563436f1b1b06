"""What the trials of a study are compared by."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["max", "min"]
COLUMNS = (
    *("number", "trial", "experiment", "config", "state", "epochs", "epochs_trained", "epochs_run"),
    *("diverged_step", "seconds", "host", "history", "failure"),
)
"""What a trial's row holds besides its scores."""


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

    @property
    def is_of_a_loop(self) -> bool:
        """Returns whether the trials are a user's own loop."""
        return self.scores is None

    @property
    def words(self) -> str:
        """Returns the metric as it is written in a sentence."""
        return self.metric.replace("_", " ") if self.scores else self.metric

    def rank(self, row: dict[str, Any]) -> tuple[float, ...]:
        """Returns what rows and results are sorted by, the best first: the metric, then the ties, then the epochs."""
        value = row[self.metric]
        return (-value if self.mode == "max" else value, *(row[name] for name in self.ties), row["epochs"])


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


def goal_in(configuration: dict[str, Any]) -> Goal:
    """Returns the goal of the tuning that has this configuration in its run.json."""
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
