"""What to type next: each command on a line of its own, unbroken, so that it can be copied."""

import shlex
from collections.abc import Iterable

from rich.console import Console

from tautune.records.storage import Folder, typed
from tautune.records.tuning_folder import read_tuning
from tautune.runners.tuning_verdict import Command, after_the_last_trial


def after_tuning(folder: Folder) -> list[Command]:
    """Returns what can be done with a tuning, whose report has been written."""
    place = typed(folder)
    return [*after_the_last_trial(read_tuning(folder)["configuration"], place), ("results", place), ("board", place)]


def print_next_steps(commands: Iterable[Command], console: Console) -> None:
    """Prints the commands, whose first words are those behind `tautune`."""
    lines = [f"  tautune {shlex.join(command)}" for command in commands]
    console.print("\n".join(["next:", *lines]), soft_wrap=True, highlight=False, markup=False)
