"""The commands that compute: thresholds of stability of any optimizer, delay and remedy."""

import json
import math
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from tautune.commands.delay_options import Delay, DelaysFrom, DelayShares, Shares, StageDelays, delays_from_options
from tautune.commands.help_texts import THEORY, examples
from tautune.commands.options import MomentumOrNone, Shifted, update_option
from tautune.records.errors import InputError, user_input
from tautune.trainables.theory import stability
from tautune.trainables.theory.delays import Delays
from tautune.trainables.theory.loop import TrainingLoop
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.theory.optimizer_names import (
    BY_NAME,
    PRECONDITIONED,
    convention,
    default_momentum,
    papers_optimizer,
)

theory_commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Optimizer = Annotated[
    str | None,
    update_option(help=f"{', '.join(BY_NAME)}, or a filter of your own: N,…/D,…, two polynomials in z."),
]
Beta1 = Annotated[
    float | None,
    update_option("--beta1", help="Momentum, as Adam calls it: another name of --momentum.", show_default=False),
]
Remedies = Annotated[
    list[str] | None, update_option("--remedy", help="predict:T or compensate:C; may be given once each.")
]
Sharpness = Annotated[float | None, typer.Option(help="λ, the largest Hessian eigenvalue.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@theory_commands.command(rich_help_panel=THEORY, epilog=examples("threshold"))
def threshold(
    delay: Delay = None,
    momentum: MomentumOrNone = None,
    shifted: Shifted = False,
    sharpness: Sharpness = None,
    optimizer: Optimizer = None,
    beta1: Beta1 = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    stages: StageDelays = None,
    shares: Shares = None,
    remedy: Remedies = None,
    curvature_noise: Annotated[
        float | None, typer.Option(help="r: variance of the mini-batches' curvature over its mean's square.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the stability threshold aη, and the largest stable learning rate for a sharpness."""
    delays = delays_from_options(delay, delays_from, delay_shares, stages, shares)
    m = one_momentum(momentum, beta1)
    with user_input():
        if optimizer is None and not remedy and curvature_noise is None and delay is not None and beta1 is None:
            answer = _in_closed_form(delay, Momentum(m or 0.0, shifted), sharpness)
        else:
            loop = _loop(optimizer, m, shifted, delays, remedy or [])
            name = optimizer or _unnamed(m, shifted)
            answer = _by_gain_margin(loop, _described(name, m), sharpness, curvature_noise)
    if as_json:
        print(json.dumps({name: finite(value) for name, value in answer.items()}))
        return
    table = Table("", Column(overflow="fold"), show_header=False)
    for name, value in answer.items():
        if name == "mean_square_threshold" and value == answer["threshold"]:
            continue  # without anything that varies
        table.add_row(name.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)
    if optimizer in PRECONDITIONED:
        print(f"a and the sharpness of {optimizer} are those of the preconditioned loss")
    if optimizer and (said := convention(optimizer, answer.get("momentum", 0.0))):
        print(said)


def _in_closed_form(delay: int, kind: Momentum, sharpness: float | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"delay": delay, "momentum": kind.value, "shifted": kind.shifted}
    answer["threshold"] = stability.threshold(delay, kind)
    answer["linear_approximation"] = stability.linear_approximation(delay, kind)
    if sharpness is not None:
        answer["max_stable_learning_rate"] = stability.max_stable_learning_rate(sharpness, delay, kind)
    return answer


def _by_gain_margin(
    loop: TrainingLoop, described: dict[str, Any], sharpness: float | None, noise: float | None
) -> dict[str, Any]:
    delays: Delays = loop.delay
    late = (
        {"delay": delays.maximum} if delays.is_fixed else {"mean_delay": delays.mean, "largest_delay": delays.maximum}
    )
    answer: dict[str, Any] = described | late
    if loop.remedies:
        answer["remedy"] = ", ".join(map(str, loop.remedies))
    answer["threshold"] = loop.threshold
    answer["threshold_at_unit_gain"] = loop.threshold_at_unit_gain
    answer["angle"] = loop.angle
    varies = noise is not None or delays.drawn  # then the mean alone may be far too large
    answer["mean_square_threshold"] = loop.mean_square_threshold(noise or 0.0) if varies else loop.threshold
    if sharpness is not None:
        answer["max_stable_learning_rate"] = loop.max_stable_learning_rate(sharpness)
    return answer


def _loop(optimizer: str | None, m: float | None, shifted: bool, delays: Delays, remedies: list[str]) -> TrainingLoop:
    if optimizer is not None and shifted:
        raise InputError("--shifted goes without --optimizer; give --optimizer shifted-momentum instead")
    name = optimizer or _unnamed(m, shifted)
    return TrainingLoop(name, delays, remedies, momentum=m)


def _unnamed(m: float | None, shifted: bool) -> str:
    """Returns the optimizer of the command without --optimizer. Raises ValueError if its momentum is none."""
    if shifted:
        _ = Momentum(m or 0.0, shifted)
    return papers_optimizer(m, shifted)


def _described(name: str, m: float | None) -> dict[str, Any]:
    if name not in BY_NAME:
        return {"optimizer": name}
    return {"optimizer": name, "momentum": default_momentum(name) if m is None else m}


def one_momentum(momentum: float | None, beta1: float | None) -> float | None:
    """Returns the one that is given. Raises InputError if both are."""
    if momentum is not None and beta1 is not None:
        raise InputError("--momentum and --beta1 are two names of one number; give one of them")
    return momentum if beta1 is None else beta1


def finite(value: Any) -> Any:
    """Returns the value as JSON can hold it: null where a loop is stable at every step."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
