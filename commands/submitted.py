"""A command for the cluster, checked here as far as it can be: the job would take half a minute to say the same."""

import difflib
import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import typer

from tautune.cluster.remote.jobs import SENT
from tautune.commands.checking import only_checking
from tautune.records.errors import InputError
from tautune.records.storage import folder_at
from tautune.runners.earlier_run import points_of

LONGEST = 100_000
"""Length in characters of a job's command at most: Linux takes 131,072 bytes of one argument."""
CHECK_THEMSELVES = ("sweep", "grid", "edge", "tune")
"""The commands that call `checked` once all that can be told without Ray has been checked."""


def with_points(arguments: list[str], working_dir: Path) -> list[str]:
    """Returns the arguments with the configurations themselves instead of a folder of this machine to start from.

    A folder that is not here, or in a bucket, is left to the job.

    Raises:
        InputError: the configurations are too many for a command line.
    """
    options = {"--start-from": "", "--start-points": "best"}
    rest, words = [], iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in options:
            options[name] = value if equals else next(words, "")
        else:
            rest.append(word)
    start = options["--start-from"]
    with chdir(working_dir):
        here = bool(start) and "://" not in start and folder_at(start).is_dir()
        points = points_of(start, options["--start-points"]) if here else ()
    if not here:
        return arguments
    added = [word for point in points for word in ("--point", json.dumps(point))]
    if sum(len(word) + 3 for word in added) > LONGEST:
        raise InputError(f"--start-points: the {len(points)} configurations of {start} are too many to send; give best")
    return [*rest, *added]


def check_command(group: Any, arguments: list[str], working_dir: Path) -> None:
    """Checks the arguments of a command for the cluster.

    Args:
        group: `tautune` itself, as Typer's group of commands.
        arguments: one of the group's commands and its options.
        working_dir: the folder that the job will run in.

    Raises:
        InputError: as the command itself would, or it is none that a cluster runs.
    """
    if not arguments:
        raise InputError(f"give a command after --: {', '.join(SENT)}; as in `tautune submit -- sweep digits`")
    name, *options = arguments
    if name not in SENT:
        near = difflib.get_close_matches(name, SENT, n=1)
        meant = f"did you mean {near[0]}?" if near else f"a cluster runs {', '.join(SENT)}"
        raise InputError(f"{name!r} cannot be submitted; {meant}")
    for option in options:
        if option.endswith(".py") and not _inside(option, working_dir):
            raise InputError(f"{option} is not a file of {working_dir}, which the job takes along; see --working-dir")
    command = group.commands[name]
    context = command.make_context(f"tautune {name}", list(options))
    with chdir(working_dir):
        if name in CHECK_THEMSELVES:
            _run_its_checks(command, context)


def _run_its_checks(command: Any, context: Any) -> None:
    try:
        with only_checking(), context:
            command.invoke(context)
    except typer.Exit:
        return
    raise AssertionError(f"{command.name} does not call checked()")


def _inside(file: str, working_dir: Path) -> bool:
    return not Path(file).is_absolute() and (working_dir / file).is_file()
