"""Ray Tune's searches and schedulers by name, and which of them go together."""

from typing import Any

from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    TrialScheduler,
)
from ray.tune.search import BasicVariantGenerator, SearchAlgorithm, Searcher
from ray.tune.search.hyperopt import HyperOptSearch
from ray.tune.search.sample import Categorical, Domain

from cluster.errors import InputError

METRIC, MODE = "validation_accuracy", "max"
SEARCHES = ("grid", "random", "hyperopt")
SCHEDULERS = ("none", "asha", "hyperband", "median", "pbt")
MUTABLE = ("learning_rate", "momentum", "l1", "l2", "batch_size")
"""Hyperparameters that may change in the middle of a training, which is what population-based training does."""

Space = dict[str, Any]


def check(search: str, scheduler: str, space: Space) -> None:
    """Raises InputError if one is unknown, or if they make no sense together."""
    if search not in SEARCHES:
        raise InputError(f"--search must be one of {', '.join(SEARCHES)}, not {search!r}")
    if scheduler not in SCHEDULERS:
        raise InputError(f"--scheduler must be one of {', '.join(SCHEDULERS)}, not {scheduler!r}")
    ranges = [name for name, domain in space.items() if isinstance(domain, Domain)]
    if search == "grid":
        endless = [name for name in ranges if not isinstance(space[name], Categorical)]
        if endless:
            raise InputError(f"--search grid needs choices, and {endless[0]} is a range; use random or hyperopt")
    if scheduler == "pbt":
        if search != "random":
            raise InputError(f"--scheduler pbt moves configurations itself; use it with --search random, not {search}")
        if not set(MUTABLE) & set(ranges):
            raise InputError(f"--scheduler pbt needs one of {', '.join(MUTABLE)} in the space")


def make_search(name: str, space: Space, seed: int) -> tuple[Searcher | SearchAlgorithm, Space]:
    """The search, and the space in the form it takes."""
    if name == "grid":
        grid = {k: {"grid_search": list(d.categories)} if isinstance(d, Categorical) else d for k, d in space.items()}
        return BasicVariantGenerator(random_state=seed), grid
    if name == "random":
        return BasicVariantGenerator(random_state=seed), space
    return HyperOptSearch(metric=METRIC, mode=MODE, random_state_seed=seed, n_initial_points=8), space


def make_scheduler(name: str, space: Space, max_epochs: int) -> TrialScheduler:
    """Time is counted in epochs throughout."""
    goal = {"metric": METRIC, "mode": MODE}
    if name == "asha":
        return ASHAScheduler(time_attr="epochs", max_t=max_epochs, grace_period=1, reduction_factor=3, **goal)
    if name == "hyperband":
        return HyperBandScheduler(time_attr="epochs", max_t=max_epochs, **goal)
    if name == "median":
        return MedianStoppingRule(time_attr="epochs", grace_period=1, **goal)
    if name == "pbt":
        mutable = {k: space[k] for k in MUTABLE if isinstance(space.get(k), Domain)}
        mutations = {k: list(d.categories) if isinstance(d, Categorical) else d for k, d in mutable.items()}
        interval = max(1, max_epochs // 10)
        return PopulationBasedTraining(
            time_attr="training_iteration",
            perturbation_interval=interval,
            hyperparam_mutations=mutations,
            custom_explore_fn=lambda config: _within_bounds(config, mutable),
            **goal,
        )
    return FIFOScheduler()


def _within_bounds(config: Space, mutable: Space) -> Space:
    """PBT multiplies by 0.8 or 1.2, whatever the bounds: a momentum would pass 1."""
    bounded = {name: d for name, d in mutable.items() if hasattr(d, "upper")}
    return config | {name: min(max(config[name], d.lower), d.upper) for name, d in bounded.items()}
