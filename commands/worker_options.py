"""Who computes the gradients, as it is told on a command line."""

from functools import partial
from typing import Annotated, Any

import typer

from tautune.commands.options import parameters
from tautune.records.errors import InputError
from tautune.trainables.asynchronous.modes import MODES
from tautune.trainables.asynchronous.settings import Stages, Workers

_worker = partial(typer.Option, rich_help_panel="Real workers")
WorkerCount = Annotated[
    int | None,
    _worker("--workers", help="Processes that compute gradients for each trial, on any hosts.", show_default="none"),
]
WorkerMode = Annotated[
    str | None,
    _worker("--mode", metavar="MODE", help=f"When gradients are applied: {MODES}.", show_default="as-they-come"),
]
Slowdown = Annotated[
    str | None, _worker(help="How many times as long each worker takes: 1,1,1,4.", show_default="equal speeds")
]
WorkerCpus = Annotated[
    float | None, _worker("--cpus-per-worker", help="CPU cores of a worker.", show_default="1, or what there is")
]
WorkerGpus = Annotated[
    float | None, _worker("--gpus-per-worker", help="GPUs of a worker; fractions share one.", show_default="0")
]

_stage = partial(typer.Option, rich_help_panel="An asynchronous pipeline")
StageCount = Annotated[
    int | None,
    _stage("--stages", help="Stages into which each trial's model is cut, on any hosts.", show_default="none"),
]
Stashing = Annotated[
    bool | None,
    _stage(
        "--stashing/--no-stashing",
        help="Whether a backward pass has the weights of its forward pass.",
        show_default="--stashing",
    ),
]
StageCpus = Annotated[
    float | None, _stage("--cpus-per-stage", help="CPU cores of a stage.", show_default="1, or what there is")
]


def places_among(given: dict[str, Any]) -> dict[str, Workers | Stages | None]:
    """Returns the workers and the stages that the options of a command ask for, by the command's names.

    Raises:
        InputError: an option is out of its bounds or goes without the number of which it is, or there are both.
    """
    of_workers = [given[name] for name in ("workers", "mode", "slowdown", "cpus_per_worker", "gpus_per_worker")]
    of_stages = [given[name] for name in ("stages", "stashing", "cpus_per_stage")]
    found = {"workers": workers_from_options(*of_workers), "stages": _stages(*of_stages)}
    if all(found.values()):
        raise InputError(
            "--stages are those of a pipeline, and --workers those of a parameter server; give one of them"
        )
    return found


def _stages(count: int | None, stashing: bool | None, cpus: float | None) -> Stages | None:
    if count is None:
        name = "--stashing" if stashing else "--no-stashing" if stashing is False else "--cpus-per-stage"
        if stashing is not None or cpus is not None:
            raise InputError(f"{name} is one of --stages; give their number too")
        return None
    with parameters():
        return Stages(count=count, stashing=stashing is not False, cpus=cpus)


def workers_from_options(
    count: int | None, mode: str | None, slowdown: str | None, cpus: float | None, gpus: float | None
) -> Workers | None:
    """Returns the workers that the options ask for, or None without --workers.

    Raises:
        InputError: an option is out of its bounds, or is given without --workers.
    """
    given = {"--mode": mode, "--slowdown": slowdown, "--cpus-per-worker": cpus, "--gpus-per-worker": gpus}
    if count is None:
        alone = next((name for name, value in given.items() if value is not None), None)
        if alone:
            raise InputError(f"{alone} is one of --workers; give their number too")
        return None
    with parameters():
        return Workers(
            count=count,
            mode=mode or "as-they-come",
            slowdown=_factors(slowdown),
            cpus=cpus,
            gpus=gpus or 0.0,
        )


def _factors(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(piece) for piece in text.split(",")) if text is not None else ()
    except ValueError:
        raise InputError(f"--slowdown must be factors ≥ 1, separated by commas, not {text!r}") from None
