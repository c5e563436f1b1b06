"""Ray Tune's side of a tuning: hands what trials report to their record and to a listener, and ends the run."""

import signal
import threading
import time
from contextvars import ContextVar
from typing import Any

from ray import tune

from tautune.runners.trials import Json, Trials, numbered
from tautune.runners.tuning_listener import TuningListener
from tautune.search_spaces.tuning_study import TuningStudy


class EndedInThread(Exception):
    """Ends a run that is not in the main thread."""


class TrialCallback(tune.Callback):
    """A context, in which Tune may run trials."""

    def __init__(self, trials: Trials, study: TuningStudy, listener: TuningListener, *, budget: float | None) -> None:
        """Args: budget: seconds after which no trial goes on."""
        self.trials, self.study, self.listener, self.budget = trials, study, listener, budget
        self.begun = time.monotonic()
        self._known = self._asked_to_end = False

    def __reduce__(self) -> Any:
        return _current, ()

    def __enter__(self) -> "TrialCallback":
        self._token = _CURRENT.set(self)
        self.begun = time.monotonic()
        self.listener.run_began(self.trials)
        return self

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)
        self.trials.interrupt()
        self.listener.run_ended(self.trials)

    @property
    def seconds_left(self) -> float | None:
        return None if self.budget is None else max(0.0, self.begun + self.budget - time.monotonic())

    @property
    def budget_spent(self) -> bool:
        return self.seconds_left == 0

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Forgets, once, the trials that a resumed experiment does not know of."""
        if not self._known:
            self.trials.forget_all_but(trial.trial_id for trial in trials)
        self._known = True

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ends the run when its time is spent, or when nothing works, so that it can be resumed.

        Tune's own time budget ends the trials for good, and goes on counting in a run that is resumed.
        """
        if (self.budget_spent or self.trials.nothing_works) and not self._asked_to_end:
            self._asked_to_end = True
            _end_run()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        config = self.study.hyperparameters(result["config"])
        self.trials.report(trial.trial_id, _number_of(trial), config, result)
        running = sum(t.status == "RUNNING" for t in trials)
        self.listener.trial_reported(self.trials, running=running, seconds_left=self.seconds_left)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        row = self.trials.end(trial.trial_id, finished=bool(trial.last_result.get("finished")))
        if row:
            self.listener.trial_ended(self.trials, row)


_CURRENT: ContextVar[TrialCallback | None] = ContextVar("_CURRENT", default=None)
"""This thread's: Tune pickles its callbacks into a file, and a restored run finds the new one here."""


def _current() -> TrialCallback | None:
    return _CURRENT.get()


def name_folder(trial: Any) -> str:
    """Returns the name of a new trial's folder, which is its number."""
    callback = _CURRENT.get()
    return numbered(callback.trials.next_number()) if callback else str(trial.trial_id)


def _number_of(trial: Any) -> int | None:
    """Returns a trial's number; None for one that began before trials had numbers."""
    name = trial.custom_dirname or ""
    return int(name) if name.isdecimal() and name != trial.trial_id else None


def _end_run() -> None:
    """Has Tune stop and keep its state as for Ctrl-C, which it takes in the main thread only."""
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signal.SIGINT)
    else:
        raise EndedInThread
