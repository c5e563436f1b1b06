"""The command of delay × learning-rate grids."""

import json
import math
from typing import Annotated

import typer
from rich.console import Console

from tautune.commands.options import (
    DELAYS,
    check_device_name,
    check_mini_batch,
    check_shifted,
    folder_name,
    parse_delays,
    parse_device,
)
from tautune.commands.tuning import STARTED
from tautune.records.errors import InputError, user_input
from tautune.trainables.theory import stability

IMPORTS = ("torch", "pandas", "scipy.sparse.linalg")
"""What a grid takes longest to import."""
IN_WORKERS = ("tautune.trainables.grid.trial",)

grid_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@grid_commands.command()
def grid(
    study: Annotated[str, typer.Argument(help="One of `tautune studies`.")],
    delays: Annotated[str, typer.Option(help="Delays τ, comma-separated.")] = DELAYS,
    learning_rates: Annotated[
        str,
        typer.Option(help="How many, around theory's thresholds; or themselves, 0.1,0.3; or a range, 1e-3:1:16."),
    ] = "16",
    steps: Annotated[int, typer.Option(help="Of each training.")] = 2000,
    mini_batch: Annotated[int | None, typer.Option(help="Examples a step; the full batch if not given.")] = None,
    momentum: Annotated[float, typer.Option(help="m in [0, 1), dampened by 1-m.")] = 0.0,
    shifted: Annotated[bool, typer.Option("--shifted", help="Delay the velocity too.")] = False,
    seeds: Annotated[int, typer.Option(help="Initial weights and orders of the mini-batches to repeat with.")] = 1,
    points_per_trial: Annotated[
        str, typer.Option(help="Points that train together in a trial; auto measures what is fast.")
    ] = "auto",
    bfloat16_queue: Annotated[
        bool, typer.Option("--bfloat16-queue", help="Store the gradients that wait in bfloat16.")
    ] = False,
    output: Annotated[
        str | None, typer.Option(help="Folder of the results, or s3://…, gs://… [default: results/grid-STUDY…].")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, instead of tables.")] = False,
) -> None:
    """Train STUDY from random weights, in single precision, at every delay × learning rate, many points together."""
    wanted, rates = parse_delays(delays), _parse_rates(learning_rates)
    for option, value in {"--steps": steps, "--seeds": seeds}.items():
        if not 1 <= value <= 10**9:
            raise InputError(f"{option} must be at least 1, not {value}")
    together = _parse_points(points_per_trial)
    with user_input():
        stability.check_momentum(momentum)
    check_shifted(shifted, momentum)
    check_device_name(device)
    from tautune.cluster.session.session import ray_session

    with ray_session(meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune import search_spaces

        with user_input():
            chosen = search_spaces.find(study)
        check_mini_batch(mini_batch, study, len(chosen.examples()[0]))
        import torch

        from tautune.records.storage import output_folder
        from tautune.runners.grid import Grid, run_grid
        from tautune.trainables.grid.point import Course

        storage = torch.bfloat16 if bfloat16_queue else None
        name = f"grid-{folder_name(study, momentum, shifted, mini_batch)}{'-bfloat16' if storage else ''}"
        summary = run_grid(
            Grid(
                study=chosen,
                delays=wanted,
                learning_rates=rates,
                course=Course(steps=steps, mini_batch=mini_batch, storage=storage),
                momentum=momentum,
                shifted=shifted,
                seeds=seeds,
                device=parse_device(device),
                points_per_trial=together,
            ),
            output_folder(output, name),
            console=Console(stderr=as_json),
            started=STARTED,
        )
    if as_json:
        print(json.dumps(summary.as_json()))


def _parse_rates(text: str) -> tuple[float, ...] | int:
    """A number of learning rates, a list of them, or low:high:number on a logarithmic scale."""
    form = "--learning-rates must be a number of them, a list 0.1,0.3 or a range 1e-3:1:16"
    if text.isdecimal() and 1 <= int(text) <= 10**6:
        return int(text)
    pieces = text.split(":")
    try:
        if len(pieces) == 3:
            low, high, number = float(pieces[0]), float(pieces[1]), int(pieces[2])
            if not (0 < low < high < math.inf and 2 <= number <= 10**6):
                raise InputError(f"{form}; in {text!r} the first is not below the second, or the third not above 1")
            ratio = (high / low) ** (1 / (number - 1))
            return tuple(float(f"{low * ratio**i:.6g}") for i in range(number))
        rates = [float(piece) for piece in text.split(",") if piece.strip()]
    except InputError:
        raise
    except ValueError:
        raise InputError(f"{form}, not {text!r}") from None
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise InputError(f"{form}, all above 0 and finite, not {text!r}")
    return tuple(sorted(set(rates)))


def _parse_points(text: str) -> int | None:
    if text == "auto":
        return None
    if not (text.isdecimal() and 1 <= int(text) <= 10**9):
        raise InputError(f"--points-per-trial must be a whole number above 0, or auto, not {text!r}")
    return int(text)
