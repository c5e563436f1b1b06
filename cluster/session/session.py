"""A Ray to run on: the cluster that RAY_ADDRESS names, else one of our own on this machine, closed to others."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tautune.cluster.session.environment import ray_environment, tune_environment
from tautune.cluster.session.signals import sigterm_as_interrupt

RETRIES = 10
"""Times that a trial is tried again from its last checkpoint after its host or process was lost. Ray does not count a
host that is given notice, and what a study's own code raises is a result, which is not tried again."""

IN_TUNING = ("tautune.trainables.supervised.trial", "torch._dynamo")
"""What the trials of a tuning import; torch takes the second, its compiler, for any optimizer."""


@contextmanager
def ray_session(*, meanwhile: Sequence[str] = (), in_workers: Sequence[str] = ()) -> Iterator[None]:
    """Connects to Ray or starts one, and shuts it down at the end; where Ray runs in this process already, uses that.

    A Ray of our own listens on loopback alone and asks for a token that is made for this session and lives in its
    environment. A cluster's token comes from where Ray looks for it (~/.ray/auth_token). SIGTERM inside is Ctrl-C.
    The environment, Ray's settings and the signals' handlers are afterwards what they were before.

    Args:
        meanwhile: modules, none of Ray's, that are imported here while Ray's processes start: both take as long.
        in_workers: modules that a Ray of our own imports in the trials' processes before there is a trial.

    Raises:
        InputError: RAY_ADDRESS names no cluster that answers.
        RunFailed: Ray cannot start here.
    """
    with ExitStack() as stack:
        if _is_running():
            stack.enter_context(tune_environment())
        else:
            _start(stack, meanwhile, in_workers)
        _quiet_tune(stack)
        yield


def _is_running() -> bool:
    if "ray" not in sys.modules:
        return False
    import ray

    return bool(ray.is_initialized())


def _start(stack: ExitStack, meanwhile: Sequence[str], in_workers: Sequence[str]) -> None:
    address = os.environ.get("RAY_ADDRESS")
    stack.enter_context(ray_environment(local=not address))
    stack.enter_context(sigterm_as_interrupt())
    import ray

    from tautune.cluster.session.ray_private import silent_raylet

    stack.enter_context(silent_raylet())
    stack.callback(ray.shutdown)
    if address:
        from tautune.cluster.session.connection import connect

        connect(address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        from tautune.cluster.session.local_ray import start_local_ray

        start_local_ray(meanwhile, in_workers, log_to_driver=False, logging_level=logging.ERROR)
    stack.enter_context(sigterm_as_interrupt())  # Ray has put a handler of its own there


def _quiet_tune(stack: ExitStack) -> None:
    """Leaves the trials' environment alone, and what becomes of a lost trial to the run's own words."""
    from tautune.cluster.session import tune_private

    stack.enter_context(tune_private.trials_without_environment())
    stack.enter_context(tune_private.staging_of_its_own())
    stack.enter_context(tune_private.memory_kills_are_lost_processes())
    log = logging.getLogger("ray.tune")
    stack.callback(log.setLevel, log.level)
    log.setLevel(logging.CRITICAL)
