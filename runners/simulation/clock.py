"""Simulated workers: Ray's own search and scheduler decide what they train, and the table says how long it takes."""

import heapq
import itertools
from typing import Any

from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from tautune.runners.simulation.nearest import Nearest
from tautune.runners.simulation.ray_stand_ins import (
    PAUSED,
    PENDING,
    RUNNING,
    TERMINATED,
    Controller,
    SimulatedTrial,
)
from tautune.runners.simulation.table import Table
from tautune.search_spaces.space import Space, active


class Clock:
    """One simulated tuning, whose events are the reports of its trials, taken in the order of their times.

    Searches and schedulers are called in the order in which Ray Tune's controller calls them: one trial waits, whose
    configuration the search has suggested already, and a trial that has ended is told to the scheduler first.
    """

    def __init__(self, table: Table, space: Space, search: Searcher, scheduler: TrialScheduler, workers: int) -> None:
        self.goal, self.space, self.search, self.scheduler = table.goal, space, search, scheduler
        self.nearest = Nearest(table)
        self.idle = workers
        self.now = 0.0
        self.better: list[tuple[float, float]] = []
        """Each time at which a value was reported that is better than all before, and that value."""
        self.begun = 0
        """Number of trials that have begun to train."""
        self._live: list[SimulatedTrial] = []
        self._controller = Controller(self, self._live)
        self._numbers = itertools.count(1)
        self._events: list[tuple[float, int, SimulatedTrial]] = []
        self._order = itertools.count()
        self._searching = True

    def run(self, until: float, enough: float | None = None) -> None:
        """Lets the workers train until that time, or until the search has nothing left to suggest.

        Args:
            until: the time.
            enough: the value at which they end too: nothing in the table is better.
        """
        self._fill()
        while self._events and self._events[0][0] <= until and not (self.better and self.better[-1][1] == enough):
            self.now, _, trial = heapq.heappop(self._events)
            self._report(trial)
            self._fill()

    def stop(self, trial: SimulatedTrial) -> None:
        """Ends a trial: for a running one, scheduler and search are told its last result."""
        if trial.status == TERMINATED:
            return
        if trial.status == RUNNING:
            self.scheduler.on_trial_complete(self._controller, trial, trial.last_result)
            self.search.on_trial_complete(trial.trial_id, trial.last_result)
            self.idle += 1
        else:
            self.scheduler.on_trial_remove(self._controller, trial)
            self.search.on_trial_complete(trial.trial_id)
        trial.status = TERMINATED
        self._live.remove(trial)

    def _fill(self) -> None:
        """Gives the idle workers what the scheduler chooses, while one trial more waits."""
        while True:
            self._suggest()
            chosen = self.scheduler.choose_trial_to_run(self._controller) if self.idle else None
            if chosen is None:
                return
            self.begun += not chosen.reported
            chosen.status = RUNNING
            self.idle -= 1
            self._expect(chosen)

    def _suggest(self) -> None:
        if not self._searching or any(trial.status == PENDING for trial in self._live):
            return
        name = f"{next(self._numbers):05d}"
        config: Any = self.search.suggest(name)
        if config == Searcher.FINISHED:
            self._searching = False
        elif config is not None:
            trial = SimulatedTrial(name, self.nearest(active(self.space, config)))
            self._live.append(trial)
            self.scheduler.on_trial_add(self._controller, trial)

    def _expect(self, trial: SimulatedTrial) -> None:
        """Enters when a running trial reports next: where it was paused, it goes on from there."""
        curve = trial.training.curve
        before = curve[trial.reported - 1].time if trial.reported else 0.0
        at = self.now + curve[trial.reported].time - before
        heapq.heappush(self._events, (at, next(self._order), trial))

    def _report(self, trial: SimulatedTrial) -> None:
        curve = trial.training.curve
        report = curve[trial.reported]
        trial.reported += 1
        trial.last_result = {
            self.goal.metric: report.value,
            "epochs": report.epoch,
            "training_iteration": report.epoch,
            "time_total_s": report.time,
            "trial_id": trial.trial_id,
        }
        sign = -1 if self.goal.mode == "max" else 1
        if not self.better or sign * report.value < sign * self.better[-1][1]:
            self.better.append((self.now, report.value))
        if trial.reported == len(curve):
            self.stop(trial)
            return
        decision = self.scheduler.on_trial_result(self._controller, trial, trial.last_result)
        if decision == TrialScheduler.STOP:
            self.stop(trial)
            return
        self.search.on_trial_result(trial.trial_id, trial.last_result)
        if decision == TrialScheduler.PAUSE:
            trial.status = PAUSED
            self.idle += 1
        else:
            self._expect(trial)
