"""The command that says whether a learning rate is safe where a training stands."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tautune._probe import kept
from tautune.commands.delay_options import DelaysFrom, DelayShares, StageDelays, varying_delays
from tautune.commands.fitted_table import Column, fitted_table, print_whole, print_words
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.options import (
    Device,
    StabilityStudyName,
    late_option,
    measurement_option,
    parameters,
    parse_delays,
    update_option,
)
from tautune.commands.screen import working
from tautune.commands.started import STARTED
from tautune.commands.theory import Json
from tautune.records.errors import InputError
from tautune.records.storage import Folder, run_folder
from tautune.runners.probe import OPTIMIZERS, StudyProbe
from tautune.trainables.theory.delays import Delays

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe, ProbeRow

probe_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Output = Annotated[
    str | None,
    typer.Option(help="Folder for the result, with a page, or s3://…, gs://….", show_default="nothing is written"),
]
MiniBatch = Annotated[
    int | None, measurement_option(help="Examples in a batch; the noise between batches then counts.")
]
RANKS = {"delay τ": 0, "threshold ηλ": 3, "largest η": 1, "mean-square η": 2, "margin": 0, "safe": 0}
"""The columns of the table with their ranks: those of the highest are left out first on a narrow screen."""


@probe_command.command(rich_help_panel=MEASURE, epilog=examples("probe"))
def probe(
    study: StabilityStudyName,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="State dicts of the model and of its optimizer, by torch.save.", show_default="new weights"),
    ] = None,
    optimizer: Annotated[
        str | None, update_option(help=", ".join(OPTIMIZERS) + ".", show_default="the checkpoint's, or sgd")
    ] = None,
    learning_rate: Annotated[float | None, update_option(help="η.", show_default="the checkpoint's")] = None,
    momentum: Annotated[float | None, update_option(help="m in [0, 1), or β₁.", show_default=False)] = None,
    delays: Annotated[str | None, late_option(help="Delays τ in steps, separated by commas.")] = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    stages: StageDelays = None,
    mini_batch: MiniBatch = None,
    device: Device = "auto",
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Say whether STUDY's learning rate is safe where it stands: its sharpness, thresholds and margins by delay."""
    late = varying_delays(delays, delays_from, delay_shares, stages)
    fixed = None if delays is None else tuple(Delays.fixed(delay) for delay in parse_delays(delays))
    with parameters():
        wanted = StudyProbe(
            study=study,
            checkpoint=checkpoint,
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            mini_batch=mini_batch,
            delays=(late.drawn,) if late.drawn else fixed,
            stages=late.stages,
            device=device,
        )
    folder = None if output is None else run_folder(output)
    with parameters(InputError), working(f"measuring the sharpness of {study}", stderr=as_json):
        found = _found(wanted, folder)
        page = None if folder is None else _page(folder)
    _tell(found, study, page, as_json=as_json)


def _found(wanted: StudyProbe, folder: Folder | None) -> "Probe":
    if folder is None:
        return wanted.carried_out()
    return kept(wanted.carried_out, folder, wanted.configuration(), study=str(wanted.study), started=STARTED)


def _page(folder: Folder) -> str:
    from tautune.analysis.reported import report_at_end

    return report_at_end(folder)


def _tell(found: "Probe", study: str, page: str | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_json()))
        return
    from tautune.analysis.probe_verdict import said

    console, kind = Console(), "preconditioned sharpness" if found.preconditioned else "sharpness"
    noise = "" if found.noise is None else f", r = {found.noise:.3g}"
    print_words(console, f"{study}: {kind} λ = {found.sharpness:.6g}, loss {found.loss:.4g}{noise}", style="bold")
    print_whole(console, _table(found, console))
    for line in [*said(found), *([page] if page else [])]:
        print(line)


def _table(found: "Probe", console: Console) -> Table:
    rows = [_cells(row) for row in found.rows]
    columns = [
        Column(heading, [row[place] for row in rows], rank=rank, justify="right")
        for place, (heading, rank) in enumerate(RANKS.items())
    ]
    return fitted_table(columns, console)


def _cells(row: "ProbeRow") -> list[str]:
    numbers = (row.threshold, row.max_stable_learning_rate, row.mean_square_learning_rate, row.margin)
    cells = ["-" if number is None else f"{number:.4g}" for number in numbers]
    return [str(row.delay), *cells, "-" if row.safe is None else "yes" if row.safe else "no"]
