"""Measures what a search without delay is worth at a delay, beside a full search there and beside naive reuse.

    python -m benchmarks.transfer [--short] [--data digits]

An MLP with 32 tanh units trains for 600 steps on mini-batches of 32 with SGD, Nesterov and AdamW at τ = 0, 1, 3, 7, 15
and 31, for three seeds. A search tries 24 configurations and takes the one of the best validation accuracy; what counts
is its accuracy on test examples, which no search has seen. A run that is stopped goes on. `docs/transfer.md` has the
plan and the results.
"""

import statistics
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.outcomes.training import DATA, training
from benchmarks.record import RESULTS, begun, plan_as_json
from benchmarks.transfer.trials import SEARCHED, Plan, rows, starting_curvatures
from tautune.records.files import write_json
from tautune.records.provenance import now, provenance

FOLDER = RESULTS / "transfer"
SHORT = Plan(delays=(3,), seeds=2, steps=100, optimizers=("adamw",))
"""A plan for a look, of a minute."""
WAYS = ("search", "transfer", "unmeasured", "rate", "ratio", "reuse")
"""The search at the delay, and the ways to carry over what a search without delay found."""
Json = dict[str, Any]


def measured(data: str, plan: Plan, folder: Path) -> Json:
    """Returns what a data set's file has once everything is trained; it is written after each delay."""
    file = folder / f"{data}.json"
    before = begun(file, plan)
    if before.get("finished"):
        return before
    known = {(row["optimizer"], row["delay"]): row for row in before.get("rows", [])}
    given = training(data, plan.seeds, with_test=True)
    curvatures = starting_curvatures(given)
    epochs = plan.steps * plan.mini_batch / len(given.problem)
    measuring = statistics.fmean(cost for _, cost in curvatures.values()) / len(given.problem)
    found: Json = {"benchmark": f"transfer/{data}", "date": now(), "plan": plan_as_json(plan), "rows": []}
    found |= {
        "epochs_of_a_search": SEARCHED * epochs,
        "epochs_of_a_training": epochs,
        "epochs_of_a_curvature": measuring,
    }
    found["curvatures"] = [curvature for curvature, _ in curvatures.values()]
    folder.mkdir(parents=True, exist_ok=True)
    for optimizer in plan.optimizers:
        best: list[Json] = []
        for delay in (0, *plan.delays):
            row = known.get((optimizer, delay)) or rows(given, plan, optimizer, delay, best, found["curvatures"])
            best = best or [entry["search"] for entry in row["seeds"]]
            found["rows"].append(row)
            print(f"{data}: {optimizer}, τ = {delay}: " + ", ".join(f"{w} {a:.1%}" for w, a in accuracies(row).items()))
            write_json(file, found | provenance())
    found["finished"] = now()
    write_json(file, found | provenance())
    return found


def accuracies(row: Json) -> dict[str, float]:
    """Returns the mean test accuracy by the way in which the configuration was found."""
    return {
        way: statistics.fmean(entry[way]["test_accuracy"] for entry in row["seeds"])
        for way in WAYS
        if way in row["seeds"][0]
    }


def behind(row: Json, way: str) -> tuple[float, float]:
    """Returns the mean, and the standard deviation over the seeds, of how far a way's accuracy is from the search's."""
    differences = [entry[way]["test_accuracy"] - entry["search"]["test_accuracy"] for entry in row["seeds"]]
    return statistics.fmean(differences), statistics.stdev(differences) if len(differences) > 1 else 0.0


def show(found: Json) -> None:
    """Prints the accuracy of the full search, and how far the others are from it, in points."""
    table = Table("optimizer", "τ", *WAYS, title=found["benchmark"])
    for row in found["rows"]:
        if row["delay"]:
            rest = (f"{100 * mean:+.1f} ± {100 * spread:.1f}" for mean, spread in (behind(row, w) for w in WAYS[1:]))
            table.add_row(row["optimizer"], str(row["delay"]), f"{accuracies(row)['search']:.1%}", *rest)
    Console().print(table)


def main(
    short: Annotated[bool, typer.Option("--short", help="One optimizer and delay, few steps, for a look.")] = False,
    data: Annotated[str, typer.Option(help=f"{' or '.join(DATA)}; both if not given.")] = "",
    output: Annotated[Path | None, typer.Option(help="Folder of the results.")] = None,
) -> None:
    """Search without delay and at each delay, and compare."""
    torch.set_num_threads(1)
    folder = output or (Path("results/transfer-short") if short else FOLDER)
    plan = SHORT if short else Plan()
    for name in [data] if data else DATA:
        show(measured(name, plan, folder))


if __name__ == "__main__":
    typer.run(main)
