"""The command that trains at every combination of delay and learning rate."""

import json
from typing import Annotated

import typer

from tautune._grid import carry_out
from tautune.commands.checking import checked
from tautune.commands.grid_display import GridDisplay
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.next_steps import print_next_steps
from tautune.commands.options import (
    DEFAULT_DELAYS,
    Delays,
    Device,
    LearningRates,
    MiniBatch,
    MomentumOption,
    PointsPerTrial,
    Shifted,
    StabilityStudyName,
    measurement_option,
    parameters,
    parse_delays,
)
from tautune.commands.screen import screen
from tautune.records.errors import InputError
from tautune.records.storage import output_folder, typed
from tautune.runners.grid import Grid
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.stability import LARGEST_RATE

grid_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@grid_command.command(rich_help_panel=MEASURE, epilog=examples("grid"))
def grid(
    study: StabilityStudyName,
    delays: Delays = DEFAULT_DELAYS,
    learning_rates: LearningRates = "16",
    steps: Annotated[int, measurement_option(help="Optimizer steps of each training.")] = 2000,
    mini_batch: MiniBatch = None,
    momentum: MomentumOption = 0.0,
    shifted: Shifted = False,
    seeds: Annotated[int, measurement_option(help="Repetitions with other initial weights and mini-batches.")] = 1,
    points_per_trial: PointsPerTrial = "auto",
    bfloat16_queue: Annotated[
        bool, measurement_option("--bfloat16-queue", help="Store waiting gradients in bfloat16.")
    ] = False,
    output: Annotated[
        str | None, typer.Option(help="Folder for the results, or s3://…, gs://….", show_default="results/grid-STUDY…")
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Train STUDY from random weights at every delay × learning rate, many points together, in single precision."""
    wanted_delays, rates, together = parse_delays(delays), _parse_rates(learning_rates), _parse_points(points_per_trial)
    with parameters():
        wanted = Grid(
            study=study,
            delays=wanted_delays,
            learning_rates=rates,
            steps=steps,
            mini_batch=mini_batch,
            momentum=Momentum(momentum, shifted),
            seeds=seeds,
            device=device,
            points_per_trial=together,
            bfloat16_queue=bfloat16_queue,
        )
    _carry_out(wanted, output, as_json)


def _carry_out(wanted: Grid, output: str | None, as_json: bool) -> None:
    checked()
    display = GridDisplay(screen(stderr=as_json))
    with parameters(InputError):
        summary = carry_out(wanted, output_folder(output, wanted.folder_name), display)
    display.ended(summary)
    if as_json:
        print(json.dumps(summary.as_json()))
    else:
        assert summary.path is not None
        print_next_steps([("board", typed(summary.path))], display.console)


def _parse_rates(text: str) -> tuple[float, ...] | int:
    """Returns the count of learning rates, or the learning rates in a list or a logarithmic range low:high:number."""
    form = "--learning-rates must be a count like 16, a list like 0.1,0.3 or a range like 1e-3:1:16"
    if text.isdecimal():
        return int(text)  # which the grid checks
    pieces = text.split(":")
    try:
        if len(pieces) == 3:
            low, high, number = float(pieces[0]), float(pieces[1]), int(pieces[2])
            if high > LARGEST_RATE:
                raise InputError(f"{form}, all above 0 and at most {LARGEST_RATE:g}, not {text!r}")
            if not (0 < low < high and 2 <= number <= 10**6):
                raise InputError(
                    f"{form}; in {text!r} the first number is not below the second, or the third is not above 1"
                )
            ratio = (high / low) ** (1 / (number - 1))
            return tuple(float(f"{low * ratio**i:.6g}") for i in range(number))
        rates = [float(piece) for piece in text.split(",") if piece.strip()]
    except InputError:
        raise
    except ValueError:
        raise InputError(f"{form}, not {text!r}") from None
    if not rates or not all(0 < rate <= LARGEST_RATE for rate in rates):
        raise InputError(f"{form}, all above 0 and at most {LARGEST_RATE:g}, not {text!r}")
    return tuple(sorted(set(rates)))


def _parse_points(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isdecimal() and 1 <= int(text) <= 10**9):
        raise InputError(f"--points-per-trial must be a whole number above 0, or auto, not {text!r}")
    return int(text)
