"""A Ray to run on: the cluster that RAY_ADDRESS names, else one of our own on this machine, closed to others."""

import logging
import os
import secrets
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tautune.cluster.session.environment import set_environment
from tautune.records.errors import InputError

RETRIES = 10
"""Of a trial, from its last checkpoint: hosts and processes that were lost. Ray counts none of a host that is given
notice; and what a study's own code raises is a result, and is not tried again."""

IN_TUNING = ("tautune.trainables.classifier.trial", "torch._dynamo")
"""What the trials of a tuning import; torch takes the second, its compiler, for any optimizer."""


@contextmanager
def ray_session(*, meanwhile: Sequence[str] = (), in_workers: Sequence[str] = ()) -> Iterator[None]:
    """Connects or starts Ray, and shuts it down at the end; inside another session it does nothing.

    A Ray of our own listens on loopback alone (`environment.py`) and asks for a token that is made for this
    process and lives in its environment. A cluster's token comes from where Ray looks for it (~/.ray/auth_token).
    SIGTERM inside is Ctrl-C.

    Args:
        meanwhile: modules, none of Ray's, that are imported here while Ray's processes start: they take as long.
        in_workers: modules that a Ray of our own imports in the trials' processes before there is a trial.
    """
    set_environment()
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        _connect(address, options)
    else:
        from tautune.cluster.session.local_ray import start_local_ray

        start_local_ray(meanwhile, in_workers, **options)
    _leave_the_trials_environment_alone()
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost trial is told by what becomes of it
    rays_own = signal.signal(signal.SIGTERM, _as_interrupt)  # Ray's ends the process where it stands
    try:
        yield
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, rays_own)


def _leave_the_trials_environment_alone() -> None:
    """Tune gives trials the driver's AWS keys, which Ray writes into its logs, and a variable for PyTorch Lightning;
    and new processes to have them, instead of those that are ready.
    """
    from ray.tune.execution import class_cache

    class_cache.DEFAULT_ENV_VARS.clear()
    class_cache.ENV_VARS_TO_PROPAGATE.clear()


def _connect(address: str, options: dict[str, Any]) -> None:
    """Raises InputError, in one line, where Ray would wait for minutes or print a page."""
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()) and address != "auto":
        raise InputError(f"RAY_ADDRESS must be HOST:PORT, ray://HOST:PORT or auto, not {address}")
    try:
        if port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise InputError(f"RAY_ADDRESS={address}: no cluster answers there with this token: {reason}") from None


def _as_interrupt(signum: int, frame: object) -> None:
    signal.raise_signal(signal.SIGINT)
