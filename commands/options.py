"""Options that several commands have, and how what is wrong with them is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from tautune.records.errors import InputError
from tautune.runners.sweep import DELAYS

DEFAULT_DELAYS = ",".join(map(str, DELAYS))
Delays = Annotated[str, typer.Option(help="Delays τ in optimizer steps, separated by commas.")]
MomentumOption = Annotated[float, typer.Option("--momentum", help="m in [0, 1), dampened by 1-m.")]
Shifted = Annotated[bool, typer.Option("--shifted", help="Delay the velocity too.")]
MiniBatch = Annotated[int | None, typer.Option(help="Examples a step.", show_default="the full batch")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
StabilityStudyName = Annotated[
    str, typer.Argument(help="One of `tautune studies`, or a file of your own: path/to/my_study.py.")
]

Resolution = Annotated[float, typer.Option(help="Relative width of a threshold's bracket.")]
Tolerance = Annotated[
    float, typer.Option(help="Gradient norm at the minimum, relative to its value where training began.")
]
Budget = Annotated[int, typer.Option(help="Gradient evaluations in which the minimum must be reached.")]
Orders = Annotated[int | None, typer.Option(help="Orders of the mini-batches to repeat with.", show_default="3")]
FirstGuess = Annotated[
    str, typer.Option(help="Where the search begins: a multiple of theory's threshold, or none (η = 0.01).")
]
Departures = Annotated[
    bool, typer.Option(help="Also watch how soon training leaves above the threshold (the figure's right side).")
]
LearningRates = Annotated[
    str, typer.Option(help="How many, around theory's thresholds; or a list, 0.1,0.3; or a range, 1e-3:1:16.")
]
PointsPerTrial = Annotated[str, typer.Option(help="Points that train together in a trial; auto measures what is fast.")]


@contextmanager
def parameters(kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Raises InputError for an error of that kind, with mini_batch spelled --mini-batch where the message begins so."""
    try:
        yield
    except kind as error:
        name, _, rule = str(error).partition(" ")
        known = name.isidentifier() and name.islower() and rule.startswith(("must be ", "must hold "))
        raise InputError(f"--{name.replace('_', '-')} {rule}" if known else str(error)) from None


def parse_delays(text: str) -> tuple[int, ...]:
    """Returns the delays that a list with commas holds, each once, in ascending order."""
    form = "--delays must be integers ≥ 0 with commas between, as in 0,1,2,4,8"
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not pieces:
        raise InputError(f"{form}, not {text!r}")
    for piece in pieces:
        if not piece.isdecimal():
            raise InputError(f"{form}; {piece!r} is not one")
        if len(piece) > 6:
            raise InputError(f"--delays must be below a million; {piece[:20]} is not")
    return tuple(sorted({int(piece) for piece in pieces}))
