"""What the trials of a run are compared by: its study's goal, with the goals and limits of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.names import check_name
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.goal import COLUMNS, Goal, aimed

AnyStudy = TuningStudy | LoopStudy
OF_EPOCHS = ("parameters", "epoch_seconds", "examples_per_second")
"""What the built-in loop reports of an epoch beside its scores, and a run may have for a goal or a limit."""


def aimed_study(study: AnyStudy, goals: Sequence[str], at_most: Mapping[str, float]) -> tuple[AnyStudy, Goal]:
    """Returns the study and its goal, with the goals and limits of a run; a loop reports another metric then.

    Raises:
        ValueError: a goal does not say which way is better, or the built-in loop does not report what is asked for.
    """
    goal = aimed(study.goal, goals, at_most)
    if goal.scores is not None:
        for name in goal.asked:
            check_name("goal or limit", name, tuple(dict.fromkeys((*goal.scores, *OF_EPOCHS))))
    for name in (*dict(goal.others), *dict(goal.limits)):
        if name in COLUMNS:
            raise ValueError(f"{name} is a column of trials.csv; what a loop reports by that name is reported/{name}")
    if isinstance(study, LoopStudy) and goals:
        study = replace(study, metric=goal.metric, mode=goal.mode)
    return study, goal
