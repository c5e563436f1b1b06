"""Notices that a run's folder is gone: files would be written anew there, and Tune would try each trial ten times."""

from pathlib import Path
from typing import Any

from ray import tune

from tautune.records.errors import InputError, RunFailed
from tautune.records.run_file import RUN_FILE
from tautune.records.storage import Folder, reading


class FolderWatch(tune.Callback):
    """Ends the run at the first result, or in a bucket the first failure, after the folder was removed.

    It comes before the callbacks that write there.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
        """Looks for run.json on a disk, where that takes microseconds. Raises RunFailed if it is not there."""
        if isinstance(self.folder, Path):
            self._look()

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Looks for run.json before Tune tries the trial again. Raises RunFailed if it is not there."""
        self._look()

    def _look(self) -> None:
        file = self.folder / RUN_FILE
        try:
            with reading(file):
                there = file.exists()
        except InputError as error:  # a bucket that no longer answers
            raise RunFailed(str(error)) from None
        if not there:
            raise RunFailed(f"{self.folder} is gone, or no longer holds its {RUN_FILE}: it was removed during the run")
