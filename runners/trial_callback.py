"""Ray Tune's side of a tuning: hands what trials report to their record and to a listener, and ends the run."""

import signal
import threading
import time
from contextvars import ContextVar
from typing import Any

from ray import tune

from tautune.analysis.trial_names import numbered
from tautune.records.errors import InputError
from tautune.runners.continued import Identities, without_start
from tautune.runners.suggestions import plain
from tautune.runners.trials import Json, Trials
from tautune.runners.tuning_board import TuningBoard
from tautune.runners.tuning_journal import REPORTED, TuningJournal
from tautune.runners.tuning_listener import TuningListener
from tautune.search_spaces.loop_study import LoopStudy
from tautune.search_spaces.tuning_study import TuningStudy
from tautune.trainables.loop.trial import REPEATED, UNNAMED


class EndedInThread(Exception):
    """Ends a run that is not in the main thread."""


class TrialCallback(tune.Callback):
    """A context, in which Tune may run trials."""

    def __init__(
        self,
        trials: Trials,
        journal: TuningJournal,
        study: TuningStudy | LoopStudy,
        listener: TuningListener,
        *,
        budget: float | None,
        board: TuningBoard,
    ) -> None:
        """Takes what is told of the trials.

        Args:
            trials: their table.
            journal: of the run.
            study: which is tuned.
            listener: hears what happens.
            budget: seconds after which no trial goes on.
            board: shows the trials in TensorBoard.
        """
        self.trials, self.journal, self.study, self.listener, self.budget = trials, journal, study, listener, budget
        self.identities = Identities()
        self.board = board
        self.begun = time.monotonic()
        self._asked_to_end = False

    def __reduce__(self) -> Any:
        return _current, ()

    def __enter__(self) -> "TrialCallback":
        self._token = _CURRENT.set(self)
        self.begun = time.monotonic()
        self.board.begin(self.trials)
        return self

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)
        if self.journal.error is None:
            self.trials.interrupt()
        self.journal.close()
        self.board.close(self.trials)
        self.listener.run_ended(self.trials)

    @property
    def seconds_left(self) -> float | None:
        return None if self.budget is None else max(0.0, self.begun + self.budget - time.monotonic())

    @property
    def budget_spent(self) -> bool:
        return self.seconds_left == 0

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ends the run when its time is spent, or when nothing works, so that it can be resumed.

        Tune's own time budget ends the trials for good, and goes on counting in a run that is resumed.
        """
        with self.journal.watched():
            self.trials.write_if_due()
        if (self.budget_spent or self.trials.nothing_works) and not self._asked_to_end:
            self._asked_to_end = True
            _end_run()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = self.identities.numbers[trial.trial_id]
        self.board.begun(number, self.study.hyperparameters(without_start(trial.config)))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Json, **info: Any) -> None:
        if UNNAMED in result and all(row["state"] == "failed" for row in self.trials.rows.values()):
            raise self._unnamed(result[UNNAMED])  # not this trial alone, but all of them would fail
        if REPEATED in result:
            return
        known = self.identities(trial.trial_id)
        config = self.study.hyperparameters(result["config"])
        seconds = self.identities.seconds.get(trial.trial_id, 0.0) + result["time_total_s"]
        result = result | {"time_total_s": seconds}
        self.journal.reported(known, plain(without_start(result["config"])), plain(config), plain(self._kept(result)))
        number = self.identities.numbers[trial.trial_id]
        row = self.trials.report(known, number, config, result, self.journal.experiment)
        self.board.reported(number, config, result, row)
        running = sum(t.status == "RUNNING" for t in trials)
        self.listener.trial_reported(self.trials, running=running, seconds_left=self.seconds_left)

    def _kept(self, result: Json) -> Json:
        return {name: result[name] for name in (*REPORTED, *self.trials.goal.asked) if name in result}

    def _unnamed(self, names: list[str]) -> InputError:
        reported = ", ".join(names) or "no numbers"
        goal = self.trials.goal
        missing = next((name for name in goal.asked if name not in names), goal.metric)
        what = "the study's metric" if missing == goal.metric else "a goal or a limit of this run"
        return InputError(
            f"the loop of {self.study.name} reported {reported}, and not {missing}, which is {what}; "
            "every report must have it"
        )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        row = self.trials.end(self.identities(trial.trial_id), finished=bool(trial.last_result.get("finished")))
        if row:
            self.board.ended(row, self.trials)
            self.listener.trial_ended(self.trials, row)


_CURRENT: ContextVar[TrialCallback | None] = ContextVar("_CURRENT", default=None)
"""This thread's: Tune pickles its callbacks into a file, which need not hold this one."""


def _current() -> TrialCallback | None:
    return _CURRENT.get()


def name_folder(trial: Any) -> str:
    """Returns the name of a trial's folder, which is its number."""
    callback = _CURRENT.get()
    number = callback.identities.numbers.get(trial.trial_id) if callback else None
    return str(trial.trial_id) if number is None else numbered(number)


def _end_run() -> None:
    """Has Tune stop and keep its state as for Ctrl-C, which it takes in the main thread only."""
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signal.SIGINT)
    else:
        raise EndedInThread
