"""The command that carries the best configuration of a tuning without delay to a delay."""

import json
import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tautune import _transfer
from tautune.commands.delay_options import Delay, DelaysFrom, DelayShares, delays_from_options
from tautune.commands.fitted_table import print_whole
from tautune.commands.help_texts import RESULTS, examples
from tautune.commands.options import late_option
from tautune.commands.screen import working
from tautune.commands.theory import Json
from tautune.commands.tuning_options import Trust
from tautune.records.errors import InputError

transfer_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `tautune tune` wrote, or s3://…, gs://…")]
Workers = Annotated[
    int | None, late_option(help="Workers that take turns: a delay of one step less.", show_default=False)
]


@transfer_command.command("transfer", rich_help_panel=RESULTS, epilog=examples("transfer"))
def transfer_command_(
    folder: Folder,
    delay: Delay = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    workers: Workers = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep optimizer and momentum, and use no remedy.")] = False,
    sharpness: Annotated[
        float | None,
        typer.Option(help="Curvature where training begins; not for Adam and its kin.", show_default="measured"),
    ] = None,
    trust: Trust = False,
    output: Annotated[
        str | None, typer.Option(help="New folder for the configuration.", show_default="DIR-delay-…")
    ] = None,
    as_json: Json = False,
) -> None:
    """Carry the best configuration of a tuning without delay to a delay, ready for `tautune refit`."""
    if workers is not None:
        if not (delay is None and delays_from is None and delay_shares is None):
            raise InputError("--workers says the delay; leave out --delay, --delays-from and --delay-shares")
        if workers < 1:
            raise InputError(f"--workers must be at least 1, not {workers}")
        delay = workers - 1
    if delay is None and delays_from is None and delay_shares is None:
        raise InputError("give --delay, --delays-from, --delay-shares or --workers")
    delays = delays_from_options(delay, delays_from, delay_shares, None, None)
    with working("measuring the curvature where training begins", stderr=as_json):
        found = _transfer.transfer(folder, delays, keep=keep, sharpness=sharpness, output=output, trust=trust)
    if as_json:
        print(json.dumps(found))
        return
    table = Table(show_header=False)
    for name in ("optimizer", "learning_rate", "momentum", "remedy", "delay"):
        value = str(delays) if name == "delay" else found[name]  # of drawn ones, JSON has every share
        table.add_row(name.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
    print_whole(Console(), table)
    for reason in found["why"]:
        print(f"- {reason}")
    print(f"train it, and test it once: tautune refit {shlex.quote(found['path'])}")
