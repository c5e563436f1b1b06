"""Compares the cost of a stability threshold by bracketing and interpolation with the cost by the published grid.

    python -m benchmarks.threshold [--json]

Both methods start near the same minimum of the digits network, with the full batch and one thread. tautune is asked for
a resolution of 1 %. The grid of learning rates has the published spacing of 8 % and is centred on theory's threshold,
which tautune does not use.
"""

import time
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from benchmarks.peers.threshold_grid import grid_threshold
from benchmarks.record import keep
from tautune.records.minimum_cache import MinimumCache
from tautune.search_spaces import digits
from tautune.trainables.theory import stability
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.descent import find_minimum
from tautune.trainables.threshold.measurement import Measurement, Settings
from tautune.trainables.threshold.minimum import Minimum, content_hash

DELAYS = (0, 1, 4)
BLIND_GUESS = 0.01


def known_minimum(problem: Problem) -> Minimum:
    """Returns the minimum from the cache of `tautune sweep`, or finds it; this is not part of what is timed."""
    cache = MinimumCache(content_hash(problem, tolerance=1e-6))
    minimum = cache.minimum()
    if not (minimum and minimum.holds(problem)):
        minimum = find_minimum(problem)
        cache.keep(minimum)
    return minimum


def compare(problem: Problem, minimum: Minimum, delay: int) -> dict[str, Any]:
    theory = stability.max_stable_learning_rate(minimum.sharpness, delay)
    begun = time.perf_counter()
    settings = Settings(delay=delay, resolution=0.01, first_guess=BLIND_GUESS, departures=False)
    measurement = Measurement(problem, minimum, settings)
    while not measurement.done:
        measurement.advance()
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    peer = grid_threshold(problem, minimum.point, minimum.direction, delay=delay, around=theory)
    return {
        "delay": delay,
        "theory": theory,
        "tautune": measurement.search.threshold().learning_rate,
        "published_grid": peer.learning_rate,
        "tautune_gradients": measurement.gradient_evaluations,
        "published_grid_gradients": peer.gradient_evaluations,
        "tautune_seconds": ours,
        "published_grid_seconds": time.perf_counter() - begun,
    }


def main(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Count gradient evaluations and seconds to the threshold."""
    torch.set_num_threads(1)
    problem = digits.STUDY.problem()
    minimum = known_minimum(problem)
    rows = [compare(problem, minimum, delay) for delay in DELAYS]
    total = {name: sum(row[name] for row in rows) for name in rows[0] if name.endswith(("gradients", "seconds"))}
    ratios = {
        f"published_grid_{unit}": total[f"published_grid_{unit}"] / total[f"tautune_{unit}"]
        for unit in ("gradients", "seconds")
    }
    keep("threshold", {"ratios": ratios, "total": total, "rows": rows}, as_json=as_json)
    if not as_json:
        for name, ratio in ratios.items():
            Console().print(f"threshold: {name} {ratio:.1f} times as many", highlight=False)


if __name__ == "__main__":
    typer.run(main)
