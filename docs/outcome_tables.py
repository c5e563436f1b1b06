"""Computes the tables of pages on what trainings came to, from the benchmarks' results; a test compares them.

python -m docs.outcome_tables
"""

import json
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.transfer.__main__ import WAYS, accuracies, behind
from docs import claim_tables
from docs.tables import computed, table

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent / "benchmarks/results"
Json = dict[str, Any]
POINT = 0.01
"""How far an accuracy may be from the full search's."""
VERDICTS = ("agrees", "contradicts", "undecided")


def results(benchmark: str) -> dict[str, Json]:
    """Returns what there is of a benchmark, by data set, once all of it was trained."""
    files = {file.stem: json.loads(file.read_text()) for file in sorted((RESULTS / benchmark).glob("*.json"))}
    return {data: found for data, found in files.items() if found.get("finished")}


def correlations() -> str:
    """Returns the rank correlations of advise's order with the final losses, and those of two other orders."""
    columns = [
        ("all rows", "advise's order"),
        ("all but compensation", "advise's order"),
        ("SGD and its kin", "advise's order"),
        ("Adam and its kin", "advise's order"),
        ("all rows", "threshold"),
        ("all rows", "decay"),
    ]
    rows = []
    for data, found in results("outcomes").items():
        known = {(c["delay"], c["group"], c["score"]): c for c in found["correlations"]}
        for delay in found["plan"]["delays"]:
            cells = [known[delay, group.removesuffix(" rows"), score] for group, score in columns]
            rows.append([data, str(delay), *map(_correlation, cells)])
    return table(["data", "τ", *(f"{group}, by {score}" for group, score in columns)], rows)


def _correlation(cell: Json) -> str:
    low, high = cell["lowest_and_highest_seed"]
    return f"{cell['correlation']:+.2f} ({low:+.2f} to {high:+.2f})"


def claims() -> str:
    """Returns how many of theory's claims came true, by what they are about."""
    rows = []
    for data, found in results("outcomes").items():
        counts = Counter((_about(claim), claim["verdict"]) for claim in found["claims"])
        for about in ("prediction", "compensation", "the optimizer"):
            rows.append([data, about, *(str(counts[about, verdict]) for verdict in VERDICTS)])
    return table(["data", "claims about", *VERDICTS], rows)


def _about(claim: Json) -> str:
    kinds = {"predict": "prediction", "compensate": "compensation"}
    return next((kind for remedy, kind in kinds.items() if remedy in claim["what"]), "the optimizer")


def contradictions() -> str:
    """Returns every claim that training contradicts."""
    rows = [
        [data, str(c["delay"]), c["what"], c["against"], f"× {c['predicted']:.3g}", f"× {c['measured']:.3g}"]
        for data, found in results("outcomes").items()
        for c in found["claims"]
        if c["verdict"] == "contradicts"
    ]
    return table(["data", "τ", "row", "against", "threshold", "final loss"], rows)


def best_rates() -> str:
    """Returns where the best learning rates lie, in units of theory's threshold over the curvature at the start."""
    rows = [
        [data, str(f["delay"]), f"{f['median']:.2g}", f"{f['lowest']:.2g} to {f['highest']:.2g}", str(f["at_edge"])]
        for data, found in results("outcomes").items()
        for f in found["best_factors"]
    ]
    return table(["data", "τ", "median", "lowest to highest", "at the ladder's end"], rows)


def transfers() -> str:
    """Returns the accuracy of a full search at each delay, and how far the others are from it, in points."""
    rows = []
    for data, found in results("transfer").items():
        for row in found["rows"]:
            if row["delay"]:
                own = [f"{100 * mean:+.1f} ± {100 * spread:.1f}" for mean, spread in (behind(row, w) for w in WAYS[1:])]
                search = f"{accuracies(row)['search']:.1%}".replace("%", " %")
                rows.append([data, row["optimizer"], str(row["delay"]), search, *own])
    return table(["data", "optimizer", "τ", *WAYS], rows)


def reached() -> str:
    """Returns at which delays each way is within a point of the full search, as a mean of the seeds."""
    rows = []
    for data, found in results("transfer").items():
        for optimizer in found["plan"]["optimizers"]:
            own = [row for row in found["rows"] if row["optimizer"] == optimizer and row["delay"]]
            near = {way: [str(row["delay"]) for row in own if behind(row, way)[0] >= -POINT] for way in WAYS[1:]}
            rows.append([data, optimizer, *(", ".join(delays) or "none" for delays in near.values())])
    return table(["data", "optimizer", *WAYS[1:]], rows)


def epochs() -> str:
    """Returns the epochs that each way costs; a product of a Hessian with a vector counts as three gradients."""
    rows = []
    for data, found in results("transfer").items():
        search, training, curvature = (found[f"epochs_of_a_{what}"] for what in ("search", "training", "curvature"))
        parts = [f"{number:.1f}" for number in (search, training, curvature)]
        rows.append([data, *parts, f"{100 * (training + curvature) / search:.1f} %"])
    return table(["data", "full search", "one training", "measuring the sharpness", "share of both"], rows)


def shares() -> str:
    """Returns the validation accuracy at other shares of what is stable, beside the full search's, in points."""
    found = json.loads((RESULTS / "transfer/shares.json").read_text())
    rows = [
        [row["optimizer"], str(row["delay"]), *(f"{100 * fmean(own):+.1f}" for own in row["behind"])]
        for row in found["rows"]
    ]
    return table(["optimizer", "τ", *map(str, found["shares"])], rows)


PAGES = {
    FOLDER / "outcomes.md": {
        "correlations": correlations,
        "claims": claims,
        "contradictions": contradictions,
        "best rates": best_rates,
    },
    **claim_tables.PAGES,
    FOLDER / "transfer.md": {"shares": shares, "transfers": transfers, "reached": reached, "epochs": epochs},
}


if __name__ == "__main__":
    for page, tables in PAGES.items():
        page.write_text(computed(page.read_text(), tables))
