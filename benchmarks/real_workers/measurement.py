"""Measures at which learning rate a training with real workers neither leaves its minimum nor comes closer.

A run starts beside the minimum, and has a growth rate g a step. The threshold is where a line through the growth rates
of several runs over ln η is zero.
"""

import math
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.real_workers.ages import (
    autocorrelation,
    growth,
    independent,
    reachable,
    shares_of,
    summaries,
    threshold_of,
)
from tautune.trainables.asynchronous.server import Row
from tautune.trainables.asynchronous.settings import Workers
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.growth import envelope_rate
from tautune.trainables.threshold.measurement import PERTURBATION
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Settings
from tautune.trainables.threshold.update import Update
from tautune.trainables.threshold.with_workers import RealWorkers, TrainingWithRealWorkers

Json = dict[str, Any]
LEAVE, SETTLE = 1e3, 1e-4
"""Factors by which the distance along the sharpest direction may grow and shrink: farther out the loss is no longer
quadratic, and closer in rounding shows."""
FIRST, LATER = (0.9, 1.0, 1.1), (0.96, 1.04)
"""Learning rates of the first runs, in units of the threshold of independent draws; and of the later ones, in turn, in
units of the threshold that was measured so far."""
SHORTEST = 100
"""Updates of a run below which its ages are too few for a growth rate."""
CPUS = 0.2
"""Share of a core that Ray books for a worker, so that eight of them fit."""
LAGS = (1, 2, 4, 8)
"""Distances in updates at which ages are correlated with one another."""


class Case(NamedTuple):
    """So many workers of one speed, or one of them slower."""

    model: str
    workers: int
    slowdown: float

    @property
    def settings(self) -> Settings:
        """Returns what a training near its minimum is told."""
        factors = (*[1.0] * (self.workers - 1), self.slowdown) if self.slowdown > 1 else ()
        workers = Workers(count=self.workers, slowdown=factors, cpus=CPUS)
        return Settings(delay=self.workers - 1, update=Update(optimizer="sgd", workers=workers))


class Recorded(RealWorkers):
    """Workers whose ages are kept in the order in which they came."""

    trace: list[int]

    def took(self, rows: list[Row]) -> None:
        """Takes the ages of gradients that were applied."""
        super().took(rows)
        self.trace += [row.age for row in rows]


class Along(TrainingWithRealWorkers):
    """A training that is watched along the sharpest direction: in others, it may be much slower."""

    def ended(self, *, leave: float, settle: float) -> bool:
        """Returns whether a step overflowed, or that distance left [settle, leave] times its initial value."""
        recent = max(abs(along) for along in self.along[-2 * (self.settings.delay + 1) :])
        return self.overflowed or not settle * self.distance <= recent <= leave * self.distance


class Run(NamedTuple):
    """A training at one learning rate."""

    k: float
    """The learning rate times the sharpness."""
    ages: list[int]
    growth: float
    """Of the distance along the sharpest direction, a step."""
    recursion: float
    """The same of x[t+1] = x[t] - k x[t - age] with the run's own ages."""


def measured(case: Case, problem: Problem, minimum: Minimum, *, steps: int, runs: int) -> Json:
    """Returns what was measured with a case's workers, what theory says of their ages, and all runs.

    Args:
        steps: updates of a run at most.
        runs: how many.
    """
    settings = case.settings
    workers = Recorded(problem, minimum, settings, anchored=True)
    workers.trace = []
    try:
        begun = _run(workers, minimum, settings, 0.001, steps)  # which hardly moves: only its ages are wanted
        guess = _of_draws(_settled(case, begun), steps)
        made: list[Run] = []
        for number in range(runs):
            later = number - len(FIRST)
            factor = FIRST[number] if later < 0 else LATER[later % len(LATER)]
            k = factor * (guess if later < 0 else zero(made)[0])
            made.append(_run(workers, minimum, settings, k, steps))
    finally:
        workers.close()
    return _concluded(case, begun, made, steps)


def zero(runs: list[Run]) -> tuple[float, float]:
    """Returns the k where a line through the growth rates over ln k is zero, and its standard error.

    There are three runs at least. Each counts by its steps, since a growth rate is an average over them.
    """
    x, y = np.log([run.k for run in runs]), np.array([run.growth for run in runs])
    weights = np.sqrt([len(run.ages) for run in runs])
    (slope, _), covariance = np.polyfit(x - x.mean(), y, 1, w=weights, cov=True)
    middle = np.average(y, weights=weights**2) - slope * (np.average(x, weights=weights**2) - x.mean())
    k = math.exp(float(x.mean() - middle / slope))
    distance = math.log(k) - float(x.mean())
    error = math.sqrt(covariance[1, 1] + 2 * distance * covariance[0, 1] + distance**2 * covariance[0, 0]) / slope
    return k, k * float(error)


def _run(workers: Recorded, minimum: Minimum, settings: Settings, k: float, steps: int) -> Run:
    workers.trace.clear()
    distance = PERTURBATION[minimum.point.dtype] * float(minimum.point.norm())
    training = Along(workers, minimum, settings, k / minimum.sharpness, distance=distance)
    training.advance(steps, leave=LEAVE, settle=SETTLE)
    ages = list(workers.trace)
    return Run(k, ages, envelope_rate(np.array(training.along)), growth(ages, k))


def _settled(case: Case, run: Run) -> list[int]:
    """Returns the ages once all workers have been there for a while."""
    return run.ages[4 * case.workers :]


def _of_draws(ages: list[int], steps: int) -> float:
    """Returns the threshold of ages that are drawn independently of one another."""
    drawn = [reachable(own) for own in independent(ages, steps)]
    return threshold_of(drawn, summaries(ages)["mean age"])


def _concluded(case: Case, begun: Run, runs: list[Run], steps: int) -> Json:
    whole = [run for run in (begun, *runs) if len(run.ages) >= SHORTEST]
    ages = [age for run in whole for age in _settled(case, run)]
    k, uncertainty = zero(runs)
    lags = {str(lag): fmean(autocorrelation(_settled(case, run), lag) for run in whole) for lag in LAGS}
    own = {"drawn independently": _of_draws(ages, steps), "in this order": threshold_of([r.ages for r in whole], k)}
    return {
        **case._asdict(),
        "mean_age": fmean(ages),
        "longest_age": max(ages),
        "shares": {str(age): share for age, share in shares_of(ages).items()},
        "autocorrelation": lags,
        "measured": k,
        "uncertainty": uncertainty,
        "predicted": summaries(ages) | own,
        "runs": [run._asdict() | {"ages": len(run.ages)} for run in runs],
    }
