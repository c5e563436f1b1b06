"""Combines the measurements of a sweep into its thresholds."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np

from tautune.analysis.thresholds import Escape, Point, Thresholds
from tautune.trainables.theory.momentum import Momentum
from tautune.trainables.threshold.record import Key, MeasurementRecord
from tautune.trainables.threshold.update import Update, mean_square, predicted, typical


def conclude(
    records: Iterable[MeasurementRecord],
    *,
    study: str,
    sharpness: float,
    momentum: Momentum,
    mini_batch: int | None,
    examples: int,
    wanted: Collection[Key] = (),
    update: Update | None = None,
    noise: float | None = None,
) -> Thresholds:
    """Returns the thresholds that the measurements give. A delay may have several seeds; records may be unfinished.

    A delay is left out while one of its records has no threshold yet, or one of its wanted seeds has no record.

    Args:
        examples: N, the size of the data set, which converts steps into epochs.
        wanted: (delay, seed) of the measurements that were asked for.
        noise: r of the mini-batches' curvature, where steps differ by chance; 0 for delays that are drawn.
    """
    steps_per_epoch = examples // mini_batch if mini_batch else 1
    by_delay: dict[int, list[MeasurementRecord]] = {}
    for record in sorted(records, key=lambda r: (r.settings.delay, r.settings.seed)):
        by_delay.setdefault(record.settings.delay, []).append(record)
    points, escapes = [], []
    for delay, measurements in by_delay.items():
        seeds = {m.settings.seed for m in measurements}
        missing = any(d == delay and seed not in seeds for d, seed in wanted)
        if update and update.workers:
            update = measurements[0].settings.update or update  # which has the ages that were recorded
        if not missing and all(_bracketed(m) for m in measurements):
            point = _point(delay, predicted(sharpness, delay, momentum, update), measurements)
            bound = None if noise is None else mean_square(sharpness, delay, momentum, update, noise)
            points.append(replace(point, mean_square=bound, typical=_typical(update, measurements, sharpness)))
        escapes += [escape for record in measurements for escape in _escapes(record, steps_per_epoch)]
    return Thresholds(
        study=study,
        sharpness=sharpness,
        momentum=momentum,
        update=update,
        mini_batch=mini_batch,
        points=tuple(points),
        escapes=tuple(escapes),
    )


def _typical(update: Update | None, records: list[MeasurementRecord], sharpness: float) -> float | None:
    """Returns the learning rate up to which a single training comes closer; None where delays do not vary."""
    if update is None or not update.varies:
        return None
    if not update.workers:
        return typical(update, records[0].settings.delay) / sharpness
    steps = [record.in_order for record in records if record.in_order is not None]
    return fmean(steps) / sharpness if steps else None


def _escapes(record: MeasurementRecord, steps_per_epoch: int) -> list[Escape]:
    return [
        Escape(
            delay=record.settings.delay,
            seed=record.settings.seed,
            learning_rate=departure.learning_rate,
            epochs=departure.steps / steps_per_epoch,
            left=departure.left,
        )
        for departure in record.departures
    ]


def _bracketed(record: MeasurementRecord) -> bool:
    threshold = record.threshold
    return threshold is not None and (
        record.done
        or bool(record.departures)
        or 2 * threshold.uncertainty <= record.settings.resolution * threshold.learning_rate
    )


def _point(delay: int, predicted: float, records: list[MeasurementRecord]) -> Point:
    thresholds = [record.threshold for record in records if record.threshold]
    rates = [threshold.learning_rate for threshold in thresholds]
    bracket = fmean(threshold.uncertainty for threshold in thresholds)
    error = stdev(rates) / len(rates) ** 0.5 if len(rates) > 1 else 0.0
    return Point(
        delay=delay,
        predicted=predicted,
        measured=fmean(rates),
        uncertainty=float(np.hypot(bracket, error)),
        gradient_evaluations=round(sum(record.gradient_evaluations for record in records)),
        seeds=len(records),
    )
