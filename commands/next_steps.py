"""What to type next: each command on a line of its own, unbroken, so that it can be copied."""

import shlex
from collections.abc import Iterable

from rich.console import Console

Command = tuple[str, ...]


def print_next_steps(commands: Iterable[Command], console: Console) -> None:
    """Prints the commands, whose first words are those behind `tautune`."""
    lines = [f"  tautune {shlex.join(command)}" for command in commands]
    console.print("\n".join(["next:", *lines]), soft_wrap=True, highlight=False, markup=False)
