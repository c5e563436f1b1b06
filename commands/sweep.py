"""The command that measures the largest stable learning rate at every delay."""

from typing import Annotated

import typer
from rich.console import Console

from tautune._sweep import carry_out
from tautune.commands.checking import checked
from tautune.commands.options import (
    DEFAULT_DELAYS,
    Budget,
    Delays,
    Departures,
    Device,
    FirstGuess,
    MiniBatch,
    MomentumOption,
    Orders,
    Resolution,
    Shifted,
    StabilityStudyName,
    Tolerance,
    parameters,
    parse_delays,
)
from tautune.commands.started import STARTED
from tautune.commands.sweep_display import SweepDisplay
from tautune.records.errors import InputError
from tautune.records.storage import output_folder
from tautune.runners.sweep import Sweep
from tautune.trainables.theory.momentum import Momentum

Output = Annotated[
    str | None, typer.Option(help="Folder for the results, or s3://…, gs://….", show_default="results/STUDY…")
]
sweep_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@sweep_command.command()
def sweep(
    study: StabilityStudyName,
    delays: Delays = DEFAULT_DELAYS,
    momentum: MomentumOption = 0.0,
    shifted: Shifted = False,
    resolution: Resolution = 0.005,
    mini_batch: MiniBatch = None,
    seeds: Orders = None,
    output: Output = None,
    device: Device = "auto",
    first_guess: FirstGuess = "1",
    departures: Departures = True,
    tolerance: Tolerance = 1e-6,
    budget: Budget = 20_000,
) -> None:
    """Measure the largest stable learning rate of STUDY at every delay, and compare it with theory."""
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
