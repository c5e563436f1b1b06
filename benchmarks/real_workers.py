"""Measures the thresholds of real workers on digits, beside what theory says of the ages that they recorded.

    python -m benchmarks.real_workers [--json]

N workers of equal speed, and N of which one is four times as slow, train with the full batch. Theory is asked for the
threshold of the recorded distribution of ages, and of one delay that stands for it: its mean, its 90 % quantile, its
maximum. Which of them predicts best is what the table is for. On fewer cores than workers, their speeds are also the
scheduler's; the ages are recorded all the same.
"""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.record import keep
from tautune.cluster.session.environment import set_environment

set_environment()  # before Ray is imported

import tautune  # noqa: E402
from tautune.cluster.session.session import ray_session  # noqa: E402
from tautune.records.sweep_folder import read_records  # noqa: E402
from tautune.trainables.theory.delays import Delays  # noqa: E402

CASES: list[tuple[int, tuple[float, ...]]] = [
    (count, slowdown) for count in (2, 4, 8) for slowdown in ((), (*[1.0] * (count - 1), 4.0))
]
SEEDS, RESOLUTION = 2, 0.05


def threshold_of_mean(age: float) -> float:
    """Returns 2 sin(π/(4τ+2)), for a τ that need not be whole."""
    return 2 * math.sin(math.pi / (4 * age + 2))


def summaries(shares: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Returns theory's threshold times the sharpness, by what the ages are summarized as."""
    mean, total, quantile = sum(age * share for age, share in shares), 0.0, shares[-1][0]
    for age, share in shares:
        total += share
        if total >= 0.9:
            quantile = age
            break
    return {
        "distribution": tautune.TrainingLoop("sgd", Delays.random(dict(shares))).threshold,
        "mean": threshold_of_mean(mean),
        "90 % quantile": tautune.threshold(quantile),
        "maximum": tautune.threshold(max(age for age, _ in shares)),
    }


def measure(count: int, slowdown: tuple[float, ...], folder: Path) -> dict[str, Any]:
    """Returns the measured threshold of so many workers, the ages, and each summary's relative error."""
    workers = tautune.Workers(count=count, slowdown=slowdown)
    found = tautune.sweep(
        "digits", workers=workers, departures=False, resolution=RESOLUTION, seeds=SEEDS, output=folder
    )
    updates = [record.settings.update for record in read_records(folder)]
    shares: dict[int, float] = {}
    for update in updates:
        assert update
        for age, share in update.drawn:
            shares[age] = shares.get(age, 0.0) + share / len(updates)
    ages = sorted(shares.items())
    [point] = found.points
    measured = point.measured * found.sharpness
    return {
        "workers": count,
        "slowdown": list(slowdown),
        "mean_age": sum(age * share for age, share in ages),
        "longest_age": ages[-1][0],
        "measured": measured,
        "uncertainty": point.uncertainty * found.sharpness,
        "errors": {name: measured / theory - 1 for name, theory in summaries(ages).items()},
        "shares": ages,
    }


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Measure the thresholds of real workers, and compare them with theory for the ages that they had."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, ray_session():
        for count, slowdown in CASES:
            rows.append(measure(count, slowdown, Path(folder) / f"{count}-{len(slowdown)}"))
            keep("real_workers", {"seeds": SEEDS, "resolution": RESOLUTION, "rows": rows}, as_json=as_json)
    table = Table("workers", "mean age", "longest", "measured aη", *rows[0]["errors"])
    for row in rows:
        errors = [f"{100 * error:+.1f} %" for error in row["errors"].values()]
        name = f"{row['workers']}{', one four times as slow' if row['slowdown'] else ''}"
        measured = f"{row['measured']:.4f} ± {row['uncertainty']:.4f}"
        table.add_row(name, f"{row['mean_age']:.2f}", str(row["longest_age"]), measured, *errors)
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
