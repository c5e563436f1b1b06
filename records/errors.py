"""The ways a command ends badly."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """What the user gave cannot be used; the message says what, where, and what would be valid. Exit code 2."""


class RunFailed(RuntimeError):
    """The run began and could not be finished. Exit code 1."""


def trial_failed(name: str, error: Exception, folder: str) -> RunFailed:
    """A trial raised: the last line of what it raised, and where the whole is."""
    last_line = str(error).strip().splitlines()[-1]
    return RunFailed(f"{name} failed: {last_line} (traceback in {folder}/error.txt)")


class Interrupted(RunFailed):
    """The user stopped the run; what was measured is on disk. Exit code 130, as the shell has it for Ctrl-C."""


@contextmanager
def user_input() -> Iterator[None]:
    """What is refused inside was the user's."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from None
