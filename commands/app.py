"""The command `tautune`. Heavy imports wait until a command needs them."""

import atexit
import gc
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer.exceptions import TyperException

from tautune.cluster.session.environment import set_environment
from tautune.commands.cluster import cluster_commands
from tautune.commands.grid import grid_commands
from tautune.commands.options import (
    DELAYS,
    check_device_name,
    check_mini_batch,
    check_shifted,
    folder_name,
    parse_delays,
    parse_device,
)
from tautune.commands.tuning import STARTED, tuning_commands
from tautune.records.errors import InputError, Interrupted, RunFailed, user_input
from tautune.trainables.theory import stability

IMPORTS = ("torch", "pandas", "scipy.optimize", "scipy.sparse.linalg")
"""What a sweep takes longest to import."""
IN_WORKERS = ("tautune.trainables.threshold.trial",)

app = typer.Typer(
    help="Tune asynchronous SGD: which learning rate is stable when gradients arrive τ steps late.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(tuning_commands)
app.add_typer(cluster_commands)
app.add_typer(grid_commands)


@app.command()
def threshold(
    delay: Annotated[int, typer.Option(help="τ, in optimizer steps.")],
    momentum: Annotated[float, typer.Option(help="m in [0, 1), dampened by 1-m.")] = 0.0,
    shifted: Annotated[bool, typer.Option("--shifted", help="The velocity is delayed too.")] = False,
    sharpness: Annotated[float | None, typer.Option(help="λ, the largest Hessian eigenvalue.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """The stability threshold aη in closed form, and the largest stable learning rate for a sharpness."""
    answer: dict[str, object] = {"delay": delay, "momentum": momentum, "shifted": shifted}
    with user_input():
        answer["threshold"] = stability.threshold(delay, momentum, shifted=shifted)
        answer["linear_approximation"] = stability.linear_approximation(delay, momentum, shifted=shifted)
        if sharpness is not None:
            largest = stability.max_stable_learning_rate(sharpness, delay, momentum, shifted=shifted)
            answer["max_stable_learning_rate"] = largest
    if as_json:
        print(json.dumps(answer))
        return
    table = Table(show_header=False)
    for name, value in answer.items():
        table.add_row(name.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)


@app.command()
def sweep(
    study: Annotated[str, typer.Argument(help="One of `tautune studies`.")],
    delays: Annotated[str, typer.Option(help="Delays τ, comma-separated.")] = DELAYS,
    momentum: Annotated[float, typer.Option(help="m in [0, 1), dampened by 1-m.")] = 0.0,
    shifted: Annotated[bool, typer.Option("--shifted", help="Delay the velocity too.")] = False,
    resolution: Annotated[float, typer.Option(help="Relative width of a threshold's bracket.")] = 0.005,
    mini_batch: Annotated[int | None, typer.Option(help="Examples a step; the full batch if not given.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Orders of the mini-batches to repeat with [default: 3].")] = None,
    output: Annotated[
        str | None, typer.Option(help="Folder of the results, or s3://…, gs://… [default: results/STUDY…].")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    first_guess: Annotated[
        str, typer.Option(help="Where the search begins: a multiple of theory's threshold, or none (η = 0.01).")
    ] = "1",
    departures: Annotated[
        bool, typer.Option(help="Also watch how soon training leaves above the threshold (the figure's right side).")
    ] = True,
    budget: Annotated[int, typer.Option(help="Gradient evaluations in which the minimum must be reached.")] = 20_000,
) -> None:
    """Measure the largest stable learning rate of STUDY at every delay, beside theory's."""
    with user_input():
        stability.check_momentum(momentum)
    wanted = parse_delays(delays)
    if not 1e-5 <= resolution <= 0.5:
        raise InputError(f"--resolution must be between 1e-5 and 0.5, not {resolution:g}")
    if budget < 1:
        raise InputError(f"--budget must be at least 1, not {budget}")
    if seeds is not None and (seeds < 2 or mini_batch is None):
        raise InputError(f"--seeds must be at least 2, for an uncertainty, and needs --mini-batch, not {seeds}")
    check_shifted(shifted, momentum)
    guess = _parse_guess(first_guess)
    check_device_name(device)
    from tautune.cluster.session.session import ray_session

    with ray_session(meanwhile=IMPORTS, in_workers=IN_WORKERS):
        from tautune import search_spaces

        with user_input():
            chosen = search_spaces.find(study)
        check_mini_batch(mini_batch, study, len(chosen.examples()[0]))
        from tautune.records.storage import output_folder
        from tautune.runners.sweep import Sweep, run_sweep

        run_sweep(
            Sweep(
                study=chosen,
                delays=wanted,
                momentum=momentum,
                shifted=shifted,
                resolution=resolution,
                mini_batch=mini_batch,
                seeds=1 if mini_batch is None else seeds or 3,
                device=parse_device(device),
                first_guess=guess,
                departures=departures,
                budget=budget,
            ),
            output_folder(output, folder_name(study, momentum, shifted, mini_batch)),
            console=Console(),
            started=STARTED,
        )


@app.command()
def board(
    folder: Annotated[
        str | None, typer.Argument(help="A results folder, or one that holds several [default: results].")
    ] = None,
    cluster: Annotated[
        Path | None, typer.Option("--cluster", help="File of a cluster, on whose head the results are.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback only; 0 is any that is free.")] = 6006,
) -> None:
    """Start TensorBoard on results, here or on a cluster's head."""
    if cluster is not None:
        from tautune.cluster.remote.board import show_board
        from tautune.cluster.remote.cluster_file import read_cluster_file

        show_board(read_cluster_file(cluster), folder, port=port, console=Console())
        return
    from tautune.records.storage import results_folder

    logs = results_folder(folder)
    if not logs.is_dir():
        raise InputError(f"there is no folder {logs}; give one that `tautune sweep --output` wrote")
    arguments = ["-m", "tensorboard.main", "--logdir", str(logs), "--port", str(port), "--host", "127.0.0.1"]
    unlisted = {f"FSSPEC_{name}_USE_LISTINGS_CACHE": "false" for name in ("S3", "GS")}  # else new files are not seen
    os.execve(sys.executable, [sys.executable, *arguments], os.environ | unlisted)


@app.command()
def studies() -> None:
    """List the studies."""
    from tautune import search_spaces

    table = Table("study", "for", "what it is")
    for name, study in sorted((search_spaces.STABILITY | search_spaces.TUNING | search_spaces.PATHS).items()):
        table.add_row(name, "sweep, grid" if name in search_spaces.STABILITY else "tune", study.description)
    Console().print(table)


def _parse_guess(text: str) -> float | None:
    if text == "none":
        return None
    try:
        guess = float(text)
    except ValueError:
        guess = 0.0
    if not 1e-6 <= guess <= 1e6:
        raise InputError(f"--first-guess must be a number between 1e-6 and 1e6, or none, not {text!r}")
    return guess


def main() -> None:
    """Errors as one line on stderr, with the exit code of `cluster/errors.py`; a traceback is a bug of ours."""
    import_module("tautune.cluster.session.gc_threshold")
    set_environment()
    atexit.register(_freeze)  # a look through all objects at the end takes as long again
    command = typer.main.get_command(app)
    try:
        sys.exit(command.main(sys.argv[1:] or ["--help"], standalone_mode=False))
    except typer.Abort:
        _end("stopped", 130)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "tautune"
        _end(f"{getattr(error, 'format_message', error.__str__)()} (see {where} --help)", 2)
    except InputError as error:
        _end(str(error), 2)
    except Interrupted as error:
        _end(str(error), 130)
    except RunFailed as error:
        _end(str(error), 1)


def _freeze() -> None:
    if "triton" not in sys.modules:  # it reports as leaked, in forty lines, what is not taken apart
        gc.freeze()


def _end(message: str, code: int) -> None:
    *before, last = message.splitlines() or [""]
    for line in before:  # a user's own traceback
        print(line, file=sys.stderr)
    print(f"tautune: {last.removeprefix('tautune: ')}", file=sys.stderr)
    raise SystemExit(code)
