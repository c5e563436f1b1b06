"""The command `tautune`. Heavy modules are imported only when a command needs them."""

import errno
import json
import shlex
import sys
from importlib import import_module, metadata
from io import TextIOWrapper
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from typer.exceptions import TyperException

from tautune.cluster.session.environment import set_environment
from tautune.cluster.session.signals import sigterm_as_interrupt
from tautune.commands import screen
from tautune.commands.advice import advice_command
from tautune.commands.board import board_command
from tautune.commands.cluster import cluster_commands
from tautune.commands.edge import edge_command
from tautune.commands.fitted_table import print_whole
from tautune.commands.grid import grid_command
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.prediction import prediction_command
from tautune.commands.probe import probe_command
from tautune.commands.report import report_commands
from tautune.commands.results import results_command
from tautune.commands.simulate import simulate_command
from tautune.commands.sweep import sweep_command
from tautune.commands.theory import theory_commands
from tautune.commands.transfer import transfer_command
from tautune.commands.tuning import tuning_commands
from tautune.records.errors import AGAIN, InputError, Interrupted, RunFailed
from tautune.search_spaces.catalogue import CATALOGUE

app = typer.Typer(
    help="Tune asynchronous SGD: find learning rates that are stable when gradients arrive τ steps late.",
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(theory_commands, advice_command, probe_command, sweep_command, grid_command, edge_command),
    *(tuning_commands, results_command, report_commands, board_command, prediction_command, transfer_command),
    simulate_command,
    cluster_commands,
)
for commands in COMMANDS:
    app.add_typer(commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tautune {metadata.version('tautune')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Holds the options of `tautune` itself."""


@app.command(rich_help_panel=MEASURE, epilog=examples("studies"))
def studies(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the studies that come with tautune."""
    if as_json:
        for name, entry in sorted(CATALOGUE.items()):
            print(json.dumps({"study": name, "for": entry.commands, "description": entry.description}))
        return
    console = Console()
    narrow = 12 if console.is_terminal and console.width < 100 else None  # leaves most of the room to what it is
    table = Table(Column("study", no_wrap=True), Column("for", max_width=narrow), "what it is")
    for name, entry in sorted(CATALOGUE.items()):
        table.add_row(name, ", ".join(entry.commands), entry.description)
    print_whole(console, table)


def main() -> None:
    """Runs the command. An error prints one line on stderr and ends with the exit code from `records/errors.py`.

    A traceback means a bug in tautune.
    """
    import_module("tautune.cluster.session.gc_threshold")
    set_environment()
    _write_whatever_comes()
    command = typer.main.get_command(app)
    try:
        with sigterm_as_interrupt():
            code = command.main(sys.argv[1:] or ["--help"], standalone_mode=False)
        if code == 130:  # Typer's way to say Ctrl-C
            _end("stopped", code)
        sys.exit(code)
    except typer.Abort:
        _end("stopped", 130)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "tautune"
        _end(f"{getattr(error, 'format_message', error.__str__)()} (see {where} --help)", 2)
    except InputError as error:
        _end(str(error), 2)
    except Interrupted as error:
        _end(error.what, 130, _typed() if error.command == AGAIN else error.command)
    except RunFailed as error:
        _end(str(error), 1)
    except OSError as error:  # from wherever a path is first looked at
        if error.errno != errno.ENAMETOOLONG:
            raise
        _end(f"{str(error.filename)[:40]}…: {error.strerror}; give a shorter one", 2)


def _write_whatever_comes() -> None:
    """Makes a question mark of τ and η where the terminal, or the pipe, has no letters for them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _typed() -> str:
    """Returns the command as it was typed."""
    return shlex.join(["tautune", *sys.argv[1:]])


def _end(message: str, code: int, command: str = "") -> None:
    """Prints the message in one line, below what a trial died of or the user's own traceback if it has one, and exits.

    Args:
        command: what goes on with a run that was stopped; it has a line of its own, to be copied.
    """
    screen.end()
    above, told, last = message.rpartition("\ntautune: ")
    if not told and message.startswith(("Traceback (most recent call last)", "  File ")):  # no folder's name
        above, told, last = message.rpartition("\n")
    if told:
        print(above, file=sys.stderr)
        message = last
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message.removeprefix("tautune: "))
    print(f"tautune: {shown}", file=sys.stderr)
    if command:
        print(f"To go on:\n  {command}", file=sys.stderr)
    raise SystemExit(code)
