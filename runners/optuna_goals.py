"""Ray Tune's Optuna, which also goes by several goals and keeps within limits."""

from collections.abc import Callable
from typing import Any

from ray.tune.search.optuna import OptunaSearch

from tautune.runners import optuna_internals
from tautune.trainables.goal import Goal

EXCESS = "tautune.excess"
"""Name under which Optuna's trial has by how much it is above each limit; the first says whether it was no use."""


class GoalOptuna(OptunaSearch):
    """Ray Tune's Optuna, whose trials know by how much they are above the limits of the goal."""

    def __init__(self, *args: Any, goal: Goal, **options: Any) -> None:
        many = {
            "metric": [goal.metric, *(name for name, _ in goal.others)],
            "mode": [goal.mode, *(mode for _, mode in goal.others)],
        }
        compared = many if goal.others else {"metric": goal.metric, "mode": goal.mode}
        super().__init__(*args, **compared, **options)
        self.goal = goal

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells Optuna how a trial ended."""
        if result and not self.goal.is_plain:
            bad = float(bool(result.get("diverged") or result.get("failed")))
            optuna_internals.note(self, trial_id, EXCESS, [bad, *self.goal.excess(result)])
        super().on_trial_complete(trial_id, result, error)


def constraints(goal: Goal) -> dict[str, Callable[[Any], tuple[float, ...]]]:
    """Returns what a sampler of Optuna is given to keep within limits; nothing if there are none to keep.

    With several goals a trial that diverged is outside of a limit too: its other goals may look well.
    """
    if goal.is_plain:
        return {}
    return {"constraints_func": lambda trial: tuple(trial.user_attrs.get(EXCESS, (0.0,) * (1 + len(goal.limits))))}
