"""Computes the tables of docs/theory.md; a test compares the two.

python -m docs.theory_tables
"""

import json
from pathlib import Path

from docs.tables import computed, table
from tautune.trainables.theory.loop import TrainingLoop

PAGE = Path(__file__).parent / "theory.md"
RESULTS = Path(__file__).parents[1] / "benchmarks/results"
DELAYS = (0, 1, 2, 4, 8, 16, 32)
COLUMNS = {
    "sgd": ("sgd", ()),
    "momentum 0.9, Adam": ("adam", ()),
    "Nesterov 0.9, NAdam": ("nadam", ()),
    "shifted 0.9": ("shifted-momentum", ()),
    "spike compensation 0.9": ("spike-compensation", ()),
    "predict on momentum 0.9": ("adam", ("predict",)),
    "predict on sgd": ("sgd", ("predict",)),
}


def thresholds() -> str:
    """Returns the thresholds at unit gain by delay."""
    rows = [
        [str(τ), *(f"{TrainingLoop(name, τ, given).threshold:.5g}" for name, given in COLUMNS.values())] for τ in DELAYS
    ]
    return table(["τ", *COLUMNS], rows)


def distributions() -> str:
    """Returns what each kind of random delay with a mean of 4 steps is stable up to."""
    geometric = {d: 0.2 * 0.8**d for d in range(120)}
    total = sum(geometric.values())
    kinds = {
        "4, fixed": 4,
        "3 or 5": {3: 0.5, 5: 0.5},
        "0 to 8, uniform": {d: 1 / 9 for d in range(9)},
        "0 or 40, mostly 0": {0: 0.9, 40: 0.1},
        "geometric": {d: p / total for d, p in geometric.items()},
    }
    rows = []
    for kind, delay in kinds.items():
        loop = TrainingLoop(delay=delay)
        values = loop.threshold, loop.mean_square_threshold(0), loop.mean_square_threshold(1)
        rows.append([kind, *(f"{value:.5g}" for value in values)])
    return table(["delay, mean 4", "mean", "mean square", "mean square, r = 1"], rows)


def measured() -> str:
    """Returns how far the thresholds that were measured on a network are from theory, in per cent, by delay."""
    folders = {
        "Nesterov": "nesterov-0.9",
        "spike compensation": "spike-compensation-0.9",
        "predict": "sgd-0.9-predict",
        "Adam, held": "adam-0.9",
    }
    errors = {}
    for name, folder in folders.items():
        points = json.loads((RESULTS / f"digits-{folder}/thresholds.json").read_text())["points"]
        errors[name] = {point["delay"]: f"{point['relative_error']:+.4%}".replace("%", " %") for point in points}
    delays = sorted(set.union(*(set(own) for own in errors.values())))
    return table(["τ", *errors], [[str(τ), *(own.get(τ, "") for own in errors.values())] for τ in delays])


TABLES = {"thresholds": thresholds, "distributions": distributions, "measured": measured}


if __name__ == "__main__":
    PAGE.write_text(computed(PAGE.read_text(), TABLES))
