"""Trains the configurations that `tautune transfer` makes, at other shares of what is stable than its own.

    python -m benchmarks.transfer.shares

It takes the searches that `python -m benchmarks.transfer` has made on digits, and writes
benchmarks/results/transfer/shares.json: the validation accuracy less that of the full search at the same delay.
"""

import json
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.outcomes.lanes import Lane, train
from benchmarks.outcomes.training import Training, training
from benchmarks.record import RESULTS
from benchmarks.transfer.trials import carried, made
from tautune.records.files import write_json
from tautune.records.provenance import now, provenance
from tautune.trainables.supervised.hyperparameters import TrainingConfig
from tautune.trainables.theory.transfer import Start, transfer

SHARES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
Json = dict[str, Any]


def measured(searches: Json) -> list[Json]:
    """Returns a row for each optimizer and delay, with the differences by share, seed by seed."""
    given = training("digits", searches["plan"]["seeds"], with_test=True)
    rows = {(row["optimizer"], row["delay"]): row["seeds"] for row in searches["rows"]}
    return [
        {"optimizer": optimizer, "delay": delay, "behind": _behind(given, searches, rows, optimizer, delay)}
        for optimizer, delay in rows
        if delay and optimizer != "adamw"
    ]


def _behind(given: Training, searches: Json, rows: dict[Any, Any], optimizer: str, delay: int) -> list[list[float]]:
    plan, curvatures, lanes = searches["plan"], searches["curvatures"], []
    for seed, (entry, curvature) in enumerate(zip(rows[optimizer, 0], curvatures, strict=True)):
        best = TrainingConfig(**entry["search"]["config"])
        start, late = Start(best.learning_rate, curvature), replace(best, delay=delay)
        for share in SHARES:
            found = transfer(optimizer, late.momentum, delay, start=start, share=share)
            lanes.append(Lane(seed, partial(made, carried(late, found))))
    outcomes = train(
        given.problem, given.validation, given.starts, lanes, steps=plan["steps"], mini_batch=plan["mini_batch"]
    )
    reached = [entry["search"]["validation_accuracy"] for entry in rows[optimizer, delay]]
    return [
        [outcomes[seed * len(SHARES) + place].accuracy - reached[seed] for seed in range(len(reached))]
        for place in range(len(SHARES))
    ]


def main() -> None:
    torch.set_num_threads(1)
    rows = measured(json.loads((RESULTS / "transfer" / "digits.json").read_text()))
    found = {"benchmark": "transfer/shares", "date": now(), "shares": SHARES, "rows": rows} | provenance()
    write_json(RESULTS / "transfer" / "shares.json", found)
    table = Table("optimizer", "τ", *map(str, SHARES))
    for row in rows:
        table.add_row(row["optimizer"], str(row["delay"]), *(f"{100 * fmean(own):+.1f}" for own in row["behind"]))
    Console().print(table)


if __name__ == "__main__":
    main()
