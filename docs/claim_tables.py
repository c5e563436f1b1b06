"""Computes the tables of docs/claims.md and docs/real_workers.md; `docs.outcome_tables` writes them."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, cast

import tautune
from benchmarks.claims import conclusions
from benchmarks.claims.conclusions import best, by_way
from benchmarks.claims.figures import NAMES, SWEEPS
from benchmarks.real_workers.conclusions import PREDICTIONS, error, name_of
from docs.tables import table
from tautune.analysis.thresholds import Thresholds

RESULTS = Path(__file__).parent.parent / "benchmarks/results"
FOLDER = Path(__file__).parent
Json = dict[str, Any]
NOTHING = "Nothing is measured yet.\n"
WAYS = (("kept",), ("ratio",), ("usable", "linear"), ("tuned",))
"""How a learning rate was found; large batches have theirs scaled by their size."""
VERDICTS = ("holds", "undecided", "fails")


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
    return table(["claim", *(f"τ = {delay}" for delay in conclusions.whole(found))], rows) if rows else NOTHING


def holding() -> str:
    """Returns at which delays each claim holds, is undecided or fails, from τ = 2 on."""
    every = [verdict for verdict in conclusions.verdicts(claims()) if verdict.delay >= 2]
    rows = []
    for claim in dict.fromkeys(verdict.claim for verdict in every):
        own = {verdict.delay: verdict.verdict for verdict in every if verdict.claim == claim}
        by_verdict = {name: [str(τ) for τ, found in own.items() if found == name] for name in VERDICTS}
        whole = "yes" if len(by_verdict["holds"]) == len(own) else "no"
        rows.append([claim, whole, *(", ".join(delays) for delays in by_verdict.values())])
    return table(["claim", "holds at every τ", *(f"{name} at τ" for name in VERDICTS)], rows) if rows else NOTHING


def picture(name: str, shows: str) -> str:
    """Returns a picture of a page, once it is drawn."""
    return f"![{shows}]({name})\n" if (FOLDER / name).exists() else ""


def workers() -> list[Json]:
    file = RESULTS / "real_workers.json"
    found: list[Json] = json.loads(file.read_text())["rows"] if file.exists() else []
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
    return table(header, rows) if rows else NOTHING


def worker_errors() -> str:
    """Returns how far each prediction is from what was measured, over all cases, the best one first."""
    if not workers():
        return NOTHING
    rows = []
    off = {name: [abs(error(row, name)) for row in workers()] for name in PREDICTIONS}
    for name, errors in sorted(off.items(), key=lambda entry: fmean(entry[1])):
        within = sum(each <= 0.05 for each in errors)
        mean, largest = f"{100 * fmean(errors):.1f} %", f"{100 * max(errors):.1f} %"
        rows.append([name, mean, largest, f"{within} of {len(errors)}"])
    return table(["predicted by", "mean error", "largest", "within 5 %"], rows)


def growths() -> str:
    """Returns how far the growth of a run is from that of the recursion with its own ages, over all runs."""
    runs = [run for row in workers() for run in row["runs"]]
    if not runs:
        return NOTHING
    apart = [abs(run["growth"] - run["recursion"]) for run in runs]
    return table(["runs", "median", "largest"], [[str(len(apart)), f"{median(apart):.1g}", f"{max(apart):.1g}"]])


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    FOLDER / "claims.md": {
        "stability": stability,
        "accuracy picture": lambda: picture(
            "claims_accuracy.png", "Test accuracy over the delay, for three ways to find η"
        ),
        "accuracies": accuracies,
        "verdicts": verdicts,
        "holding": holding,
    },
    FOLDER / "real_workers.md": {
        "worker picture": lambda: picture("real_workers.png", "Measured thresholds over predicted ones, and the ages"),
        "worker errors": worker_errors,
        "worker thresholds": worker_thresholds,
        "growths": growths,
    },
}
