"""Ray Tune's schedulers by name."""

import json
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.search.sample import Categorical, Domain

from tautune.records.files import write_bytes
from tautune.records.storage import Folder
from tautune.runners.methods import EARLY, POPULATION
from tautune.runners.searches import METRIC, MODE
from tautune.search_spaces.space import Space, When, ends
from tautune.trainables.classifier.hyperparameters import MUTABLE

GOAL = {"metric": METRIC, "mode": MODE}


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


def make_scheduler(name: str, space: Space, max_epochs: int, memory: Folder) -> TrialScheduler:
    """Returns the scheduler, which counts time in epochs.

    Args:
        memory: the file in which ASHA keeps what it compares with, for a run that continues this one.
    """
    if name == "asha":
        return RememberingASHA(memory, max_epochs)
    if name == "hyperband":
        return HyperBandScheduler(time_attr="epochs", max_t=max_epochs, **GOAL)
    if name == "median":
        return MedianStoppingRule(time_attr="epochs", grace_period=1, **GOAL)
    if name in POPULATION:
        return _population(name, _mutable(space), perturbation_interval(max_epochs))
    return FIFOScheduler()


class RememberingASHA(ASHAScheduler):
    """Keeps ASHA's rungs in a file: Tune saves the state of a search, but not that of a scheduler."""

    def __init__(self, memory: Folder, max_epochs: int) -> None:
        super().__init__(time_attr="epochs", max_t=max_epochs, grace_period=1, reduction_factor=3, **GOAL)
        self.memory, self.remembered = memory, False
        self.written = ""

    def _rungs(self) -> list[dict[str, float]]:
        """Returns, for each rung, trial → metric."""
        return [recorded for bracket in self._brackets for _, recorded in bracket._rungs]

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        if not self.remembered and self.memory.exists():
            for rung, kept in zip(self._rungs(), json.loads(self.memory.read_text()), strict=True):
                rung.update(kept)
        self.remembered = True
        super().on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        decision: str = super().on_trial_result(tune_controller, trial, result)
        rungs = json.dumps(self._rungs(), allow_nan=False)
        if rungs != self.written:
            write_bytes(self.memory, rungs.encode())
            self.written = rungs
        return decision


def _population(name: str, moved: Space, interval: int) -> PopulationBasedTraining:
    common: Any = {
        "time_attr": "training_iteration",
        "perturbation_interval": interval,
        "custom_explore_fn": lambda config: _within_bounds(config, moved),
        **GOAL,
    }
    if name == "pb2":
        from ray.tune.schedulers.pb2 import PB2  # imports scikit-learn

        return PB2(hyperparam_bounds={k: [d.lower, d.upper] for k, d in moved.items()}, **common)
    mutations = {k: list(d.categories) if isinstance(d, Categorical) else d for k, d in moved.items()}
    return PopulationBasedTraining(hyperparam_mutations=mutations, **common)


def _mutable(space: Space) -> Space:
    return {name: space[name] for name in MUTABLE if isinstance(space.get(name), Domain)}


def _within_bounds(config: Space, moved: Space) -> Space:
    """Returns a moved configuration inside its bounds: PBT multiplies by 0.8 or 1.2, and a momentum would pass 1."""
    ranges = {name: ends(d) for name, d in moved.items() if not isinstance(d, Categorical)}
    return config | {name: min(max(config[name], low), high) for name, (low, high) in ranges.items()}
