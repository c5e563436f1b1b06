"""What Ray reads from the environment, as tautune needs it, also where Ray was imported before."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tautune.records.errors import InputError

TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # TensorBoard's is named where it is wanted
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's own table is replaced by ours
}
SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # trials without a GPU do not hide it
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours, see fit.py
} | TUNE
CLOSED = {"RAY_AUTH_MODE": "token", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""For a Ray of our own, whatever was set before: it asks for a token, and binds to 127.0.0.1 alone, on Linux too."""


def set_environment() -> None:
    """Sets what is not set already, for the rest of the process; the earlier, the less Ray has to read again."""
    os.environ.update(_wanted(local=not os.environ.get("RAY_ADDRESS")))


@contextmanager
def tune_environment() -> Iterator[None]:
    """Sets what Tune needs in this process, where Ray runs already."""
    with _changed({name: value for name, value in TUNE.items() if name not in os.environ}):
        yield


@contextmanager
def ray_environment(*, local: bool) -> Iterator[None]:
    """Sets what a session needs, lets Ray read it, and puts everything back at the end.

    Args:
        local: the session starts a Ray of its own, with a token made for this process.

    Raises:
        InputError: Ray was imported before with other settings, and this version of it cannot read them again.
    """
    wanted = _wanted(local=local)
    decisive = [name for name in CLOSED if name in wanted]
    if local and not os.environ.get("RAY_AUTH_TOKEN"):
        wanted["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    try:
        with _changed(wanted):
            if unread := _reread():
                _check_unread(unread, decisive)
            yield
    finally:
        _reread()


def _reread() -> set[str]:
    if "ray" not in sys.modules:
        return set()
    from tautune.cluster.session.ray_private import reread_environment

    return reread_environment()


def _check_unread(unread: set[str], decisive: list[str]) -> None:
    from tautune.cluster.session.ray_private import moved

    if lost := [name for name in decisive if name in unread]:
        raise InputError(
            "Ray was imported before tautune, and this version of it does not read the environment again; "
            f"import tautune first, or set {' '.join(f'{name}={CLOSED[name]}' for name in lost)} before Python starts"
        )
    if "RAY_AUTH_TOKEN" in unread:
        moved("_raylet.AuthenticationTokenLoader", "a second session in this process may be refused")


def _wanted(*, local: bool) -> dict[str, str]:
    missing = {name: value for name, value in SETTINGS.items() if name not in os.environ}
    return missing | ({name: value for name, value in CLOSED.items() if os.environ.get(name) != value} if local else {})


@contextmanager
def _changed(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
