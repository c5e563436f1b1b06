"""A command that is only to be checked, as `tautune submit` wants it before a cluster runs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import typer

_only: ContextVar[bool] = ContextVar("_only", default=False)


def is_only_checked() -> bool:
    """Returns whether a command runs to be checked alone: what only the cluster can reach is not here."""
    return _only.get()


def checked() -> None:
    """Ends a command here, once all that can be told without Ray has been checked, if no more is wanted of it."""
    if _only.get():
        raise typer.Exit


@contextmanager
def only_checking() -> Iterator[None]:
    """Lets `checked` end the commands that run inside."""
    token = _only.set(True)
    try:
        yield
    finally:
        _only.reset(token)
