"""Measures thresholds in this process, without Ray."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from tautune.trainables.theory.momentum import NO_MOMENTUM, Momentum
from tautune.trainables.theory.problem import Problem
from tautune.trainables.threshold.checks import check_problem
from tautune.trainables.threshold.descent import Descent
from tautune.trainables.threshold.held import eigenvector, hold
from tautune.trainables.threshold.late_optimizer import shares_of_stages, stages_of
from tautune.trainables.threshold.measurement import Measurement
from tautune.trainables.threshold.minimum import Minimum
from tautune.trainables.threshold.record import MeasurementRecord, Settings
from tautune.trainables.threshold.update import Update, predicted


class Measured(NamedTuple):
    minimum: Minimum
    records: tuple[MeasurementRecord, ...]
    """One record for each delay and each seed of the mini-batches, in the order of the delays."""


def measure_in_process(
    problem: Problem,
    delays: Sequence[int],
    *,
    momentum: Momentum = NO_MOMENTUM,
    update: Update | None = None,
    mini_batch: int | None = None,
    seeds: int = 1,
    resolution: float = 0.005,
    departures: bool = False,
    tolerance: float = 1e-6,
    budget: int = 20_000,
    on_descent: Callable[[Descent], None] = lambda descent: None,
    on_record: Callable[[MeasurementRecord], None] = lambda record: None,
) -> Measured:
    """Trains to the minimum, then measures the threshold at every delay; `problem` is left at its minimum.

    torch's random numbers and its number of threads stay as they are.

    Args:
        delays: τ of each measurement, in optimizer steps.
        update: how gradients become steps, where it is not the paper's SGD with `momentum`.
        mini_batch: examples per step; None means the full batch.
        seeds: number of measurements at each delay, each with its own order of the mini-batches.
        resolution: relative width of a threshold's bracket.
        departures: whether to measure also how soon training leaves the minimum.
        tolerance, budget: see `Descent`.
        on_descent: called after every round of the descent.
        on_record: called after every learning rate, with the measurement so far.

    Raises:
        ValueError: the problem or a setting is invalid; see `check_problem`.
        MinimumNotReached: there is no minimum to measure at; the message says why.
    """
    wanted = [
        Settings(
            delay=delay,
            momentum=momentum,
            update=update,
            mini_batch=mini_batch,
            seed=seed,
            resolution=resolution,
            departures=departures,
        )
        for delay in delays
        for seed in range(seeds)
    ]
    check_problem(problem)
    problem.batches(mini_batch, 0)
    if update and update.stages:
        stages_of(problem.model, update)
    with torch.enable_grad():
        minimum = _minimum(problem, update, Descent(problem, tolerance=tolerance, budget=budget), on_descent)
        if update and update.stages:
            shares = shares_of_stages(problem, update, eigenvector(minimum))
            wanted = [replace(settings, update=update.with_shares(shares)) for settings in wanted]
        records = tuple(_record(problem, minimum, settings, on_record) for settings in wanted)
    problem.move_to(minimum.point)
    return Measured(minimum, records)


def _minimum(
    problem: Problem, update: Update | None, descent: Descent, on_descent: Callable[[Descent], None]
) -> Minimum:
    ended = False
    while not ended:
        ended = descent.advance()
        on_descent(descent)
    minimum = descent.minimum()
    return hold(problem, minimum) if update and update.is_preconditioned else minimum


def _record(
    problem: Problem, minimum: Minimum, settings: Settings, on_record: Callable[[MeasurementRecord], None]
) -> MeasurementRecord:
    guess = predicted(minimum.sharpness, settings.delay, settings.momentum, settings.update)
    measurement = Measurement(problem, minimum, replace(settings, first_guess=guess))
    while not measurement.done:
        measurement.advance()
        on_record(measurement.record())
    return measurement.record()
