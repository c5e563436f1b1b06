"""Who computes the gradients, as it is told on a command line."""

from functools import partial
from typing import Annotated

import typer

from tautune.commands.options import parameters
from tautune.records.errors import InputError
from tautune.trainables.asynchronous.modes import MODES
from tautune.trainables.asynchronous.settings import Workers

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
