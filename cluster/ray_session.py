"""A Ray to run on: the cluster that RAY_ADDRESS names, else one of our own on this machine, closed to others."""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from cluster.errors import InputError

RETRIES = 10
"""Of a trial, from its last checkpoint: hosts and processes that were lost. Ray counts none of a host that is given
notice; and what a study's own code raises is a result, and is not tried again."""


@contextmanager
def ray_session(*, meanwhile: Sequence[str] = (), in_workers: Sequence[str] = ()) -> Iterator[None]:
    """Connects or starts Ray, and shuts it down at the end; inside another session it does nothing.

    A Ray of our own listens on loopback alone (`cluster/__init__.py`) and asks for a token that is made for this
    process and lives in its environment. A cluster's token comes from where Ray looks for it (~/.ray/auth_token).
    SIGTERM inside is Ctrl-C.

    Args:
        meanwhile: modules, none of Ray's, that are imported here while Ray's processes start: they take as long.
        in_workers: modules that a Ray of our own imports in the trials' processes before there is a trial.
    """
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
        importing = threading.Thread(target=lambda: [import_module(name) for name in meanwhile])
        importing.start()
        configuration = {"preload_python_modules": list(in_workers)}
        ray.init(address="local", include_dashboard=False, _system_config=configuration, **options)
        importing.join()
        _let_trials_have_the_processes_that_are_ready()
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost trial is told by what becomes of it
    rays_own = signal.signal(signal.SIGTERM, _as_interrupt)  # Ray's ends the process where it stands
    try:
        yield
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, rays_own)


def _let_trials_have_the_processes_that_are_ready() -> None:
    """Tune asks for one environment variable more, for PyTorch Lightning, and so has new processes started."""
    from ray.tune.execution import class_cache

    class_cache.DEFAULT_ENV_VARS.clear()


def _connect(address: str, options: dict[str, Any]) -> None:
    """Raises InputError, in one line, where Ray would wait for minutes or print a page."""
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if port.isdecimal():
            socket.create_connection((host, int(port)), timeout=5).close()
        ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise InputError(f"RAY_ADDRESS={address}: no cluster answers there with this token: {reason}") from None


def _as_interrupt(signum: int, frame: object) -> None:
    signal.raise_signal(signal.SIGINT)
