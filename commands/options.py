"""Options that several commands share, and the error messages for wrong values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer

from tautune.commands.help_texts import LATE, MEASUREMENT, UPDATE
from tautune.records.errors import InputError
from tautune.runners.sweep import DELAYS
from tautune.search_spaces.catalogue import CATALOGUE

late_option = partial(typer.Option, rich_help_panel=LATE)
update_option = partial(typer.Option, rich_help_panel=UPDATE)
measurement_option = partial(typer.Option, rich_help_panel=MEASUREMENT)
DEFAULT_DELAYS = ",".join(map(str, DELAYS))
Delays = Annotated[str, late_option(help="Delays τ in optimizer steps, separated by commas.")]
MomentumOption = Annotated[float, update_option("--momentum", help="m in [0, 1), dampened by 1-m.")]
MomentumOrNone = Annotated[
    float | None,
    update_option(
        "--momentum",
        help="m in [0, 1); dampened by 1-m unless the optimizer's is not.",
        show_default="0, or 0.9 where the optimizer needs one",
    ),
]
Shifted = Annotated[bool, update_option("--shifted", help="Delay the velocity too.")]
MiniBatch = Annotated[int | None, measurement_option(help="Examples per step.", show_default="the full batch")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]


def study_completion(command: str) -> Callable[[str], list[str]]:
    """Returns what a shell completes a study's name by: the built-in ones that the command takes, else files."""
    return completion(*(name for name, entry in sorted(CATALOGUE.items()) if command in entry.commands))


def completion(*names: str) -> Callable[[str], list[str]]:
    """Returns what a shell completes one of some names by."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


StabilityStudyName = Annotated[
    str,
    typer.Argument(
        help="One of `tautune studies`, or a file of your own: path/to/my_study.py.",
        autocompletion=study_completion("sweep"),
    ),
]

Resolution = Annotated[float, measurement_option(help="Relative width of a threshold's bracket.")]
Tolerance = Annotated[
    float, measurement_option(help="Largest gradient norm, relative to its start, that counts as a minimum.")
]
Budget = Annotated[int, measurement_option(help="Largest number of gradient evaluations for reaching the minimum.")]
Orders = Annotated[
    int | None,
    measurement_option(help="Measurements at each delay, each with its own order of mini-batches.", show_default="3"),
]
FirstGuess = Annotated[
    str, measurement_option(help="Start of each search: a multiple of theory's threshold, or none (η = 0.01).")
]
Departures = Annotated[
    bool, measurement_option(help="Also measure how soon training leaves the minimum (the figure's right side).")
]
LearningRates = Annotated[
    str, measurement_option(help="A count, around theory's thresholds; a list, 0.1,0.3; or a range, 1e-3:1:16.")
]
PointsPerTrial = Annotated[
    str, measurement_option(help="Points that train together in a trial; auto measures the fastest number.")
]


@contextmanager
def parameters(kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Turns an error of this kind into an InputError, in which a parameter at the start is spelled as an option."""
    try:
        yield
    except kind as error:
        name, _, rule = str(error).partition(" ")
        known = name.isidentifier() and name.islower() and rule.startswith(("must be ", "must hold "))
        raise InputError(f"--{name.replace('_', '-')} {rule}" if known else str(error)) from None


def parse_delays(text: str) -> tuple[int, ...]:
    """Returns the delays in a comma-separated list, each once, in ascending order."""
    form = "--delays must be integers ≥ 0, separated by commas, such as 0,1,2,4,8"
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not pieces:
        raise InputError(f"{form}, not {text!r}")
    for piece in pieces:
        if not piece.isdecimal():
            raise InputError(f"{form}; {piece!r} is not one")
        if len(piece.lstrip("0")) > 6:
            raise InputError(f"--delays must be below a million; {piece[:20]} is not")
    return tuple(sorted({int(piece) for piece in pieces}))
