"""TensorBoard's view of a tuning: scalars of every epoch, and each trial's row in HParams from its first moment."""

from typing import Any

from ray.tune.logger import LoggerCallback
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from tautune.runners.trial_callback import TrialCallback, _current
from tautune.runners.trials import scores_in
from tautune.trainables.loop.trial import REPEATED

Json = dict[str, Any]
OF_TRAINING = ("learning_rate", "epoch_seconds", "examples_per_second", "diverged")
"""What is shown of an epoch of the built-in loop beside its scores."""


class TensorBoardLog(LoggerCallback):
    """Writes hyperparameters when a trial starts, not when it ends: no way of ending loses them.

    HParams shows the last value of a scalar. So that it agrees with trials.csv, each epoch also writes what the trial
    had at its best epoch until then, as best/….
    """

    def __init__(self, table: TrialCallback) -> None:
        """Args: table: the callback that comes before this one and has taken in the same results."""
        self.table = table
        goal = table.trials.goal
        own = () if goal.is_of_a_loop else (*goal.ties, "training_loss")
        self.best = (goal.metric, *own, "epochs")
        self.writers: dict[str, SummaryWriter] = {}
        self.endings: dict[str, Any] = {}

    def __reduce__(self) -> Any:
        return _restored, ()

    def log_trial_start(self, trial: Any) -> None:
        if trial.trial_id in self.writers:  # it was paused
            return
        trial.init_local_path()
        writer = SummaryWriter(trial.local_path)
        config = self.table.study.hyperparameters(trial.config)
        values = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in config.items()}
        experiment, start, end = hparams(
            values, dict.fromkeys([*(f"best/{name}" for name in self.best), "diverged"], 0.0)
        )
        events = writer._get_file_writer()
        events.add_summary(experiment)
        events.add_summary(start)
        writer.flush()
        self.writers[trial.trial_id], self.endings[trial.trial_id] = writer, end

    def log_trial_result(self, iteration: int, trial: Any, result: Json) -> None:
        if REPEATED in result:
            return
        self.log_trial_start(trial)
        writer = self.writers[trial.trial_id]
        goal = self.table.trials.goal
        beside = ("diverged",) if goal.is_of_a_loop else OF_TRAINING
        shown = scores_in(result, goal) | {name: result[name] for name in beside}
        for name, value in shown.items():
            writer.add_scalar(name, value, result["epochs"])
        self._write_best(trial)
        writer.flush()

    def _write_best(self, trial: Any) -> None:
        row = self.table.row_of(trial)
        if row:  # a run of an earlier version has this callback before the other, and no row yet
            for name in self.best:
                self.writers[trial.trial_id].add_scalar(f"best/{name}", row[name], row["epochs_trained"])

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        if trial.trial_id in self.writers:
            self._write_best(trial)
        writer = self.writers.pop(trial.trial_id, None)
        if writer:
            writer._get_file_writer().add_summary(self.endings.pop(trial.trial_id))
            writer.close()


def _restored() -> TensorBoardLog | None:
    table = _current()
    return TensorBoardLog(table) if table else None
