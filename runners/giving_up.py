"""Notices that a trial comes no further: Ray Tune would begin it ten times more, and then end the run for its sake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from tautune.cluster.session.session import RETRIES
from tautune.records.errors import RunFailed
from tautune.trainables.continuing import CONTINUES

Json = dict[str, Any]
TRIES = 3
"""Times that a trial is begun without one more report before it has failed. Once is not enough: what took the memory
may have been another trial, or another program."""
HOST_LOST = "its node has died"
SHORT_OF_MEMORY = "running low on memory"
PROCESS_LOST = "died unexpectedly"
"""Words in Ray's messages, by which alone it tells these apart."""


class GivingUp(tune.Callback):
    """Ends the run when the process of a trial has died three times: killed, short of memory, or crashed.

    Trials whose host is lost are left to Ray Tune.

    Args:
        name: returns what a trial is called in the message.
    """

    def __init__(self, name: Callable[[Any], str]) -> None:
        self.name = name
        self._tries: dict[str, int] = {}
        self._reports: dict[str, int] = {}

    def __getstate__(self) -> Json:
        return {}  # Tune pickles its callbacks into a file, from which this one is never loaded

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        """Notes that a trial has come further."""
        if result["training_iteration"] > self._reports.get(trial.trial_id, 0):
            self._reports[trial.trial_id] = result["training_iteration"]
            self._tries.pop(trial.trial_id, None)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Counts how often a trial was lost without having come further, and gives it up in the end."""
        error = _last_error(trial)
        if HOST_LOST in error:
            return
        self._tries[trial.trial_id] = tries = self._tries.get(trial.trial_id, 0) + 1
        if tries >= TRIES or trial.num_failures >= RETRIES:
            self.give_up(trial, reason_of(error, trial.num_failures))

    def give_up(self, trial: Any, reason: str) -> None:
        """Raises RunFailed."""
        raise RunFailed(f"{self.name(trial)} failed: {reason.splitlines()[-1]}")


class FailedTrial(GivingUp):
    """Has such a trial begin once more, only to report that it has failed: then it is a trial like others that do.

    The run ends where not even that can be done.
    """

    def __init__(self) -> None:
        super().__init__(name=lambda trial: f"trial {Path(trial.local_path).name}")

    def give_up(self, trial: Any, reason: str) -> None:
        """Gives the trial what to report, in place of training."""
        known = trial.config.get(CONTINUES, {})
        if "failure" in known and trial.num_failures >= RETRIES:
            super().give_up(trial, reason)
        reported = (trial.last_result or {}).get("epochs", 0)
        ended = {"checkpoint": None, "longer": 0} | known | {"epochs": reported, "failure": reason}
        trial.set_config(trial.config | {CONTINUES: ended})


def _last_error(trial: Any) -> str:
    """Returns the message of the last of a trial's errors, which Tune writes one below another."""
    file = trial.error_file
    text = Path(file).read_text() if file else ""
    return text.rpartition("Failure # ")[2].partition("\n")[2].strip()


def reason_of(error: str, times: int) -> str:
    """Returns why Ray could not go on, in our words: one line, unless the error has a traceback.

    Args:
        error: Ray's message.
        times: how often it was tried.
    """
    if SHORT_OF_MEMORY in error:
        return (
            f"OutOfMemory: Ray ended its process {times} times, since the machine was short of memory; "
            "train fewer at once, or a smaller model or batch"
        )
    if PROCESS_LOST in error:
        return (
            f"ProcessLost: its process died {times} times without a word: it was killed, as Linux does "
            "where memory runs out, or it crashed"
        )
    return error or "RuntimeError: Ray Tune could not go on with it"
