"""Searchers that spend no trial on a configuration that was tried already."""

from typing import Any

from ray.tune.search import Searcher
from ray.tune.search.hyperopt import HyperOptSearch

from tautune.runners import hyperopt_internals, optuna_internals
from tautune.runners.optuna_goals import GoalOptuna

PROPOSALS = 30
"""Proposals for one trial at most: where nearly all of a space was tried, a searcher would go on for long."""
CANDIDATES = 24
"""HyperOpt's and Optuna's default."""


class Distinct(Searcher):
    """Goes before a TPE searcher of Ray Tune and has it propose anew what it has proposed before.

    A training can be repeated exactly, so a second one of the same configuration tells nothing; yet in a space of
    choices TPE proposes its favourite over and over. Where everything was tried, or nearly, the favourite is taken.

    Tune saves what was tried with the searcher's own state, so it outlives an interruption.
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
        """Returns a configuration under that name, after so many that were repetitions."""
        return super().suggest(name)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        super().on_trial_result(self.proposals.get(trial_id, trial_id), result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        super().on_trial_complete(self.proposals.get(trial_id, trial_id), result=result, error=error)


def candidates(repeated: int) -> int:
    """Returns how many draws of its model TPE takes the best of.

    Of a few choices the best is nearly always the same one: after each repetition TPE draws half as many, in the end
    one.
    """
    return max(1, CANDIDATES >> repeated)


class DistinctHyperOpt(Distinct, HyperOptSearch):
    """Ray Tune's HyperOpt without repetitions."""

    def _convert_categories_to_indices(self, config: dict[str, Any]) -> None:
        """Leaves the points to start from as they are: see `hyperopt_internals`."""

    def propose(self, name: str, repeated: int) -> Any:
        with hyperopt_internals.candidates(self, candidates(repeated)):
            return super().propose(name, repeated)


class DistinctOptuna(Distinct, GoalOptuna):
    """Ray Tune's Optuna without repetitions."""

    def propose(self, name: str, repeated: int) -> Any:
        optuna_internals.set_candidates(getattr(self, "_sampler", None), candidates(repeated))
        return super().propose(name, repeated)
