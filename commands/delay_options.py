"""How late the gradients are, as it is told on a command line."""

from pathlib import Path
from typing import Annotated, NamedTuple

from tautune.commands.options import late_option
from tautune.records.delay_trace import read_delays
from tautune.records.errors import InputError, user_input
from tautune.trainables.theory.delays import Delays, as_delays, parse_shares

Delay = Annotated[int | None, late_option(help="τ, in optimizer steps.", show_default=False)]
DelaysFrom = Annotated[
    Path | None, late_option("--delays-from", help="CSV file with a column `age` or `delay`: a delays.csv.")
]
DelayShares = Annotated[
    str | None, late_option("--delay-shares", help="Random delays with their probabilities: 0:0.5,4:0.3,9:0.2.")
]
StageDelays = Annotated[str | None, late_option("--stages", help="The delay of each stage of a pipeline: 0,1,2,3.")]
Shares = Annotated[
    str | None,
    late_option("--shares", help="Each stage's share of the sharpest eigenvector.", show_default="equal"),
]


def delays_from_options(
    delay: int | None, delays_from: Path | None, delay_shares: str | None, stages: str | None, shares: str | None
) -> Delays:
    """Returns the delays that exactly one of the options tells.

    Raises:
        InputError: none is given or several are, or one is not what it must be.
    """
    given = {"--delay": delay, "--delays-from": delays_from, "--delay-shares": delay_shares, "--stages": stages}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        raise InputError("Missing option '--delay', or one of --delays-from, --delay-shares and --stages")
    if len(names) > 1:
        raise InputError(f"{' and '.join(names)} exclude each other; give one of them")
    if shares is not None and stages is None:
        raise InputError("--shares are those of --stages; give both, or --delay-shares D:P,… for random delays")
    with user_input():
        if delays_from is not None:
            return Delays.recorded(read_delays(delays_from))
        if delay_shares is not None:
            return Delays.random(parse_shares(delay_shares, "--delay-shares"))
        if stages is not None:
            each = None if shares is None else _numbers("--shares", shares, float)
            return Delays.stages([int(d) for d in _numbers("--stages", stages, int)], each)
        return as_delays(delay)


class Varying(NamedTuple):
    """Delays that take the place of a sweep's fixed ones."""

    drawn: Delays | None = None
    stages: tuple[int, ...] = ()


def varying_delays(
    delays: str | None, delays_from: Path | None, delay_shares: str | None, stages: str | None
) -> Varying:
    """Returns the delays that one of the last three options tells, or nothing. Raises InputError as above."""
    if delays_from is None and delay_shares is None and stages is None:
        return Varying()
    if delays is not None:
        raise InputError("--delays are fixed ones; leave them out beside --delays-from, --delay-shares and --stages")
    late = delays_from_options(None, delays_from, delay_shares, stages, None)
    if stages is None:
        return Varying(drawn=late)
    return Varying(stages=tuple(int(d) for d in _numbers("--stages", stages, int)))


def _numbers(option: str, text: str, kind: type[int] | type[float]) -> list[float]:
    try:
        return [kind(piece) for piece in text.split(",")]
    except ValueError:
        what = "integers ≥ 0" if kind is int else "numbers ≥ 0"
        raise InputError(f"{option} must be {what}, separated by commas, not {text!r}") from None
