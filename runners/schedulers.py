"""Ray Tune's schedulers by name."""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.search.sample import Categorical, Domain

from tautune.runners.continued import Identities
from tautune.runners.methods import EARLY, POPULATION
from tautune.search_spaces.space import Space, When, ends
from tautune.trainables.continuing import CONTINUES
from tautune.trainables.goal import Goal


def at_full_length(space: Space, search: str, scheduler: str) -> Space:
    """Returns the space to search: where the scheduler decides how long a trial trains, `epochs` is its longest choice.

    A training of 5 epochs is the beginning of the same one of 20, and no better at its best epoch. As hyperparameters,
    5 and 20 would be trained twice, and compared after 5 epochs as if they differed. The space stays as it is if the
    learning rate's schedule goes over the epochs, if another hyperparameter depends on them, and for a grid, which is
    to be tried whole.
    """
    epochs = space.get("epochs")
    constant = space.get("schedule", "constant") == "constant" and space.get("warmup", 0) == 0
    parent = any(isinstance(entry, When) and entry.parameter == "epochs" for entry in space.values())
    if scheduler not in EARLY or search == "grid" or not isinstance(epochs, Domain) or not constant or parent:
        return space
    return space | {"epochs": max(ends(epochs))}


def perturbation_interval(max_epochs: int) -> int:
    """Returns the epochs between two moves of a population."""
    return max(1, max_epochs // 10)


def make_scheduler(name: str, moved: Space, max_epochs: int, goal: Goal, identities: Identities) -> TrialScheduler:
    """Returns the scheduler, which counts time in epochs.

    Args:
        moved: the part of the space in which a population may move.
        goal: what it compares trials by.
        identities: of the trials, which a scheduler that is `Replayable` knows by their ids in the journal.
    """
    compared = {"metric": goal.metric, "mode": goal.mode}
    if name == "asha":
        asha = ReplayableASHA(time_attr="epochs", max_t=max_epochs, grace_period=1, reduction_factor=3, **compared)
        return asha.knowing(identities)
    if name == "hyperband":
        return HyperBandScheduler(time_attr="epochs", max_t=max_epochs, **compared)
    if name == "median":
        return ReplayableMedian(time_attr="epochs", grace_period=1, **compared).knowing(identities)
    if name in POPULATION:
        return _population(name, moved, perturbation_interval(max_epochs), compared)
    return FIFOScheduler()


@dataclass(frozen=True)
class KnownTrial:
    """A trial as a scheduler knows it: Tune's own object is another one in each process."""

    trial_id: str


class _NoController:
    """Tune's controller, as it looks when the results of an earlier process are replayed: no trial waits."""

    def get_live_trials(self) -> list[Any]:
        return []


class Replayable(TrialScheduler):
    """Goes before a scheduler that decides by results alone: given the same ones again, it decides the same.

    Tune saves the state of a search, but not that of a scheduler.
    """

    def knowing(self, identities: Identities) -> "Replayable":
        """Sets under which ids the trials are known."""
        self._identities = identities
        return self

    def _known(self, trial: Any) -> Any:
        return KnownTrial(self._identities(trial.trial_id))

    def replay_begin(self, trial: str) -> None:
        """Takes in that a trial of an earlier process began."""
        super().on_trial_add(_NoController(), KnownTrial(trial))

    def replay_result(self, trial: str, result: dict[str, Any]) -> bool:
        """Takes in what a trial of an earlier process reported. Returns whether that ended it."""
        return bool(super().on_trial_result(_NoController(), KnownTrial(trial), result) == TrialScheduler.STOP)

    def replay_end(self, trial: str, result: dict[str, Any]) -> None:
        """Takes in that a trial of an earlier process ended."""
        super().on_trial_complete(_NoController(), KnownTrial(trial), result)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Takes in a trial of this process."""
        super().on_trial_add(tune_controller, self._known(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decides whether a trial goes on."""
        return str(super().on_trial_result(tune_controller, self._known(trial), result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Takes in a trial's last result."""
        super().on_trial_complete(tune_controller, self._known(trial), result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Takes in that a trial was given up."""
        super().on_trial_remove(tune_controller, self._known(trial))

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Takes in that a trial has failed."""
        super().on_trial_error(tune_controller, self._known(trial))


class ReplayableASHA(Replayable, ASHAScheduler):
    """Ray Tune's ASHA."""


class ReplayableMedian(Replayable, MedianStoppingRule):
    """Ray Tune's median stopping rule."""


class _WithoutSearch:
    """Tune's controller without its search: a population refuses any searcher, as one could not learn from its trials.

    Ours only draws.
    """

    search_alg = None

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)


class Population(PopulationBasedTraining):
    """Ray Tune's population-based training, of configurations that are drawn at random."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Takes in a trial."""
        super().on_trial_add(_WithoutSearch(tune_controller), trial)


def _population(name: str, moved: Space, interval: int, compared: dict[str, str]) -> PopulationBasedTraining:
    common: Any = {
        "time_attr": "training_iteration",
        "perturbation_interval": interval,
        "custom_explore_fn": lambda config: _within_bounds(config, moved),
        **compared,
    }
    if name == "pb2":
        from ray.tune.schedulers.pb2 import PB2  # imports scikit-learn

        kind = type("Population2", (Population, PB2), {})
        return kind(hyperparam_bounds={k: [d.lower, d.upper] for k, d in moved.items()}, **common)
    mutations = {k: list(d.categories) if isinstance(d, Categorical) else d for k, d in moved.items()}
    return Population(hyperparam_mutations=mutations, **common)


def _within_bounds(config: Space, moved: Space) -> Space:
    """Returns a moved configuration inside its bounds: PBT multiplies by 0.8 or 1.2, and a momentum would pass 1."""
    ranges = {name: ends(d) for name, d in moved.items() if not isinstance(d, Categorical)}
    inside = config | {name: min(max(config[name], low), high) for name, (low, high) in ranges.items()}
    inside.pop(CONTINUES, None)  # is another trial's
    return inside
