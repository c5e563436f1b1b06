"""What a trial of a task reports of an epoch: finite, over all of its splits, and with the penalty where it is due."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

from tautune.trainables.supervised.tasks import Task
from tautune.trainables.supervised.training import Evaluation


def scores_of(
    task: Task, validated: Sequence[Evaluation], loss: float, *, worst: float, bad: bool
) -> tuple[dict[str, float], bool]:
    """Returns the scores, and whether the metric of some split is unusable: not finite, or worse than the worst.

    Args:
        task: names what is measured.
        validated: what was measured on each split.
        loss: the mean loss over the splits, finite.
        worst: the metric of a trial that diverged.
        bad: whether this one has, or has raised.
    """
    goal = task.goal.metric
    values = [v.loss if task.metric == "loss" else v.metrics[task.metric] for v in validated]
    unusable = not bad and not all(_is_usable(value, task, worst) for value in values)
    scores = {goal: worst, f"{goal}_deviation": 0.0, "validation_loss": loss}
    if bad or unusable:
        return scores | {goal: worst}, unusable
    for name in task.names:
        found = [v.metrics.get(name, math.nan) for v in validated]
        if name not in ("loss", task.metric) and all(math.isfinite(value) for value in found):
            scores[f"validation_{name}"] = fmean(found)
    return scores | {goal: fmean(values), f"{goal}_deviation": pstdev(values)}, False


def _is_usable(value: float, task: Task, worst: float) -> bool:
    return math.isfinite(value) and (value >= worst if task.mode == "max" else value <= worst)
