"""The two ways a command ends badly."""


class InputError(ValueError):
    """What the user gave cannot be used; the message says what, where, and what would be valid. Exit code 2."""


class RunFailed(RuntimeError):
    """The run began and could not be finished. Exit code 1."""


class Interrupted(RunFailed):
    """The user stopped the run; what was measured is on disk. Exit code 130, as the shell has it for Ctrl-C."""
