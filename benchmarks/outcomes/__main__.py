"""Trains with every optimizer and remedy of `tautune advise`, and compares its ranking with what came of them.

    python -m benchmarks.outcomes [--short] [--data digits]

An MLP with 32 tanh units trains for 600 steps on mini-batches of 32, from random weights, with every row of `advise` at
τ = 1, 4, 8 and 16 and nine learning rates each, for three seeds; what counts is the smallest mean final loss on the
validation examples. A run that is stopped goes on with the next row. `docs/outcomes.md` has the plan and the results.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.outcomes.cells import Plan, cells
from benchmarks.outcomes.conclusions import best_factors, claims, correlations, mean, spread
from benchmarks.outcomes.figure import outcome_figure
from benchmarks.outcomes.training import DATA, training
from benchmarks.record import RESULTS, begun, plan_as_json
from tautune.records.files import write_json
from tautune.records.provenance import now, provenance

FOLDER = RESULTS / "outcomes"
SHORT = Plan(delays=(1, 4), seeds=2, steps=100, optimizers=("sgd", "dampened-momentum", "adam"))
"""A plan for a look, of a minute."""
Json = dict[str, Any]


def measured(data: str, plan: Plan, folder: Path) -> Json:
    """Returns what a data set's file has once all rows are trained; it is written after each of them."""
    file = folder / f"{data}.json"
    before = begun(file, plan)
    if before.get("finished"):
        return before
    given = training(data, plan.seeds)
    found: Json = {"benchmark": f"outcomes/{data}", "date": now(), "plan": plan_as_json(plan)}
    found |= {"curvature": given.curvature, "preconditioned_curvature": given.preconditioned, "rows": []}
    folder.mkdir(parents=True, exist_ok=True)
    for row in cells(given, plan, before.get("rows", [])):
        found["rows"].append(row)
        print(f"{data}: τ = {row['delay']}: {row['optimizer']}, {row['remedy']}: {mean(row):.4g} ± {spread(row):.2g}")
        write_json(file, found | provenance())
    found["correlations"] = correlations(found["rows"])
    found["claims"] = [claim._asdict() for claim in claims(found["rows"])]
    found["best_factors"] = best_factors(found["rows"])
    found["finished"] = now()
    write_json(file, found | provenance())
    return found


def show(found: Json) -> None:
    """Prints the rank correlations, and every claim of theory that training contradicts."""
    table = Table("τ", "among", "by", "rank correlation", "seeds", title=found["benchmark"])
    for row in found["correlations"]:
        low, high = row["lowest_and_highest_seed"]
        names = str(row["delay"]), row["group"], row["score"]
        table.add_row(*names, f"{row['correlation']:+.2f}", f"{low:+.2f} to {high:+.2f}")
    Console().print(table)
    verdicts = [claim["verdict"] for claim in found["claims"]]
    print(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("agrees", "contradicts", "undecided")))
    for claim in found["claims"]:
        if claim["verdict"] == "contradicts":
            print(
                f"τ = {claim['delay']}: {claim['what']} against {claim['against']}: "
                f"threshold × {claim['predicted']:.3g}, final loss × {claim['measured']:.3g}"
            )


def main(
    short: Annotated[bool, typer.Option("--short", help="A few rows and steps, for a look.")] = False,
    data: Annotated[str, typer.Option(help=f"{' or '.join(DATA)}; both if not given.")] = "",
    output: Annotated[Path | None, typer.Option(help="Folder of the results.")] = None,
) -> None:
    """Train with every row of advise, and compare."""
    torch.set_num_threads(1)
    folder = output or (Path("results/outcomes-short") if short else FOLDER)
    plan = SHORT if short else Plan()
    found = {name: measured(name, plan, folder) for name in ([data] if data else DATA)}
    for one in found.values():
        show(one)
    outcome_figure({name: one["rows"] for name, one in found.items()}).savefig(folder / "outcomes.png", dpi=120)


if __name__ == "__main__":
    typer.run(main)
