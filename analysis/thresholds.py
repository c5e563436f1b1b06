"""From measurements to conclusions: the threshold at every delay beside theory's, and the line through them.

Plain records; `analysis/figures.py` draws them.
"""

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np

from tautune.trainables.theory import stability
from tautune.trainables.threshold.record import MeasurementRecord

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One delay: the largest stable learning rate, predicted and measured."""

    delay: int
    predicted: float
    """Theory's learning rate, threshold/λ."""
    measured: float
    uncertainty: float
    """± learning rate: half the bracket's width; with mini-batches also the standard error over seeds."""
    gradient_evaluations: int
    """In passes over the data set."""
    seeds: int

    @property
    def relative_error(self) -> float:
        return self.measured / self.predicted - 1

    def as_json(self) -> Json:
        return {
            "delay": self.delay,
            "predicted": self.predicted,
            "measured": self.measured,
            "uncertainty": self.uncertainty,
            "relative_error": self.relative_error,
            "gradient_evaluations": self.gradient_evaluations,
            "seeds": self.seeds,
        }


@dataclass(frozen=True, kw_only=True)
class Escape:
    """How long training took to leave the minimum at one delay and learning rate."""

    delay: int
    seed: int
    learning_rate: float
    epochs: float
    left: bool
    """False: it had not left when the budget, `epochs`, ended."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The conclusions of a sweep."""

    study: str
    sharpness: float
    momentum: float
    shifted: bool
    mini_batch: int | None
    points: tuple[Point, ...]
    """By delay."""
    escapes: tuple[Escape, ...]

    def fit(self) -> Json | None:
        """The line 1/η = slope (2τ+1) + intercept through the measurements, and λ as the measurements have it.

        `sharpness` is the least-squares λ in 1/η = λ / threshold(τ), over all delays: theory's exact form. None
        with fewer than two delays.
        """
        if len(self.points) < 2:
            return None
        x = np.array([2 * p.delay + 1 for p in self.points])
        y = np.array([1 / p.measured for p in self.points])
        slope, intercept = np.polyfit(x, y, 1)
        exact = np.array([1 / (p.predicted * self.sharpness) for p in self.points])
        λ = float(exact @ y / (exact @ exact))
        residual = y - (slope * x + intercept)
        spread = ((y - y.mean()) ** 2).sum()
        return {
            "form": "1/learning_rate = slope * (2 * delay + 1) + intercept",
            "slope": float(slope),
            "intercept": float(intercept),
            "r_squared": float(1 - residual @ residual / spread),
            "sharpness": λ,
            "sharpness_relative_error": λ / self.sharpness - 1,
        }

    def as_json(self) -> Json:
        return {
            "study": self.study,
            "sharpness": self.sharpness,
            "momentum": self.momentum,
            "shifted": self.shifted,
            "mini_batch": self.mini_batch,
            "points": [point.as_json() for point in self.points],
            "fit": self.fit(),
            "escapes": [vars(escape) for escape in self.escapes],
        }


def conclude(
    *,
    study: str,
    sharpness: float,
    momentum: float,
    shifted: bool,
    mini_batch: int | None,
    steps_per_epoch: int,
    records: list[MeasurementRecord],
) -> Thresholds:
    """Gathers measurements, several seeds a delay, those not finished included.

    A delay without a threshold yet, and one of whose seeds has none, is left out.
    """
    by_delay: dict[int, list[MeasurementRecord]] = {}
    for record in records:
        by_delay.setdefault(record.settings.delay, []).append(record)
    points, escapes = [], []
    for delay, measurements in sorted(by_delay.items()):
        measurements.sort(key=lambda m: m.settings.seed)
        predicted = stability.max_stable_learning_rate(sharpness, delay, momentum, shifted=shifted)
        if all(_bracketed(m) for m in measurements):
            points.append(_point(delay, predicted, measurements))
        for m in measurements:
            for d in m.departures:
                escapes.append(
                    Escape(
                        delay=delay,
                        seed=m.settings.seed,
                        learning_rate=d.learning_rate,
                        epochs=d.steps / steps_per_epoch,
                        left=d.left,
                    )
                )
    return Thresholds(
        study=study,
        sharpness=sharpness,
        momentum=momentum,
        shifted=shifted,
        mini_batch=mini_batch,
        points=tuple(points),
        escapes=tuple(escapes),
    )


def _bracketed(measurement: MeasurementRecord) -> bool:
    threshold = measurement.threshold
    return threshold is not None and (
        measurement.done
        or bool(measurement.departures)
        or 2 * threshold.uncertainty <= measurement.settings.resolution * threshold.learning_rate
    )


def _point(delay: int, predicted: float, measurements: list[MeasurementRecord]) -> Point:
    thresholds = [m.threshold for m in measurements if m.threshold]
    rates = [threshold.learning_rate for threshold in thresholds]
    bracket = fmean(threshold.uncertainty for threshold in thresholds)
    error = stdev(rates) / len(rates) ** 0.5 if len(rates) > 1 else 0.0
    return Point(
        delay=delay,
        predicted=predicted,
        measured=fmean(rates),
        uncertainty=float(np.hypot(bracket, error)),
        gradient_evaluations=round(sum(m.gradient_evaluations for m in measurements)),
        seeds=len(measurements),
    )
