"""Brings a search, a scheduler and the table of trials to where an earlier process left them, by its journal."""

from typing import Any

from tautune.records.journal import Event
from tautune.records.storage import Folder
from tautune.runners.continued import Unfinished
from tautune.runners.folding import Folding
from tautune.runners.longer import newest_checkpoint
from tautune.runners.schedulers import Replayable
from tautune.runners.suggestions import Suggestions, are_alike, plain
from tautune.runners.tuning_journal import seen_by_schedulers

Json = dict[str, Any]


class Replay:
    """Gives the same events to all three, in the order in which they happened.

    So each decides again as it decided then: a trial whose last epoch had come, or which the scheduler had just stopped
    when the process was killed, has ended.
    """

    def __init__(self, search: Suggestions, scheduler: Any, folding: Folding) -> None:
        self.search, self.folding = search, folding
        self.scheduler = scheduler if isinstance(scheduler, Replayable) else None
        self.configs: dict[str, Json] = {}
        self.stopped: dict[str, Json] = {}
        """What the trials reported last that are about to end."""

    def run(self, events: list[Event]) -> None:
        """Takes in the events."""
        for event in events:
            self.folding.apply(event)
            if "begin" in event:
                self._begin(event["begin"], event["config"])
            elif "result" in event:
                self._result(event["result"], seen_by_schedulers(event["reported"]))
            elif "end" in event:
                self._end(event["end"], event["told"], error=event["error"])
            elif "longer" in event:
                self.search.leave_out(event["longer"])
        for trial, reported in list(self.stopped.items()):
            self.folding.end(trial)
            self._end(trial, reported, error=False)

    def _begin(self, trial: str, config: Json) -> None:
        self.configs[trial] = self.search.suggest_again(trial, config)
        if self.scheduler:
            self.scheduler.replay_begin(trial)

    def _result(self, trial: str, reported: Json) -> None:
        compared = self.scheduler if trial not in self.folding.longer else None
        stops = compared.replay_result(trial, reported) if compared else False
        if stops or reported.get("finished"):
            self.stopped[trial] = reported

    def _end(self, trial: str, told: Json | None, *, error: bool) -> None:
        self.stopped.pop(trial, None)
        self.search.tell_end_again(trial, told, error=error)
        if self.scheduler and trial in self.folding.last and trial not in self.folding.longer:
            self.scheduler.replay_end(trial, self.folding.last[trial])

    def ended(self, experiment: str) -> int:
        """Returns how many trials of an experiment have ended."""
        return sum(self.folding.begun[trial]["experiment"] == experiment for trial in self.folding.ended)

    def unfinished(self, folder: Folder, experiment: str) -> list[Unfinished]:
        """Returns the trials of an experiment that go on."""
        begun = (event for event in self.folding.unfinished if event["experiment"] == experiment)
        return [self._unfinished(event, folder) for event in begun]

    def _unfinished(self, event: Event, folder: Folder) -> Unfinished:
        trial, number, config = event["begin"], event["number"], event["config"]
        last = self.folding.last.get(trial, {})
        epochs = int(last.get("epochs", 0))
        found = newest_checkpoint(folder, self.folding, trial, epochs)
        return Unfinished(
            trial=trial,
            number=number,
            # a population may have changed it; and JSON has no tuples
            config=self.configs[trial] if are_alike(plain(self.configs[trial]), config) else config,
            epochs=epochs,
            seconds=float(last.get("time_total_s", 0.0)),
            checkpoint=str(found.path) if found else None,
            longer=self.folding.longer.get(trial, 0),
        )
