"""What the events of a tuning's journal come to: the table of its trials, and who of them has not ended."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tautune.records.journal import Event
from tautune.records.storage import Folder
from tautune.runners.trials import Trials
from tautune.runners.tuning_journal import seen_by_schedulers
from tautune.trainables.goal import Goal

if TYPE_CHECKING:
    from tautune.runners.tuning_board import (
        TuningBoard,
    )  # TensorBoard takes 0.2 s, which reading a folder does not need

Json = dict[str, Any]


class Folding:
    """Applies events to a table of trials, one after another."""

    def __init__(self, trials: Trials, board: "TuningBoard | None" = None) -> None:
        """Begins with no event.

        Args:
            trials: the table.
            board: is told of every report as well, and writes those that it lacks.
        """
        self.trials, self.board = trials, board
        self.begun: dict[str, Event] = {}
        """The `begin` of every trial, with its latest `config`."""
        self.last: dict[str, Json] = {}
        """What each trial reported last."""
        self.ended: set[str] = set()
        self.longer: dict[str, int] = {}
        """Epochs by which trials were lengthened."""
        self.experiments: dict[str, list[str]] = {}
        """Those in which each trial trained."""
        self._hyperparameters: dict[str, Json] = {}

    def apply(self, event: Event) -> None:
        """Takes in one event."""
        if "begin" in event:
            self.begun[event["begin"]] = event
            self.experiments[event["begin"]] = [event["experiment"]]
            self.trials.took(event["number"])
        elif "row" in event:
            self.trials.rows[event["row"]] = event["content"]
        elif "result" in event and event["result"] in self.begun:
            self._report(event["result"], event)
        elif "end" in event:
            self.end(event["end"], error=event["error"], finished=bool(event.get("finished")))
        elif "longer" in event and event["longer"] in self.begun:
            self._lengthen(event["longer"], event)

    def _report(self, trial: str, event: Event) -> None:
        begin, reported = self.begun[trial], event["reported"]
        if "config" in event:
            self.begun[trial] = begin | {"config": event["config"]}
        known = self._hyperparameters[trial] = event.get("hyperparameters") or self._hyperparameters.get(trial, {})
        row = self.trials.report(trial, begin["number"], known, reported, begin["experiment"])
        if self.board:
            self.board.reported(begin["number"], known, reported, row, event.get("at"))
        self.last[trial] = seen_by_schedulers(reported)

    def _lengthen(self, trial: str, event: Event) -> None:
        self.begun[trial] = self.begun[trial] | {"experiment": event["experiment"]}
        self.experiments[trial].append(event["experiment"])
        self.longer[trial] = self.longer.get(trial, 0) + int(event["by"])
        self.ended.discard(trial)
        self.trials.lengthen(trial)

    def end(self, trial: str, *, error: bool = False, finished: bool = False) -> None:
        """Notes that a trial has ended, unless it was Ray that failed."""
        if not error and trial in self.begun:
            self.ended.add(trial)
            self.trials.end(trial, finished=finished or bool(self.last.get(trial, {}).get("finished")))

    @property
    def unfinished(self) -> list[Event]:
        """The `begin` of the trials that have not ended, in the order of their numbers."""
        still = (event for trial, event in self.begun.items() if trial not in self.ended)
        return sorted(still, key=lambda event: int(event["number"]))


def trials_of(folder: Folder, names: Iterable[str], events: Iterable[Event], goal: Goal) -> Trials:
    """Returns the table of trials that the events of a folder make."""
    folding = Folding(Trials(folder, names, total=0, goal=goal))
    for event in events:
        folding.apply(event)
    return folding.trials
