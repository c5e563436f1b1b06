"""What a tuning or a refit tells while it runs. Runners print and draw nothing themselves."""

from collections.abc import Sequence

from tautune.records.storage import Folder
from tautune.runners.listeners import Listener
from tautune.runners.trials import Json, Trials


class TuningListener(Listener):
    """Hears what happens, and does nothing with it: a display overrides what it wants to show.

    Every method is called in the thread of the run.
    """

    def run_began(self, trials: Trials, varying: Sequence[str]) -> None:
        """Hears that trials are about to run, which these hyperparameters tell apart."""

    def trial_reported(self, trials: Trials, *, running: int, seconds_left: float | None) -> None:
        """Hears that a trial has ended an epoch; `seconds_left` of the time budget, if there is one."""

    def trial_ended(self, trials: Trials, row: Json) -> None:
        """Hears that a trial will train no more."""

    def run_ended(self, trials: Trials) -> None:
        """Hears that no trial runs any more, whatever the reason."""

    def concluded(self, folder: Folder, files: str, seconds: float) -> None:
        """Hears what has been written where, and how long the run took."""

    def epoch_ended(self, epoch: int, epochs: int, training_loss: float) -> None:
        """Hears of an epoch of a refit."""
