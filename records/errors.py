"""The ways in which a run ends badly, each with its exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = "the same command"
"""What goes on with most runs that were stopped."""


class InputError(ValueError):
    """What the user gave cannot be used. The message says what, where, and what would be valid. Exit code 2."""


class RunFailed(RuntimeError):
    """The run began and could not be finished. Exit code 1."""


def trial_failed(name: str, error: Exception, folder: str) -> RunFailed:
    """Returns the error of a run whose trial raised `error`: its last line, and the file with its traceback."""
    last_line = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return RunFailed(f"{name} failed: {last_line} (traceback in {folder}/error.txt)")


class Interrupted(RunFailed):
    """The user stopped the run, and what was measured is on disk. Exit code 130, as in a shell after Ctrl-C.

    Args:
        what: what was stopped, and where the results so far are.
        command: the command that goes on with it, `AGAIN` for the one that was stopped, or "" for none.
    """

    def __init__(self, what: str, command: str = "") -> None:
        self.what, self.command = what, command
        quoted = command if command == AGAIN else f"`{command}`"
        super().__init__(f"{what}; {quoted} goes on with it" if command else what)


@contextmanager
def user_input() -> Iterator[None]:
    """Turns a ValueError raised inside into an InputError with the same message."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from None
