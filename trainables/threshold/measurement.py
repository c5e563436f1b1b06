"""Measures the stability threshold at one delay, and then how soon training leaves the minimum above it."""

import math
from collections import Counter
from dataclasses import replace

import torch

from tautune.trainables.theory.problem import Problem
from tautune.trainables.theory.typical import FEWEST
from tautune.trainables.threshold.delayed_training import FLAT, DelayedTraining, measure_growth, steps_to_leave
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.passages import mean_growth, steps_of_varying
from tautune.trainables.threshold.record import Departure, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Sample, ThresholdSearch
from tautune.trainables.threshold.update import typical
from tautune.trainables.threshold.with_workers import RealWorkers, TrainingWithRealWorkers

__all__ = ["Departure", "Measurement", "MeasurementRecord", "Settings"]

PERTURBATION = {torch.float64: 1e-6, torch.float32: 1e-4}
"""Distance from the minimum, relative to ‖x*‖, at which growth is measured: small enough that only the curvature acts,
and large compared with rounding errors."""
WITHOUT_KINKS = 1e-8
"""The same distance where the gradient does not vanish, as in ReLU networks: kinks are about 1e-6 apart there."""
START, LEFT = 1e-3, 1e-1
"""Distances relative to ‖x*‖: training starts at START and has left the minimum when it reaches LEFT."""
FACTORS = (3.0, 2.0, 1.5, 1.25, 1.12, 1.06, 1.03, 0.9)
"""Learning rates, relative to the measured threshold, at which training is watched until it leaves."""
MINI_BATCH_FACTORS = (*FACTORS, 0.7, 0.5)
"""The same with mini-batches, also farther below the threshold: there gradient noise can still drive training out."""
SEEDS_APART = 2**20
"""Between the passages of one measurement: more than a user has seeds."""
VANISHED = 1e-6
"""Root mean square of a minimum's weights below which their norm is no measure of length, and 1 takes its place."""


class Measurement:
    """Measures one learning rate with each `advance()`, until `done`; `record()` returns everything measured so far."""

    def __init__(self, problem: Problem, minimum: Minimum, settings: Settings) -> None:
        self.problem, self.minimum, self.settings = problem, minimum, settings
        self.search = ThresholdSearch(first_guess=settings.first_guess, resolution=settings.resolution)
        self.departures: list[Departure] = []
        self.gradient_evaluations = 0.0
        """Cost of the threshold, in passes over the full batch."""
        norm, unit = float(minimum.point.norm()), math.sqrt(len(minimum.point))
        self.workers: RealWorkers | None = None
        self.earlier: MeasurementRecord | None = None
        self.size = norm if norm > VANISHED * unit else unit

    @property
    def done(self) -> bool:
        """Returns whether nothing is left to measure."""
        searched = self.search.done or self.search.exhausted
        return searched and (self.search.failed or len(self.departures) == len(self._factors))

    def advance(self) -> None:
        """Measures growth at the search's next learning rate or, after the search, watches the next departure."""
        if self.search.done or self.search.exhausted:
            self._watch_departure()
        else:
            self._measure_growth()

    def record(self) -> MeasurementRecord:
        """Returns everything measured so far."""
        return MeasurementRecord(
            settings=self._met(),
            samples=tuple(self.search.samples),
            departures=tuple(self.departures),
            gradient_evaluations=self.gradient_evaluations,
            threshold=None if self.search.failed else self.search.threshold(),
            done=self.done,
            in_order=self._in_order(),
        )

    def load(self, record: MeasurementRecord) -> None:
        """Continues from where an earlier measurement ended; of its settings, only the ages that it met are used."""
        self.earlier = record
        self.search.samples = list(record.samples)
        self.departures = list(record.departures)
        self.gradient_evaluations = record.gradient_evaluations

    def _met(self) -> Settings:
        """Returns the settings; where workers train, with the shares of the ages that their gradients had."""
        update, before = self.settings.update, self.earlier.settings.update if self.earlier else None
        if not update or not update.workers:
            return self.settings
        ages = Counter(self._ages)
        shares = tuple((age, ages[age] / ages.total()) for age in sorted(ages)) or (before.drawn if before else ())
        return replace(self.settings, update=replace(update, drawn=shares))

    def _in_order(self) -> float | None:
        """Returns the aη at which the recursion with the ages of workers, as they came, neither grows nor shrinks."""
        update = self._met().update
        if not self.done or not update or len(self._ages) < FEWEST:
            return self.earlier.in_order if self.earlier else None
        return typical(update, self.settings.delay, tuple(self._ages))

    @property
    def _ages(self) -> list[int]:
        return self.workers.ages if self.workers else []

    def reported(self) -> list[tuple[int, ...]]:
        """Returns what `WRITTEN` names of each gradient that workers have computed since this was asked last."""
        rows: list[tuple[int, ...]] = []
        if self.workers:
            rows, self.workers.rows = self.workers.rows, []
        return rows

    def close(self) -> None:
        """Ends the workers, if there are any."""
        if self.workers:
            self.workers.close()
            self.workers = None

    @property
    def _updates(self) -> int:
        """Returns the steps made so far."""
        return sum(sample.steps for sample in self.search.samples) + sum(one.steps for one in self.departures)

    @property
    def _factors(self) -> tuple[float, ...]:
        if not self.settings.departures:
            return ()
        return MINI_BATCH_FACTORS if self.settings.mini_batch else FACTORS

    def _measure_growth(self) -> None:
        learning_rate = self.search.next_learning_rate()
        distance = PERTURBATION[self.minimum.point.dtype]
        if self.minimum.gradient_norm > FLAT and self.minimum.point.dtype is torch.float64:
            distance = WITHOUT_KINKS

        def begin(passage: int) -> DelayedTraining:
            return self._training(learning_rate, distance=distance, anchored=True, passage=passage)

        if self.settings.varies:
            growth, evaluations = mean_growth(begin, steps_of_varying(self.settings, len(self.problem)))
        else:
            training = begin(0)
            growth = measure_growth(training, tolerance=2e-3 * self.settings.resolution)
            evaluations = training.gradient_evaluations
        self.search.add(Sample(learning_rate, *growth))
        self.gradient_evaluations += evaluations

    def _watch_departure(self) -> None:
        """Watches the next departure; learning rates fall, and the step budget follows the slowest departure so far."""
        factor = self._factors[len(self.departures)]
        learning_rate = self.search.threshold().learning_rate * factor
        slowest = max((d.steps for d in self.departures if d.left), default=0)
        first = round(100 * (self.settings.delay + 1) / (1 - self.settings.m))
        budget = (4 * slowest if factor > 1 else slowest) or first
        if self.settings.mini_batch:  # noise takes longer to drive training out
            budget = max(budget, 20 * math.ceil(len(self.problem) / self.settings.mini_batch))
        training = self._training(learning_rate, distance=START, anchored=False)
        steps = steps_to_leave(training, factor=LEFT / START, budget=budget)
        self.departures.append(Departure(learning_rate, budget if steps is None else steps, steps is not None))

    def _training(self, learning_rate: float, *, distance: float, anchored: bool, passage: int = 0) -> DelayedTraining:
        """Returns a training that has yet to begin; those of other passages have other delays and mini-batches."""
        if self.settings.update and self.settings.update.workers:
            if self.workers is None:
                self.workers = RealWorkers(self.problem, self.minimum, self.settings, anchored=anchored)
                self.workers.before = self._updates
            return TrainingWithRealWorkers(
                self.workers, self.minimum, self.settings, learning_rate, distance=distance * self.size
            )
        return DelayedTraining(
            self.problem,
            self.minimum,
            replace(self.settings, seed=self.settings.seed + passage * SEEDS_APART),
            learning_rate,
            distance=distance * self.size,
            anchored=anchored,
        )
