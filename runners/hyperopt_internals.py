"""What is private in Ray Tune's HyperOptSearch, with a guard: where it has moved, repeats may occur, said once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

log = logging.getLogger("tautune")
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


_said: set[str] = set()
