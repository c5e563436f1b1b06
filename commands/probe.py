"""The command that says whether a learning rate is safe where a training stands."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tautune.commands.delay_options import DelaysFrom, DelayShares, StageDelays, varying_delays
from tautune.commands.fitted_table import print_whole
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.options import Device, StabilityStudyName, parameters, parse_delays
from tautune.commands.screen import working
from tautune.commands.theory import Json
from tautune.records.errors import InputError
from tautune.runners.probe import OPTIMIZERS, StudyProbe
from tautune.trainables.theory.delays import Delays

if TYPE_CHECKING:
    from tautune.analysis.probe import Probe

probe_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
HEADINGS = ("delay τ", "threshold ηλ", "largest η", "mean-square η", "margin", "safe")


@probe_command.command(rich_help_panel=MEASURE, epilog=examples("probe"))
def probe(
    study: StabilityStudyName,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="State dicts of the model and of its optimizer, by torch.save.", show_default="new weights"),
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help=", ".join(OPTIMIZERS) + ".", show_default="the checkpoint's, or sgd")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="η.", show_default="the checkpoint's")] = None,
    momentum: Annotated[float | None, typer.Option(help="m in [0, 1), or β₁.", show_default=False)] = None,
    delays: Annotated[str | None, typer.Option(help="Delays τ in steps, separated by commas.")] = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    stages: StageDelays = None,
    mini_batch: Annotated[
        int | None, typer.Option(help="Examples in a batch; the noise between batches then counts.")
    ] = None,
    device: Device = "auto",
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
    with parameters(InputError), working(f"measuring the sharpness of {study}", stderr=as_json):
        found = wanted.carried_out()
    _tell(found, study, as_json=as_json)


def _tell(found: "Probe", study: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print_whole(Console(), _table(found, study))
    for line in said(found):
        print(line)


def _table(found: "Probe", study: str) -> Table:
    kind = "preconditioned sharpness" if found.preconditioned else "sharpness"
    noise = "" if found.noise is None else f", r = {found.noise:.3g}"
    table = Table(title=f"{study}: {kind} λ = {found.sharpness:.6g}, loss {found.loss:.4g}{noise}", box=None)
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for row in found.rows:
        numbers = (row.threshold, row.max_stable_learning_rate, row.mean_square_learning_rate, row.margin)
        cells = ["-" if number is None else f"{number:.4g}" for number in numbers]
        table.add_row(str(row.delay), *cells, "-" if row.safe is None else "yes" if row.safe else "no")
    return table


def _tolerated(largest: int | None) -> str:
    if largest is None:
        return "this learning rate is not safe without a delay either"
    return (
        f"this learning rate tolerates delays up to {largest}" if largest else "this learning rate tolerates no delay"
    )


def said(found: "Probe") -> list[str]:
    """Returns what follows for this run, in sentences."""
    lines: list[str] = []
    if found.noise is not None:
        lines.append("r: the variance of the curvature between batches over its mean's square")
    if found.margin is not None:
        verdict = "is safe" if found.safe else "is not safe"
        factor = f"may grow {found.margin:.3g}-fold" if found.safe else f"must shrink to {found.margin:.3g} of itself"
        lines.append(f"{found.optimizer} at η = {found.learning_rate:g} {verdict} at delay {found.delay}: it {factor}")
        lines.append(_tolerated(found.largest_delay))
    best = found.best_remedy
    if best:
        remedy = "" if best.remedy == "none" else f" with {best.remedy}"
        gain = best.threshold_at_unit_gain / found.loop.threshold_at_unit_gain
        lines += [f"{best.optimizer}{remedy} is stable at {gain:.3g} times the step:", best.code]
    return lines
