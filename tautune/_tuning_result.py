"""The result of a tuning: `tautune.tune` returns it, and so does `tautune.load` for the folder of an earlier run."""

import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tautune.analysis.reported import HasReport
from tautune.records.errors import InputError
from tautune.records.storage import Folder, folder_at
from tautune.records.tuning_folder import read_best, read_tuning
from tautune.runners.trial_rows import read_rows
from tautune.runners.trials import marked
from tautune.trainables.goal import goal_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from tautune.analysis.importance import Importance

Place = str | Folder
"""A folder on this machine, or s3://…, gs://…"""


@dataclass(frozen=True)
class TuningResult(HasReport):
    """A tuning's results, which are read from its folder on access."""

    path: Folder
    """The folder: run.json, trials.csv, best.json and Ray Tune's own files."""

    @property
    def best(self) -> dict[str, Any]:
        """Returns the best trial at its best epoch: `config`, `validation_accuracy`, `epochs`, `number` and so on.

        Raises:
            ValueError: no trial has reported a result without diverging or failing.
        """
        return read_best(self.path)

    @property
    def front(self) -> list[dict[str, Any]]:
        """Returns the trials of the Pareto front, in the form of `best`, the best by the first goal first.

        Raises:
            ValueError: the tuning has one goal, or no trial has reported a result yet.
        """
        goal = goal_in(read_tuning(self.path)["configuration"])
        if not goal.others:
            raise InputError(f"{self.path} is a tuning with one goal, {goal.metric}, and has no front; see best")
        return [row for row in marked(read_rows(self.path, goal), goal) if row["on_front"]]

    @property
    def trials(self) -> "DataFrame":
        """Returns one row per trial, the best first, with the columns of trials.csv.

        Raises:
            InputError: no trial has reported a result yet.
        """
        import pandas

        file = self.path / "trials.csv"
        if not file.is_file():
            raise InputError(f"{file} is missing: no trial has reported a result; `tautune resume {self.path}` goes on")
        return pandas.read_csv(io.StringIO(file.read_text()))

    def to_frame(self) -> "DataFrame":
        """Returns `trials`; the results of the other runs have their table by this name."""
        return self.trials

    def plot(self) -> "Figure":
        """Returns a figure of the learning curves: the best five in colour, and where others were stopped.

        Raises:
            InputError: no trial has reported a result yet, or the folder keeps no curves.
        """
        from tautune.analysis.reports.charts.progress import learning_curves
        from tautune.analysis.reports.parts.tuned import read_tuned

        tuned = read_tuned(self.path)
        if not tuned.good or not tuned.history.reports:
            raise InputError(f"{self.path} has no learning curves: no trial has reported a result that it keeps")
        return learning_curves(tuned).figure

    def as_json(self) -> dict[str, Any]:
        """Returns `path`, the number of trials in each of the `states`, the `best`, and the `front` of several goals.

        Raises:
            ValueError: as for `best`.
        """
        goal = goal_in(read_tuning(self.path)["configuration"])
        states = Counter(row["state"] for row in read_rows(self.path, goal))
        front = {"front": self.front} if goal.others else {}
        return {"path": str(self.path), "states": dict(states), "best": self.best, **front}

    def importance(self) -> "Importance":
        """Returns how much each hyperparameter mattered, by Optuna's evaluators: `pedanova`, `fanova`, `left_out`.

        Raises:
            InputError: Optuna is not installed, or the trials are fewer than ten, or do not differ.
        """
        from tautune.analysis.importance import importance

        configuration = read_tuning(self.path)["configuration"]
        goal = goal_in(configuration)
        return importance(read_rows(self.path, goal), configuration["space"], goal)


def tuning_result(path: Place) -> TuningResult:
    """Returns the result in a folder that `tune` wrote. Raises ValueError if the folder holds no tuning."""
    folder = folder_at(str(path))
    read_tuning(folder)
    return TuningResult(folder.resolve())
