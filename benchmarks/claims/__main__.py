"""Trains a convolutional network with late gradients, and holds the paper's claims against what comes of it.

    python -m benchmarks.claims [--short]

Without momentum, with momentum 0.9 and with shifted momentum 0.9, at τ = 0, 1, 2, 4, 8, 16 and 32, on Fashion-MNIST
averaged over 2 × 2 pixels, three seeds; beside synchronous batches of the same throughput, τ + 1 times as large. A run
that is stopped goes on with the next row. `docs/claims.md` has the plan, written before the run, and the results.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.claims.conclusions import best, by_way, verdicts
from benchmarks.claims.figures import accuracy_figure, threshold_figure
from benchmarks.claims.trials import Plan, Rate, large_rates, prepared, rates_at, trained
from benchmarks.outcomes.training import Training
from benchmarks.record import RESULTS, begun, plan_as_json
from tautune.records.files import write_json
from tautune.records.provenance import now, provenance

FOLDER, PICTURES = RESULTS / "claims", Path(__file__).parents[2] / "docs"
SHORT = Plan(delays=(1, 8), seeds=2, steps=120, rates=(0.25, 1.0), ladder=(0.5, 1.0))
"""A plan for a look, of a minute."""
Json = dict[str, Any]


def measured(plan: Plan, folder: Path) -> Json:
    """Returns what the file has once everything is trained; it is written after each row."""
    file = folder / "fashion_mnist.json"
    before = begun(file, plan)
    if before.get("finished"):
        return before
    known = {(row["kind"], row["delay"]): row for row in before.get("rows", [])}
    given = prepared(plan.seeds)
    found: Json = {"benchmark": "claims/fashion_mnist", "date": now(), "plan": plan_as_json(plan), "rows": []}
    found |= {"curvature": given.curvature, "parameters": len(given.starts[0]), "examples": len(given.problem)}
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows(given, plan, known):
        found["rows"].append(row)
        write_json(file, found | provenance())
        top = best(row["rates"])
        print(
            f"{row['kind']}, τ = {row['delay']}: {fmean(by_way(row, 'tuned')):.1%} at η = {top['learning_rate']:.3g}",
            flush=True,
        )
    found["verdicts"] = [verdict._asdict() for verdict in verdicts(found)]
    found["finished"] = now()
    write_json(file, found | provenance())
    return found


def rows(given: Training, plan: Plan, known: dict[tuple[str, int], Json]) -> Iterator[Json]:
    """Yields a row for each kind of momentum at each delay, and for large batches, those that are known as they are."""
    first = [Rate(("tuned",), rate) for rate in plan.rates]
    without = {
        kind: known.get((kind, 0)) or {"kind": kind, "delay": 0, "rates": trained(given, kind, 0, first, plan)}
        for kind in ("none", "momentum")
    }
    yield from without.values()
    at_best = {kind: best(row["rates"])["learning_rate"] for kind, row in without.items()}
    at_best["shifted"] = at_best["momentum"]  # without delay, they are the same
    for delay in plan.delays:
        for kind, rate in at_best.items():
            tried = rates_at(kind, delay, rate, plan)
            yield known.get((kind, delay)) or {
                "kind": kind,
                "delay": delay,
                "rates": trained(given, kind, delay, tried, plan),
            }
        tried = large_rates(delay, at_best["none"])
        yield known.get(("large", delay)) or {
            "kind": "large",
            "delay": delay,
            "rates": trained(given, "none", 0, tried, plan, batches=delay + 1),
        }


def show(found: Json) -> None:
    """Prints every claim's verdict at each delay, with the difference in points."""
    delays = found["plan"]["delays"]
    table = Table("claim", *(f"τ = {delay}" for delay in delays), title=found["benchmark"])
    for claim in dict.fromkeys(verdict["claim"] for verdict in found["verdicts"]):
        own = [verdict for verdict in found["verdicts"] if verdict["claim"] == claim]
        table.add_row(claim, *(f"{v['verdict']} {100 * v['difference']:+.1f} ± {100 * v['spread']:.1f}" for v in own))
    Console().print(table)


def main(
    short: Annotated[bool, typer.Option("--short", help="Few delays, rates and steps, for a look.")] = False,
    output: Annotated[Path | None, typer.Option(help="Folder of the results and pictures.")] = None,
) -> None:
    """Train with late gradients and without, and hold the paper's claims against that."""
    torch.set_num_threads(1)
    folder = output or (Path("results/claims-short") if short else FOLDER)
    found = measured(SHORT if short else Plan(), folder)
    show(found)
    pictures = folder if short or output else PICTURES
    accuracy_figure(found).savefig(pictures / "claims_accuracy.png", dpi=120)
    threshold_figure(RESULTS).savefig(pictures / "claims_thresholds.png", dpi=120)


if __name__ == "__main__":
    typer.run(main)
