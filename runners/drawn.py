"""Random and grid search as searchers that draw one configuration after another, whatever the trials do."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
from ray.tune.search import Searcher
from ray.tune.search.sample import Domain
from ray.tune.search.variant_generator import generate_variants

from tautune.search_spaces.space import COMBINATION, Space, combinations, domain_of

Config = dict[str, Any]
PENDING = "TUNE_MAX_PENDING_TRIALS_PG"
MOST_PENDING = "200"
"""Number of trials that may wait for a place at once, as for Ray Tune's own: a cluster's autoscaler sees how many."""


class Drawn(Searcher):
    """Suggests configurations in an order that nothing but the seed decides, so that a run can be repeated.

    Ray Tune's own generator of variants does the same, but it is not told of one trial at a time, and so cannot go on
    where an earlier run ended.
    """

    def __init__(self, configurations: Iterator[Config]) -> None:
        super().__init__()
        self.configurations = configurations

    def suggest(self, trial_id: str) -> Any:
        return next(self.configurations, Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: Config | None = None, error: bool = False) -> None:
        """Learns nothing."""


def random_search(space: Space, seed: int, points: Iterable[Config] = ()) -> Drawn:
    """Returns a search that draws every hyperparameter from its domain.

    Args:
        points: what it suggests first, with what is fixed in the space.
    """
    domains = {name: domain_of(entry) for name, entry in space.items()}
    fixed = {name: value for name, value in domains.items() if not isinstance(value, Domain)}
    return Drawn(chain((fixed | point for point in points), _draws(domains, np.random.RandomState(seed))))


def grid_search(space: Space) -> Drawn:
    """Returns a search that tries every combination of the choices."""
    return Drawn({COMBINATION: combination} for combination in combinations(space))


@contextmanager
def many_pending(search: str) -> Iterator[None]:
    """Lets many trials wait at once, inside, if the search learns nothing from those before them."""
    if search not in ("random", "grid") or PENDING in os.environ:
        yield
        return
    os.environ[PENDING] = MOST_PENDING
    try:
        yield
    finally:
        os.environ.pop(PENDING, None)


def _draws(space: Config, random: np.random.RandomState) -> Iterator[Config]:
    while True:
        for _, config in generate_variants({"config": space}, random_state=random):
            yield config["config"]
