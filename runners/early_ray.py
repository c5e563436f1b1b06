"""Starts Ray while modules are still being imported, once nothing can be refused any more."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tautune.cluster.session.session import ray_session


@contextmanager
def early_ray(at_once: bool, *, meanwhile: Sequence[str], in_workers: Sequence[str]) -> Iterator[None]:
    """Starts Ray now if `at_once`; otherwise the run starts it later.

    Starting Ray and importing torch each take seconds, and here they overlap. That is right only if the run is certain
    to need Ray, that is, if everything that could be refused has been checked.

    Args:
        at_once: whether to start Ray now.
        meanwhile: modules to import while Ray starts.
        in_workers: modules that the trials' processes import before they get a trial.
    """
    if at_once:
        with ray_session(meanwhile=meanwhile, in_workers=in_workers):
            yield
    else:
        yield
