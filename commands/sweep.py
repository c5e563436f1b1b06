"""The command that measures the largest stable learning rate at every delay."""

from typing import Annotated

import typer
from rich.console import Console

from tautune._sweep import carry_out
from tautune.commands.checking import checked
from tautune.commands.options import (
    DEFAULT_DELAYS,
    Delays,
    Device,
    MiniBatch,
    MomentumOption,
    Shifted,
    StabilityStudyName,
    parameters,
    parse_delays,
)
from tautune.commands.started import STARTED
from tautune.commands.sweep_display import SweepDisplay
from tautune.records.errors import InputError
from tautune.records.storage import output_folder
from tautune.runners.sweep import Sweep
from tautune.trainables.theory.momentum import Momentum

sweep_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@sweep_command.command()
def sweep(
    study: StabilityStudyName,
    delays: Delays = DEFAULT_DELAYS,
    momentum: MomentumOption = 0.0,
    shifted: Shifted = False,
    resolution: Annotated[float, typer.Option(help="Relative width of a threshold's bracket.")] = 0.005,
    mini_batch: MiniBatch = None,
    seeds: Annotated[
        int | None, typer.Option(help="Orders of the mini-batches to repeat with.", show_default="3")
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="Folder of the results, or s3://…, gs://….", show_default="results/STUDY…")
    ] = None,
    device: Device = "auto",
    first_guess: Annotated[
        str, typer.Option(help="Where the search begins: a multiple of theory's threshold, or none (η = 0.01).")
    ] = "1",
    departures: Annotated[
        bool, typer.Option(help="Also watch how soon training leaves above the threshold (the figure's right side).")
    ] = True,
    tolerance: Annotated[
        float, typer.Option(help="Gradient norm at the minimum, relative to its value where training began.")
    ] = 1e-6,
    budget: Annotated[int, typer.Option(help="Gradient evaluations in which the minimum must be reached.")] = 20_000,
) -> None:
    """Measure the largest stable learning rate of STUDY at every delay, beside theory's."""
    wanted_delays, guess = parse_delays(delays), _parse_guess(first_guess)
    with parameters():
        wanted = Sweep(
            study=study,
            delays=wanted_delays,
            momentum=Momentum(momentum, shifted),
            resolution=resolution,
            mini_batch=mini_batch,
            seeds=seeds,
            device=device,
            first_guess=guess,
            departures=departures,
            tolerance=tolerance,
            budget=budget,
        )
    checked()
    display = SweepDisplay(Console(), STARTED)
    with parameters(InputError):
        display.ended(carry_out(wanted, output_folder(output, wanted.folder_name), display))


def _parse_guess(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--first-guess must be a number between 1e-6 and 1e6, or none, not {text!r}") from None
