"""The command that measures the largest stable learning rate at every delay."""

import json
from typing import Annotated

import typer

from tautune._sweep import carry_out
from tautune.commands.checking import checked
from tautune.commands.delay_options import DelaysFrom, DelayShares, StageDelays, varying_delays
from tautune.commands.help_texts import MEASURE, examples
from tautune.commands.next_steps import print_next_steps
from tautune.commands.options import (
    DEFAULT_DELAYS,
    Budget,
    Departures,
    Device,
    FirstGuess,
    MiniBatch,
    MomentumOrNone,
    Orders,
    Resolution,
    Shifted,
    StabilityStudyName,
    Tolerance,
    late_option,
    parameters,
    parse_delays,
    update_option,
)
from tautune.commands.screen import screen
from tautune.commands.sweep_display import SweepDisplay
from tautune.commands.worker_options import (
    Slowdown,
    WorkerCount,
    WorkerCpus,
    WorkerGpus,
    WorkerMode,
    workers_from_options,
)
from tautune.records.errors import InputError
from tautune.records.storage import output_folder, typed
from tautune.runners.sweep import Sweep
from tautune.trainables.threshold.update import MEASURED, asked

DelaysOrNone = Annotated[
    str | None,
    late_option("--delays", help="Delays τ in optimizer steps, separated by commas.", show_default=DEFAULT_DELAYS),
]
Optimizer = Annotated[str | None, update_option(help=", ".join(MEASURED) + ".", show_default="the paper's SGD")]
Remedy = Annotated[str | None, update_option(help="predict:T, weight prediction of T steps; or predict, of the delay.")]
Output = Annotated[
    str | None, typer.Option(help="Folder for the results, or s3://…, gs://….", show_default="results/STUDY…")
]
AS_GIVEN = ("study", "resolution", "mini_batch", "seeds", "device", "departures", "tolerance", "budget")
"""The options that a sweep has under the same name, and as they were given."""
sweep_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@sweep_command.command(rich_help_panel=MEASURE, epilog=examples("sweep"))
def sweep(
    study: StabilityStudyName,
    delays: DelaysOrNone = None,
    momentum: MomentumOrNone = None,
    shifted: Shifted = False,
    optimizer: Optimizer = None,
    remedy: Remedy = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    stages: StageDelays = None,
    workers: WorkerCount = None,
    mode: WorkerMode = None,
    slowdown: Slowdown = None,
    cpus_per_worker: WorkerCpus = None,
    gpus_per_worker: WorkerGpus = None,
    resolution: Resolution = 0.005,
    mini_batch: MiniBatch = None,
    seeds: Orders = None,
    output: Output = None,
    device: Device = "auto",
    first_guess: FirstGuess = "1",
    departures: Departures = True,
    tolerance: Tolerance = 1e-6,
    budget: Budget = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Measure the largest stable learning rate of STUDY at every delay, and compare it with theory."""
    given = locals()
    fixed, guess = parse_delays(delays or DEFAULT_DELAYS), _parse_guess(first_guess)
    late = varying_delays(delays, delays_from, delay_shares, stages)
    them = workers_from_options(workers, mode, slowdown, cpus_per_worker, gpus_per_worker)
    if them and delays is not None:
        raise InputError("--delays are fixed ones; leave them out beside --workers, whose gradients have their own")
    with parameters():
        kind, update = asked(optimizer, momentum, shifted, remedy, *late, them)
        same = {name: given[name] for name in AS_GIVEN}
        wanted = Sweep(delays=fixed, momentum=kind, update=update, first_guess=guess, **same)
    _carry_out(wanted, output, as_json)


def _carry_out(wanted: Sweep, output: str | None, as_json: bool) -> None:
    checked()
    display = SweepDisplay(screen(stderr=as_json))
    with parameters(InputError):
        thresholds = carry_out(wanted, output_folder(output, wanted.folder_name), display)
    display.ended(thresholds)
    if as_json:
        print(json.dumps(thresholds.as_json()))
    else:
        assert thresholds.path is not None
        print_next_steps([("board", typed(thresholds.path))], display.console)


def _parse_guess(text: str) -> float | None:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--first-guess must be a number between 1e-6 and 1e6, or none, not {text!r}") from None
