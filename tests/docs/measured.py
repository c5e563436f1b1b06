"""The sentences and rows of the manual that have measured numbers, made from the files that the numbers came from.

A test looks for each of them on its page, and for numbers on the page that none of them has.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from tautune.trainables.theory.loop import TrainingLoop

RESULTS = Path(__file__).parents[2] / "benchmarks/results"
Json = dict[str, Any]
FULL_BATCH = ("", "-momentum-0.9", "-shifted-0.9")
"""Ends of the names of the folders in which the full batch's thresholds are."""


def read(name: str) -> Any:
    return json.loads((RESULTS / name).read_text())


def points(folder: str) -> dict[int, Json]:
    return {point["delay"]: point for point in read(f"{folder}/thresholds.json")["points"]}


def percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}"


def listed(values: list[Any]) -> str:
    return f"{', '.join(map(str, values[:-1]))} and {values[-1]}"


def readme() -> Iterator[str]:
    small = [row for row in read("step.json")["rows"] if row["parameters"] == 2410]
    late = [row["queued_seconds"] - row["bare_seconds"] for row in small]
    assert 1e-5 < min(late) < max(late) < 9e-5
    yield "at a cost of some tens of microseconds per step"
    [sweep] = read("digits/run.json")["runs"]
    assert 30 < sweep["duration_seconds"] < 90
    yield "in about a minute on two cores"
    assert 15 < fmean(run["seconds"] for run in read("digits_mlp.json")["runs"]) < 35
    yield "20 configurations with HyperOpt + ASHA, half a minute"


def threshold() -> Iterator[str]:
    full = [points(f"digits{name}") for name in FULL_BATCH]
    batches = points("digits-batch-256")
    for τ in batches:
        errors = [f"{100 * column[τ]['relative_error']:+.4f} %" for column in full]
        error, spread = (batches[τ][name] for name in ("relative_error", "uncertainty"))
        yield f"| {τ} | {' | '.join(errors)} | {100 * error:+.2f} ± {percent(spread / batches[τ]['predicted'])} % |"
    yield f"of the first column took {sum(p['gradient_evaluations'] for p in full[0].values()):,} gradients"
    brackets = [p["uncertainty"] / p["measured"] for column in full for p in column.values()]
    assert max(brackets) < 0.00255
    yield "is that of the bracket, ± 0.25 %"
    yield f"theory is off by {100 * batches[0]['relative_error']:.0f} % at τ = 0"
    off = max(abs(p["relative_error"]) / p["uncertainty"] * p["predicted"] for τ, p in batches.items() if τ)
    yield f"and from τ = 1 on by at most {off:.1f} of these uncertainties"
    assert points("quadratic-batch-1")[0]["relative_error"] < -0.5


def theory() -> Iterator[str]:
    stages = [read(f"digits-stages-{name}/thresholds.json") for name in ("1-0", "8-2")]
    share = stages[0]["update"]["shares"][0]
    one, other = (f"{100 * s['points'][0]['relative_error']:+.3f} %".replace("-", "−") for s in stages)
    yield f"the first of which holds {100 * share:.0f} % of the sharpest eigenvector"
    yield f"are {one} off where they are 1 and 0 steps late"
    yield f"and {other} where they are 8 and 2"
    single = points("quadratic-batch-1")
    mean, square = ([p[name] for p in single.values()] for name in ("predicted", "mean_square"))
    yield f"in the mean up to {mean[0]:.3f}, {mean[1]:.3f} and {mean[2]:.4f} at τ = {listed(list(single))}"
    yield f"in the mean square up to {square[0]:.3f}, {square[1]:.3f} and {square[2]:.4f}"
    measured = [f"{p['measured']:.3f} ± {p['uncertainty']:.3f}" for p in single.values()]
    yield f"was measured as {listed(measured)}"
    drawn, loop = read("quadratic-delays-0-2/thresholds.json"), TrainingLoop(delay={0: 0.5, 2: 0.5})
    [point], λ = drawn["points"], drawn["sharpness"]
    yield (
        f"up to aη = {loop.threshold:.3g} in the mean, {λ * point['typical']:.3g} in a single training and "
        f"{loop.mean_square_threshold(0):.3g} in the mean square"
    )
    yield f"and were measured at {λ * point['measured']:.2f} ± {λ * point['uncertainty']:.2f}"
    [uniform] = read("digits-uniform-0-8/thresholds.json")["points"]
    yield (
        f"up to {uniform['predicted']:.4f} in the mean, {uniform['typical']:.4f} in a single training and "
        f"{uniform['mean_square']:.4f} in the mean square, and"
    )
    yield f"{uniform['measured']:.4f} ± {uniform['uncertainty']:.4f} was measured over three seeds"
    yield f"which is {100 * uniform['relative_error']:+.2f} % off the mean's and"
    single = 100 * (uniform["measured"] / uniform["typical"] - 1)
    yield f"{single:+.2f} % off a single training's".replace("-", "−")
    assert max(row["apart"] for row in read("theory.json")["rows"] if "apart" in row) < 1e-9
    yield "a companion matrix agrees to 1e-9"


def paper() -> Iterator[str]:
    slope = math.log(TrainingLoop(delay=32).threshold / TrainingLoop(delay=1).threshold) / math.log(32)
    yield f"even exact theory has the slope {slope:.2f}".replace("-", "−")
    apart = [abs(p["relative_error"]) for name in FULL_BATCH for p in points(f"digits{name}").values()]
    assert max(apart) < 1e-4
    yield "they agree with theory to [a few thousandths of a per cent]"


COSTS = {
    "WeightPrediction": "weight prediction",
    "SpikeCompensatedSGD": "spike compensation",
    "DelayCompensation": "delay compensation",
    "GapAware": "gap-aware",
    "DelayAdaptive": "delay-adaptive",
    "StalenessAware": "staleness-aware",
    "PipeMareRescheduling": "PipeMare rescheduling",
    "DiscardStale": "discard",
}
"""The remedies of the table by their names, and what the benchmark calls them."""


def remedies() -> Iterator[str]:
    ratios = read("remedies.json")["ratios"]
    yield from (f"| {ratios[name]:.2f} |" for name in COSTS.values())
    cheap = [ratios[name] for name in ("delay-adaptive", "staleness-aware", "PipeMare rescheduling", "discard")]
    yield f"nothing else ({min(cheap):.2f} to {max(cheap):.2f})"
    moving = [ratios[name] for name in ("weight prediction", "delay compensation", "gap-aware", "weight stashing")]
    assert min(moving) > 1.15 > max(cheap)
    yield "What exceeds 1.15 moves whole copies of the weights"
    yield f"at τ = 8 takes {ratios['weight stashing']:.2f} times as long"
