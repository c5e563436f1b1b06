"""Notices that a study's own code raised in a trial: the run ends at once, since all its trials share that code."""

from collections.abc import Callable
from typing import Any

from ray import tune

from tautune.records.errors import trial_failed
from tautune.records.files import write_bytes
from tautune.records.storage import Folder
from tautune.trainables.raised import RAISED


class OwnCode(tune.Callback):
    """Ends the run at the first result that holds a traceback, and writes that into the folder's error.txt.

    It comes before the callbacks that keep results.

    Args:
        folder: the run's folder.
        name: returns what the trial with a config is called in the message.
    """

    def __init__(self, folder: Folder, name: Callable[[dict[str, Any]], str]) -> None:
        self.folder, self.name = folder, name

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        """Raises RunFailed if the result holds a traceback."""
        if text := result.get(RAISED):
            write_bytes(self.folder / "error.txt", text.encode())
            raise trial_failed(self.name(trial.config), RuntimeError(text), str(self.folder))
