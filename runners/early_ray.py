"""Ray started before everything is imported, where nothing can be refused any more."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tautune.cluster.session.session import ray_session


@contextmanager
def early_ray(at_once: bool, *, meanwhile: Sequence[str], in_workers: Sequence[str]) -> Iterator[None]:
    """Starts Ray now if `at_once`, and leaves it to the run if not.

    Ray's start and the import of torch take seconds each, and go on side by side. That is right only where the run is
    certain to need Ray: all that can be refused has been checked already.

    Args:
        meanwhile: modules that are imported while Ray starts.
        in_workers: modules that the trials' processes import before there is a trial.
    """
    if at_once:
        with ray_session(meanwhile=meanwhile, in_workers=in_workers):
            yield
    else:
        yield
