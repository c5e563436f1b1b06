"""What Tune is to try: first the trials that an earlier process left unfinished, then what the search suggests."""

import copy
import json
import logging
import math
from typing import Any

from ray.tune.search import Searcher

from tautune.runners.continued import Identities, Unfinished
from tautune.runners.trials import Trials
from tautune.runners.tuning_journal import TuningJournal
from tautune.trainables.continuing import CONTINUES

Config = dict[str, Any]
log = logging.getLogger("tautune")
ELSEWHERE = (
    "the search cannot be brought to where it was: it suggests other configurations now than then, as another version "
    "of it may; it learns from the trials that come"
)


class Suggestions(Searcher):
    """Goes between Tune and a search, numbers its trials, and keeps a journal of what the search was asked and told.

    A search is brought to where an earlier process left it by asking and telling it the same again, in the same order.
    So nothing of its state needs to be kept, and nothing that others could have written is unpickled.
    """

    def __init__(self, search: Searcher, trials: Trials, journal: TuningJournal, identities: Identities) -> None:
        super().__init__(metric=trials.goal.metric, mode=trials.goal.mode)
        self.search, self.trials, self.journal, self.identities = search, trials, journal, identities
        self.waiting: list[Unfinished] = []
        self._unknown: set[str] = set()
        """Trials of which the search does not know."""
        self._lost = False

    def suggest_again(self, trial: str, kept: Config) -> Config:
        """Asks the search for what it had suggested for a trial of an earlier process. Returns the configuration."""
        if not self._lost:
            config: Config = self.search.suggest(trial)
            if are_alike(plain(config), kept):
                return config
            self._lost = True
            log.warning(ELSEWHERE)
        self._unknown.add(trial)
        return kept

    def tell_end_again(self, trial: str, told: Config | None, *, error: bool) -> None:
        """Tells the search how a trial of an earlier process ended."""
        if trial not in self._unknown:
            self.search.on_trial_complete(trial, told, error)
        if error:  # it goes on, and the search has given it up
            self._unknown.add(trial)

    def leave_out(self, trial: str) -> None:
        """Tells the search no more of a trial: it goes on for longer than those that it is compared with."""
        self._unknown.add(trial)

    def suggest(self, trial_id: str) -> Any:
        """Returns the configuration of the next trial."""
        if self.waiting:
            continued = self.waiting.pop(0)
            self.identities.earlier[trial_id] = continued.trial
            self.identities.numbers[trial_id] = continued.number
            self.identities.seconds[trial_id] = continued.seconds
            start: Config = {"epochs": continued.epochs, "checkpoint": continued.checkpoint, "longer": continued.longer}
            return copy.deepcopy(continued.config) | {CONTINUES: start}
        config = self.search.suggest(trial_id)
        if config is not None and config != Searcher.FINISHED:
            self.identities.numbers[trial_id] = number = self.trials.next_number()
            self.journal.begun(trial_id, number, plain(config))
        return config

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tells the search of an epoch."""
        if (known := self.identities(trial_id)) not in self._unknown:
            self.search.on_trial_result(known, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells the search, and the journal, that a trial trains no more."""
        known = self.identities(trial_id)
        told = self._told(result) if result else None
        self.journal.ended(known, plain(told), error=error, finished=bool(result and result.get("finished")))
        if known not in self._unknown:
            self.search.on_trial_complete(known, told, error)

    def _told(self, result: Config) -> Config:
        """Returns what a search is told of a trial's last result."""
        goal = self.trials.goal
        more = () if goal.is_plain else (*goal.asked, "diverged", "failed")
        seen = result.get("scores", {}) | result
        return {name: seen[name] for name in (goal.metric, "training_iteration", *more) if name in seen}

    def __reduce__(self) -> Any:
        """Pickles nothing: Tune writes a search into a file, which nobody reads again."""
        return Searcher, ()

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing of use: the journal has everything."""
        with open(checkpoint_path, "w") as file:  # noqa: PTH123 - Tune looks for a file
            file.write("{}")

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing."""


def are_alike(one: Any, other: Any) -> bool:
    """Returns whether two values from JSON are the same, up to what another number of threads makes of a float."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_alike, one, other))
    return type(one) is type(other) and bool(one == other)


def plain(value: Any) -> Any:
    """Returns the value as it comes back from JSON."""
    return json.loads(json.dumps(value, default=_plain_number))


def _plain_number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
