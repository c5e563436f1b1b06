"""Everything that is measured at one delay: the stability threshold, then how soon training leaves above it."""

import math

import torch

from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.delayed_training import FLAT, DelayedTraining, measure_growth, steps_to_leave
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import Departure, MeasurementRecord, Settings
from tautune.trainables.threshold.search import Sample, ThresholdSearch

__all__ = ["Departure", "Measurement", "MeasurementRecord", "Settings"]

PERTURBATION = {torch.float64: 1e-6, torch.float32: 1e-4}
"""Distance from the minimum at which growth is measured, relative to ‖x*‖: small enough for curvature alone to act,
large enough for rounding to be small beside it."""
WITHOUT_KINKS = 1e-8
"""The same where the gradient does not vanish, as in ReLU networks: kinks are about 1e-6 apart there."""
START, LEFT = 1e-3, 1e-1
"""Training has left the minimum when its distance, relative to ‖x*‖, has gone from START to LEFT."""
FACTORS = (3.0, 2.0, 1.5, 1.25, 1.12, 1.06, 1.03, 0.9)
"""Learning rates, relative to the measured threshold, at which training is watched until it leaves."""
MINI_BATCH_FACTORS = (*FACTORS, 0.7, 0.5)
"""Gradient noise can carry training out of the minimum's neighbourhood below the threshold too."""


class Measurement:
    """Measures one learning rate at a time: `advance()` until `done`. `record()` holds everything."""

    def __init__(self, problem: Problem, minimum: Minimum, settings: Settings) -> None:
        self.problem, self.minimum, self.settings = problem, minimum, settings
        self.search = ThresholdSearch(first_guess=settings.first_guess, resolution=settings.resolution)
        self.departures: list[Departure] = []
        self.gradient_evaluations = 0.0
        """Passes over the full batch that the threshold cost."""
        self.size = float(minimum.point.norm()) or 1.0

    @property
    def done(self) -> bool:
        searched = self.search.done or self.search.exhausted
        return searched and (self.search.failed or len(self.departures) == len(self._factors))

    def advance(self) -> None:
        if self.search.done or self.search.exhausted:
            self._watch_departure()
        else:
            self._measure_growth()

    def record(self) -> MeasurementRecord:
        """Returns everything that was measured so far."""
        return MeasurementRecord(
            settings=self.settings,
            samples=tuple(self.search.samples),
            departures=tuple(self.departures),
            gradient_evaluations=self.gradient_evaluations,
            threshold=None if self.search.failed else self.search.threshold(),
            done=self.done,
        )

    def load(self, record: MeasurementRecord) -> None:
        """Goes on from where an earlier measurement ended; its settings are not taken over."""
        self.search.samples = list(record.samples)
        self.departures = list(record.departures)
        self.gradient_evaluations = record.gradient_evaluations

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
        training = self._training(learning_rate, distance=distance, anchored=True)
        growth = measure_growth(training, tolerance=2e-3 * self.settings.resolution)
        self.search.add(Sample(learning_rate, *growth))
        self.gradient_evaluations += training.gradient_evaluations

    def _watch_departure(self) -> None:
        """From the largest learning rate down; the steps that training may take follow the slowest that left so far."""
        factor = self._factors[len(self.departures)]
        learning_rate = self.search.threshold().learning_rate * factor
        slowest = max((d.steps for d in self.departures if d.left), default=0)
        first = round(100 * (self.settings.delay + 1) / (1 - self.settings.momentum.value))
        budget = (4 * slowest if factor > 1 else slowest) or first
        if self.settings.mini_batch:  # noise takes its time
            budget = max(budget, 20 * math.ceil(len(self.problem) / self.settings.mini_batch))
        training = self._training(learning_rate, distance=START, anchored=False)
        steps = steps_to_leave(training, factor=LEFT / START, budget=budget)
        self.departures.append(Departure(learning_rate, budget if steps is None else steps, steps is not None))

    def _training(self, learning_rate: float, *, distance: float, anchored: bool) -> DelayedTraining:
        return DelayedTraining(
            self.problem,
            self.minimum,
            self.settings,
            learning_rate,
            distance=distance * self.size,
            anchored=anchored,
        )
