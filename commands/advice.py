"""The command that compares every optimizer and remedy at given delays."""

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tautune.commands.delay_options import Delay, DelaysFrom, DelayShares, Shares, StageDelays, delays_from_options
from tautune.commands.fitted_table import Column, fitted_table, print_whole
from tautune.commands.help_texts import THEORY, examples
from tautune.commands.options import MomentumOrNone
from tautune.commands.theory import Beta1, Json, Optimizer, Sharpness, finite, one_momentum
from tautune.records.errors import InputError, user_input
from tautune.trainables.theory.advice import Advice, advise, e_fold_steps, largest_at_unit_gain
from tautune.trainables.theory.optimizer_names import convention

advice_command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
SORTS = ("threshold", "decay")


@advice_command.command("advise", rich_help_panel=THEORY, epilog=examples("advise"))
def advise_command(
    delay: Delay = None,
    optimizer: Optimizer = None,
    momentum: MomentumOrNone = None,
    beta1: Beta1 = None,
    sharpness: Sharpness = None,
    delays_from: DelaysFrom = None,
    delay_shares: DelayShares = None,
    stages: StageDelays = None,
    shares: Shares = None,
    sort: Annotated[str, typer.Option(help="threshold or decay.")] = "threshold",
    as_json: Json = False,
) -> None:
    """Compare every optimizer and remedy at a delay, with the lines of code that each one takes."""
    delays = delays_from_options(delay, delays_from, delay_shares, stages, shares)
    if sort not in SORTS:
        raise InputError(f"--sort must be {' or '.join(SORTS)}, not {sort!r}")
    with user_input():
        rows = advise(delays, optimizer=optimizer, momentum=one_momentum(momentum, beta1), sharpness=sharpness)
    by_threshold = {id(row): place for place, row in enumerate(rows, 1)}
    by_decay = {id(row): place for place, row in enumerate(sorted(rows, key=_by_decay), 1)}
    if as_json:
        ranked = [
            _plain(asdict(row)) | {"rank_by_threshold": by_threshold[id(row)], "rank_by_decay": by_decay[id(row)]}
            for row in rows
        ]
        print(json.dumps({"delay": str(delays), "rows": ranked}))
        return
    rows.sort(key=lambda row: (by_threshold if sort == "threshold" else by_decay)[id(row)])
    print(f"delay {delays}; m, or β₁, is {max(row.momentum for row in rows):g} where an optimizer has one")
    console = Console()
    print_whole(console, _table(rows, sharpness, console))
    _print_notes(rows)
    _print_code(rows if optimizer is not None else rows[:1])


def _by_decay(row: Advice) -> tuple[bool, float]:
    """Returns what rows are sorted by for speed: those with a warning are the last."""
    return row.warning is not None, row.decay


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return finite(value)


def _table(rows: list[Advice], sharpness: float | None, console: Console) -> Table:
    """Returns the table, whose columns all fit into 80 of a terminal."""
    drawn = any(row.mean_square_threshold is not None for row in rows)
    scale = 1 if sharpness is None else sharpness
    largest = [row.threshold if row.mean_square_threshold is None else row.mean_square_threshold for row in rows]
    marks = [f"{number}{'!' if row.warning else ''}" for number, row in enumerate(rows, 1)]
    numbers = {
        "unit gain": [f"{largest_at_unit_gain(row):.4g}" for row in rows],
        "mean-sq." if drawn else "max aη" if sharpness is None else "max η": [f"{aη / scale:.3g}" for aη in largest],
        "best aη" if sharpness is None else "best η": [f"{row.best_step / scale:.3g}" for row in rows],
        "1/e in": [f"{e_fold_steps(row):.3g}" for row in rows],
        "copies": [str(row.memory.optimizer + row.memory.remedy) for row in rows],
    }
    columns = [
        Column("", marks),
        Column("optimizer", [row.optimizer for row in rows], bends=True),
        Column("remedy", [row.remedy for row in rows], bends=True),
        *(Column(name, cells, rank=rank, justify="right") for rank, (name, cells) in enumerate(numbers.items())),
    ]
    return fitted_table(columns, console, gap=1)


def _print_notes(rows: list[Advice]) -> None:
    by_warning: dict[str, list[int]] = {}
    for number, row in enumerate(rows, 1):
        for warning in (row.warning or "").split("; "):
            by_warning.setdefault(warning, []).append(number)
    for warning, numbers in by_warning.items():
        if warning:
            print(f"! {_ranges(numbers)}: {warning}")
    print(
        "unit gain: largest stable aη if all optimizers moved equally far; max and best\n"
        "are in the η of each. 1/e in: steps at the best η. copies: of the parameters,\n"
        "besides weights and gradients. a is the curvature; for adam, adamw, nadam and\n"
        "rmsprop of the preconditioned loss. Lion, Muon and signSGD have no threshold."
    )
    if any(row.mean_square_threshold is not None for row in rows):
        print("Delays are drawn: unit gain, mean-sq. and the warnings bound E x².")
    for said in {convention(row.optimizer, row.momentum) for row in rows} - {None}:
        print(f"{said}.")
    if any("=recorded" in row.code for row in rows):
        print("recorded, in the code, is a list of a run's delays, one for each step.")


def _ranges(numbers: list[int]) -> str:
    """Returns ascending numbers as 1, 3-5."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _print_code(rows: list[Advice]) -> None:
    for row in rows:
        remedy = "" if row.remedy == "none" else f" with {row.remedy}"
        print(f"\n# {row.optimizer}{remedy}\n{row.code}")
