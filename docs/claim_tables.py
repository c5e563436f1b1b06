"""Computes the tables of docs/claims.md and docs/real_workers.md; `docs.outcome_tables` writes them."""

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, cast

import tautune
from benchmarks.claims import conclusions
from benchmarks.claims.conclusions import best, by_way
from benchmarks.claims.figures import NAMES, SWEEPS
from benchmarks.real_workers.conclusions import PREDICTIONS, error, name_of
from docs.tables import table
from tautune.analysis.thresholds import Thresholds

RESULTS = Path(__file__).parent.parent / "benchmarks/results"
Json = dict[str, Any]
WAYS = (("kept",), ("ratio",), ("usable", "linear"), ("tuned",))
"""How a learning rate was found; large batches have theirs scaled by their size."""


def sweeps() -> dict[str, Thresholds]:
    return {kind: cast("Thresholds", tautune.load(RESULTS / folder)) for kind, folder in SWEEPS.items()}


def stability() -> str:
    """Returns the measured thresholds times the sharpness, by the kind of momentum."""
    found = sweeps()
    delays = [point.delay for point in found["none"].points]
    rows = [[str(τ), *(f"{each.at_delay(τ).measured * each.sharpness:.4f}" for each in found.values())] for τ in delays]
    return table(["τ", *(NAMES[kind] for kind in found)], rows)


def claims() -> Json:
    found: Json = json.loads((RESULTS / "claims/fashion_mnist.json").read_text())
    return found


def accuracies() -> str:
    """Returns the test accuracies by the kind of row and the way in which the learning rate was found."""
    rows = []
    found = claims()
    delays = [0, *conclusions.whole(found)]
    for row in (row for row in found["rows"] if row["delay"] in delays):
        known = {"tuned", *(way for rate in row["rates"] for way in rate["ways"])}
        cells = ["".join(_accuracy(by_way(row, way)) for way in ways if way in known) for ways in WAYS]
        rows.append([str(row["delay"]), NAMES[row["kind"]], *cells, f"{best(row['rates'])['learning_rate']:.2g}"])
    return table(["τ", "training", "kept", "plain ratio", "scaled", "tuned", "tuned η"], rows)


def _accuracy(values: list[float]) -> str:
    return f"{100 * fmean(values):.1f} ± {100 * (stdev(values) if len(values) > 1 else 0.0):.1f}"


def verdicts() -> str:
    """Returns the verdict on each claim at each delay, and the difference in points that it rests on."""
    found = claims()
    rows = []
    every = conclusions.verdicts(found)
    for claim in dict.fromkeys(verdict.claim for verdict in every):
        own = [verdict for verdict in every if verdict.claim == claim]
        rows.append([claim, *(f"{v.verdict}, {100 * v.difference:+.1f} ± {100 * v.spread:.1f}" for v in own)])
    return table(["claim", *(f"τ = {delay}" for delay in conclusions.whole(found))], rows)


def workers() -> list[Json]:
    found: list[Json] = json.loads((RESULTS / "real_workers.json").read_text())["rows"]
    return found


def worker_thresholds() -> str:
    """Returns the thresholds of real workers, and how far they are from each prediction."""
    rows = [
        [
            row["model"],
            name_of(row),
            f"{row['mean_age']:.2f}, {row['longest_age']}",
            f"{row['autocorrelation']['1']:+.2f}",
            f"{row['measured']:.4f} ± {row['uncertainty']:.4f}",
            *(f"{100 * error(row, name):+.1f} %" for name in PREDICTIONS),
        ]
        for row in workers()
    ]
    header = ["model", "workers", "age: mean, longest", "correlation of neighbours", "measured aη", *PREDICTIONS]
    return table(header, rows)


def worker_errors() -> str:
    """Returns how far each prediction is from what was measured, over all cases."""
    rows = []
    for name in PREDICTIONS:
        errors = [abs(error(row, name)) for row in workers()]
        within = sum(each <= 0.05 for each in errors)
        rows.append(
            [
                name,
                f"{100 * fmean(errors):.1f} %",
                f"{100 * max(errors):.1f} %",
                f"{within} of {len(errors)}",
            ]
        )
    return table(["predicted by", "mean error", "largest", "within 5 %"], rows)


FOLDER = Path(__file__).parent
PAGES = {FOLDER / "claims.md": {"stability": stability}}
