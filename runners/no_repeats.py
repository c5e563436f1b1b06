"""Searchers that spend no trial on a configuration that was tried already."""

from functools import partial
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.optuna import OptunaSearch

PROPOSALS = 30
"""For one trial at most: where nearly all of a space was tried, a searcher would go on for long."""
CANDIDATES = 24
"""HyperOpt's and Optuna's default."""


class Distinct(Searcher):
    """Goes before a TPE searcher of Ray Tune and has it propose anew what it has proposed before.

    A training can be repeated exactly, so that a second one of a configuration tells nothing; yet of a space of choices
    TPE proposes what it likes best over and over. Where all is tried, or nearly, it gets what it likes best.

    What was tried is saved by Tune with the searcher's own state, and so outlives an interruption.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tried: set[str] = set()
        self.proposals: dict[str, str] = {}
        """Trial → the name under which the searcher knows it."""

    def suggest(self, trial_id: str) -> Any:
        for repeated in range(PROPOSALS):
            proposal = f"{trial_id}-{repeated}"
            config = self.propose(proposal, repeated)
            if repr(config) not in self.tried:
                break
            super().on_trial_complete(proposal, error=True)  # of which a searcher learns nothing
        else:
            proposal = trial_id
            config = self.propose(proposal, 0)
        self.tried.add(repr(config))
        self.proposals[trial_id] = proposal
        return config

    def propose(self, name: str, repeated: int) -> Any:
        """A configuration under that name, after so many that were repetitions."""
        return super().suggest(name)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        super().on_trial_result(self.proposals.get(trial_id, trial_id), result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        super().on_trial_complete(self.proposals.get(trial_id, trial_id), result=result, error=error)


def candidates(repeated: int) -> int:
    """How many draws of its model TPE takes the best of: of a few choices it is nearly always the same one, so that
    after each repetition it draws half as many, and in the end one.
    """
    return max(1, CANDIDATES >> repeated)


class DistinctHyperOpt(Distinct, HyperOptSearch):
    algo: Any

    def propose(self, name: str, repeated: int) -> Any:
        algorithm = self.algo
        self.algo = partial(algorithm, n_EI_candidates=candidates(repeated))
        try:
            return super().propose(name, repeated)
        finally:
            self.algo = algorithm


class DistinctOptuna(Distinct, OptunaSearch):
    _sampler: Any

    def propose(self, name: str, repeated: int) -> Any:
        self._sampler._n_ei_candidates = candidates(repeated)  # for which a TPESampler in use has no other way
        return super().propose(name, repeated)
