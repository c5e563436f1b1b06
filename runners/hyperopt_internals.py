"""What is private in Ray Tune's HyperOptSearch, with a guard: where it has moved, repeats may occur, said once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ray.tune.search.hyperopt import HyperOptSearch

log = logging.getLogger("tautune")
POINTS = "hyperopt may not begin with the points to start from: this Ray keeps its points elsewhere"
REPEATS = "hyperopt may propose a configuration twice: this Ray keeps HyperOpt's algorithm elsewhere"


@contextmanager
def candidates(searcher: Any, count: int) -> Iterator[bool]:
    """Sets, inside, how many draws of its model TPE takes the best of. Yields whether that was possible."""
    algorithm = getattr(searcher, "algo", None)
    if not isinstance(algorithm, partial):
        if REPEATS not in _said:
            log.warning(REPEATS)
        _said.add(REPEATS)
        yield False
        return
    searcher.algo = partial(algorithm, n_EI_candidates=count)
    try:
        yield True
    finally:
        searcher.algo = algorithm


def complete_points(searcher: Any) -> bool:
    """Completes the points that a searcher is to try first.

    HyperOpt's model wants each hyperparameter in each of them: an empty list for one that does not exist there. And Ray
    looks a choice up among the values in HyperOpt's tree, and does not find a branch of it. So the points come with the
    places of their choices, and `DistinctHyperOpt` leaves out the looking up, `_convert_categories_to_indices`.

    Returns:
        Whether that was possible.
    """
    trials, domain = getattr(searcher, "_hpopt_trials", None), getattr(searcher, "domain", None)
    if trials is None or domain is None or not hasattr(HyperOptSearch, "_convert_categories_to_indices"):
        if POINTS not in _said:
            log.warning(POINTS)
        _said.add(POINTS)
        return False
    for misc in trials.miscs:
        for label in domain.params:
            misc["idxs"].setdefault(label, [])
            misc["vals"].setdefault(label, [])
    return True


_said: set[str] = set()
