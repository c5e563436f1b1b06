"""TensorBoard's view of a tuning: scalars of every epoch, and each trial's row in HParams from its first moment."""

from typing import Any

from ray.tune.logger import LoggerCallback
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from tautune.search_spaces.tuning_study import TuningStudy

Json = dict[str, Any]
SCALARS = (
    "training_loss",
    "training_accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_accuracy_deviation",
    "learning_rate",
    "epoch_seconds",
    "examples_per_second",
    "diverged",
)
METRICS = ("validation_accuracy", "validation_loss", "training_loss", "diverged")


class TensorBoardLog(LoggerCallback):
    """Hyperparameters are written when a trial starts, not when it ends: no way of ending loses them."""

    def __init__(self, study: TuningStudy) -> None:
        self.hyperparameters = study.hyperparameters
        self.writers: dict[str, SummaryWriter] = {}
        self.endings: dict[str, Any] = {}

    def __getstate__(self) -> Json:
        return self.__dict__ | {"writers": {}, "endings": {}}

    def log_trial_start(self, trial: Any) -> None:
        if trial.trial_id in self.writers:  # it was paused
            return
        trial.init_local_path()
        writer = SummaryWriter(trial.local_path)
        values = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in self._values(trial).items()}
        experiment, start, end = hparams(values, dict.fromkeys(METRICS, 0.0))
        events = writer._get_file_writer()
        events.add_summary(experiment)
        events.add_summary(start)
        writer.flush()
        self.writers[trial.trial_id], self.endings[trial.trial_id] = writer, end

    def _values(self, trial: Any) -> Json:
        values: Json = self.hyperparameters(trial.config)
        return values

    def log_trial_result(self, iteration: int, trial: Any, result: Json) -> None:
        self.log_trial_start(trial)
        writer = self.writers[trial.trial_id]
        for name in SCALARS:
            writer.add_scalar(name, result[name], result["epochs"])
        writer.flush()

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        writer = self.writers.pop(trial.trial_id, None)
        if writer:
            writer._get_file_writer().add_summary(self.endings.pop(trial.trial_id))
            writer.close()
