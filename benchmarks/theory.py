"""Times the calculator of thresholds beside the roots of companion matrices, and says how far the two are apart.

    python -m benchmarks.theory [--json]

A companion matrix has as many rows as the delay has steps, and its roots are all that numpy offers: a threshold is then
found by halving a bracket of steps until the largest root's modulus is 1. The calculator needs no bracket. Traces are
beyond a companion matrix; their thresholds are checked by the largest root alone, in the tests.
"""

import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.record import keep
from tautune.trainables.theory.loop import TrainingLoop

REPETITIONS = 15
HALVINGS = 40
LONGEST_COMPANION = 64
CASES: dict[str, dict[str, Any]] = {
    "sgd, τ = 8": {"optimizer": "sgd", "delay": 8},
    "adamw, τ = 8": {"optimizer": "adamw", "delay": 8},
    "adamw with predict:8, τ = 8": {"optimizer": "adamw", "delay": 8, "remedies": ["predict:8"]},
    "nadam with compensate:0.5, τ = 8": {"optimizer": "nadam", "delay": 8, "remedies": ["compensate:0.5"]},
    "adamw, uniform 0 … 64": {"optimizer": "adamw", "delay": {d: 1 / 65 for d in range(65)}},
    "adamw, τ = 64": {"optimizer": "adamw", "delay": 64},
    "adamw, τ = 10,000": {"optimizer": "adamw", "delay": 10_000},
    "adamw with predict, τ = 10,000": {"optimizer": "adamw", "delay": 10_000, "remedies": ["predict"]},
}


def traces() -> dict[str, np.ndarray]:
    """Returns records of 100,000 delays."""
    rng = np.random.default_rng(0)
    return {
        "100,000 entries, Poisson, mean 8": rng.poisson(8, 100_000),
        "100,000 entries, uniform 0 … 4,999": rng.integers(0, 5000, 100_000),
        "100,000 entries, geometric, mean 500": rng.geometric(1 / 500, 100_000),
    }


def milliseconds(work: Callable[[], object]) -> float:
    """Returns the median of CPU time, which other programs on the machine do not change."""
    taken = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - begun))
    return statistics.median(taken)


def by_companion(settings: dict[str, Any]) -> float:
    """Returns the threshold by halving: the largest root of the companion matrix passes the unit circle there."""
    loop = TrainingLoop(**settings)
    characteristic = loop._characteristic
    low, high = 0.0, 1.01 * loop.threshold
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        roots = np.roots(characteristic.at(middle).dense(characteristic.degree + 1))
        low, high = (low, middle) if np.abs(roots).max() > 1 else (middle, high)
    return high


def row(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    loop = TrainingLoop(**settings)
    found: dict[str, Any] = {"case": name, "threshold": loop.threshold}
    found["milliseconds"] = milliseconds(lambda: TrainingLoop(**settings).threshold)
    if loop.delay.maximum <= LONGEST_COMPANION:
        found["apart"] = abs(by_companion(settings) / loop.threshold - 1)
        begun = time.process_time()
        by_companion(settings)
        found["companion_milliseconds"] = 1e3 * (time.process_time() - begun)
    return found


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Time thresholds, beside those of companion matrices where there are any."""
    rows = [row(name, settings) for name, settings in CASES.items()]
    rows += [row(name, {"optimizer": "adamw", "delay": trace}) for name, trace in traces().items()]
    table = Table("loop", "threshold aη", "ms", "companion matrix, ms", "apart, relative")
    for one in rows:
        companion = one.get("companion_milliseconds")
        table.add_row(
            one["case"],
            f"{one['threshold']:.6g}",
            f"{one['milliseconds']:.2f}",
            "" if companion is None else f"{companion:.1f}",
            "" if companion is None else f"{one['apart']:.1e}",
        )
    ratios = {one["case"]: one["companion_milliseconds"] / one["milliseconds"] for one in rows if "apart" in one}
    keep("theory", {"ratios": ratios, "rows": rows}, as_json=as_json)
    if not as_json:
        Console().print(table)


if __name__ == "__main__":
    typer.run(main)
